//! Which notices stays call for, and which of those made were wrong: pure, over stays as they stand and notices as they were made.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use model::{Entropy, SourcePersonId, StudentId};
use uuid::Uuid;

/// What a notice says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlacementEvent {
    /// The student entered a facility.
    Entered,
    /// The student left it.
    Left,
    /// An earlier notice was wrong.
    Retracted,
    /// An earlier notice must be destroyed: whom it was about has been erased.
    Destroy,
}

impl PlacementEvent {
    /// Its code.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Entered => "entered",
            Self::Left => "left",
            Self::Retracted => "retracted",
            Self::Destroy => "destroy",
        }
    }

    /// The kind of a notice that is kept. One that tells to destroy is kept apart, with nobody's name.
    pub(crate) fn of(code: &str) -> Option<Self> {
        [Self::Entered, Self::Left, Self::Retracted].into_iter().find(|event| event.as_str() == code)
    }
}

impl fmt::Display for PlacementEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whose stay it is, as far as may be acted on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Whom {
    /// No student's who is known: whoever was told was told of somebody else.
    Nobody,
    /// Nothing may be said for now, neither that it is so nor that it is not.
    Held,
    /// A student's of whom no district, or more than one, is home.
    Homeless {
        /// By which of the state's ids the student is known.
        persons: Vec<SourcePersonId>,
    },
    /// A student's, at home in a district.
    At {
        student: StudentId,
        /// Under which of the state's ids the district reports the student.
        person: SourcePersonId,
        /// The district.
        office: String,
    },
}

/// A stay, and whose it is.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) placement: Uuid,
    pub(crate) facility: String,
    pub(crate) admitted_at: DateTime<Utc>,
    pub(crate) released_at: Option<DateTime<Utc>>,
    pub(crate) admitted_on: NaiveDate,
    pub(crate) released_on: Option<NaiveDate>,
    pub(crate) is_withdrawn: bool,
    pub(crate) whom: Whom,
}

/// A notice that was made, or is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Made {
    pub(crate) id: Uuid,
    pub(crate) placement: Uuid,
    pub(crate) student: StudentId,
    pub(crate) person: SourcePersonId,
    pub(crate) office: String,
    pub(crate) event: PlacementEvent,
    pub(crate) event_date: NaiveDate,
    pub(crate) facility: String,
    pub(crate) retracts: Option<Uuid>,
    /// It says which notice it takes back, and not of whom.
    pub(crate) names_nobody: bool,
    /// While the coordinator may be told.
    pub(crate) released: (DateTime<Utc>, Option<DateTime<Utc>>),
    /// When it was made.
    pub(crate) at: DateTime<Utc>,
    /// It was entered in the ledger: perhaps it has arrived.
    pub(crate) was_disclosed: bool,
    /// When it was delivered whole, if it was.
    pub(crate) delivered_at: Option<DateTime<Utc>>,
}

/// For how long notices are of use, and held, by the recipient's agreement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// For how long after a release a notice is of use.
    pub(crate) kept: TimeDelta,
    /// For how long after that the recipient may still hold it: until it must have destroyed it, and said so.
    pub(crate) held: TimeDelta,
    /// Now.
    pub(crate) at: DateTime<Utc>,
}

impl Times {
    /// By an agreement's terms, at a moment.
    pub(crate) fn of(terms: &agreements::Terms, at: DateTime<Utc>) -> Self {
        let days = |days: i32| TimeDelta::days(i64::from(days));
        let kept = days(terms.retention.days);
        Self { kept, held: kept + days(terms.retention.attest_within_days), at }
    }

    /// Stays that ended before this are nobody's concern any more, unless something has come of them since.
    pub(crate) fn over_before(&self) -> DateTime<Utc> {
        self.at - self.kept - self.held
    }

    /// Whether a stay is so long over that nothing new is told of it.
    fn is_over(&self, stay: &Placed) -> bool {
        stay.released_at.is_some_and(|released| released + self.kept <= self.at)
    }

    /// Whether whoever was told may still hold a notice of such a stay.
    fn may_be_held(&self, one: &Made, stay: &Placed) -> bool {
        let of_use = stay.released_at.map(|released| released + self.kept);
        let told = one.delivered_at.unwrap_or(one.at);
        of_use.is_none_or(|of_use| self.at < of_use.max(told) + self.held)
    }
}

/// What is to be done.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Planned {
    /// Notices that are wrong and have not left: they never do.
    pub(crate) void: Vec<Uuid>,
    /// New notices.
    pub(crate) new: Vec<Made>,
    /// Of all that were made and the new ones those that hold, and may be told now. The others wait, whenever they were made.
    pub(crate) tells: BTreeSet<Uuid>,
}

/// Plans. `made` are the notices of the recipient that are not void.
///
/// - That a student entered is told while the stay lasts: of a stay that was over before anybody was told, nobody is told.
/// - That a student left is told to whoever was told that they entered, and to nobody else.
/// - A notice that proves wrong (the stay taken back or corrected, another student or no student after all, another home) is taken back from whoever was told, and
///   what is right is told to whom it is now due. One that has not left is void.
/// - While nothing may be said of a student, nothing is said: neither made nor taken back, and what was made before and has not arrived waits. Where home is no
///   longer clear, what was told of the student stays, and what has not arrived waits.
/// - Of a stay that is over for so long that nothing is told of it any more, what was wrong is still taken back while whoever was told may hold it, by the
///   notice's id alone: whoever has destroyed it learns nothing. Where the exit was wrong the entry is taken back too: what is right is not told any more, and
///   the entry alone would say that the student is still there.
pub(crate) fn plan(placed: &[Placed], made: &[Made], times: Times, entropy: &dyn Entropy) -> Planned {
    let mut of_placement: BTreeMap<Uuid, Vec<&Made>> = BTreeMap::new();
    for one in made {
        of_placement.entry(one.placement).or_default().push(one);
    }
    let mut planned = Planned::default();
    let held: BTreeSet<Uuid> =
        placed.iter().filter(|stay| stay.whom == Whom::Held).map(|stay| stay.placement).collect();
    let taken_back = made.iter().filter(|one| one.event == PlacementEvent::Retracted && !held.contains(&one.placement));
    planned.tells.extend(taken_back.map(|one| one.id));
    for stay in placed {
        let of_stay = of_placement.get(&stay.placement).map_or(&[][..], Vec::as_slice);
        let is_standing = |one: &&&Made| {
            one.event != PlacementEvent::Retracted && !of_stay.iter().any(|other| other.retracts == Some(one.id))
        };
        let standing: Vec<&Made> = of_stay.iter().filter(is_standing).copied().collect();
        if times.is_over(stay) {
            planned.settle_late(stay, &standing, times, entropy);
            continue;
        }
        let was_told = of_stay.iter().any(|one| one.was_disclosed);
        planned.settle(stay, &standing, was_told, times, entropy);
    }
    planned
}

impl Planned {
    fn settle(&mut self, stay: &Placed, standing: &[&Made], was_told: bool, times: Times, entropy: &dyn Entropy) {
        let released = (stay.admitted_at, stay.released_at.map(|released| released + times.kept));
        let take_back = |planned: &mut Self, one: &Made| planned.take_back(one, false, times, entropy);
        let (student, person, office) = match &stay.whom {
            Whom::Held => return,
            _ if stay.is_withdrawn => return standing.iter().for_each(|one| take_back(self, one)),
            Whom::Nobody => return standing.iter().for_each(|one| take_back(self, one)),
            // What was told of another student was wrong, wherever this one is at home.
            Whom::Homeless { persons } => {
                let of_another = standing.iter().filter(|one| !persons.contains(&one.person));
                return of_another.for_each(|one| take_back(self, one));
            }
            Whom::At { student, person, office } => (*student, *person, office),
        };
        let notice = |event, event_date| Made {
            id: entropy.uuid(),
            placement: stay.placement,
            student,
            person,
            office: office.clone(),
            event,
            event_date,
            facility: stay.facility.clone(),
            retracts: None,
            names_nobody: false,
            released,
            at: times.at,
            was_disclosed: false,
            delivered_at: None,
        };
        // Whose student the person is now is our own affair: the district was told of the person.
        let says = |one: &Made, on: NaiveDate| {
            (one.person, &one.office, &one.facility, one.event_date) == (person, office, &stay.facility, on)
        };
        let is_over = stay.released_on.is_some();
        let mut is_entry_told = false;
        for one in standing.iter().filter(|one| one.event == PlacementEvent::Entered) {
            // One that has not left when the stay is over has nothing left to be of use for, unless it mends what was told before.
            let is_of_use = one.was_disclosed || !is_over || was_told;
            if says(one, stay.admitted_on) && is_of_use && !is_entry_told {
                is_entry_told = true;
                self.tells.insert(one.id);
            } else {
                take_back(self, one);
            }
        }
        let mut is_exit_told = false;
        for one in standing.iter().filter(|one| one.event == PlacementEvent::Left) {
            if is_entry_told && !is_exit_told && stay.released_on.is_some_and(|on| says(one, on)) {
                is_exit_told = true;
                self.tells.insert(one.id);
            } else {
                take_back(self, one);
            }
        }
        if !is_entry_told && (!is_over || was_told) {
            self.add(notice(PlacementEvent::Entered, stay.admitted_on));
            is_entry_told = true;
        }
        if let Some(on) = stay.released_on.filter(|_| is_entry_told && !is_exit_told) {
            self.add(notice(PlacementEvent::Left, on));
        }
    }

    /// The same for a stay of which nothing new is told any more.
    fn settle_late(&mut self, stay: &Placed, standing: &[&Made], times: Times, entropy: &dyn Entropy) {
        let is_held = |one: &&&Made| one.was_disclosed && times.may_be_held(one, stay);
        let told: Vec<&Made> = standing.iter().filter(is_held).copied().collect();
        let wrong: Vec<&Made> = match &stay.whom {
            Whom::Held => return,
            _ if stay.is_withdrawn => told,
            Whom::Nobody => told,
            Whom::Homeless { persons } => told.into_iter().filter(|one| !persons.contains(&one.person)).collect(),
            Whom::At { student, person, office } => {
                // One told under another of the student's ids is right all the same: nothing can be told in its place.
                let is_theirs = |one: &Made| one.person == *person || one.student == *student;
                let is_right = |one: &&Made| {
                    let on = if one.event == PlacementEvent::Left { stay.released_on } else { Some(stay.admitted_on) };
                    is_theirs(one) && (&one.office, &one.facility, Some(one.event_date)) == (office, &stay.facility, on)
                };
                if told.iter().all(is_right) { Vec::new() } else { told }
            }
        };
        for one in wrong {
            self.take_back(one, true, times, entropy);
        }
    }

    /// Takes a notice back from whoever was told; one that has not left is void.
    fn take_back(&mut self, one: &Made, names_nobody: bool, times: Times, entropy: &dyn Entropy) {
        if !one.was_disclosed {
            self.void.push(one.id);
            return;
        }
        // Whoever was told is told this, whatever has become of the stay; an order or a suspended agreement may keep it back for long.
        let released = (one.released.0.min(times.at), Some(times.at + times.held));
        self.add(Made {
            id: entropy.uuid(),
            event: PlacementEvent::Retracted,
            retracts: Some(one.id),
            names_nobody,
            released,
            at: times.at,
            was_disclosed: false,
            delivered_at: None,
            ..one.clone()
        });
    }

    fn add(&mut self, new: Made) {
        self.tells.insert(new.id);
        self.new.push(new);
    }
}

#[cfg(test)]
mod tests {
    use model::SeededEntropy;

    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("a day")
    }

    fn noon(text: &str) -> DateTime<Utc> {
        day(text).and_hms_opt(12, 0, 0).expect("a time").and_utc()
    }

    /// A student, by the one identifier that the state has for them.
    fn at_home(number: u8, office: &str) -> Whom {
        Whom::At {
            student: StudentId(Uuid::from_u128(number.into())),
            person: SourcePersonId(number.into()),
            office: office.to_owned(),
        }
    }

    /// The student of `at_home(1, ..)`, while home is not clear.
    fn homeless() -> Whom {
        Whom::Homeless { persons: vec![SourcePersonId(1)] }
    }

    fn stay(whom: Whom) -> Placed {
        Placed {
            placement: Uuid::from_u128(1),
            facility: "3480115".to_owned(),
            admitted_at: noon("2026-11-10"),
            released_at: None,
            admitted_on: day("2026-11-10"),
            released_on: None,
            is_withdrawn: false,
            whom,
        }
    }

    fn left(mut stay: Placed, on: &str) -> Placed {
        (stay.released_at, stay.released_on) = (Some(noon(on)), Some(day(on)));
        stay
    }

    /// Plays what is known on several days: after each, what leaves (event, district, day). Where `arrives` is false nothing leaves that day.
    fn played(days: &[(&str, Placed, bool)]) -> Vec<Vec<String>> {
        let entropy = SeededEntropy::new(3);
        let mut made: Vec<Made> = Vec::new();
        let mut told = Vec::new();
        for (on, stay, arrives) in days {
            let times = Times { kept: TimeDelta::days(30), held: TimeDelta::days(60), at: noon(on) };
            let planned = plan(std::slice::from_ref(stay), &made, times, &entropy);
            made.retain(|one| !planned.void.contains(&one.id));
            made.extend(planned.new);
            let mut of_day = Vec::new();
            for one in made.iter_mut().filter(|one| *arrives && !one.was_disclosed && planned.tells.contains(&one.id)) {
                one.was_disclosed = true;
                let whom = if one.names_nobody { " of nobody" } else { "" };
                of_day.push(format!("{} {} {}{whom}", one.event, one.office, one.event_date));
            }
            told.push(of_day);
        }
        told
    }

    #[test]
    fn entry_and_exit_are_told_once_each() {
        let here = stay(at_home(1, "064"));
        let gone = left(here.clone(), "2026-11-15");
        assert_eq!(
            played(&[
                ("2026-11-10", here.clone(), true),
                ("2026-11-11", here, true),
                ("2026-11-15", gone.clone(), true),
                ("2026-11-16", gone.clone(), true),
                ("2027-03-01", gone, true),
            ]),
            [vec!["entered 064 2026-11-10"], vec![], vec!["left 064 2026-11-15"], vec![], vec![]]
        );
    }

    #[test]
    fn of_a_stay_that_was_over_before_anybody_was_told_nobody_is_told() {
        let gone = left(stay(at_home(1, "064")), "2026-11-15");
        assert_eq!(played(&[("2026-11-16", gone.clone(), true)]), [Vec::<String>::new()]);
        // One that was made and had not left is void.
        assert_eq!(
            played(&[("2026-11-11", stay(at_home(1, "064")), false), ("2026-11-16", gone, true)]),
            [Vec::<String>::new(), vec![]]
        );
    }

    #[test]
    fn whoever_was_told_what_was_wrong_is_told_so_and_nobody_else() {
        let here = stay(at_home(1, "064"));
        let withdrawn = Placed { is_withdrawn: true, ..here.clone() };
        for wrong in [withdrawn.clone(), stay(Whom::Nobody)] {
            assert_eq!(
                played(&[
                    ("2026-11-10", here.clone(), true),
                    ("2026-11-12", wrong.clone(), true),
                    ("2026-11-13", wrong, true)
                ]),
                [vec!["entered 064 2026-11-10"], vec!["retracted 064 2026-11-10"], vec![]]
            );
        }
        assert_eq!(
            played(&[("2026-11-10", here.clone(), false), ("2026-11-12", withdrawn, true)]),
            [Vec::<String>::new(), vec![]],
            "it had not left"
        );
        let elsewhere = stay(at_home(1, "093"));
        assert_eq!(
            played(&[("2026-11-10", here.clone(), true), ("2026-11-12", elsewhere, true)]),
            [vec!["entered 064 2026-11-10"], vec!["retracted 064 2026-11-10", "entered 093 2026-11-10"]]
        );
        let other = stay(at_home(2, "064"));
        assert_eq!(
            played(&[("2026-11-10", here.clone(), true), ("2026-11-12", other, true)]),
            [vec!["entered 064 2026-11-10"], vec!["retracted 064 2026-11-10", "entered 064 2026-11-10"]]
        );
        // Two of our students proved to be one: the district was told of the same person.
        let (person, office) = (SourcePersonId(1), "064".to_owned());
        let merged = stay(Whom::At { student: StudentId(Uuid::from_u128(9)), person, office });
        assert_eq!(
            played(&[("2026-11-10", here, true), ("2026-11-12", merged, true)]),
            [vec!["entered 064 2026-11-10"], vec![]]
        );
    }

    #[test]
    fn that_a_notice_was_wrong_may_be_told_while_whoever_was_told_may_hold_it() {
        let (entropy, here) = (SeededEntropy::new(3), stay(at_home(1, "064")));
        let times = |on| Times { kept: TimeDelta::days(30), held: TimeDelta::days(60), at: noon(on) };
        let mut made = plan(std::slice::from_ref(&here), &[], times("2026-11-10"), &entropy).new;
        for one in &mut made {
            one.was_disclosed = true;
        }
        let withdrawn = Placed { is_withdrawn: true, ..here };
        let planned = plan(&[withdrawn], &made, times("2026-11-12"), &entropy);
        let [one] = planned.new.as_slice() else { panic!("{planned:?}") };
        assert_eq!(one.event, PlacementEvent::Retracted);
        assert_eq!(one.released, (noon("2026-11-10"), Some(noon("2027-01-11"))));
    }

    #[test]
    fn a_release_that_is_corrected_or_undone_is_mended() {
        let here = stay(at_home(1, "064"));
        let gone = left(here.clone(), "2026-11-15");
        let later = left(here.clone(), "2026-11-16");
        assert_eq!(
            played(&[
                ("2026-11-10", here.clone(), true),
                ("2026-11-15", gone, true),
                ("2026-11-16", later, true),
                ("2026-11-17", here, true),
            ]),
            [
                vec!["entered 064 2026-11-10"],
                vec!["left 064 2026-11-15"],
                vec!["retracted 064 2026-11-15", "left 064 2026-11-16"],
                vec!["retracted 064 2026-11-16"],
            ]
        );
    }

    #[test]
    fn while_nothing_may_be_said_nothing_is_said() {
        let here = stay(at_home(1, "064"));
        assert_eq!(
            played(&[
                ("2026-11-10", stay(Whom::Held), true),
                ("2026-11-11", stay(homeless()), true),
                ("2026-11-12", here.clone(), true),
                ("2026-11-13", stay(Whom::Held), true),
                ("2026-11-14", stay(homeless()), true),
                ("2026-11-15", here, true),
            ]),
            [vec![], vec![], vec!["entered 064 2026-11-10"], vec![], vec![], vec![]]
        );
    }

    #[test]
    fn what_was_made_and_has_not_arrived_waits_while_nothing_may_be_said() {
        let here = stay(at_home(1, "064"));
        let withdrawn = Placed { is_withdrawn: true, ..here.clone() };
        for silent in [stay(Whom::Held), stay(homeless())] {
            assert_eq!(
                played(&[
                    ("2026-11-10", here.clone(), false),
                    ("2026-11-11", silent.clone(), true),
                    ("2026-11-12", here.clone(), true),
                    ("2026-11-13", silent, true),
                ]),
                [vec![], vec![], vec!["entered 064 2026-11-10"], vec![]]
            );
        }
        assert_eq!(
            played(&[
                ("2026-11-10", here.clone(), true),
                ("2026-11-11", withdrawn.clone(), false),
                ("2026-11-12", Placed { whom: Whom::Held, ..withdrawn.clone() }, true),
                ("2026-11-13", withdrawn.clone(), true),
            ]),
            [vec!["entered 064 2026-11-10"], vec![], vec![], vec!["retracted 064 2026-11-10"]]
        );
        assert_eq!(
            played(&[
                ("2026-11-10", here.clone(), true),
                ("2026-11-12", Placed { whom: Whom::Held, ..withdrawn.clone() }, true),
                ("2026-11-13", withdrawn, true),
            ]),
            [vec!["entered 064 2026-11-10"], vec![], vec!["retracted 064 2026-11-10"]]
        );
        // It is of no use any more, and never leaves, though it was made while the stay lasted.
        let gone = left(here.clone(), "2026-11-15");
        assert_eq!(played(&[("2026-11-10", here, false), ("2027-03-01", gone, true)]), [Vec::<String>::new(), vec![]]);
    }

    #[test]
    fn what_was_told_of_another_student_is_taken_back_although_home_is_not_clear() {
        assert_eq!(
            played(&[("2026-11-10", stay(at_home(2, "093")), true), ("2026-11-12", stay(homeless()), true)]),
            [vec!["entered 093 2026-11-10"], vec!["retracted 093 2026-11-10"]]
        );
    }

    #[test]
    fn what_was_wrong_is_taken_back_after_its_time_too_while_it_may_be_held_and_names_nobody() {
        let here = stay(at_home(1, "064"));
        let gone = left(here.clone(), "2026-11-15");
        let told = [("2026-11-10", here, true), ("2026-11-15", gone.clone(), true)];
        let both = vec!["retracted 064 2026-11-10 of nobody", "retracted 064 2026-11-15 of nobody"];
        let withdrawn = Placed { is_withdrawn: true, ..gone.clone() };
        let nobodys = Placed { whom: Whom::Nobody, ..gone.clone() };
        let elsewhere = Placed { whom: at_home(1, "093"), ..gone.clone() };
        let earlier = left(stay(at_home(1, "064")), "2026-11-12");
        let of_another = Placed { whom: at_home(2, "064"), ..gone.clone() };
        for wrong in [withdrawn, nobodys, elsewhere, earlier, of_another] {
            let days =
                [&told[..], &[("2027-01-20", wrong.clone(), true), ("2027-01-21", wrong.clone(), true)]].concat();
            assert_eq!(played(&days)[2..], [both.clone(), vec![]], "{wrong:?}");
            // By now it has been destroyed.
            let late = [&told[..], &[("2027-02-20", wrong, true)]].concat();
            assert_eq!(played(&late)[2..], [Vec::<String>::new()]);
        }
        let other_id =
            Whom::At { student: StudentId(Uuid::from_u128(1)), person: SourcePersonId(7), office: "064".to_owned() };
        for silent in [Whom::Held, homeless(), other_id] {
            let days = [&told[..], &[("2027-01-20", Placed { whom: silent, ..gone.clone() }, true)]].concat();
            assert_eq!(played(&days)[2..], [Vec::<String>::new()]);
        }
    }
}
