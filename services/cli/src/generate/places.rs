//! Where children live and go to school: real Connecticut towns, districts and facilities.
//!
//! Organizations come from the reference tables. `tables/towns.csv` says how many students a town has, who they are (shares in
//! thousandths, from published district aggregates), where it lies and which districts serve its lower and upper grades.

use std::collections::HashMap;

use anyhow::Context;
use chrono::NaiveDate;

use super::dice::{Cumulative, Dice};

const TOWNS: &str = include_str!("tables/towns.csv");

/// Grade numbers: 0 pre-kindergarten at three, 1 pre-kindergarten, 2 kindergarten, 3 to 14 grades 1 to 12.
pub type Grade = u8;
/// Pre-kindergarten at three.
pub const P3: Grade = 0;
/// Pre-kindergarten at four.
pub const PK: Grade = 1;
/// Kindergarten.
pub const KINDERGARTEN: Grade = 2;
/// The grade numbered like its name.
pub const fn grade(number: u8) -> Grade {
    number + 2
}

/// What runs a school.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sector {
    /// A town's or a region's own.
    Local,
    /// A charter school.
    Charter,
    /// A service centre's magnet school.
    Magnet,
    /// A technical high school.
    Technical,
    /// An endowed academy.
    Academy,
    /// A facility of a state agency.
    State,
}

/// A school or facility.
#[derive(Clone, Debug)]
pub struct School {
    /// Seven digits.
    pub code: String,
    /// Its district's place in the list of districts.
    pub district: usize,
    /// The town it lies in.
    pub town: String,
    /// Who runs it.
    pub sector: Sector,
    /// A bit for each grade it offers.
    pub grades: u16,
    /// When it opened.
    pub opened: NaiveDate,
}

impl School {
    /// Whether it teaches a grade.
    pub const fn offers(&self, grade: Grade) -> bool {
        self.grades & (1 << grade) != 0
    }
}

/// A reporting district.
#[derive(Clone, Debug)]
pub struct District {
    /// Three digits.
    pub code: String,
    /// Its name.
    pub name: String,
    /// Its schools, as places in the list of schools.
    pub schools: Vec<usize>,
}

/// A town of residence.
#[derive(Clone, Debug)]
pub struct Town {
    /// Three digits.
    pub code: String,
    /// Its name.
    pub name: String,
    /// Its ZIP codes.
    pub zips: Vec<String>,
    /// Shares of white, black, Hispanic and other students.
    pub groups: [f64; 4],
    /// Share eligible for free or reduced-price meals.
    pub meals: f64,
    /// Share of English learners.
    pub english_learners: f64,
    /// Attendance rate of its district.
    pub attendance: f64,
    /// Districts that serve it, in order of preference.
    pub districts: Vec<usize>,
    /// The nearest towns, nearest first, not itself.
    pub near: Vec<usize>,
    /// Charter, magnet and technical schools within reach.
    pub choices: Vec<usize>,
    /// Place of its DCF office.
    pub dcf_office: usize,
    /// Place of its juvenile court.
    pub court: usize,
    students: u64,
    at: (f64, f64),
}

/// DCF's area offices: region, name, and where they are.
pub const DCF_OFFICES: [(&str, &str, (f64, f64)); 14] = [
    ("1", "Bridgeport", (41.18, -73.19)),
    ("1", "Norwalk", (41.13, -73.42)),
    ("2", "Milford", (41.22, -73.06)),
    ("2", "New Haven", (41.30, -72.92)),
    ("3", "Middletown", (41.55, -72.65)),
    ("3", "Norwich", (41.53, -72.08)),
    ("3", "Willimantic", (41.71, -72.21)),
    ("4", "Hartford", (41.76, -72.68)),
    ("4", "Manchester", (41.78, -72.54)),
    ("5", "Danbury", (41.39, -73.45)),
    ("5", "Torrington", (41.80, -73.12)),
    ("5", "Waterbury", (41.55, -73.04)),
    ("6", "Meriden", (41.54, -72.80)),
    ("6", "New Britain", (41.67, -72.78)),
];

/// Juvenile court locations with the number CSSD's rosters name them by, and where they are.
pub const COURTS: [(&str, &str, (f64, f64)); 12] = [
    ("101", "Bridgeport", (41.18, -73.19)),
    ("102", "Danbury", (41.39, -73.45)),
    ("103", "Hartford", (41.76, -72.68)),
    ("104", "Middletown", (41.56, -72.65)),
    ("105", "New Britain", (41.67, -72.78)),
    ("106", "New Haven", (41.31, -72.93)),
    ("107", "Norwalk", (41.12, -73.41)),
    ("108", "Rockville", (41.87, -72.45)),
    ("109", "Torrington", (41.80, -73.12)),
    ("110", "Waterbury", (41.55, -73.04)),
    ("111", "Waterford", (41.35, -72.15)),
    ("112", "Willimantic", (41.71, -72.21)),
];

/// Everything about places.
#[derive(Debug)]
pub struct Places {
    /// Districts by place.
    pub districts: Vec<District>,
    /// Schools and facilities by place.
    pub schools: Vec<School>,
    /// Towns by place.
    pub towns: Vec<Town>,
    /// Detention centres and secure units of the courts.
    pub detention: Vec<usize>,
    /// Child-welfare facilities.
    pub child_welfare: Vec<usize>,
    /// Correctional institutions that teach the young.
    pub correctional: Vec<usize>,
    by_students: Cumulative,
}

impl Places {
    /// Reads the tables.
    pub fn load() -> anyhow::Result<Self> {
        let (districts, schools) = organizations()?;
        let mut towns = towns(&districts)?;
        place_towns(&mut towns, &schools);
        let of = |prefix: &str| -> Vec<usize> {
            let facility = |s: &School| s.sector == Sector::State && s.code.starts_with(prefix);
            (0..schools.len()).filter(|i| facility(&schools[*i])).collect()
        };
        Ok(Self {
            detention: of("348"),
            child_welfare: of("347"),
            correctional: of("336"),
            by_students: towns.iter().map(|t| t.students).collect(),
            districts,
            schools,
            towns,
        })
    }

    /// A town, as likely as it has students.
    pub fn draw_town(&self, dice: &mut Dice) -> usize {
        self.by_students.draw(dice)
    }

    /// The town of a code.
    pub fn find_town(&self, name: &str) -> Option<usize> {
        self.towns.iter().position(|t| t.name == name)
    }

    /// The ordinary school of a town's resident in a grade. `home` stands for the neighbourhood: the same child keeps the same
    /// school as long as it offers the grade.
    pub fn local_school(&self, town: usize, grade: Grade, home: u64, on: NaiveDate) -> Option<usize> {
        let home_town = self.towns.get(town)?;
        let nearby = home_town.near.iter().flat_map(|near| &self.towns[*near].districts);
        home_town.districts.iter().chain(nearby).find_map(|district| self.school_in(*district, grade, home, on))
    }

    /// The school of a district for a grade and a neighbourhood, open on a day; any that offers the grade if none was open yet
    /// (open dates are those of the present building or name).
    pub fn school_in(&self, district: usize, grade: Grade, home: u64, on: NaiveDate) -> Option<usize> {
        let schools = &self.districts.get(district)?.schools;
        let offering = |open: bool| {
            schools.iter().copied().filter(move |s| {
                let school = &self.schools[*s];
                school.offers(grade) && (!open || school.opened <= on)
            })
        };
        let open = offering(true).count();
        if open > 0 {
            return offering(true).nth((home % open as u64) as usize);
        }
        let any = offering(false).count();
        if any > 0 {
            return offering(false).nth((home % any as u64) as usize);
        }
        None
    }
}

fn bits(grades: &str) -> u16 {
    grades.split_whitespace().fold(0, |bits, code| {
        bits | match code {
            "PK" => 0b11,
            "KF" | "KH" | "KE" => 1 << KINDERGARTEN,
            number => number.parse::<u8>().map_or(0, |n| 1 << grade(n)),
        }
    })
}

fn sector(kind: &str) -> Option<Sector> {
    Some(match kind {
        "Public Schools" | "Regional Schools" => Sector::Local,
        "Public Charter Schools" => Sector::Charter,
        "Regional Education Service Center Schools" => Sector::Magnet,
        "CT Technical Education and Career Schools" => Sector::Technical,
        "Endowed and Incorporated Academies Schools" => Sector::Academy,
        "State Agency Facilities" => Sector::State,
        _ => return None,
    })
}

fn organizations() -> anyhow::Result<(Vec<District>, Vec<School>)> {
    let mut districts: Vec<District> = Vec::new();
    let mut by_code: HashMap<String, usize> = HashMap::new();
    let mut schools: Vec<School> = Vec::new();
    for row in OrganizationRow::all() {
        let row = row?;
        let district = *by_code.entry(row.district_code.clone()).or_insert_with(|| {
            districts.push(District {
                code: row.district_code.clone(),
                name: row.district_name.clone(),
                schools: Vec::new(),
            });
            districts.len() - 1
        });
        let Some(sector) = sector(&row.organization_type) else {
            continue;
        };
        let grades = bits(&row.grades);
        // Programs that take every grade are no neighbourhood's school.
        let ordinary = sector != Sector::Local || grades.count_ones() < 13;
        if ordinary {
            districts[district].schools.push(schools.len());
        }
        schools.push(School { code: row.code, district, town: row.town, sector, grades, opened: row.open_date });
    }
    Ok((districts, schools))
}

/// A row of the table of organizations.
#[derive(Debug, serde::Deserialize)]
pub struct OrganizationRow {
    /// Seven digits.
    pub code: String,
    /// Name.
    pub name: String,
    /// What it is.
    pub organization_type: String,
    /// Three digits.
    pub district_code: String,
    /// Name of the district.
    pub district_name: String,
    /// Town.
    pub town: String,
    /// ZIP code.
    pub zip: String,
    /// Grades offered.
    pub grades: String,
    /// When it opened.
    pub open_date: NaiveDate,
}

impl OrganizationRow {
    /// All rows, in the order of the table.
    pub fn all() -> impl Iterator<Item = anyhow::Result<Self>> {
        csv::Reader::from_reader(reference::CT_ORGANIZATIONS.as_bytes())
            .into_deserialize()
            .map(|row| row.context("the table of organizations"))
    }
}

#[derive(serde::Deserialize)]
struct TownRow {
    code: String,
    name: String,
    latitude: f64,
    longitude: f64,
    zips: String,
    students: u64,
    white: f64,
    black: f64,
    hispanic: f64,
    other: f64,
    meals: f64,
    english_learners: f64,
    attendance: f64,
    lower_district: String,
    upper_district: String,
}

fn towns(districts: &[District]) -> anyhow::Result<Vec<Town>> {
    let mut towns = Vec::new();
    for row in csv::Reader::from_reader(TOWNS.as_bytes()).deserialize() {
        let row: TownRow = row.context("the table of towns")?;
        let find = |code: &str| districts.iter().position(|d| d.code == code);
        let served = [&row.lower_district, &row.upper_district];
        towns.push(Town {
            districts: served.into_iter().filter_map(|code| find(code)).collect(),
            zips: row.zips.split(' ').map(str::to_owned).collect(),
            groups: [row.white, row.black, row.hispanic, row.other],
            meals: row.meals / 1000.0,
            english_learners: row.english_learners / 1000.0,
            attendance: row.attendance / 1000.0,
            students: row.students.max(1),
            at: (row.latitude, row.longitude),
            near: Vec::new(),
            choices: Vec::new(),
            dcf_office: 0,
            court: 0,
            code: row.code,
            name: row.name,
        });
    }
    Ok(towns)
}

/// Roughly kilometres, squared: enough to tell near from far within Connecticut.
fn apart(a: (f64, f64), b: (f64, f64)) -> f64 {
    ((a.0 - b.0) * 111.0).powi(2) + ((a.1 - b.1) * 83.0).powi(2)
}

/// Children travel this far, squared, to a school of choice.
const CHOICE_KM_2: f64 = 22.0 * 22.0;

fn place_towns(towns: &mut [Town], schools: &[School]) {
    let at: Vec<(f64, f64)> = towns.iter().map(|t| t.at).collect();
    let by_name: HashMap<String, usize> = towns.iter().enumerate().map(|(i, t)| (t.name.clone(), i)).collect();
    let nearest = |here, offices: &[(&str, &str, (f64, f64))]| {
        let far = |i: &usize| (apart(here, offices[*i].2) * 100.0) as i64;
        (0..offices.len()).min_by_key(far).unwrap_or(0)
    };
    for (index, town) in towns.iter_mut().enumerate() {
        let here = town.at;
        let mut near: Vec<usize> = (0..at.len()).filter(|other| *other != index).collect();
        near.sort_by(|a, b| apart(here, at[*a]).total_cmp(&apart(here, at[*b])));
        near.truncate(24);
        town.near = near;
        town.dcf_office = nearest(here, &DCF_OFFICES);
        town.court = nearest(here, &COURTS);
        town.choices = (0..schools.len())
            .filter(|i| {
                let school = &schools[*i];
                matches!(school.sector, Sector::Charter | Sector::Magnet | Sector::Technical)
                    && by_name.get(&school.town).is_some_and(|t| apart(here, at[*t]) < CHOICE_KM_2)
            })
            .collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_town_has_a_school_for_every_grade() {
        let places = Places::load().expect("tables");
        let day = chrono::NaiveDate::from_ymd_opt(2015, 9, 1).expect("a day");
        assert_eq!(places.towns.len(), 169);
        for (index, town) in places.towns.iter().enumerate() {
            assert!(!town.districts.is_empty(), "{}", town.name);
            for grade in PK..=grade(12) {
                assert!(places.local_school(index, grade, 5, day).is_some(), "{} grade {grade}", town.name);
            }
        }
        assert!(places.detention.len() >= 6 && places.child_welfare.len() == 2);
    }
}
