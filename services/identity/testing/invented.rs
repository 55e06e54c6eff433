//! An invented state and an invented roster with known truth, to measure the matcher with.
//!
//! Families share surname, address and heritage; twins share the birth date; names follow the frequencies that are
//! given or built in; some roster clients are not in the state file while their siblings are. Everybody is invented.

use chrono::{Datelike, Days, NaiveDate};
use identity::{Address, Person, PersonName};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Names with how common they are, by heritage group (and sex, for given names).
pub struct NamePool {
    pub given: Vec<[Weighted; 2]>,
    pub surnames: Vec<Weighted>,
}

/// Values to draw from by weight.
pub struct Weighted {
    values: Vec<String>,
    sums: Vec<f64>,
}

impl Weighted {
    pub fn new(items: impl IntoIterator<Item = (String, f64)>) -> Self {
        let (mut values, mut sums, mut sum) = (Vec::new(), Vec::new(), 0.0);
        for (value, weight) in items {
            sum += weight;
            values.push(value);
            sums.push(sum);
        }
        Self { values, sums }
    }

    pub fn draw(&self, rng: &mut ChaCha8Rng) -> &str {
        let at = rng.random_range(0.0..*self.sums.last().expect("not empty"));
        &self.values[self.sums.partition_point(|sum| *sum <= at).min(self.values.len() - 1)]
    }
}

/// Share of each heritage group, and its code.
pub const GROUPS: [(&str, f64); 4] = [("W", 0.5), ("H", 0.27), ("B", 0.13), ("A", 0.10)];
const GIVEN: [[&str; 2]; 4] = [
    [
        "Emma Olivia Ava Abigail Madison Emily Ella Grace Chloe Hannah Lily Natalie Claire Lucy Anna Sarah Julia Katherine Elizabeth Margaret Caroline Rebecca Allison Megan Paige Hailey Kayla Brooke Molly Leah",
        "Liam Noah William James Benjamin Lucas Henry Alexander Jacob Michael Daniel Ethan Matthew Joseph Samuel David John Ryan Andrew Nicholas Thomas Christopher Jonathan Charles Robert Connor Evan Tyler Dylan Owen",
    ],
    [
        "Sofia Isabella Valentina Camila Mia Gabriela Maria Daniela Ximena Mariana Natalia Lucia Andrea Jessica Stephanie Vanessa Adriana Jasmine Guadalupe Alejandra",
        "Santiago Mateo Sebastian Diego Jose Juan Luis Angel Carlos Jesus Daniel Miguel Alejandro Gabriel Adrian Francisco Javier Eduardo Jorge Antonio",
    ],
    [
        "Nevaeh Aaliyah Serenity Destiny Kayla Jada Imani Taylor Jasmine Brianna Zoe Madison Gabrielle Kennedy Morgan Makayla Trinity Amari Skylar Nia",
        "Elijah Jayden Josiah Isaiah Xavier Malik Jordan Christian Aiden Jeremiah Caleb Darius Tyrone Marcus Andre Terrance Kameron Jaylen Zion Amir",
    ],
    [
        "Chloe Sophia Emily Grace Hannah Mia Anya Priya Aisha Mei Ling Yuna Hana Sara Leila Ananya Diya Kavya Jenny Vivian",
        "Ethan Ryan Kevin Jason Daniel Arjun Aarav Rohan Muhammad Ali Omar Wei Jun Minh Kai Vihaan Dev Aryan Nathan Brandon",
    ],
];
const SURNAMES: [&str; 4] = [
    "Smith Johnson Miller Brown Williams Jones Davis Anderson Wilson Martin Taylor Moore Thompson White Clark Hall Murphy Sullivan Kelly Russo Marino Nowak Kowalski Roy Pelletier Gagnon Schmidt Weber Cohen Olsen",
    "Garcia Rodriguez Martinez Hernandez Lopez Gonzalez Rivera Perez Torres Ramirez Sanchez Cruz Flores Ortiz Morales Vazquez Colon Santiago Diaz Reyes",
    "Williams Johnson Brown Jones Davis Jackson Robinson Harris Thomas Campbell Clarke Grant Gordon Reid Morgan Stewart Lewis Baptiste Pierre Mensah",
    "Nguyen Patel Kim Lee Chen Wang Singh Khan Li Liu Zhang Ali Shah Kumar Tran Park Wu Ahmed Huang Lin",
];

impl NamePool {
    /// Names built in: common ones, and a long tail made of syllables.
    pub fn built_in() -> Self {
        let zipf = |list: &str, group: usize, tail: usize, share: f64| {
            let common: Vec<_> = list.split(' ').map(str::to_owned).collect();
            let sum: f64 = (0..common.len()).map(|at| 1.0 / (at as f64 + 3.0)).sum();
            let mut items: Vec<_> = common
                .into_iter()
                .enumerate()
                .map(|(at, name)| (name, (1.0 - share) / (at as f64 + 3.0) / sum))
                .collect();
            let tail_sum: f64 = (0..tail).map(|at| 1.0 / (at as f64 + 20.0)).sum();
            items.extend((0..tail).map(|at| (made_name(group, at), share / (at as f64 + 20.0) / tail_sum)));
            Weighted::new(items)
        };
        Self {
            given: GIVEN
                .iter()
                .enumerate()
                .map(|(group, [girls, boys])| [zipf(girls, group * 2, 600, 0.4), zipf(boys, group * 2 + 1, 600, 0.4)])
                .collect(),
            surnames: SURNAMES.iter().enumerate().map(|(group, list)| zipf(list, 10 + group, 6000, 0.65)).collect(),
        }
    }
}

/// A pronounceable name that depends on its number only.
fn made_name(group: usize, number: usize) -> String {
    const START: [&str; 24] = [
        "b", "br", "c", "ch", "d", "f", "g", "gr", "h", "j", "k", "kr", "l", "m", "n", "p", "r", "s", "st", "t", "tr",
        "v", "w", "z",
    ];
    const MIDDLE: [&str; 8] = ["a", "e", "i", "o", "u", "ai", "ee", "ou"];
    const END: [&str; 12] = ["n", "l", "r", "s", "t", "ck", "m", "nd", "rt", "lo", "na", "ski"];
    let mut rng = ChaCha8Rng::seed_from_u64((group * 100_000 + number) as u64);
    let mut name = String::new();
    for _ in 0..rng.random_range(1..=2) {
        name.push_str(START[rng.random_range(0..START.len())]);
        name.push_str(MIDDLE[rng.random_range(0..MIDDLE.len())]);
    }
    name.push_str(START[rng.random_range(0..START.len())]);
    name.push_str(MIDDLE[rng.random_range(0..MIDDLE.len())]);
    name.push_str(END[rng.random_range(0..END.len())]);
    let mut letters = name.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// How dirty the files are and what they hold.
#[derive(Clone, Copy)]
pub struct Profile {
    /// Multiplies every error rate of the roster.
    pub noise: f64,
    /// Share of the roster that the state does not have.
    pub absent: f64,
    pub moved: f64,
    pub streets: bool,
    pub towns: bool,
    /// Years of birth.
    pub years: (i32, i32),
}

impl Profile {
    /// A roster as an agency keeps it.
    pub const ROSTER: Self =
        Self { noise: 1.0, absent: 0.15, moved: 0.2, streets: false, towns: true, years: (2003, 2020) };
    /// All ages, streets instead of towns, twice the errors, half of the people moved, many absent.
    pub const CENSUS: Self =
        Self { noise: 2.0, absent: 0.39, moved: 0.5, streets: true, towns: false, years: (1940, 2020) };
    /// Everything filled in, many errors, nobody absent.
    pub const DIRTY: Self =
        Self { noise: 3.0, absent: 0.0, moved: 0.1, streets: true, towns: true, years: (1950, 2010) };
}

/// What is true of somebody.
#[derive(Clone)]
pub struct Child {
    pub family: u32,
    pub first: String,
    pub middle: String,
    pub last: String,
    pub suffix: &'static str,
    pub birth: NaiveDate,
    pub sex: usize,
    pub group: usize,
    pub home: Address,
    pub twin: bool,
}

/// Two files and the truth.
pub struct Invented {
    pub left: Vec<Person>,
    pub right: Vec<Person>,
    /// For each right row its left row, if the state has the child.
    pub truth: Vec<Option<u32>>,
    /// The child behind each left and right row.
    pub left_child: Vec<u32>,
    pub right_child: Vec<u32>,
    pub children: Vec<Child>,
}

pub fn invent(names: &NamePool, students: usize, clients: usize, seed: u64, profile: Profile) -> Invented {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let towns = Towns::new(&mut rng);
    let absent = (clients as f64 * profile.absent) as usize;
    let children = families(names, &towns, students + absent, &mut rng, profile);
    let order = rand::seq::index::sample(&mut rng, children.len(), children.len()).into_vec();
    let gone: std::collections::HashSet<usize> = order[..absent].iter().copied().collect();
    let mut left_of = vec![None; children.len()];
    let (mut left, mut left_child) = (Vec::new(), Vec::new());
    for (at, child) in children.iter().enumerate().filter(|(at, _)| !gone.contains(at)) {
        left_of[at] = Some(left.len() as u32);
        left.push(state_record(child, &mut rng, profile, format!("S{at}")));
        left_child.push(at as u32);
    }
    let mut chosen: Vec<usize> = order[..clients.min(order.len())].to_vec();
    let shuffled = rand::seq::index::sample(&mut rng, chosen.len(), chosen.len()).into_vec();
    chosen = shuffled.into_iter().map(|at| chosen[at]).collect();
    let right: Vec<_> = chosen
        .iter()
        .enumerate()
        .map(|(row, at)| roster_record(&children[*at], names, &towns, &mut rng, profile, format!("R{row}")))
        .collect();
    let truth = chosen.iter().map(|at| left_of[*at]).collect();
    Invented { left, right, truth, left_child, right_child: chosen.iter().map(|at| *at as u32).collect(), children }
}

pub struct Towns {
    /// By heritage group.
    towns: Vec<Weighted>,
    streets: Weighted,
}

impl Towns {
    pub fn new(rng: &mut ChaCha8Rng) -> Self {
        let all: Vec<_> = (0..169)
            .map(|at| format!("{} {}", made_name(90, at), if at % 3 == 0 { "Falls" } else { "ford" }))
            .collect();
        let by_group = |_: usize, rng: &mut ChaCha8Rng| {
            Weighted::new(
                all.iter()
                    .enumerate()
                    .map(|(at, town)| {
                        (format!("{town}|{:05}", 6001 + at * 3), rng.random_range(0.1..3.0) / (at as f64 + 4.0))
                    })
                    .collect::<Vec<_>>(),
            )
        };
        Self {
            towns: (0..GROUPS.len()).map(|group| by_group(group, rng)).collect(),
            streets: Weighted::new((0..900).map(|at| {
                (format!("{} {}", made_name(95, at), ["St", "Ave", "Rd", "Lane"][at % 4]), 1.0 / (at as f64 + 10.0))
            })),
        }
    }

    pub fn home(&self, group: usize, rng: &mut ChaCha8Rng, profile: Profile) -> Address {
        let drawn = self.towns[group].draw(rng).to_owned();
        let (town, zip) = drawn.split_once('|').expect("made with a bar");
        let zip = format!("{:05}", zip.parse::<u32>().expect("a number") + rng.random_range(0..3));
        let street = format!("{} {}", rng.random_range(1..400), self.streets.draw(rng));
        Address {
            street: if profile.streets { street } else { String::new() },
            town: if profile.towns { town.to_owned() } else { String::new() },
            zip: if profile.towns { zip } else { String::new() },
        }
    }
}

pub fn families(names: &NamePool, towns: &Towns, wanted: usize, rng: &mut ChaCha8Rng, profile: Profile) -> Vec<Child> {
    let mut children = Vec::with_capacity(wanted);
    let mut family = 0;
    while children.len() < wanted {
        family += 1;
        let mut at = rng.random_range(0.0..1.0);
        let group = GROUPS
            .iter()
            .position(|(_, share)| {
                at -= share;
                at < 0.0
            })
            .unwrap_or(0);
        let surname = names.surnames[group].draw(rng).to_owned();
        let last = match group {
            1 if rng.random_bool(0.35) => {
                format!("{surname}{}{}", if rng.random_bool(0.4) { "-" } else { " " }, names.surnames[group].draw(rng))
            }
            _ if rng.random_bool(0.03) => format!("{surname}-{}", names.surnames[group].draw(rng)),
            _ => surname,
        };
        let home = towns.home(group, rng, profile);
        let size = [1, 1, 2, 2, 2, 3, 4][rng.random_range(0..7)];
        let mut born: Vec<(NaiveDate, bool)> = Vec::new();
        for _ in 0..size {
            let from = NaiveDate::from_ymd_opt(profile.years.0, 1, 1).expect("a date");
            let days = (profile.years.1 - profile.years.0) as u64 * 365;
            let date = from + Days::new(rng.random_range(0..days));
            born.push((date, false));
            if rng.random_bool(0.016) {
                born.last_mut().expect("just pushed").1 = true;
                born.push((date, true));
            }
        }
        let mut used: Vec<String> = Vec::new();
        for (birth, twin) in born {
            let sex = usize::from(rng.random_bool(0.51));
            let mut first = names.given[group][sex].draw(rng).to_owned();
            for _ in 0..20 {
                // Parents like names that go together.
                let alike = used.is_empty() || !rng.random_bool(0.15) || used[0].chars().next() == first.chars().next();
                if !used.contains(&first) && alike {
                    break;
                }
                names.given[group][sex].draw(rng).clone_into(&mut first);
            }
            if used.contains(&first) {
                continue;
            }
            used.push(first.clone());
            let middle =
                if rng.random_bool(0.85) { names.given[group][sex].draw(rng).to_owned() } else { String::new() };
            let suffix = if sex == 1 && rng.random_bool(0.03) { "Jr" } else { "" };
            children.push(Child {
                family,
                first,
                middle,
                last: last.clone(),
                suffix,
                birth,
                sex,
                group,
                home: home.clone(),
                twin,
            });
        }
    }
    children.truncate(wanted);
    children
}

fn person(id: String, name: PersonName, birth: Option<NaiveDate>, sex: &str, race: &str, home: Address) -> Person {
    Person {
        id,
        sasids: Vec::new(),
        names: vec![name],
        birth_dates: birth.into_iter().collect(),
        sex: Some(sex.to_owned()),
        race: Some(race.to_owned()),
        addresses: vec![home],
    }
}

fn state_record(child: &Child, rng: &mut ChaCha8Rng, profile: Profile, id: String) -> Person {
    let n = profile.noise.max(1.0);
    let mut name = PersonName {
        first: child.first.to_uppercase(),
        middle: child.middle.to_uppercase(),
        last: child.last.to_uppercase(),
        suffix: child.suffix.to_owned(),
    };
    if rng.random_bool(0.2) {
        name.middle.clear();
    } else if rng.random_bool(0.3) {
        name.middle.truncate(1);
    }
    if rng.random_bool(0.003 * n) {
        name.first = typo(&name.first, rng);
    }
    if rng.random_bool(0.003 * n) {
        name.last = typo(&name.last, rng);
    }
    let birth = if rng.random_bool(0.003 * n) { wrong_date(child.birth, rng) } else { child.birth };
    person(id, name, Some(birth), ["F", "M"][child.sex], GROUPS[child.group].0, child.home.clone())
}

fn roster_record(
    child: &Child,
    names: &NamePool,
    towns: &Towns,
    rng: &mut ChaCha8Rng,
    profile: Profile,
    id: String,
) -> Person {
    let n = profile.noise;
    let mut hit = |share: f64| rng.random_bool((share * n).min(0.9));
    let (nick, first_typo, last_typo, other_first, changed, swapped) =
        (hit(0.04), hit(0.025), hit(0.025), hit(0.006), hit(0.025), hit(0.004));
    let (no_birth, wrong_birth, two_first, part, no_zip) = (hit(0.015), hit(0.03), hit(0.01), hit(0.2), hit(0.04));
    let (no_middle, initial, wrong_sex, no_sex, other_race, no_race) =
        (hit(0.35), hit(0.25), hit(0.004), hit(0.02), hit(0.05), hit(0.05));
    let mut name = PersonName {
        first: child.first.clone(),
        middle: child.middle.clone(),
        last: child.last.clone(),
        suffix: child.suffix.to_owned(),
    };
    if nick {
        name.first = nickname(&name.first, rng);
    }
    if first_typo {
        name.first = typo(&name.first, rng);
    }
    if other_first {
        names.given[child.group][child.sex].draw(rng).clone_into(&mut name.first);
    }
    if two_first && !name.middle.is_empty() {
        name.first = format!("{} {}", name.first, std::mem::take(&mut name.middle));
    }
    name.last = compound(&name.last, part, rng);
    if changed {
        let new = names.surnames[child.group].draw(rng).to_owned();
        name.last = if rng.random_bool(0.3) { format!("{}-{new}", name.last) } else { new };
    }
    if last_typo {
        name.last = typo(&name.last, rng);
    }
    if no_middle {
        name.middle.clear();
    } else if initial {
        name.middle.truncate(1);
    }
    if swapped {
        std::mem::swap(&mut name.first, &mut name.last);
    }
    let birth = (!no_birth).then(|| if wrong_birth { wrong_date(child.birth, rng) } else { child.birth });
    let sex = ["F", "M"][if wrong_sex { 1 - child.sex } else { child.sex }];
    let race = GROUPS[if other_race { rng.random_range(0..GROUPS.len()) } else { child.group }].0;
    let mut home =
        if rng.random_bool(profile.moved) { towns.home(child.group, rng, profile) } else { child.home.clone() };
    if no_zip {
        home.zip.clear();
    }
    if profile.streets && rng.random_bool((0.05 * n).min(0.5)) {
        home.street = typo(&home.street, rng);
    }
    person(id, name, birth, if no_sex { "" } else { sex }, if no_race { "" } else { race }, home)
}

/// A compound surname as somebody else writes it: with one part, the other way round, or joined otherwise.
fn compound(last: &str, changed: bool, rng: &mut ChaCha8Rng) -> String {
    let Some((first, second)) = last.split_once(['-', ' ']) else { return last.to_owned() };
    if !changed {
        return [first, second].join([" ", "-", ""][rng.random_range(0..3)]);
    }
    match rng.random_range(0..4) {
        0 | 1 => first.to_owned(),
        2 => second.to_owned(),
        _ => format!("{second} {first}"),
    }
}

fn nickname(first: &str, rng: &mut ChaCha8Rng) -> String {
    const SHORT: &[(&str, &[&str])] = &[
        ("William", &["Bill", "Will", "Billy"]),
        ("Benjamin", &["Ben"]),
        ("Alexander", &["Alex"]),
        ("Michael", &["Mike"]),
        ("Daniel", &["Dan", "Danny"]),
        ("Matthew", &["Matt"]),
        ("Joseph", &["Joe", "Joey"]),
        ("Samuel", &["Sam"]),
        ("Andrew", &["Drew", "Andy"]),
        ("Nicholas", &["Nick"]),
        ("Thomas", &["Tom"]),
        ("Christopher", &["Chris"]),
        ("Jonathan", &["Jon"]),
        ("Robert", &["Bob", "Rob"]),
        ("Abigail", &["Abby"]),
        ("Katherine", &["Kate", "Katie"]),
        ("Elizabeth", &["Liz", "Beth"]),
        ("Margaret", &["Maggie"]),
        ("Rebecca", &["Becca"]),
        ("Allison", &["Allie"]),
        ("Madison", &["Maddie"]),
        ("Jose", &["Pepe"]),
        ("Francisco", &["Paco"]),
        ("Eduardo", &["Lalo"]),
        ("Guadalupe", &["Lupe"]),
        ("Jessica", &["Jess"]),
        ("Isabella", &["Bella", "Izzy"]),
        ("Gabriela", &["Gaby"]),
        ("Alejandro", &["Alex"]),
        ("Joshua", &["Josh"]),
        ("Anthony", &["Tony"]),
        ("Zachary", &["Zach"]),
        ("Jacob", &["Jake"]),
    ];
    match SHORT.iter().find(|(formal, _)| formal.eq_ignore_ascii_case(first)) {
        Some((_, forms)) => forms[rng.random_range(0..forms.len())].to_owned(),
        None if first.len() > 5 && rng.random_bool(0.5) => {
            first[..first.char_indices().nth(4).map_or(first.len(), |(at, _)| at)].to_owned()
        }
        None => first.to_owned(),
    }
}

fn typo(text: &str, rng: &mut ChaCha8Rng) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    if letters.len() < 3 {
        return text.to_owned();
    }
    let at = rng.random_range(0..letters.len() - 1);
    let any = char::from(b'a' + rng.random_range(0..26_u8));
    match rng.random_range(0..4) {
        0 => letters.swap(at, at + 1),
        1 => letters[at] = any,
        2 => {
            letters.remove(at);
        }
        _ => letters.insert(at + 1, any),
    }
    letters.into_iter().collect()
}

fn wrong_date(date: NaiveDate, rng: &mut ChaCha8Rng) -> NaiveDate {
    let (year, month, day) = (date.year(), date.month(), date.day());
    let changed = match rng.random_range(0..8) {
        0 | 1 => NaiveDate::from_ymd_opt(year, day, month),
        2 => NaiveDate::from_ymd_opt(year + [-1, 1, 10][rng.random_range(0..3)], month, day),
        3 | 4 => NaiveDate::from_ymd_opt(year, month, rng.random_range(1..=28)),
        5 => NaiveDate::from_ymd_opt(year, rng.random_range(1..=12), day),
        6 => NaiveDate::from_ymd_opt(year, 1, 1),
        _ => NaiveDate::from_ymd_opt(year, month, (day + [1, 10][rng.random_range(0..2)]) % 28 + 1),
    };
    changed.unwrap_or(date)
}
