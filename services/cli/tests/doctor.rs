//! What `throughline doctor` says of a set-up that is broken in one way after another.

#[path = "../../summary/tests/forms/font.rs"]
mod font;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use chrono::{Datelike as _, Days, NaiveDate, Utc};
use ed25519_dalek::{
    SigningKey,
    pkcs8::{EncodePublicKey as _, spki::der::pem::LineEnding},
};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, IsCa, KeyIdMethod, KeyPair,
    KeyUsagePurpose, SerialNumber, date_time_ymd,
};

struct SetUp(tempfile::TempDir);

impl SetUp {
    fn new() -> Self {
        let set_up = Self(tempfile::tempdir().expect("a temporary folder"));
        fs::create_dir(set_up.data()).expect("a folder");
        fs::create_dir(set_up.path("certs")).expect("a folder");
        fs::create_dir(set_up.path("fonts")).expect("a folder");
        set_up.set_names_in("王あ김");
        set_up.configure(&["ann", "ben"], "");
        set_up.certify(300, 300);
        set_up
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn data(&self) -> PathBuf {
        self.path("data")
    }

    fn configure(&self, stewards: &[&str], more: &str) {
        let mut config = format!("[server]\ncertificates = \"{}\"\n{more}\n", self.path("certs").display());
        for (seed, name) in (1..).zip(stewards) {
            let public = self.path(&format!("{name}.pub"));
            let key = SigningKey::from_bytes(&[seed; 32]).verifying_key();
            fs::write(&public, key.to_public_key_pem(LineEnding::LF).expect("a key")).expect("a file");
            let table =
                ["[[steward]]\nid = \"", name, "\"\npublic_key_file = \"", public.to_str().expect("UTF-8"), "\"\n"];
            config.push_str(&table.concat());
        }
        let fonts = self.path("fonts");
        config.push_str(&["[summary]\nfonts = \"", fonts.to_str().expect("UTF-8"), "\"\n"].concat());
        fs::write(self.data().join("config.toml"), config).expect("a file");
    }

    /// A font for these characters.
    fn set_names_in(&self, characters: &str) {
        let embedded = concat!(env!("CARGO_MANIFEST_DIR"), "/../summary/fonts/NotoSansHebrew-Regular.ttf");
        let font = font::under_other_characters(&fs::read(embedded).expect("a font"), characters);
        fs::write(self.path("fonts/ours.ttf"), font).expect("a file");
    }

    /// Certificates that are good for so many days: the server's, and its callers' authority.
    fn certify(&self, server_days: i64, authority_days: i64) {
        let key = KeyPair::generate().expect("a key");
        let authority = authority(authority_days);
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        let (year, month, day) = on(server_days);
        params.not_after = date_time_ymd(year, month, day);
        let server = params.signed_by(&key, &authority).expect("a certificate");
        for (name, text) in
            [("server.pem", server.pem()), ("server.key", key.serialize_pem()), ("client-ca.pem", authority.pem())]
        {
            fs::write(self.path("certs").join(name), text).expect("a file");
        }
    }

    /// What the doctor says; it ends with `code`.
    fn ask(&self, code: i32) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_throughline"));
        let output = command.arg("--data").arg(self.data()).arg("doctor").output().expect("the program runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(code), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
        said
    }

    fn says(&self, level: &str, words: &str) {
        let said = self.ask(3);
        let line = said.lines().find(|line| line.starts_with(level) && line.contains(words));
        assert!(line.is_some(), "no {level} of {words:?} in\n{said}");
    }
}

/// Year, month and day so many days from today.
#[expect(clippy::disallowed_methods, reason = "certificates end by the machine's clock")]
fn on(days: i64) -> (i32, u8, u8) {
    let today = Utc::now().date_naive();
    let day: NaiveDate = match u64::try_from(days) {
        Ok(days) => today.checked_add_days(Days::new(days + 1)).expect("a day"),
        Err(_) => today.checked_sub_days(Days::new(days.unsigned_abs())).expect("a day"),
    };
    (day.year(), u8::try_from(day.month()).expect("a month"), u8::try_from(day.day()).expect("a day"))
}

fn authority(days: i64) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let (year, month, day) = on(days);
    params.not_after = date_time_ymd(year, month, day);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority")
}

fn open_to_others(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).expect("a mode");
}

#[test]
fn a_sound_set_up_is_content_and_each_broken_one_is_named() {
    let set_up = SetUp::new();
    // Before anything ever ran nothing is missing.
    set_up.ask(0);
    assert!(!set_up.data().join("pg").exists(), "looking makes nothing");

    set_up.certify(20, 300);
    set_up.says("warning", "server.pem ends in 20 days");
    set_up.certify(5, 300);
    set_up.says("PROBLEM", "server.pem ends in 5 days");
    set_up.certify(-3, 300);
    set_up.says("PROBLEM", "server.pem has ended");
    set_up.certify(300, 3);
    set_up.says("PROBLEM", "client-ca.pem ends in 3 days");
    set_up.certify(300, 300);
    fs::write(set_up.path("certs/server.key"), KeyPair::generate().expect("a key").serialize_pem()).expect("a file");
    set_up.says("PROBLEM", "certificates");
    set_up.certify(300, 300);
    let ((y1, m1, d1), (y2, m2, d2)) = (on(-40), on(-10));
    let list = CertificateRevocationListParams {
        this_update: date_time_ymd(y1, m1, d1),
        next_update: date_time_ymd(y2, m2, d2),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: Vec::new(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let list = list.signed_by(&authority(300)).expect("a list").pem().expect("PEM");
    fs::write(set_up.path("certs/client-crl.pem"), list).expect("a file");
    set_up.says("warning", "a newer list was to come");
    fs::remove_file(set_up.path("certs/client-crl.pem")).expect("a file");

    set_up.set_names_in("王あ");
    set_up.says("warning", "no font has Korean: such names are printed as \u{fffd}");
    fs::remove_file(set_up.path("fonts/ours.ttf")).expect("a file");
    set_up.says("warning", "no font has Chinese, Japanese, Korean");
    assert!(set_up.ask(3).contains("fonts-noto-cjk"), "what to do is said");
    fs::write(set_up.path("fonts/ours.ttf"), [0; 40]).expect("a file");
    set_up.says("PROBLEM", "expected a TrueType or OpenType font");
    set_up.set_names_in("王あ김");

    set_up.configure(&["ann"], "");
    set_up.says("PROBLEM", "1 stewards are registered");
    set_up.configure(&["ann", "ben"], "");
    fs::remove_file(set_up.path("ben.pub")).expect("a file");
    set_up.says("PROBLEM", "the key of ben");
    set_up.configure(&["ann", "ben"], "liste = 1");
    set_up.says("PROBLEM", "has a mistake");
    let consumers = set_up.path("consumers");
    fs::create_dir_all(consumers.join("dcf")).expect("a folder");
    fs::write(consumers.join("dcf/agreement.toml"), "id = 1").expect("a file");
    set_up.configure(&["ann", "ben"], &format!("[consumers]\nfolder = {consumers:?}"));
    set_up.says("PROBLEM", "the document of dcf");
    let password = set_up.path("password");
    fs::write(&password, "secret").expect("a file");
    open_to_others(&password);
    let away = format!("[database]\nurl = \"postgres://somebody@127.0.0.1:1/nothing\"\npassword_file = {password:?}");
    set_up.configure(&["ann", "ben"], &away);
    set_up.says("PROBLEM", "others may read");
    fs::create_dir_all(set_up.data().join("keys")).expect("a folder");
    fs::set_permissions(set_up.data().join("keys"), fs::Permissions::from_mode(0o700)).expect("a mode");
    set_up.says("PROBLEM", "no key of tombstones");
    let key = set_up.data().join("keys/tombstones.hex");
    assert!(!key.exists(), "looking draws no key");
    fs::write(&key, "11".repeat(32)).expect("a file");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("a mode");
    set_up.says("PROBLEM", "database: ");
}

#[test]
fn what_the_database_holds_is_looked_at_too() {
    let set_up = SetUp::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_throughline"));
    let made = command.arg("--data").arg(set_up.data()).args(["db", "migrate"]).output().expect("the program runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    set_up.says("warning", "none is in force for dcf");
    let said = set_up.ask(3);
    assert!(said.contains("PostgreSQL") && said.contains("ledger"), "{said}");
    open_to_others(&set_up.data().join("keys/tombstones.hex"));
    set_up.says("PROBLEM", "others may read");
}
