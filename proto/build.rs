//! Compiles every `.proto` below this folder that is in use, without an installed compiler. A file whose first line is `// draft`
//! describes a service that is not built yet: it is linted, and no code is made from it.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "a build script talks to cargo through its environment and its output"
)]

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use prost::Message as _;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    println!("cargo:rerun-if-changed={}", root.display());
    let mut files = Vec::new();
    collect(&root.join("throughline"), &mut files)?;
    files.sort();
    let descriptors = protox::compile(&files, [&root])?;
    fs::write(Path::new(&env::var("OUT_DIR")?).join("descriptors.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        .boxed("throughline.feed.v1.StreamFeedResponse.event.history")
        .build_transport(true)
        .compile_fds(descriptors)?;
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "proto")
            && !fs::read_to_string(&path)?.starts_with("// draft")
        {
            files.push(path);
        }
    }
    Ok(())
}
