//! Ed-Fi deliveries: each listed file is a batch, and so is the list; what one file needs of another is kept in a shared index.

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::anyhow;
use intake::{
    Item,
    edfi::{
        Config, DeliveredFile, Index, Interchange, Packing, Version, find_version, read_control, read_file, recognise,
    },
    load::LoadFile,
};
use model::Sea;

use super::{collect::file_name, report::Report};

/// An Ed-Fi layout that somebody named: `edfi-5.2`, or `edfi-5.2/StudentDiscipline`.
#[derive(Clone, Copy, Debug)]
pub struct Named {
    /// The version.
    pub version: &'static Version,
    interchange: Interchange,
}

impl Named {
    /// `None`: the layout is not Ed-Fi's. `Err`: it is, and there is no such version or interchange.
    pub fn parse(id: &str) -> anyhow::Result<Option<Self>> {
        if !id.starts_with("edfi") {
            return Ok(None);
        }
        let (_, interchange) = id.split_once('/').unwrap_or((id, ""));
        let version = find_version(id).ok_or_else(|| {
            let known: Vec<&str> = intake::edfi::versions().iter().map(|version| version.id.as_str()).collect();
            anyhow!("there is no layout {id}; of Ed-Fi there are: {}", known.join(", "))
        })?;
        let found = Interchange::of(interchange);
        if found == Interchange::Other && !matches!(interchange, "" | "Other") {
            return Err(anyhow!("Ed-Fi has no interchange {interchange} with records that are kept"));
        }
        Ok(Some(Self { version, interchange: found }))
    }
}

/// The Ed-Fi deliveries of one command.
pub struct Deliveries {
    index: Arc<Mutex<Index>>,
    config: Config,
}

impl Deliveries {
    /// None yet.
    pub fn new(config: Config) -> Self {
        Self { index: Arc::new(Mutex::new(Index::new(config.index_bytes_max))), config }
    }

    /// The limits of reading them.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Puts what earlier deliveries described in the place of what is known so far.
    pub fn learn(&self, earlier: Index) {
        *self.index.lock().unwrap_or_else(PoisonError::into_inner) = earlier;
    }

    /// A delivery by its control file: the control file itself, then what it lists.
    pub fn add_control(
        &self,
        control: &Path,
        sea: &Sea,
        named: Option<Named>,
        files: &mut Vec<LoadFile>,
    ) -> anyhow::Result<()> {
        let delivery = read_control(control, &self.config)?;
        let (lines, findings) = (delivery.lines, delivery.findings);
        files.push(LoadFile {
            sea: sea.clone(),
            path: control.to_owned(),
            name: file_name(control),
            layout: "edfi-control".to_owned(),
            produce: Arc::new(move |sink| {
                let listed = lines.iter().map(|line| Item::Passed {
                    line: *line,
                    record_type: "line".into(),
                    kind: "control line".to_owned(),
                });
                let findings = findings.iter().cloned().map(Item::File);
                // The list is over: whether the caller wants more does not matter here.
                let _ = findings.chain(listed).try_for_each(sink);
                Ok(())
            }),
            // Whether the files are there is another question each time.
            is_referred_to: true,
        });
        for file in delivery.files {
            let version = named.map(|named| named.version);
            files.push(self.file(DeliveredFile { version, ..file }, sea));
        }
        Ok(())
    }

    /// Files that come without a control file, in the order of what rests on what. Each with its first bytes.
    pub fn add_files(
        &self,
        found: Vec<(PathBuf, Vec<u8>)>,
        sea: &Sea,
        named: Option<Named>,
        files: &mut Vec<LoadFile>,
    ) {
        let mut delivered: Vec<DeliveredFile> = found
            .into_iter()
            .map(|(path, first)| {
                delivered(path, named.map_or(Interchange::Other, |named| named.interchange), named, &first)
            })
            .collect();
        delivered.sort_by_key(|file| file.interchange.turn());
        files.extend(delivered.into_iter().map(|file| self.file(file, sea)));
    }

    fn file(&self, file: DeliveredFile, sea: &Sea) -> LoadFile {
        let (index, config) = (Arc::clone(&self.index), self.config);
        LoadFile {
            sea: sea.clone(),
            path: file.path.clone(),
            name: file_name(&file.path),
            layout: layout(&file),
            produce: Arc::new(move |sink: &mut dyn FnMut(Item) -> ControlFlow<()>| {
                let mut index = index.lock().unwrap_or_else(PoisonError::into_inner);
                read_file(&file, &mut index, &config, sink).map(|_| ())
            }),
            is_referred_to: false,
        }
    }
}

fn delivered(path: PathBuf, interchange: Interchange, named: Option<Named>, first: &[u8]) -> DeliveredFile {
    let is_packed = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"));
    let found = recognise(first).map_or(Interchange::Other, |found| found.interchange);
    DeliveredFile {
        line: 0,
        interchange: if interchange == Interchange::Other { found } else { interchange },
        version: named.map(|named| named.version),
        path,
        packing: if is_packed { Packing::Gzip } else { Packing::Plain },
        md5: None,
    }
}

/// The layout of a file in its receipt: version and interchange, as far as its beginning tells.
fn layout(file: &DeliveredFile) -> String {
    let found = super::collect::first_bytes(&file.path).ok().and_then(|first| recognise(&first));
    let version = file.version.or_else(|| found.and_then(|found| found.version));
    format!("{}/{:?}", version.map_or("edfi", |version| version.id.as_str()), file.interchange)
}

/// Says what is wrong with an interchange file, without a database. What it refers to and does not describe itself is not said: an earlier
/// delivery may have described it.
pub fn check(path: &Path, named: Named, report: &mut Report<'_>) -> anyhow::Result<()> {
    let config = Config::default();
    let mut index = Index::new(config.index_bytes_max);
    let file = delivered(path.to_owned(), named.interchange, Some(named), &super::collect::first_bytes(path)?);
    let mut failed = None;
    let counts = read_file(&file, &mut index, &config, &mut |item| {
        for finding in self::findings(&item) {
            if let Err(error) = report.say(finding) {
                failed = Some(error);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    })?;
    if let Some(error) = failed {
        return Err(error);
    }
    report.close(&format!("{} rows", counts.records));
    Ok(())
}

fn findings(item: &Item) -> Vec<&intake::Finding> {
    match item {
        Item::Person { findings, .. } | Item::Organization { findings, .. } | Item::Rejected { findings, .. } => {
            findings.iter().collect()
        }
        Item::File(finding) => vec![finding],
        Item::Joint(members) => members.iter().flat_map(self::findings).collect(),
        Item::Dependent(dependent) => dependent.told.iter().flat_map(|told| self::findings(told)).collect(),
        Item::Described { .. } | Item::Passed { .. } | Item::Retracted { .. } => Vec::new(),
    }
}
