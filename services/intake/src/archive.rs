//! Unpacks archives that come from outside: nothing leaves the folder, and nothing grows without end.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
};

use crate::{Finding, Severity};

/// Bytes that an archive may unpack to, whatever its size.
const UNPACKED_BYTES_MAX: u64 = 64 << 30;
/// Bytes that any archive may unpack to.
const UNPACKED_BYTES_ALWAYS: u64 = 1 << 30;
/// How many times its own size a larger one may unpack to: text packs to a fiftieth at best.
const GROWTH_MAX: u64 = 200;
/// Entries of one archive.
const ENTRIES_MAX: usize = 100_000;

fn finding(rule: &str, message: &str) -> Finding {
    Finding {
        line: 0,
        column: None,
        field: None,
        rule: rule.to_owned(),
        severity: Severity::Fatal,
        message: message.to_owned(),
    }
}

/// The archive stands in too many others.
pub fn nested() -> Finding {
    finding("archive.nested", "archives stand in one another more than three deep: send the files in one archive")
}

/// Unpacks a zip into a folder. The inner `Err` says why the archive is refused; the outer one, that the folder cannot be written.
pub fn unpack(path: &Path, folder: &Path) -> io::Result<Result<(), Finding>> {
    unpack_within(path, folder, UNPACKED_BYTES_ALWAYS)
}

/// [`unpack`], with another bound on what any archive may unpack to, in bytes.
pub fn unpack_within(path: &Path, folder: &Path, always: u64) -> io::Result<Result<(), Finding>> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    let bytes_max = UNPACKED_BYTES_MAX.min(always.max(size.saturating_mul(GROWTH_MAX)));
    let damaged =
        || finding("archive.damaged", "the archive is damaged, encrypted or no zip file: it cannot be unpacked");
    let Ok(mut archive) = zip::ZipArchive::new(file) else { return Ok(Err(damaged())) };
    if archive.len() > ENTRIES_MAX {
        return Ok(Err(finding("archive.entries", "the archive has more than 100,000 entries")));
    }
    fs::create_dir_all(folder)?;
    let mut left = bytes_max;
    for index in 0..archive.len() {
        let Ok(entry) = archive.by_index(index) else { return Ok(Err(damaged())) };
        let Some(name) = entry.enclosed_name().filter(|_| !entry.is_symlink()) else {
            let message = "an entry of the archive leads out of its folder: nothing of the archive is read";
            return Ok(Err(finding("archive.path", message)));
        };
        let target = folder.join(name);
        if entry.is_dir() {
            fs::create_dir_all(&target)?;
            continue;
        }
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut out = File::create(&target)?;
        let Ok(written) = copy(&mut entry.take(left.saturating_add(1)), &mut out)? else { return Ok(Err(damaged())) };
        if written > left {
            let message = "the archive unpacks to far more than its own size: nothing of it is read";
            return Ok(Err(finding("archive.bomb", message)));
        }
        left -= written;
    }
    Ok(Ok(()))
}

/// Copies; the inner `Err`: the source is damaged.
fn copy(source: &mut dyn Read, out: &mut File) -> io::Result<Result<u64, io::Error>> {
    use io::Write as _;
    let mut buffer = vec![0; 64 << 10];
    let mut total = 0;
    loop {
        let count = match source.read(&mut buffer) {
            Ok(0) => return Ok(Ok(total)),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Ok(Err(error)),
        };
        out.write_all(buffer.get(..count).unwrap_or_default())?;
        total += count as u64;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use zip::{ZipWriter, write::SimpleFileOptions};

    use super::*;

    fn check(entries: &[(&str, &[u8])], expect: Result<(), &str>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.zip");
        let mut writer = ZipWriter::new(File::create(&path).unwrap());
        for (name, bytes) in entries {
            writer.start_file(*name, SimpleFileOptions::default()).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap();
        let found = unpack(&path, &folder.path().join("out")).unwrap();
        assert_eq!(found.map_err(|finding| finding.rule), expect.map_err(str::to_owned));
        assert!(!folder.path().join("evil.xml").exists());
    }

    #[test]
    fn archives_unpack_into_their_folder_and_nowhere_else() {
        check(&[("a.xml", b"<a/>"), ("b/c.xml", b"<c/>")], Ok(()));
        check(&[("a.xml", b"<a/>"), ("../evil.xml", b"<a/>")], Err("archive.path"));
        check(&[("b/../../evil.xml", b"<a/>")], Err("archive.path"));
    }

    #[test]
    fn an_archive_that_grows_beyond_measure_is_refused_before_it_fills_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.zip");
        let mut writer = ZipWriter::new(File::create(&path).unwrap());
        writer.start_file("a.xml", SimpleFileOptions::default()).unwrap();
        for _ in 0..64 {
            writer.write_all(&vec![b'x'; 1 << 20]).unwrap();
        }
        writer.finish().unwrap();
        let size = path.metadata().unwrap().len();
        let found = unpack_within(&path, &folder.path().join("out"), 1 << 20).unwrap();
        assert_eq!(found.map_err(|finding| finding.rule), Err("archive.bomb".to_owned()));
        let written = folder.path().join("out/a.xml").metadata().unwrap().len();
        assert!(written <= (1 << 20).max(size * GROWTH_MAX) + 1);
    }

    #[test]
    fn what_is_no_archive_is_refused_with_a_word() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.zip");
        fs::write(&path, b"PK\x03\x04 and nothing more").unwrap();
        let found = unpack(&path, &folder.path().join("out")).unwrap();
        assert_eq!(found.map_err(|finding| finding.rule), Err("archive.damaged".to_owned()));
    }
}
