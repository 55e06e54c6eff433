//! Certificates for the sandbox: an authority for the server, one for callers, and a stranger. Never for real records: there the
//! authorities are somebody else's, and no private key but the server's lies beside it.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
};

use anyhow::Context as _;
use chrono::{DateTime, Datelike as _, Days, NaiveDate, Utc};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use sha2::{Digest as _, Sha256};

/// Days for which certificates are good.
const VALID_DAYS: u64 = 365;
/// Days before the end at which all are made anew.
const RENEW_DAYS: u64 = 30;
/// What lies in the folder, with its hash, in the form of `sha256sum`; its first line says how long it is good and for whom.
/// Written last: without it, or with anything changed, all are made anew.
const SUMS: &str = "SHA256SUMS";
/// A bearer whom no authority of ours knows.
const STRANGER: &str = "stranger";

/// A party that is given a certificate.
#[derive(Clone, Copy, Debug)]
pub struct Bearer<'a> {
    /// Its files' name: `<name>.pem`, `<name>.key`.
    pub name: &'a str,
    /// The DNS name that its agreement knows it by.
    pub san: &'a str,
}

/// Sees to it that a folder holds certificates that are good for another month at least:
///
/// - `server.pem`, `server.key`: the server's, for `localhost`, 127.0.0.1 and ::1, and `ca.pem`, which callers trust;
/// - `<name>.pem`, `<name>.key`: a bearer's each, and `client-ca.pem`, which the server trusts;
/// - `stranger.pem`, `stranger.key`: under the first bearer's name, from an authority that nobody trusts.
///
/// Private keys are readable by their owner only. Those of the authorities are thrown away, so nobody can add a bearer later:
/// another list of bearers makes everything anew.
pub fn prepare(folder: &Path, bearers: &[Bearer<'_>], now: DateTime<Utc>) -> anyhow::Result<()> {
    let today = now.date_naive();
    let whom: Vec<String> = bearers.iter().map(|bearer| format!("{}={}", bearer.name, bearer.san)).collect();
    let whom = whom.join(" ");
    if is_current(folder, &whom, today) {
        return Ok(());
    }
    let last = today.checked_add_days(Days::new(VALID_DAYS)).context("the calendar ends")?;
    let files = make(bearers, today, last).context("cannot make certificates")?;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let mut sums = format!("# good until {last} for {whom}\n");
    for (name, text) in &files {
        write(folder, name, text)?;
        sums.push_str(&[&hex::encode(Sha256::digest(text)), "  ", name.as_ref(), "\n"].concat());
    }
    write(folder, SUMS, &sums)
}

/// Whether everything is there, unchanged, for these bearers, and good for a while.
fn is_current(folder: &Path, whom: &str, today: NaiveDate) -> bool {
    let Ok(sums) = fs::read_to_string(folder.join(SUMS)) else { return false };
    let mut lines = sums.lines();
    let good_until = lines
        .next()
        .and_then(|line| line.strip_prefix("# good until "))
        .and_then(|line| line.split_once(" for "))
        .filter(|(_, found)| *found == whom)
        .and_then(|(day, _)| day.parse::<NaiveDate>().ok());
    let renew = today.checked_add_days(Days::new(RENEW_DAYS));
    let is_whole = lines.all(|line| {
        line.split_once("  ").is_some_and(|(sum, name)| {
            fs::read(folder.join(name)).is_ok_and(|bytes| hex::encode(Sha256::digest(bytes)) == sum)
        })
    });
    is_whole && good_until.is_some_and(|day| renew.is_some_and(|renew| renew < day))
}

/// All files by name.
fn make(bearers: &[Bearer<'_>], from: NaiveDate, last: NaiveDate) -> Result<BTreeMap<String, String>, rcgen::Error> {
    let mut files = BTreeMap::new();
    let mut add = |name: &str, (certificate, key): (Certificate, KeyPair)| {
        files.insert(format!("{name}.pem"), certificate.pem());
        files.insert(format!("{name}.key"), key.serialize_pem());
    };
    let servers = authority("Throughline sandbox, servers", from, last)?;
    let callers = authority("Throughline sandbox, callers", from, last)?;
    let strangers = authority("A stranger", from, last)?;
    let own = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    add("server", issue("localhost", own, ExtendedKeyUsagePurpose::ServerAuth, (from, last), &servers)?);
    for bearer in bearers {
        let names = vec![bearer.san.to_owned()];
        add(bearer.name, issue(bearer.name, names, ExtendedKeyUsagePurpose::ClientAuth, (from, last), &callers)?);
    }
    let name = bearers.first().map_or(STRANGER, |bearer| bearer.san).to_owned();
    add(STRANGER, issue(STRANGER, vec![name], ExtendedKeyUsagePurpose::ClientAuth, (from, last), &strangers)?);
    files.insert("ca.pem".to_owned(), servers.pem());
    files.insert("client-ca.pem".to_owned(), callers.pem());
    Ok(files)
}

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str, from: NaiveDate, last: NaiveDate) -> Result<Authority, rcgen::Error> {
    let mut params = params(name, Vec::new(), from, last)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}

fn issue(
    name: &str,
    names: Vec<String>,
    usage: ExtendedKeyUsagePurpose,
    (from, last): (NaiveDate, NaiveDate),
    authority: &Authority,
) -> Result<(Certificate, KeyPair), rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = params(name, names, from, last)?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params.use_authority_key_identifier_extension = true;
    Ok((params.signed_by(&key, authority)?, key))
}

fn params(name: &str, names: Vec<String>, from: NaiveDate, last: NaiveDate) -> Result<CertificateParams, rcgen::Error> {
    let midnight = |day: NaiveDate| date_time_ymd(day.year(), day.month() as u8, day.day() as u8);
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, name);
    // A day's grace for clocks that are behind.
    params.not_before = midnight(from.pred_opt().unwrap_or(from));
    params.not_after = midnight(last);
    Ok(params)
}

/// Writes a file, whole or not at all; a key for its owner only.
fn write(folder: &Path, name: &str, text: &str) -> anyhow::Result<()> {
    let (path, part) = (folder.join(name), folder.join(format!("{name}.part")));
    let mode = if Path::new(name).extension().is_some_and(|extension| extension == "key") { 0o600 } else { 0o644 };
    let cannot = || format!("cannot write {}", path.display());
    // A part left behind by an earlier run has an earlier run's mode.
    fs::remove_file(&part)
        .or_else(|error| if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
        .with_context(cannot)?;
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&part).with_context(cannot)?;
    file.write_all(text.as_bytes()).with_context(cannot)?;
    file.sync_all().with_context(cannot)?;
    fs::rename(&part, &path).with_context(cannot)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use chrono::{TimeDelta, TimeZone as _};

    use super::*;

    const BEARERS: [Bearer<'_>; 2] =
        [Bearer { name: "one", san: "one.example.test" }, Bearer { name: "two", san: "two.example.test" }];

    #[test]
    fn certificates_are_made_once_and_anew_when_they_must_be() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("certs");
        let now = Utc.with_ymd_and_hms(2026, 11, 20, 15, 0, 0).unwrap();
        let server = || fs::read(folder.join("server.pem")).unwrap();
        let mut before = Vec::new();
        let mut check = |bearers: &[Bearer<'_>], now, is_made_anew: bool| {
            prepare(&folder, bearers, now).unwrap();
            assert_eq!(before != server(), is_made_anew);
            before = server();
        };
        check(&BEARERS, now, true);
        check(&BEARERS, now, false);
        check(&BEARERS, now + TimeDelta::days(330), false);
        check(&BEARERS, now + TimeDelta::days(340), true);
        check(&BEARERS[..1], now + TimeDelta::days(340), true);
        fs::remove_file(folder.join("one.key")).unwrap();
        check(&BEARERS[..1], now + TimeDelta::days(340), true);
        fs::write(folder.join("ca.pem"), "changed").unwrap();
        check(&BEARERS[..1], now + TimeDelta::days(340), true);
        check(&BEARERS, now, true);
        for name in ["ca", "client-ca", "server", "one", "two", STRANGER] {
            let pem = fs::read_to_string(folder.join(format!("{name}.pem"))).unwrap();
            assert!(pem.starts_with("-----BEGIN CERTIFICATE-----"), "{name}");
        }
        for name in ["server", "one", "two", STRANGER] {
            let mode = fs::metadata(folder.join(format!("{name}.key"))).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }
}
