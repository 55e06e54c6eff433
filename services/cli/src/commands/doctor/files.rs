//! What can be seen in files: configuration, documents, keys, certificates, the disk.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use model::Clock;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, pem::PemObject};
use x509_parser::prelude::{CertificateRevocationList, FromDer as _, X509Certificate};

use super::Report;
use crate::{args::Place, commands::serve::read_tls, settings::Settings};

/// Days before the end of a certificate at which it is exchanged, and at which nobody may wait any longer.
const RENEW_DAYS: i64 = 30;
const RENEW_NOW_DAYS: i64 = 7;
/// Days before the end of an agreement at which the next one is due.
const AGREEMENT_DAYS: i64 = 60;
/// Free bytes below which the database may stop at any moment.
const FREE_BYTES_MIN: u64 = 2 * 1024 * 1024 * 1024;
/// What others may not do to what only the exchange reads.
const OTHERS: u32 = 0o077;
/// The same of what its group may read too: what an operator puts where the configuration says.
const BEYOND_THE_GROUP: u32 = 0o037;

/// The configuration, if it reads.
pub(super) fn settings(place: &Place, data: &Path, report: &mut Report) -> Option<Settings> {
    let file = place.config.clone().unwrap_or_else(|| data.join("config.toml"));
    let settings = match Settings::load(place.config.as_deref(), data) {
        Ok(settings) => settings,
        Err(error) => {
            report.problem(
                "configuration",
                format!("{error:#}"),
                "mend the file; `throughline config check` says when it is in order",
            );
            return None;
        }
    };
    match settings.stewards() {
        Ok(_) if !file.exists() => report.warning(
            "configuration",
            format!("there is none at {}: everything has its default, and nobody is a steward", file.display()),
            "write one (deploy/config.sample.toml)",
        ),
        Ok(stewards) if stewards.len() < 2 && !settings.sandbox => report.problem(
            "configuration",
            format!("{} stewards are registered: what takes two people cannot be done", stewards.len()),
            "register at least two ([[steward]])",
        ),
        Ok(stewards) => report.ok("configuration", format!("{} reads; {} stewards", file.display(), stewards.len())),
        Err(error) => report.problem(
            "configuration",
            format!("{error:#}"),
            "put the keys where the configuration says, or mend it",
        ),
    }
    if settings.sandbox {
        report.warning(
            "configuration",
            "this is a sandbox: the program itself approves what takes two people",
            "never use it where real records are",
        );
    }
    Some(settings)
}

/// Everything that needs no database.
pub(super) fn look(settings: &Settings, data: &Path, clock: &dyn Clock, report: &mut Report) {
    documents(settings, clock.now(), report);
    folders(data, report);
    certificates(settings, data, clock.now(), report);
    named_files(settings, report);
    fonts(settings, report);
    disk(data, report);
}

fn documents(settings: &Settings, now: DateTime<Utc>, report: &mut Report) {
    const AREA: &str = "agreements";
    let consumers = match crate::app::consumers(settings.consumers.folder.as_deref()) {
        Ok(consumers) => consumers,
        Err(error) => return report.problem(AREA, format!("{error:#}"), "mend the folder that consumers.folder names"),
    };
    for (id, documents) in consumers {
        let terms = match agreements::parse(&documents.agreement) {
            Ok(terms) => terms,
            Err(error) => {
                report.problem(
                    AREA,
                    format!("the document of {id}: {error}"),
                    "`throughline agreement check FILE` names every mistake",
                );
                continue;
            }
        };
        let days = terms.validity().to.map(|end| (end - now).num_days());
        match days {
            Some(days) if days < 0 => report.problem(
                AREA,
                format!("the document of {id} has ended"),
                "agree on the next version, and have two stewards activate it",
            ),
            Some(days) if days <= AGREEMENT_DAYS => report.warning(
                AREA,
                format!("the document of {id} ends in {days} days"),
                "agree on the next version, and have two stewards activate it",
            ),
            _ => report.ok(AREA, format!("the document of {id} reads (version {})", terms.version)),
        }
    }
}

fn folders(data: &Path, report: &mut Report) {
    const AREA: &str = "data folder";
    let Ok(of_data) = fs::metadata(data) else {
        return report.ok(AREA, format!("{} is not there yet; the first command makes it", data.display()));
    };
    if !of_data.is_dir() {
        return report.problem(AREA, format!("{} is no folder", data.display()), "name another with --data");
    }
    let open: Vec<String> = ["keys", "pg", "control", "unpacked", "findings", "reports", "notices"]
        .iter()
        .map(|name| data.join(name))
        .flat_map(|folder| files_of(&folder).into_iter().chain([folder]))
        .filter(|path| {
            fs::metadata(path).is_ok_and(|of| of.mode() & OTHERS & if path.is_dir() { 0o007 } else { OTHERS } != 0)
        })
        .map(|path| path.display().to_string())
        .collect();
    if open.is_empty() {
        report.ok(AREA, format!("{}: keys and database are for their owner only", data.display()));
    } else {
        report.problem(AREA, format!("others may read {}", open.join(", ")), "chmod go= them");
    }
}

/// The files of a folder that is for its owner alone. What lies in the database's folder is the server's own matter, and what the group may read
/// is behind its folder's mode.
fn files_of(folder: &Path) -> Vec<PathBuf> {
    if !["keys", "control", "unpacked"].iter().any(|name| folder.ends_with(name)) {
        return Vec::new();
    }
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.filter(|path| path.is_file()).collect()
}

fn certificates(settings: &Settings, data: &Path, now: DateTime<Utc>, report: &mut Report) {
    const AREA: &str = "certificates";
    let folder = settings.server.certificates.clone().unwrap_or_else(|| data.join("certs"));
    if settings.sandbox && !folder.exists() {
        return report.ok(AREA, "made when the sandbox first serves");
    }
    let mut files = vec![folder.join("server.pem"), folder.join("client-ca.pem")];
    files.extend(settings.tiles.certificates.as_ref().map(|folder| folder.join("server.pem")));
    files.extend(settings.summary.signature.as_ref().map(|signature| signature.certificate_file.clone()));
    let mut are_there = true;
    for file in files {
        let Ok(pem) = fs::read(&file) else {
            are_there = false;
            report.problem(
                AREA,
                format!("{} cannot be read", file.display()),
                "put it there, for the exchange's account to read",
            );
            continue;
        };
        match first_end(&pem) {
            None => report.problem(
                AREA,
                format!("{} holds no certificate", file.display()),
                "exchange it (deploy/runbooks/keys.md)",
            ),
            Some(end) => ends(AREA, &file, (end - now).num_days(), report),
        }
    }
    let fit = read_tls(&folder, None).and_then(|tls| Ok(tls.check()?));
    if let (true, Err(error)) = (are_there, fit) {
        report.problem(
            AREA,
            format!("{error:#}"),
            "`serve` needs server.pem, server.key and client-ca.pem that fit together (deploy/runbooks/keys.md)",
        );
    }
    revocations(&folder.join("client-crl.pem"), now, report);
}

/// The day that the first of several certificates ends.
pub fn first_end(pem: &[u8]) -> Option<DateTime<Utc>> {
    let all: Vec<CertificateDer<'_>> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().ok()?;
    let ends = all.iter().map(|der| {
        let (_, read) = X509Certificate::from_der(der).ok()?;
        DateTime::from_timestamp(read.validity().not_after.timestamp(), 0)
    });
    ends.collect::<Option<Vec<_>>>()?.into_iter().min()
}

fn ends(area: &'static str, file: &Path, days: i64, report: &mut Report) {
    let file = file.display();
    let advice = "exchange it while the server runs (deploy/runbooks/keys.md)";
    if days < 0 {
        report.problem(area, format!("{file} has ended"), advice);
    } else if days <= RENEW_NOW_DAYS {
        report.problem(area, format!("{file} ends in {days} days"), advice);
    } else if days <= RENEW_DAYS {
        report.warning(area, format!("{file} ends in {days} days"), advice);
    } else {
        report.ok(area, format!("{file} is good for {days} days"));
    }
}

fn revocations(file: &Path, now: DateTime<Utc>, report: &mut Report) {
    const AREA: &str = "certificates";
    let Ok(pem) = fs::read(file) else { return };
    let lists: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(&pem).collect();
    for list in lists.into_iter().flatten() {
        let next = CertificateRevocationList::from_der(&list)
            .ok()
            .and_then(|(_, list)| DateTime::from_timestamp(list.next_update()?.timestamp(), 0));
        match next {
            Some(next) if next < now => report.warning(
                AREA,
                format!("{}: a newer list was to come on {}", file.display(), next.date_naive()),
                "fetch the authorities' present list: who was revoked since is let in",
            ),
            _ => report.ok(AREA, format!("{} reads", file.display())),
        }
    }
}

/// Files that the configuration names and that are opened only when they are needed.
fn named_files(settings: &Settings, report: &mut Report) {
    const AREA: &str = "configuration";
    let secrets = [&settings.database.password_file, &settings.database.admin_password_file];
    let signature = settings.summary.signature.as_ref();
    let token = signature.and_then(|signature| signature.token.as_ref());
    let of_signature =
        [signature.and_then(|signature| signature.key_file.clone()), token.map(|token| token.pin_file.clone())];
    for file in secrets.into_iter().flatten().cloned().chain(of_signature.into_iter().flatten()) {
        match fs::metadata(&file) {
            Err(error) => {
                report.problem(
                    AREA,
                    format!("{}: {error}", file.display()),
                    "the configuration names it: put it there",
                );
            }
            Ok(of) if of.mode() & BEYOND_THE_GROUP != 0 => {
                report.problem(AREA, format!("others may read {}", file.display()), "chmod o= it");
            }
            Ok(_) => report.ok(AREA, format!("{} is for its owner and group only", file.display())),
        }
    }
    let modules = token.map(|token| token.module_file.clone()).into_iter().chain(settings.summary.fonts.clone());
    for path in modules.filter(|path| !path.exists()) {
        report.problem(AREA, format!("{} is not there", path.display()), "the configuration names it: put it there");
    }
}

/// Whether names in every script that people really have can be printed.
fn fonts(settings: &Settings, report: &mut Report) {
    const AREA: &str = "summaries";
    let options = settings.summary.renderer();
    if options.extra_fonts.as_ref().is_some_and(|path| !path.exists()) {
        return;
    }
    match summary::Renderer::new(&options).map(|renderer| renderer.missing_scripts()) {
        Err(error) => {
            report.problem(AREA, format!("{error}"), "mend what summary.fonts names: without it no document is made");
        }
        Ok(missing) if missing.is_empty() => report.ok(AREA, "names in Chinese, Japanese and Korean can be printed"),
        Ok(missing) => report.warning(
            AREA,
            format!("no font has {}: such names are printed as \u{fffd}", missing.join(", ")),
            "install a font that has them (Debian: fonts-noto-cjk) and name it in summary.fonts \
             (/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc)",
        ),
    }
}

/// Free bytes where a path is or will be.
pub fn free_bytes(path: &Path) -> Option<u64> {
    let existing = path.ancestors().find(|path| path.exists())?;
    let of = rustix::fs::statvfs(existing).ok()?;
    Some(of.f_bavail.saturating_mul(of.f_frsize))
}

fn disk(data: &Path, report: &mut Report) {
    const AREA: &str = "disk";
    match free_bytes(data) {
        None => report.warning(AREA, "how much is free cannot be told", "look with df"),
        Some(free) if free < FREE_BYTES_MIN => report.problem(
            AREA,
            format!("{} MB are free where the data folder is", free / 1_000_000),
            "make room: a full disk stops the database, and nothing can be recorded",
        ),
        Some(free) => report.ok(AREA, format!("{} GB are free where the data folder is", free / 1_000_000_000)),
    }
}
