//! Finds the code tables (`tables/<sea>/<id>.toml`) and the collection calendars (`collections/<sea>.toml`), and writes the lists that
//! `tables/builtin.rs` and `collections.rs` embed: adding one is adding a file.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "a build script talks to cargo through its environment and its output"
)]

use std::{env, fmt::Write as _, fs, io, path::Path};

fn main() -> io::Result<()> {
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?).join("tables");
    println!("cargo::rerun-if-changed={}", root.display());
    let mut list = String::from("&[\n");
    for state in sorted(&root)? {
        let Some(sea) = state.file_name().and_then(|name| name.to_str()).filter(|_| state.is_dir()) else {
            continue;
        };
        println!("cargo::rerun-if-changed={}", state.display());
        for file in sorted(&state)? {
            if file.extension().is_some_and(|extension| extension == "toml") {
                println!("cargo::rerun-if-changed={}", file.display());
                writeln!(list, "    ({sea:?}, include_str!({:?})),", file.display().to_string())
                    .map_err(io::Error::other)?;
            }
        }
    }
    list.push(']');
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    fs::write(Path::new(&out).join("tables.rs"), list)?;
    fs::write(Path::new(&out).join("collections.rs"), collections()?)
}

fn collections() -> io::Result<String> {
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?).join("collections");
    println!("cargo::rerun-if-changed={}", root.display());
    let mut list = String::from("&[\n");
    for file in sorted(&root)?.iter().filter(|file| file.extension().is_some_and(|extension| extension == "toml")) {
        println!("cargo::rerun-if-changed={}", file.display());
        let sea = file.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        writeln!(list, "    ({sea:?}, include_str!({:?})),", file.display().to_string()).map_err(io::Error::other)?;
    }
    list.push(']');
    Ok(list)
}

fn sorted(folder: &Path) -> io::Result<Vec<std::path::PathBuf>> {
    let mut paths =
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}
