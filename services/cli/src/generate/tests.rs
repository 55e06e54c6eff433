use std::{collections::BTreeMap, path::Path};

use super::*;

fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root).expect("below the root").to_owned();
                all.insert(name, std::fs::read(&path).expect("a file"));
            }
        }
    }
    all
}

fn made(students: u64, seed: u64, threads: usize) -> BTreeMap<PathBuf, Vec<u8>> {
    let folder = tempfile::tempdir().expect("a folder");
    let options = Options::new(students, seed, folder.path().to_owned());
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
    pool.install(|| run(&options, &|_, _, _| {})).expect("a state");
    files(folder.path())
}

#[test]
fn same_seed_gives_the_same_bytes_whatever_the_threads() {
    let one = made(1_200, 7, 1);
    let three = made(1_200, 7, 3);
    assert_eq!(one.keys().collect::<Vec<_>>(), three.keys().collect::<Vec<_>>());
    for (name, bytes) in &one {
        assert!(three[name] == *bytes, "{} differs", name.display());
    }
    let other = made(1_200, 8, 2);
    let students = Path::new("truth/students.ndjson");
    assert!(one[students] != other[students], "another seed, another state");
}
