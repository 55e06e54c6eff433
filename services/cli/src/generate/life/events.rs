//! What can happen to a child within a school year.

use crate::generate::World;
use crate::generate::calendar::Calendar;
use crate::generate::dice::Dice;
use crate::generate::household::{Child, Household};
use crate::generate::places::{Grade, grade};

use super::exit;

/// Something that happens on a day in session.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// The family moves to another town.
    Move,
    /// Another school of the same district.
    ChangeSchool,
    /// Leaves the public schools of the state: exit type.
    Leave(&'static str),
    /// Not seen for some days in session, then back.
    Gap(u16),
    /// A stay in a detention centre, in days in session.
    Detained(u16),
    /// A stay in a child-welfare facility.
    Hospital(u16),
    /// A stay in a correctional institution, which reports the child itself.
    Corrected(u16),
    /// Taught at home for illness.
    Homebound(u16),
    /// Dies.
    Died,
}

/// The events of a year, by place among its days in session.
pub fn draw(
    world: &World,
    (household, child): (&Household, &Child),
    calendar: &Calendar,
    at: Grade,
    dice: &mut Dice,
) -> Vec<(usize, Event)> {
    let mut events = forced(world, child, calendar.fall);
    events.extend(family_moves(household, calendar));
    let traits = &child.traits;
    let moves = traits.mobility * if child.case.is_some() { 0.0 } else { 1.0 };
    let older = at >= grade(7);
    let trouble = if older { (traits.conduct - 1.0).max(0.0) } else { 0.0 };
    let days = calendar.days_in_session();
    let mut maybe = |probability: f64, event: fn(&mut Dice) -> Event| {
        if dice.chance(probability) {
            let place = 4 + dice.below(days.saturating_sub(12));
            let event = event(dice);
            events.push((place, event));
        }
    };
    maybe(0.012 * moves, |_| Event::ChangeSchool);
    maybe(0.004 * moves, |dice| Event::Leave(leaves_for(dice)));
    maybe(0.004 * moves, |dice| Event::Gap(dice.between(8, 60) as u16));
    maybe(0.0015, |dice| Event::Homebound(dice.between(10, 60) as u16));
    if trouble > 0.0 && child.case.is_none() {
        maybe(0.016 * trouble, |dice| Event::Detained(dice.between(5, 60) as u16));
        maybe(0.003 * trouble, |dice| Event::Hospital(dice.between(15, 80) as u16));
        if at >= grade(9) && child.birth < world.as_of {
            maybe(0.004 * trouble, |dice| Event::Corrected(dice.between(20, 150) as u16));
        }
    }
    if child.case.is_none() {
        maybe(0.000_15, |_| Event::Died);
    }
    events.sort_by_key(|(place, _)| *place);
    events
}

/// Where those go who leave the public schools but stay in the state.
pub fn leaves_for(dice: &mut Dice) -> &'static str {
    let types = [exit::PRIVATE, exit::RELIGIOUS, exit::HOME, exit::UNKNOWN];
    types[dice.weighted(&[0.34, 0.24, 0.28, 0.14])]
}

/// Moves of the family in the middle of the year.
fn family_moves(household: &Household, calendar: &Calendar) -> impl Iterator<Item = (usize, Event)> {
    let within = calendar.first..=calendar.last;
    household.addresses.iter().skip(1).filter(move |address| within.contains(&address.from)).map(|address| {
        let place = calendar.days_between(calendar.first, address.from);
        let event = match address.town {
            Some(_) => Event::Move,
            None if address.home % 5 == 0 => Event::Leave(exit::ABROAD),
            None => Event::Leave(exit::OTHER_STATE),
        };
        (usize::from(place), event)
    })
}

fn forced(world: &World, child: &Child, fall: i16) -> Vec<(usize, Event)> {
    let Some(case) = child.case else {
        return Vec::new();
    };
    case.events.iter().filter(|forced| world.last_fall - forced.0 == fall).map(|forced| (forced.1, forced.2)).collect()
}
