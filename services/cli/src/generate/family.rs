//! Where a household lives, from the birth of its first child on: moves within the state, out of it and back.

use chrono::{Datelike, NaiveDate};

use super::World;
use super::calendar::date;
use super::dice::Dice;

/// An address from a day on.
#[derive(Clone, Debug)]
pub struct Address {
    /// The first day there.
    pub from: NaiveDate,
    /// The town; `None` is out of the state.
    pub town: Option<usize>,
    /// Stands for the neighbourhood.
    pub home: u64,
    /// House number and street.
    pub street: String,
}

/// The address on a day: the first one before its own first day.
pub fn on(addresses: &[Address], day: NaiveDate) -> Option<&Address> {
    let place = addresses.partition_point(|a| a.from <= day);
    addresses.get(place.saturating_sub(1))
}

/// Draws the addresses of a household. `mobility` is 1 for an average one, 0 for one that stays.
pub fn addresses(
    world: &World,
    (town, home): (usize, u64),
    since: NaiveDate,
    mobility: f64,
    dice: &mut Dice,
) -> Vec<Address> {
    let mut all = vec![Address { from: since, town: Some(town), home, street: world.names.street(dice) }];
    if mobility <= 0.0 {
        return all;
    }
    let mut away = false;
    for fall in since.year() + 3..=i32::from(world.last_fall) {
        // Summers are for moving; some families cannot choose.
        let summer = (date(fall, 7, 1), date(fall, 8, 20));
        let during = (date(fall, 9, 10), date(fall + 1, 5, 25));
        for ((from, to), within, out) in [(summer, 0.045, 0.008), (during, 0.030, 0.005)] {
            if away {
                if dice.chance(0.30) {
                    away = false;
                    let town = world.places.draw_town(dice);
                    all.push(moved(world, dice.day(from, to), Some(town), dice));
                }
            } else if dice.chance(out * mobility) {
                away = true;
                all.push(moved(world, dice.day(from, to), None, dice));
            } else if dice.chance(within * mobility) {
                let here = all.last().and_then(|a| a.town).unwrap_or(town);
                let town = another_town(world, here, dice);
                all.push(moved(world, dice.day(from, to), Some(town), dice));
            }
        }
    }
    all
}

fn moved(world: &World, from: NaiveDate, town: Option<usize>, dice: &mut Dice) -> Address {
    Address { from, town, home: dice.below(1 << 20) as u64, street: world.names.street(dice) }
}

/// Another town, mostly a near one; now and then another neighbourhood of the same.
pub fn another_town(world: &World, town: usize, dice: &mut Dice) -> usize {
    let near = &world.places.towns[town].near;
    if dice.chance(0.15) {
        town
    } else if dice.chance(0.7) {
        // The lesser of two draws: nearer is likelier.
        let place = dice.below(near.len()).min(dice.below(near.len()));
        near.get(place).copied().unwrap_or(town)
    } else {
        world.places.draw_town(dice)
    }
}
