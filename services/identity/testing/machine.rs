//! What benches share: frequency lists from a folder, and what the machine was asked for.

use std::path::Path;

use crate::invented::{NamePool, Weighted};

/// The command line.
pub struct Args(pub Vec<String>);

impl Args {
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().position(|arg| arg == name).and_then(|at| self.0.get(at + 1)).map(String::as_str)
    }

    pub fn number(&self, name: &str, default: usize) -> usize {
        self.value(name).map_or(default, |text| text.parse().expect("a number"))
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|arg| arg == name)
    }

    /// The names of `--names DIR`, or those built in.
    pub fn names(&self) -> NamePool {
        self.value("--names").map_or_else(NamePool::built_in, |folder| read_names(Path::new(folder)))
    }
}

fn read_names(folder: &Path) -> NamePool {
    let list = |file: String| {
        let mut reader = csv::Reader::from_path(folder.join(file)).expect("a frequency list");
        Weighted::new(
            reader
                .records()
                .map(|row| row.expect("a row"))
                .map(|row| (row[0].to_owned(), row[1].parse::<f64>().expect("a share")))
                .collect::<Vec<_>>(),
        )
    };
    let groups = ["White", "Hispanic", "Black", "Asian"];
    NamePool {
        given: groups
            .iter()
            .map(|group| ["Female", "Male"].map(|sex| list(format!("FirstName-{group}-{sex}.csv"))))
            .collect(),
        surnames: groups.iter().map(|group| list(format!("Surname-{group}.csv"))).collect(),
    }
}

/// User and system time of this process.
pub fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks: f64 = stat
        .rsplit(')')
        .next()
        .unwrap_or("")
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<f64>().ok())
        .sum();
    ticks / 100.0
}

/// The most memory this process has held.
pub fn peak_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok())
        .unwrap_or(0)
        / 1024
}
