//! Households and the children in them: who they are, before anything happens.

use chrono::{Datelike, Days, NaiveDate};

use super::World;
use super::calendar::date;
use super::cases::{self, Case};
use super::dice::{Dice, Purpose};
use super::family::{self, Address};
use super::names::{GROUPS, Sex, suffix};
use super::places::{Grade, KINDERGARTEN, P3, PK, grade};

/// Children are dealt to households in blocks of this many, so that a child's household follows from its index alone.
pub const BLOCK: u64 = 12;

/// What a child brings along. Standard normal unless stated.
#[derive(Clone, Debug)]
pub struct Traits {
    /// General ability, and how it differs in reading, mathematics and science.
    pub ability: f64,
    /// Offsets by subject: writing, reading, mathematics, science.
    pub subjects: [f64; 4],
    /// Proneness to be absent.
    pub absence: f64,
    /// Proneness to incidents.
    pub conduct: f64,
    /// How often it moves, 1 on average.
    pub mobility: f64,
    /// 0 full price, 1 reduced, 2 free meals.
    pub meals: u8,
}

/// When special education begins and for what.
#[derive(Clone, Copy, Debug)]
pub struct Onset {
    /// The grade of the first plan.
    pub grade: Grade,
    /// Place in the list of disabilities.
    pub disability: usize,
    /// A section 504 plan rather than an IEP.
    pub section_504: bool,
}

/// A parent or guardian.
#[derive(Clone, Debug)]
pub struct Parent {
    /// First name.
    pub first: String,
    /// Last name.
    pub last: String,
    /// What it is to the children: the state's parent type.
    pub relation: &'static str,
    /// Whether the children live there.
    pub lives_with: bool,
    /// Whether it has custody.
    pub custody: bool,
    /// E-mail, or none.
    pub email: String,
    /// Home, work and mobile phone; none is empty.
    pub phones: [String; 3],
}

/// A household.
#[derive(Clone, Debug)]
pub struct Household {
    /// The index of its first child: its own number.
    pub number: u64,
    /// Parents and guardians.
    pub parents: Vec<Parent>,
    /// Addresses, the first one first.
    pub addresses: Vec<Address>,
    /// Children.
    pub children: Vec<Child>,
}

/// A child.
#[derive(Clone, Debug)]
pub struct Child {
    /// Its number in this state, from 0.
    pub index: u64,
    /// The case it demonstrates, if any.
    pub case: Option<&'static Case>,
    /// Last name at birth.
    pub last: String,
    /// First name.
    pub first: String,
    /// Middle name or none.
    pub middle: String,
    /// Generation suffix or none.
    pub suffix: &'static str,
    /// Another last name, and the day from which it is the legal one.
    pub renamed: Option<(NaiveDate, String)>,
    /// The last name the district's own system uses, if it is another.
    pub sis_last: Option<String>,
    /// Sex.
    pub sex: Sex,
    /// Birth date.
    pub birth: NaiveDate,
    /// Town of birth.
    pub birth_town: String,
    /// Mother's name before marriage.
    pub maiden_name: String,
    /// Name group: white, black, Hispanic, Asian.
    pub group: usize,
    /// Hispanic or Latino.
    pub hispanic: bool,
    /// Flags: American Indian, Asian, black, Pacific Islander, white.
    pub races: [bool; 5],
    /// Place in the list of languages.
    pub language: usize,
    /// Whether it begins as an English learner.
    pub english_learner: bool,
    /// The fall it is due in kindergarten.
    pub cohort: i16,
    /// The grade it first enters a public school in.
    pub enters: Grade,
    /// Home town at birth.
    pub town: usize,
    /// Stands for the neighbourhood.
    pub home: u64,
    /// What it brings along.
    pub traits: Traits,
    /// Special education.
    pub onset: Option<Onset>,
    /// Whether a twin is in the same household.
    pub twin: bool,
}

impl Child {
    /// The legal last name on a day.
    pub fn last_on(&self, day: NaiveDate) -> &str {
        match &self.renamed {
            Some((from, name)) if *from <= day => name,
            _ => &self.last,
        }
    }

    /// The state's letter for its sex; until 2018-19 the state knew two.
    pub const fn sex_code(&self, fall: i16) -> &'static str {
        match self.sex {
            Sex::NonBinary if fall < 2019 => {
                if self.index.is_multiple_of(2) {
                    "F"
                } else {
                    "M"
                }
            }
            sex => sex.code(),
        }
    }

    /// The number a district's own system knows it by.
    pub fn local_id(&self, district: usize) -> String {
        (100_000 + (self.index * 7_919 + district as u64 * 104_729) % 9_000_000).to_string()
    }
}

/// Languages: name and ISO 639-2 code.
pub const LANGUAGES: [(&str, &str); 13] = [
    ("English", "eng"),
    ("Spanish", "spa"),
    ("Portuguese", "por"),
    ("Polish", "pol"),
    ("Mandarin", "cmn"),
    ("Creole-Haitian", "hat"),
    ("Arabic", "ara"),
    ("Albanian", "sqi"),
    ("Vietnamese", "vie"),
    ("Urdu", "urd"),
    ("Bengali", "ben"),
    ("French", "fra"),
    ("Karen", "kar"),
];

/// The households of a block, their children with indices below `limit`.
pub fn block(world: &World, number: u64, limit: u64) -> Vec<Household> {
    let mut index = number * BLOCK;
    let end = (index + BLOCK).min(limit);
    let mut households = Vec::new();
    while index < end {
        let household = household(world, index, end - index);
        index += household.children.len() as u64;
        households.push(household);
    }
    households
}

/// How many blocks hold a number of children.
pub const fn blocks(children: u64) -> u64 {
    children.div_ceil(BLOCK)
}

fn household(world: &World, index: u64, room: u64) -> Household {
    let mut dice = Dice::new(world.seed, Purpose::Household, index);
    let case = cases::find(index);
    let drawn = 1 + dice.weighted(&[0.42, 0.36, 0.16, 0.06]) as u64;
    let wanted = case.map_or(drawn, |case| case.siblings);
    // A case child after this one has its own household.
    let until_case = (index + 1..index + wanted)
        .position(|i| case.is_none() && cases::find(i).is_some())
        .map_or(wanted, |at| at as u64 + 1);
    let size = wanted.min(room).min(until_case).max(1);
    let town =
        case.and_then(|case| world.places.find_town(case.town)).unwrap_or_else(|| world.places.draw_town(&mut dice));
    let place = &world.places.towns[town];
    let group = dice.weighted(&place.groups);
    let (hispanic, races) = races(group, &mut dice);
    let group = group.min(GROUPS - 1);
    let last = world.names.family_surname(group, &mut dice);
    let meals = meals(place.meals, &mut dice);
    let language = language(group, hispanic, place.english_learners, &mut dice);
    let mobility = (dice.normal() * 0.7 - 0.25).exp() * if meals == 2 { 1.5 } else { 0.7 };
    let mut household = Household {
        number: index,
        parents: parents(world, group, &last, &mut dice),
        addresses: Vec::new(),
        children: Vec::new(),
    };
    let shared = Shared {
        town,
        home: dice.between(0, 1 << 20) as u64,
        group,
        hispanic,
        races,
        language,
        meals,
        mobility,
        ability: dice.normal() * 0.6 - f64::from(meals) * 0.22,
        maiden_name: world.names.surname(group, &mut dice).to_owned(),
        last,
    };
    for place in 0..size {
        let child = child(world, index + place, &shared, household.children.last());
        household.children.push(child);
    }
    let since = household.children.first().map_or(world.as_of, |c| c.birth);
    let at = (shared.town, shared.home);
    let moves = if case.is_some() { 0.0 } else { shared.mobility };
    household.addresses = family::addresses(world, at, since, moves, &mut dice);
    household
}

/// What the children of a household have in common.
struct Shared {
    town: usize,
    home: u64,
    group: usize,
    hispanic: bool,
    races: [bool; 5],
    language: usize,
    meals: u8,
    mobility: f64,
    ability: f64,
    maiden_name: String,
    last: String,
}

fn child(world: &World, index: u64, shared: &Shared, sibling: Option<&Child>) -> Child {
    let mut dice = Dice::new(world.seed, Purpose::Person, index);
    let case = cases::find(index);
    let twin = match case {
        Some(case) => case.twin,
        None => sibling.is_some() && dice.chance(0.035),
    };
    let sex = case.map_or_else(|| sex(&mut dice), |case| case.sex);
    let birth = match (case, sibling) {
        (Some(case), _) => case.birth(world.as_of),
        (None, Some(sibling)) if twin => sibling.birth,
        (None, sibling) => birth(world, sibling, &mut dice),
    };
    let first = case.map_or_else(
        || world.names.first(shared.group, sex, &mut dice).trim_end().to_owned(),
        |case| case.first.to_owned(),
    );
    let half_sibling = sibling.is_some() && dice.chance(0.08);
    let last = match case {
        Some(case) => case.last.to_owned(),
        None if half_sibling => world.names.family_surname(shared.group, &mut dice),
        None => shared.last.clone(),
    };
    let middle = if dice.chance(0.72) {
        world.names.first(shared.group, sex, &mut dice).trim_end().to_owned()
    } else {
        String::new()
    };
    let traits = traits(shared, &mut dice, case);
    let onset = onset(&traits, case, &mut dice);
    let cohort = cohort(birth, &mut dice);
    let latest = i16::from(KINDERGARTEN) + world.last_fall - cohort;
    let enters = enters(onset, case, latest.max(0) as Grade, &mut dice);
    let renamed = renamed(world, &last, shared.group, birth, &mut dice, case);
    let english = shared.language != 0 && dice.chance(0.62);
    Child {
        index,
        case,
        suffix: suffix(sex, birth, &mut dice),
        sis_last: dice.chance(0.01).then(|| world.names.surname(shared.group, &mut dice).to_owned()),
        birth_town: birth_town(world, shared.town, &mut dice),
        maiden_name: shared.maiden_name.clone(),
        last,
        first,
        middle,
        renamed,
        sex,
        birth,
        group: shared.group,
        hispanic: shared.hispanic,
        races: shared.races,
        language: shared.language,
        english_learner: english,
        cohort,
        enters,
        town: shared.town,
        home: shared.home,
        traits,
        onset,
        twin,
    }
}

fn sex(dice: &mut Dice) -> Sex {
    match dice.weighted(&[0.512, 0.486, 0.002]) {
        0 => Sex::Male,
        1 => Sex::Female,
        _ => Sex::NonBinary,
    }
}

/// Children now of school age are twice as many a year as those who have left since the first year.
fn birth(world: &World, sibling: Option<&Child>, dice: &mut Dice) -> NaiveDate {
    let (first, last) = (world.first_fall, world.last_fall);
    let now = last - 12;
    let past = f64::from(now - (first - 12)) * 0.45;
    let fall = if let Some(sibling) = sibling {
        let apart = dice.between(1, 4) as i16;
        let after = sibling.cohort + apart;
        // Too young for school yet: it is the elder one, then.
        if after > last { sibling.cohort - apart } else { after }
    } else if dice.chance(past / (past + 13.5)) {
        dice.between(i64::from(first) - 12, i64::from(now) - 1) as i16
    } else if dice.chance(1.0 / 27.0) {
        // Half as many are in pre-kindergarten only.
        last + 1
    } else {
        dice.between(i64::from(now), i64::from(last)) as i16
    };
    let (from, to) = born_for(fall);
    dice.day(from, to)
}

/// The birth dates due in kindergarten in a fall: five by 1 January of that school year; from 2024 five by 1 September.
fn born_for(fall: i16) -> (NaiveDate, NaiveDate) {
    let year = i32::from(fall) - 5;
    match fall {
        ..2024 => (date(year, 1, 2), date(year + 1, 1, 1)),
        2024 => (date(year, 1, 2), date(year, 9, 1)),
        _ => (date(year - 1, 9, 2), date(year, 9, 1)),
    }
}

/// The fall of kindergarten: some children born late in the window wait a year.
fn cohort(birth: NaiveDate, dice: &mut Dice) -> i16 {
    let mut fall = birth.year() as i16 + 4;
    while born_for(fall).1 < birth {
        fall += 1;
    }
    let late = born_for(fall).1 - birth < chrono::TimeDelta::days(120);
    if late && dice.chance(0.12) {
        fall += 1;
    }
    fall
}

/// The grade of a child's first public school year in the state; `latest` is the one it is due in now, so every child has been
/// in school.
fn enters(onset: Option<Onset>, case: Option<&Case>, latest: Grade, dice: &mut Dice) -> Grade {
    let early = onset.is_some_and(|onset| onset.grade == P3);
    if early {
        return P3;
    }
    if case.is_some() {
        return KINDERGARTEN.min(latest);
    }
    let enters = match dice.weighted(&[0.34, 0.46, 0.20]) {
        0 => PK,
        1 => KINDERGARTEN,
        _ => grade(dice.between(1, i64::from(latest.clamp(3, 12)) - 2) as u8),
    };
    enters.min(latest)
}

fn traits(shared: &Shared, dice: &mut Dice, case: Option<&Case>) -> Traits {
    let mut traits = Traits {
        ability: shared.ability + dice.normal() * 0.8,
        subjects: std::array::from_fn(|_| dice.normal() * 0.35),
        absence: dice.normal() + f64::from(shared.meals) * 0.2,
        conduct: dice.normal() + f64::from(shared.meals) * 0.15,
        mobility: shared.mobility,
        meals: shared.meals,
    };
    if let Some(case) = case {
        traits.conduct = traits.conduct.abs() + case.trouble;
        traits.absence += case.trouble;
        traits.mobility = case.mobility;
    }
    traits
}

fn onset(traits: &Traits, case: Option<&Case>, dice: &mut Dice) -> Option<Onset> {
    let probability = 0.245 - traits.ability.clamp(-2.0, 2.0) * 0.05;
    let forced = case.is_some_and(|case| case.iep);
    if !forced && !dice.chance(probability) {
        let section_504 = dice.chance(0.13);
        return section_504.then(|| Onset { grade: grade(dice.between(1, 11) as u8), disability: 1, section_504 });
    }
    if forced {
        return Some(Onset { grade: grade(2), disability: 1, section_504: false });
    }
    let at = match dice.weighted(&[0.14, 0.12, 0.50, 0.24]) {
        0 => P3,
        1 => PK,
        2 => KINDERGARTEN + dice.below(6) as u8,
        _ => grade(6) + dice.below(5) as u8,
    };
    let disability = super::special_education::draw_disability(at, dice);
    Some(Onset { grade: at, disability, section_504: false })
}

/// Adoption, marriage or divorce of parents: a few children change their last name, half of them by hyphen.
fn renamed(
    world: &World,
    last: &str,
    group: usize,
    birth: NaiveDate,
    dice: &mut Dice,
    case: Option<&Case>,
) -> Option<(NaiveDate, String)> {
    let forced = case.and_then(|case| case.renamed);
    if forced.is_none() && !dice.chance(0.025) {
        return None;
    }
    let day = birth + Days::new(dice.between(6 * 365, 14 * 365) as u64);
    if let Some(name) = forced {
        return Some((day, name.to_owned()));
    }
    let other = world.names.surname(group, dice);
    let name =
        if dice.chance(0.5) && last.len() + other.len() < 30 { format!("{last}-{other}") } else { other.to_owned() };
    Some((day, name))
}

fn birth_town(world: &World, town: usize, dice: &mut Dice) -> String {
    const ELSEWHERE: [&str; 8] =
        ["New York", "Springfield", "Boston", "San Juan", "Providence", "Kingston", "Port-au-Prince", "Guatemala City"];
    if dice.chance(0.14) {
        return dice.word(&ELSEWHERE).to_owned();
    }
    let places = &world.places;
    let at = if dice.chance(0.55) { town } else { dice.pick(&places.towns[town].near).copied().unwrap_or(town) };
    places.towns[at].name.clone()
}

fn races(group: usize, dice: &mut Dice) -> (bool, [bool; 5]) {
    let mut races = [false; 5];
    let mut set = |places: &[usize]| {
        for place in places {
            races[*place] = true;
        }
    };
    match group {
        0 => set(&[4]),
        1 => set(&[2]),
        2 => match dice.weighted(&[0.62, 0.16, 0.12, 0.07, 0.03]) {
            0 => set(&[4]),
            1 => set(&[2]),
            2 => set(&[2, 4]),
            3 => set(&[0]),
            _ => set(&[0, 4]),
        },
        _ => match dice.weighted(&[0.56, 0.20, 0.14, 0.04, 0.03, 0.03]) {
            0 => set(&[1]),
            1 => set(&[2, 4]),
            2 => set(&[1, 4]),
            3 => set(&[0]),
            4 => set(&[3]),
            _ => set(&[0, 2]),
        },
    }
    (group == 2, races)
}

fn meals(share: f64, dice: &mut Dice) -> u8 {
    if !dice.chance(share) {
        0
    } else if dice.chance(0.12) {
        1
    } else {
        2
    }
}

fn language(group: usize, hispanic: bool, learners: f64, dice: &mut Dice) -> usize {
    let other = match group {
        2 => 0.25 + learners * 1.2,
        3 => 0.45,
        1 => 0.06,
        _ => 0.04,
    };
    if !dice.chance(f64::min(other, 0.85)) {
        return 0;
    }
    if hispanic {
        return 1;
    }
    match group {
        0 => [2, 3, 7, 2, 3, 6][dice.below(6)],
        1 => [5, 11, 5, 6][dice.below(4)],
        _ => [4, 8, 9, 10, 12, 4][dice.below(6)],
    }
}

fn parents(world: &World, group: usize, last: &str, dice: &mut Dice) -> Vec<Parent> {
    let together = dice.chance(0.62);
    let mut parents = Vec::with_capacity(2);
    let relation = match dice.weighted(&[0.91, 0.04, 0.05]) {
        0 => "MOTHER",
        1 => "GUARDIAN",
        _ => "GRANDMOTHER",
    };
    parents.push(parent(world, group, last, relation, true, dice));
    if together || dice.chance(0.55) {
        parents.push(parent(world, group, last, "FATHER", together, dice));
    }
    parents
}

fn parent(world: &World, group: usize, last: &str, relation: &'static str, together: bool, dice: &mut Dice) -> Parent {
    let sex = if relation == "FATHER" { Sex::Male } else { Sex::Female };
    let first = world.names.first(group, sex, dice).trim_end().to_owned();
    let last = if dice.chance(if together { 0.85 } else { 0.5 }) {
        last.to_owned()
    } else {
        world.names.surname(group, dice).to_owned()
    };
    // Numbers and names kept for fiction: 555-0100 to 555-0199, example.org.
    let mut phone = |probability: f64| {
        if !dice.chance(probability) {
            return String::new();
        }
        let area = dice.word(&["860", "203", "959", "475"]);
        format!("{area}-555-{:04}", dice.between(100, 199))
    };
    let phones = [phone(0.4), phone(0.45), phone(0.93)];
    let letters: String =
        first.chars().chain(['.']).chain(last.chars()).filter(|c| c.is_ascii_alphanumeric() || *c == '.').collect();
    let email = if dice.chance(0.86) {
        format!("{}{}@example.org", letters.to_ascii_lowercase(), dice.between(1, 999))
    } else {
        String::new()
    };
    Parent { first, last, relation, lives_with: together, custody: together || dice.chance(0.6), email, phones }
}
