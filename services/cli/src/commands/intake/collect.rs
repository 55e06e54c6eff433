//! Finds what there is to load at the paths somebody names: files, folders, archives, Ed-Fi deliveries.
//!
//! Everything found becomes a file to load. One that cannot be read is loaded too: as a batch that is refused, with its finding.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, bail};
use flate2::read::MultiGzDecoder;
use intake::{
    Finding, Item, Layout, archive, layouts,
    load::{Limits, LoadFile},
    read::{self, Sender},
};
use model::Sea;

use super::{
    Asked,
    edfi::{Deliveries, Named},
    find_layout, sif, tables,
};
use crate::scratch::Scratch;

/// What is to be loaded, in order.
pub struct Collected<'a> {
    /// The files.
    pub files: Vec<LoadFile>,
    /// Files that hold no data, by name.
    pub passed_over: Vec<String>,
    /// The Ed-Fi deliveries among them.
    pub edfi: Deliveries,
    /// Files of SIF, which are one delivery wherever they stand.
    sif: Vec<PathBuf>,
    sea: &'a Sea,
    layout: Option<Chosen>,
    district: Option<&'a str>,
    unpacked: Scratch,
    sif_limits: intake::sif::Config,
}

/// The layout that somebody named.
#[derive(Clone, Copy)]
enum Chosen {
    Layout(&'static Layout),
    Edfi(Named),
    Sif,
}

/// Archives inside archives: more are refused.
const NESTED_MAX: usize = 3;

impl<'a> Collected<'a> {
    /// Nothing yet; archives are unpacked below the data folder. `Err`: there is no such layout.
    pub fn new(asked: Asked<'a>, data: &Path, limits: &Limits) -> anyhow::Result<Self> {
        let layout = match asked.layout {
            None => None,
            Some(id) => Some(match Named::parse(id)? {
                Some(named) => Chosen::Edfi(named),
                None if sif::is_delivered(id) => Chosen::Sif,
                None => Chosen::Layout(find_layout(id)?),
            }),
        };
        Ok(Self {
            files: Vec::new(),
            passed_over: Vec::new(),
            edfi: Deliveries::new(limits.edfi),
            sif: Vec::new(),
            sea: asked.sea,
            layout,
            district: asked.district,
            unpacked: Scratch::new(data)?,
            sif_limits: limits.sif,
        })
    }

    /// A folder of this command's own, gone with it.
    pub fn scratch(&self) -> &Path {
        self.unpacked.path()
    }

    /// Finds what there is at a path.
    pub fn collect(&mut self, path: &Path) -> anyhow::Result<()> {
        if !path.exists() {
            bail!("there is no {}", path.display());
        }
        self.collect_at(path, NESTED_MAX)
    }

    /// Says that nothing more is to be collected.
    pub fn close(&mut self) -> anyhow::Result<()> {
        let delivery = sif::delivery(std::mem::take(&mut self.sif), self.sea, self.sif_limits)?;
        self.files.extend(delivery);
        Ok(())
    }

    fn collect_at(&mut self, path: &Path, nested: usize) -> anyhow::Result<()> {
        if path.is_dir() {
            return self.collect_folder(path, nested);
        }
        if has_extension(path, "zip") {
            return self.collect_archive(path, nested);
        }
        if has_extension(path, "ctl") {
            self.edfi.add_control(path, self.sea, self.named(), &mut self.files)?;
            return Ok(());
        }
        self.collect_files(vec![path.to_owned()])
    }

    fn collect_folder(&mut self, path: &Path, nested: usize) -> anyhow::Result<()> {
        if self.layout.is_none() && intake::sif::is_census_set(path) {
            return sif::add_census(path, self.sea, &mut self.files);
        }
        let mut entries: Vec<PathBuf> = fs::read_dir(path)
            .with_context(|| format!("cannot read {}", path.display()))?
            .map(|entry| entry.map(|e| e.path()))
            .collect::<Result<_, _>>()?;
        entries.sort();
        if let Some(control) = entries.iter().find(|entry| has_extension(entry, "ctl")) {
            self.edfi.add_control(control, self.sea, self.named(), &mut self.files)?;
            return Ok(());
        }
        let mut files = Vec::new();
        for entry in entries {
            if entry.is_dir() || has_extension(&entry, "zip") {
                self.collect_at(&entry, nested)?;
            } else if is_data(&entry) {
                files.push(entry);
            } else {
                self.passed_over.push(file_name(&entry));
            }
        }
        self.collect_files(files)
    }

    fn collect_archive(&mut self, path: &Path, nested: usize) -> anyhow::Result<()> {
        let folder = self.unpacked.path().join(self.files.len().to_string()).join(nested.to_string());
        let unpacked = match nested.checked_sub(1) {
            Some(_) => archive::unpack(path, &folder)?,
            None => Err(archive::nested()),
        };
        match unpacked {
            Ok(()) => self.collect_at(&folder, nested.saturating_sub(1)),
            Err(finding) => {
                self.files.push(refused(path, self.sea, "archive", finding));
                Ok(())
            }
        }
    }

    /// Ed-Fi files that stand together are a delivery, and so are all files of SIF; every other file stands alone.
    fn collect_files(&mut self, paths: Vec<PathBuf>) -> anyhow::Result<()> {
        let mut interchanges = Vec::new();
        for path in paths {
            let first = first_bytes(&path)?;
            match self.layout {
                Some(Chosen::Layout(layout)) => self.add_layout_file(&path, layout)?,
                Some(Chosen::Edfi(_)) => interchanges.push((path, first)),
                Some(Chosen::Sif) => self.sif.push(path),
                None if intake::sif::looks_like_sif(&first) => self.sif.push(path),
                None if intake::edfi::recognise(&first).is_some() => interchanges.push((path, first)),
                None => match layouts::detect(&path, &first) {
                    Ok(layout) => self.add_layout_file(&path, layout)?,
                    Err(finding) => self.files.push(refused(&path, self.sea, "unknown", finding)),
                },
            }
        }
        self.edfi.add_files(interchanges, self.sea, self.named(), &mut self.files);
        Ok(())
    }

    fn add_layout_file(&mut self, path: &Path, layout: &'static Layout) -> anyhow::Result<()> {
        self.files.push(match layouts::check_sea(layout, self.sea.as_str()) {
            Ok(()) => layout_file(path, self.sea, layout, self.district)?,
            Err(finding) => refused(path, self.sea, &layout.id, finding),
        });
        Ok(())
    }

    const fn named(&self) -> Option<Named> {
        match self.layout {
            Some(Chosen::Edfi(named)) => Some(named),
            _ => None,
        }
    }
}

/// A file that is refused for what is known of it before it is read: it has its batch and its findings like any other.
fn refused(path: &Path, sea: &Sea, layout: &str, finding: Finding) -> LoadFile {
    LoadFile {
        sea: sea.clone(),
        path: path.to_owned(),
        name: file_name(path),
        layout: layout.to_owned(),
        produce: Arc::new(move |sink| {
            // The file is refused whether the caller wants more or not.
            let _ = sink(Item::File(finding.clone()));
            Ok(())
        }),
        is_referred_to: false,
    }
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found.eq_ignore_ascii_case(extension))
}

/// Whether a file of a folder may hold data: schemas, read-me files and hidden ones do not.
pub fn is_data(path: &Path) -> bool {
    let name = file_name(path);
    let is_document = ["md", "xsd", "pdf", "html"].iter().any(|extension| has_extension(path, extension));
    !is_document && !name.starts_with('.') && !name.to_ascii_lowercase().starts_with("readme")
}

/// Bytes by which a layout is recognised.
const FIRST_BYTES: u64 = 64 << 10;

/// Opens a file, unpacking it if it is packed with gzip.
pub fn open(path: &Path) -> anyhow::Result<Box<dyn BufRead>> {
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    Ok(if has_extension(path, "gz") {
        Box::new(BufReader::new(MultiGzDecoder::new(BufReader::new(file))))
    } else {
        Box::new(BufReader::with_capacity(1 << 18, file))
    })
}

/// The first bytes of a file, unpacked.
pub fn first_bytes(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // A damaged archive gives what it gives: its reader says so.
    let _damaged = open(path)?.take(FIRST_BYTES).read_to_end(&mut bytes);
    Ok(bytes)
}

fn layout_file(path: &Path, sea: &Sea, layout: &'static Layout, district: Option<&str>) -> anyhow::Result<LoadFile> {
    let tables = tables(layout)?;
    let source = path.to_owned();
    let district = district.map(str::to_owned);
    Ok(LoadFile {
        sea: sea.clone(),
        path: path.to_owned(),
        name: file_name(path),
        layout: layout.id.clone(),
        produce: Arc::new(move |sink| {
            let mut reader =
                open(&source).map_err(|error| intake::Error::unavailable("open the file", error.to_string()))?;
            let sender = Sender { district: district.as_deref() };
            read::read_from(&mut reader, layout, tables, sender, sink).map(|_| ())
        }),
        is_referred_to: false,
    })
}

/// The name of a file, for receipts.
pub fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
