//! Finds the layouts (`layouts/<source>/<id>.toml`) and writes the lists that `layouts.rs` and `edfi/version.rs` embed: adding a
//! layout is adding a file. Those of `layouts/edfi` describe versions of Ed-Fi's XML, each with the vocabulary beside it, and are a list of their own.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "a build script talks to cargo through its environment and its output"
)]

use std::{env, fmt::Write as _, fs, io, path::Path};

fn main() -> io::Result<()> {
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?).join("layouts");
    println!("cargo::rerun-if-changed={}", root.display());
    let mut lists = [String::from("&[\n"), String::from("&[\n")];
    for source in sorted(&root)? {
        if !source.is_dir() {
            continue;
        }
        println!("cargo::rerun-if-changed={}", source.display());
        let [layouts, versions] = &mut lists;
        let list = if source.ends_with("edfi") { versions } else { layouts };
        for file in sorted(&source)? {
            if file.extension().is_some_and(|extension| extension == "toml") {
                println!("cargo::rerun-if-changed={}", file.display());
                let text = |file: &Path| format!("include_str!({:?})", file.display().to_string());
                let vocabulary = file.with_extension("vocabulary");
                if vocabulary.is_file() {
                    println!("cargo::rerun-if-changed={}", vocabulary.display());
                    writeln!(list, "    ({}, {}),", text(&file), text(&vocabulary)).map_err(io::Error::other)?;
                } else {
                    writeln!(list, "    {},", text(&file)).map_err(io::Error::other)?;
                }
            }
        }
    }
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    for (list, name) in lists.iter_mut().zip(["layouts.rs", "edfi_versions.rs"]) {
        list.push(']');
        fs::write(Path::new(&out).join(name), list)?;
    }
    Ok(())
}

fn sorted(folder: &Path) -> io::Result<Vec<std::path::PathBuf>> {
    let mut paths =
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}
