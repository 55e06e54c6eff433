//! Two files to be linked, of the same invented people as a state: its students, and an agency's clients as the agency wrote them down.

use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::Path,
};

use rayon::prelude::*;

use super::{
    Options, World,
    dice::{Dice, Purpose},
    household::{self, Child},
    noise,
    places::Places,
    sink::push_iso,
};

/// Share of the clients whom the state does not know, their brothers and sisters apart.
const ABSENT: f64 = 0.15;
/// Share of the clients who have moved to another town since.
const MOVED: f64 = 0.1;
/// Blocks of households made at once.
const BLOCKS_AT_ONCE: u64 = 20_000;
const HEADER: &str = "id,first_name,middle_name,last_name,suffix,birth_date,sex,town,zip\n";

/// How many there were.
#[derive(Clone, Copy, Debug, Default)]
pub struct Written {
    /// Students.
    pub students: u64,
    /// Clients.
    pub clients: u64,
    /// Clients who are students: both bear the number of the child as their id.
    pub true_links: u64,
}

/// Writes the students' file and the clients' file. Chance decides who is a client, so there are about as many as asked for.
pub fn write((students, clients): (u64, u64), seed: u64, (left, right): (&Path, &Path)) -> anyhow::Result<Written> {
    let absent = (ABSENT * clients as f64) as u64;
    let children = students + absent;
    let world = World::new(&Options::new(children, seed, left.to_owned()))?;
    let shares = (absent as f64 / children as f64, (clients - absent) as f64 / students as f64);
    let mut files = [BufWriter::new(File::create(left)?), BufWriter::new(File::create(right)?)];
    for file in &mut files {
        file.write_all(HEADER.as_bytes())?;
    }
    let mut written = Written::default();
    let blocks = household::blocks(children);
    for first in (0..blocks).step_by(BLOCKS_AT_ONCE as usize) {
        let last = (first + BLOCKS_AT_ONCE).min(blocks);
        let made: Vec<(String, String, Written)> =
            (first..last).into_par_iter().map(|number| block(&world, (number, children), shares)).collect();
        for (of_state, of_agency, count) in made {
            files[0].write_all(of_state.as_bytes())?;
            files[1].write_all(of_agency.as_bytes())?;
            written.students += count.students;
            written.clients += count.clients;
            written.true_links += count.true_links;
        }
    }
    for mut file in files {
        file.flush()?;
    }
    Ok(written)
}

/// The rows of a block's children in both files.
fn block(world: &World, (number, children): (u64, u64), (absent, client): (f64, f64)) -> (String, String, Written) {
    let (mut left, mut right, mut written) = (String::new(), String::new(), Written::default());
    for child in household::block(world, number, children).iter().flat_map(|household| &household.children) {
        let mut dice = Dice::new(world.seed, Purpose::Agency, child.index);
        let is_absent = dice.chance(absent);
        if !is_absent {
            written.students += 1;
            let names = [&*child.first, &*child.middle, child.last_on(world.as_of)];
            row(&mut left, world, child, names, (child.birth, child.town));
        }
        if is_absent || dice.chance(client) {
            written.clients += 1;
            written.true_links += u64::from(!is_absent);
            let mut wrong = Vec::new();
            let (first, middle, last) = noise::names(world, child, world.as_of, &mut dice, &mut wrong);
            let birth = noise::birth(child, &mut dice, &mut wrong);
            let town = if dice.chance(MOVED) { dice.below(world.places.towns.len()) } else { child.town };
            row(&mut right, world, child, [&first, &middle, &last], (birth, town));
        }
    }
    (left, right, written)
}

fn row(
    out: &mut String,
    world: &World,
    child: &Child,
    [first, middle, last]: [&str; 3],
    (birth, town): (chrono::NaiveDate, usize),
) {
    let Places { towns, .. } = &world.places;
    let (town, zips) = (&towns[town].name, &towns[town].zips);
    let zip = zips.get(child.home as usize % zips.len().max(1)).map_or("", String::as_str);
    let mut day = String::with_capacity(10);
    push_iso(&mut day, birth);
    for cell in [&child.index.to_string(), first, middle, last, child.suffix, &day, child.sex.code(), town] {
        out.push_str(cell);
        out.push(',');
    }
    out.push_str(zip);
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_files_are_of_the_same_people() {
        let folder = tempfile::tempdir().expect("a folder");
        let [left, right] = ["left.csv", "right.csv"].map(|name| folder.path().join(name));
        let written = write((3_000, 600), 5, (&left, &right)).expect("written");
        let rows = |path: &Path| std::fs::read_to_string(path).expect("a file").lines().count() as u64 - 1;
        assert_eq!((rows(&left), rows(&right)), (written.students, written.clients));
        assert!((2_900..3_200).contains(&written.students) && (500..700).contains(&written.clients), "{written:?}");
        let share = written.true_links as f64 / written.clients as f64;
        assert!((0.78..0.92).contains(&share), "{share}");
    }
}
