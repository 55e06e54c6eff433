//! Lists the migrations, so that the program carries them and needs no files beside it.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "a build script talks to cargo through its environment and its output"
)]

use std::{env, error::Error, fmt::Write as _, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../../migrations").canonicalize()?;
    println!("cargo::rerun-if-changed={}", root.display());

    let mut files: Vec<PathBuf> =
        fs::read_dir(&root)?.map(|entry| entry.map(|e| e.path())).collect::<Result<_, _>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "sql"));
    files.sort();

    let mut list = String::from("&[\n");
    for path in &files {
        let name = path.file_stem().and_then(|stem| stem.to_str()).ok_or("a migration's name is not text")?;
        let version: i64 = name.split('_').next().unwrap_or_default().parse().map_err(|_| {
            format!("migration {name} does not begin with its timestamp: <yyyymmddhhmmss>_<context>_<what>.sql")
        })?;
        let path = path.to_str().ok_or("the path of the migrations is not text")?;
        writeln!(list, "    Migration {{ version: {version}, name: {name:?}, sql: include_str!({path:?}) }},")?;
    }
    list.push_str("]\n");

    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("migrations.rs"), list)?;
    Ok(())
}
