//! Finds PostgreSQL's programs.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{Environment, process};
use crate::Problem;

/// The oldest server this program is written for.
pub(crate) const MAJOR_MIN: u32 = 15;

/// A folder with `initdb` and `postgres` of one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Programs {
    pub bin_dir: PathBuf,
    pub major: u32,
}

impl Programs {
    pub fn command(&self, program: &str) -> PathBuf {
        self.bin_dir.join(program)
    }
}

/// Every usable version on this machine, the preferred one first: the configured folder alone when there is one, else
/// the folder named by the environment, PATH, and the versioned folders of the distributions, newest first.
pub(super) fn find(configured: Option<&Path>, environment: &Environment) -> Result<Vec<Programs>, Problem> {
    let folders = match configured {
        Some(folder) => vec![folder.to_owned()],
        None => candidate_folders(environment),
    };
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for folder in &folders {
        let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.clone());
        if !seen.insert(folder.clone()) || !folder.join("initdb").is_file() {
            continue;
        }
        if let Some(major) = major_version(&folder.join("postgres")).filter(|major| *major >= MAJOR_MIN) {
            found.push(Programs { bin_dir: folder, major });
        }
    }
    if found.is_empty() {
        let looked_in = folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(", ");
        return Err(Problem::NoPrograms { looked_in });
    }
    Ok(found)
}

fn candidate_folders(environment: &Environment) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = environment.bin_dir.iter().cloned().collect();
    for folder in environment.search_path.iter().flat_map(std::env::split_paths) {
        if let Some(told) = bin_dir_of(&folder.join("pg_config")) {
            folders.push(told);
        }
        // A link such as /usr/bin/initdb leads to the folder that holds the rest.
        if let Ok(real) = fs::canonicalize(folder.join("initdb"))
            && let Some(parent) = real.parent()
        {
            folders.push(parent.to_owned());
        }
    }
    folders.extend(versioned_folders(Path::new("/usr/lib/postgresql"), "", "bin"));
    folders.extend(versioned_folders(Path::new("/usr"), "pgsql-", "bin"));
    folders
}

/// `<root>/<prefix><version>/<inner>`, the newest version first.
fn versioned_folders(root: &Path, prefix: &str, inner: &str) -> Vec<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir(root)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.strip_prefix(prefix)?.parse().ok()?;
            Some((version, entry.path().join(inner)))
        })
        .collect();
    versions.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    versions.into_iter().map(|(_, path)| path).collect()
}

fn bin_dir_of(pg_config: &Path) -> Option<PathBuf> {
    pg_config
        .is_file()
        .then(|| process::output(Command::new(pg_config).arg("--bindir")).ok())
        .flatten()
        .map(PathBuf::from)
}

fn major_version(postgres: &Path) -> Option<u32> {
    postgres
        .is_file()
        .then(|| process::output(Command::new(postgres).arg("--version")).ok())
        .flatten()
        .as_deref()
        .and_then(parse_major)
}

/// `postgres (PostgreSQL) 15.18 (Debian 15.18-0)` is 15, `postgres (PostgreSQL) 18beta1` is 18.
fn parse_major(version: &str) -> Option<u32> {
    let number = version.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    let end = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    number.get(..end)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_the_program_itself() {
        for (text, expect) in [
            ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", Some(15)),
            ("postgres (PostgreSQL) 18beta1", Some(18)),
            ("postgres (PostgreSQL) 9.6.24", Some(9)),
            ("nonsense", None),
        ] {
            assert_eq!(parse_major(text), expect, "{text}");
        }
    }

    #[test]
    fn newest_versioned_folder_comes_first() {
        let root = tempfile::tempdir().unwrap();
        for version in ["9", "15", "17", "common"] {
            fs::create_dir_all(root.path().join(version).join("bin")).unwrap();
        }
        let found = versioned_folders(root.path(), "", "bin");
        assert_eq!(found, ["17", "15", "9"].map(|version| root.path().join(version).join("bin")));
    }

    #[test]
    fn configured_folder_without_programs_is_named() {
        let error = find(Some(Path::new("/nowhere/bin")), &Environment::default()).unwrap_err();
        assert!(error.to_string().contains("/nowhere/bin"), "{error}");
    }
}
