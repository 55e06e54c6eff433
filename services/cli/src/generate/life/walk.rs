//! One step a school year: the summer before it, the year itself, and what comes of it.

use chrono::{Datelike, Days, NaiveDate};

use super::{Closes, Event, Life, Opens, Program, Stint, Year, events, exit};
use crate::generate::World;
use crate::generate::calendar::Calendar;
use crate::generate::dice::Dice;
use crate::generate::family;
use crate::generate::household::{Child, Household};
use crate::generate::places::{Grade, KINDERGARTEN, P3, Sector, grade};

/// Where a child is enrolled.
#[derive(Clone, Copy, Debug)]
struct Place {
    district: usize,
    school: usize,
    program: Program,
    registered: NaiveDate,
}

#[expect(clippy::struct_excessive_bools, reason = "states that do not exclude each other")]
struct Walk<'a> {
    world: &'a World,
    household: &'a Household,
    child: &'a Child,
    dice: &'a mut Dice,
    years: Vec<Year>,
    town: usize,
    home: u64,
    grade: Grade,
    place: Option<Place>,
    /// Out of school because the family is out of the state.
    family_away: bool,
    repeated: bool,
    learner: bool,
    gifted: bool,
    done: bool,
    died: bool,
}

/// The fall a child is due in a grade, if nothing holds it back.
fn due(cohort: i16, at: Grade) -> i16 {
    cohort + i16::from(at) - i16::from(KINDERGARTEN)
}

pub fn walk(world: &World, household: &Household, child: &Child, dice: &mut Dice) -> Life {
    let start = due(child.cohort, child.enters);
    let mut walk = Walk {
        world,
        household,
        child,
        family_away: false,
        town: child.town,
        home: child.home,
        grade: child.enters,
        place: None,
        repeated: false,
        learner: child.english_learner,
        gifted: false,
        done: false,
        died: false,
        years: Vec::with_capacity(14),
        dice,
    };
    for fall in start..=world.last_fall {
        if walk.done {
            break;
        }
        let calendar = world.calendar(fall);
        if calendar.first > world.as_of {
            break;
        }
        if walk.summer(calendar) {
            walk.year(calendar);
        }
    }
    let first = world.first_fall;
    walk.years.retain(|year| year.fall >= first);
    Life { years: walk.years, died: walk.died }
}

impl Walk<'_> {
    /// The summer before a year; says whether the child begins it in school.
    fn summer(&mut self, calendar: &Calendar) -> bool {
        if !self.at_home(calendar.first) {
            let abroad = self.child.home.is_multiple_of(5);
            let kind = if abroad { exit::ABROAD } else { exit::OTHER_STATE };
            return self.elsewhere(kind, true);
        }
        let case = self.child.case.is_some();
        if self.place.is_none() {
            let back = self.years.is_empty() || self.family_away || case;
            if !back && !self.dice.chance(0.34) {
                return self.elsewhere(exit::UNKNOWN, false);
            }
        } else if !case && self.dice.chance(0.009 * self.child.traits.mobility) {
            let kind = events::leaves_for(self.dice);
            return self.elsewhere(kind, false);
        }
        self.family_away = false;
        let next = self.choose(calendar.first);
        let stays = self.place.is_some_and(|place| place.district == next.district);
        if !stays && self.place.is_some() {
            let kind = self.leaving_for(next.school);
            self.leave_after_last_year(kind);
        }
        let late = !stays && self.dice.chance(0.06);
        let from = if late { calendar.day(self.dice.below(25)) } else { calendar.first };
        let registered = match self.place {
            Some(place) if stays => place.registered,
            _ => from,
        };
        self.place = Some(Place { registered, ..next });
        true
    }

    /// The exit type of a district that the child leaves for a school.
    fn leaving_for(&self, school: usize) -> &'static str {
        match self.world.places.schools[school].sector {
            Sector::Charter => exit::CHARTER,
            Sector::State => exit::INSTITUTION,
            _ => exit::OTHER_DISTRICT,
        }
    }

    /// The district unregisters the child as of the last day of the last year.
    fn leave_after_last_year(&mut self, kind: &'static str) {
        let last = self.years.last_mut().and_then(|y| y.stints.last_mut());
        if let Some(stint) = last.filter(|stint| stint.closes == Closes::Open) {
            stint.closes = Closes::Exit(stint.to, kind);
        }
        self.place = None;
    }

    /// Takes the family's address of a day; says whether that is in the state.
    fn at_home(&mut self, day: NaiveDate) -> bool {
        if self.child.case.is_some() {
            return true;
        }
        let Some(address) = family::on(&self.household.addresses, day) else {
            return true;
        };
        if let Some(town) = address.town {
            (self.town, self.home) = (town, address.home);
        }
        address.town.is_some()
    }

    /// A year out of the state's public schools; grades go on elsewhere. Always false: the child does not begin the year here.
    fn elsewhere(&mut self, kind: &'static str, family: bool) -> bool {
        if self.place.is_some() {
            self.leave_after_last_year(kind);
        }
        self.family_away |= family;
        // Who would have finished elsewhere does not come back.
        self.done = self.grade >= grade(12);
        self.grade += 1;
        false
    }

    /// The family's new address; a case has no family that moves, so it draws one.
    fn relocate(&mut self, day: NaiveDate) {
        if self.child.case.is_some() {
            self.town = family::another_town(self.world, self.town, self.dice);
            self.home = self.dice.below(1 << 20) as u64;
        } else {
            self.at_home(day);
        }
    }

    /// The school for the coming year.
    fn choose(&mut self, on: NaiveDate) -> Place {
        let places = &self.world.places;
        let at = self.grade;
        let fresh = |district, school, program| Place { district, school, program, registered: on };
        if let Some(place) = self.place {
            let school = &places.schools[place.school];
            let reachable = school.sector == Sector::Local || places.towns[self.town].choices.contains(&place.school);
            let own = school.sector != Sector::Local
                || place.program == Program::OpenChoice
                || places.towns[self.town].districts.contains(&place.district);
            if school.offers(at) && reachable && own && !self.dice.chance(0.02) {
                return place;
            }
        }
        if let Some(school) = self.choice(on) {
            let sector = places.schools[school].sector;
            let program = if sector == Sector::Magnet { Program::Magnet } else { Program::Ordinary };
            return fresh(places.schools[school].district, school, program);
        }
        let mut town = self.town;
        let mut program = Program::Ordinary;
        let urban = places.towns[town].meals > 0.7;
        if urban && at == KINDERGARTEN && self.dice.chance(0.05) {
            town = self.dice.pick(&places.towns[town].near).copied().unwrap_or(town);
            program = Program::OpenChoice;
        }
        let local = places.local_school(town, at, self.home, on);
        // Cannot be without: every town has a school for every grade (tested); the first school stands in for the type's sake.
        let school = local.unwrap_or(0);
        fresh(places.schools[school].district, school, program)
    }

    /// A charter, magnet or technical school, for those who choose one.
    fn choice(&mut self, on: NaiveDate) -> Option<usize> {
        let places = &self.world.places;
        let at = self.grade;
        let turning = matches!(at, KINDERGARTEN) || at == grade(6) || at == grade(9);
        let probability = if turning { 0.22 } else { 0.02 };
        if self.child.case.is_some() || !self.dice.chance(probability) {
            return None;
        }
        let open: Vec<usize> = places.towns[self.town]
            .choices
            .iter()
            .filter(|i| {
                let school = &places.schools[**i];
                school.offers(at) && school.opened <= on
            })
            .copied()
            .collect();
        self.dice.pick(&open).copied()
    }

    fn stint(&self, from: NaiveDate, to: NaiveDate, opens: Opens) -> Option<Stint> {
        let place = self.place?;
        Some(Stint {
            district: place.district,
            school: place.school,
            facility_2: None,
            program: place.program,
            town: self.town,
            registered: place.registered,
            opens,
            from,
            to,
            closes: Closes::Open,
        })
    }

    /// A school year.
    fn year(&mut self, calendar: &Calendar) {
        let end = calendar.last.min(self.world.as_of);
        let Some(place) = self.place else { return };
        let from = place.registered.max(calendar.first);
        if from > end {
            return;
        }
        let opens = if place.registered == from { Opens::Registered } else { Opens::Changed };
        let mut stints = Vec::with_capacity(1);
        stints.extend(self.stint(from, end, opens));
        let who = (self.household, self.child);
        let happenings = events::draw(self.world, who, calendar, self.grade, self.dice);
        for (at, event) in happenings {
            let day = calendar.day(at);
            if day <= from || day > end || self.done || self.place.is_none() {
                continue;
            }
            self.happen(calendar, end, &mut stints, day, event);
        }
        let homeless = self.homeless();
        let meals = self.meals();
        self.gifted |=
            (grade(3)..=grade(5)).contains(&self.grade) && self.child.traits.ability > 1.1 && self.dice.chance(0.35);
        self.years.push(Year {
            fall: calendar.fall,
            grade: self.grade,
            repeated: self.repeated,
            stints,
            meals,
            homeless,
            english_learner: self.learner,
            gifted: self.gifted,
        });
        if end == calendar.last && !self.done {
            self.finish(calendar);
        }
    }

    fn homeless(&mut self) -> Option<usize> {
        let probability = match self.child.traits.meals {
            2 => 0.012,
            1 => 0.002,
            _ => 0.0004,
        };
        self.dice.chance(probability).then(|| self.dice.weighted(&[0.2, 0.68, 0.02, 0.10]))
    }

    fn meals(&mut self) -> u8 {
        match self.child.traits.meals {
            2 if self.dice.chance(0.06) => 1,
            1 if self.dice.chance(0.2) => 0,
            same => same,
        }
    }

    /// Applies an event to the stints of the year, the last of which is the present one.
    fn happen(&mut self, calendar: &Calendar, end: NaiveDate, stints: &mut Vec<Stint>, day: NaiveDate, event: Event) {
        let Some(present) = stints.last_mut() else { return };
        if present.from >= day {
            return;
        }
        let before = calendar.on_or_before(day - Days::new(1));
        let until = |days: u16| calendar.on_or_after(day + Days::new(u64::from(days) * 7 / 5));
        match event {
            Event::Died => {
                present.to = before;
                present.closes = Closes::Exit(before, exit::DIED);
                (self.done, self.died, self.place) = (true, true, None);
            }
            Event::Leave(kind) => {
                present.to = before;
                present.closes = Closes::Exit(before, kind);
                self.place = None;
                self.family_away = kind == exit::OTHER_STATE || kind == exit::ABROAD;
            }
            Event::Gap(days) => {
                present.to = before;
                present.closes = Closes::Exit(before, exit::UNKNOWN);
                let back = until(days);
                self.register(back, end, stints);
            }
            Event::ChangeSchool => self.change_school(day, before, end, stints),
            Event::Move => {
                // Some districts unregister late, when the next one has registered already.
                let late = self.dice.chance(0.06);
                let overlap = if late { self.dice.between(1, 15) as u16 } else { 0 };
                self.move_away(calendar, (day, before, end), stints, overlap);
            }
            Event::Detained(days) => {
                let to = self.facility(&self.world.places.detention, day);
                self.stay(calendar, (day, until(days), end), stints, to, Program::Detention);
            }
            Event::Hospital(days) => {
                let to = self.facility(&self.world.places.child_welfare, day);
                self.stay(calendar, (day, until(days), end), stints, to, Program::ChildWelfare);
            }
            Event::Homebound(days) => {
                self.stay(calendar, (day, until(days), end), stints, None, Program::Homebound);
            }
            Event::Corrected(days) => {
                let to = self.facility(&self.world.places.correctional, day);
                self.correctional((day, before, until(days), end), stints, to);
            }
        }
    }

    /// A facility that is open and, if one can be had, teaches the grade.
    fn facility(&self, from: &[usize], on: NaiveDate) -> Option<usize> {
        let open: Vec<usize> = from
            .iter()
            .filter(|i| {
                let school = &self.world.places.schools[**i];
                school.opened <= on && school.offers(self.grade)
            })
            .copied()
            .collect();
        if open.is_empty() {
            return None;
        }
        // The nearest would do; the same child goes to the same one.
        open.get(self.child.index as usize % open.len()).copied()
    }

    fn register(&mut self, from: NaiveDate, end: NaiveDate, stints: &mut Vec<Stint>) {
        if from > end {
            self.place = None;
            return;
        }
        if let Some(place) = self.place.as_mut() {
            place.registered = from;
        }
        stints.extend(self.stint(from, end, Opens::Registered));
    }

    fn change_school(&mut self, day: NaiveDate, before: NaiveDate, end: NaiveDate, stints: &mut Vec<Stint>) {
        let Some(place) = self.place else { return };
        let home = self.home + 1;
        let other = self.world.places.school_in(place.district, self.grade, home, day);
        let Some(school) = other.filter(|school| *school != place.school) else {
            return;
        };
        if let Some(present) = stints.last_mut() {
            present.to = before;
        }
        self.home = home;
        self.place = Some(Place { school, ..place });
        stints.extend(self.stint(day, end, Opens::Changed));
    }

    fn move_away(
        &mut self,
        calendar: &Calendar,
        (day, before, end): (NaiveDate, NaiveDate, NaiveDate),
        stints: &mut Vec<Stint>,
        overlap: u16,
    ) {
        let Some(place) = self.place else { return };
        self.relocate(day);
        let kept = self.place.take();
        let next = self.choose(day);
        if next.district == place.district {
            self.place = Some(Place { registered: place.registered, ..next });
            if let Some(present) = stints.last_mut() {
                present.to = before;
            }
            stints.extend(self.stint(day, end, Opens::Changed));
            return;
        }
        let kind = self.leaving_for(next.school);
        let back = calendar.on_or_after(day + Days::new(self.dice.weighted(&[0.5, 0.3, 0.1, 0.1]) as u64 * 3));
        if let Some(present) = stints.last_mut() {
            present.to = if overlap == 0 {
                before
            } else {
                calendar.on_or_before(back + Days::new(u64::from(overlap))).min(end)
            };
            present.closes = Closes::Exit(present.to, kind);
        }
        self.place = kept.map(|_| next);
        self.register(back, end, stints);
    }

    /// A stay the home district reports as facility 2 or special program status.
    fn stay(
        &mut self,
        calendar: &Calendar,
        (day, back, end): (NaiveDate, NaiveDate, NaiveDate),
        stints: &mut Vec<Stint>,
        facility: Option<usize>,
        program: Program,
    ) {
        if facility.is_none() && program != Program::Homebound {
            return;
        }
        let Some(mut during) = self.stint(day, end, Opens::Changed) else { return };
        if let Some(present) = stints.last_mut() {
            present.to = calendar.on_or_before(day - Days::new(1));
        }
        during.facility_2 = facility;
        during.program = program;
        if back <= end && back < calendar.last {
            during.to = calendar.on_or_before(back - Days::new(1));
            stints.push(during);
            stints.extend(self.stint(back, end, Opens::Changed));
        } else {
            stints.push(during);
        }
    }

    /// A stay in an institution that is a district of its own.
    fn correctional(
        &mut self,
        (day, before, back, end): (NaiveDate, NaiveDate, NaiveDate, NaiveDate),
        stints: &mut Vec<Stint>,
        facility: Option<usize>,
    ) {
        let (Some(school), Some(place)) = (facility, self.place) else {
            return;
        };
        if let Some(present) = stints.last_mut() {
            present.to = before;
            present.closes = Closes::Exit(before, exit::INSTITUTION);
        }
        self.place = Some(Place {
            district: self.world.places.schools[school].district,
            school,
            program: Program::Ordinary,
            registered: day,
        });
        self.register(day, end, stints);
        if back <= end {
            if let Some(present) = stints.last_mut() {
                present.to = back - Days::new(1);
                present.closes = Closes::Exit(present.to, exit::OTHER_DISTRICT);
            }
            self.place = Some(place);
            self.register(back, end, stints);
        }
    }

    /// The end of a full school year: on to the next grade, again, or out.
    fn finish(&mut self, calendar: &Calendar) {
        let ability = self.child.traits.ability.clamp(-2.5, 2.5);
        if self.learner && self.grade > KINDERGARTEN {
            self.learner = !self.dice.chance(0.13 + ability * 0.05);
        }
        let Some(place) = self.place else {
            self.done = self.grade >= grade(12);
            self.grade += 1;
            return;
        };
        let age = calendar.last.year() - self.child.birth.year();
        if age >= 21 {
            return self.end(calendar, exit::MAXIMUM_AGE);
        }
        if self.grade == grade(12) {
            let transition =
                self.child.onset.is_some_and(|o| super::super::special_education::in_transition(o.disability));
            if transition && age < 20 {
                return;
            }
            if self.dice.chance(0.92 + ability * 0.03) {
                let other = transition || self.dice.chance(0.02);
                let kind = if other { exit::OTHER_CREDENTIAL } else { exit::GRADUATED };
                return self.end(calendar, kind);
            }
            self.repeated = true;
            return;
        }
        if age >= 17 && self.dice.chance(0.03 - ability * 0.02 + self.child.traits.conduct * 0.01) {
            self.end(calendar, exit::DISCONTINUED);
            self.done = self.dice.chance(0.75);
            return;
        }
        let held_back = match self.grade {
            P3 => 0.0,
            KINDERGARTEN => 0.03,
            g if g == grade(9) => 0.055,
            g if g > grade(9) => 0.02,
            _ => 0.009,
        };
        self.repeated = self.child.case.is_none() && self.dice.chance(held_back * (1.0 - ability * 0.5));
        if !self.repeated {
            self.grade += 1;
        }
        self.place = Some(place);
    }

    fn end(&mut self, calendar: &Calendar, kind: &'static str) {
        if let Some(stint) = self.years.last_mut().and_then(|y| y.stints.last_mut()) {
            stint.to = calendar.last;
            stint.closes = Closes::Exit(calendar.last, kind);
        }
        self.done = true;
        self.place = None;
    }
}
