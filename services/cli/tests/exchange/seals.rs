//! What documents of a night are sealed with: keys in files and on tokens, and the time stamps of an authority that answers, or does not.

#[path = "../../../summary/tests/stamping/authority.rs"]
mod authority;

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use authority::{Authority, Habit};
use chrono::{DateTime, Utc};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256};
use serde_json::Value as Json;

use crate::{
    erase::{DCF_HEADER, OTHER, Server},
    nights::{begin, run, set_time},
    place::{Place, files, finished, text, word},
};

/// The day of these nights.
const NIGHT: &str = "2030-01-02";
/// A sandbox with what else a test sets.
fn configure(place: &Place, more: &str) {
    fs::write(place.path("data/config.toml"), format!("sandbox = true\n{more}")).expect("a configuration");
}

fn roster(place: &Place, clients: usize) {
    let client = |id, name, born, sasid| {
        format!("{id},{name},,,{born},F,,Hartford,06103,{sasid},E{id},2029-01-01,,,Hartford,1,W1")
    };
    let rows = [
        client("D8", "Quince,Ambrosia", "2011-03-04", OTHER),
        client("D7", "Qyzzleworth,Xanthwick", "2010-07-17", "9907070717"),
    ];
    let path = place.path("roster.csv");
    fs::write(&path, format!("{DCF_HEADER}\n{}\n", rows[..clients].join("\n"))).expect("a roster");
    place.run(&["roster", "load", text(&path), "--consumer", "dcf", "--date", NIGHT], 0);
}

fn documents(place: &Place) -> Vec<PathBuf> {
    let all = files(&place.path("out/dcf").join(NIGHT).join("summaries"));
    all.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "pdf")).collect()
}

/// How many disclosures of documents the ledger holds.
fn entered(place: &Place) -> usize {
    let mut server = Server::start(place);
    let found = server.query("SELECT count(*) FROM ledger.entry WHERE kind = 'disclosure' AND delivery = 'document'");
    server.stop();
    found[0].parse().expect("a count")
}

/// An authority's server, which does as it is told.
struct Stamps {
    url: String,
    does: Arc<Mutex<(Habit, Duration)>>,
}

impl Stamps {
    fn begin(authority: Authority, at: DateTime<Utc>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/stamp", listener.local_addr().expect("an address"));
        let does = Arc::new(Mutex::new((Habit::Honest, Duration::ZERO)));
        let told = Arc::clone(&does);
        // It ends with the test's process.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (habit, wait) = *told.lock().expect("no panic");
                // Whoever hung up meanwhile is no failure.
                let _ = answer(stream, &authority, at, habit, wait);
            }
        });
        Self { url, does }
    }

    fn does(&self, habit: Habit, wait: Duration) {
        *self.does.lock().expect("no panic") = (habit, wait);
    }
}

fn answer(
    mut stream: TcpStream,
    authority: &Authority,
    at: DateTime<Utc>,
    habit: Habit,
    wait: Duration,
) -> std::io::Result<()> {
    let mut asked = Vec::new();
    let body = loop {
        let mut some = [0; 4_096];
        let count = stream.read(&mut some)?;
        asked.extend_from_slice(&some[..count]);
        let Some(head) = asked.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let length = String::from_utf8_lossy(&asked[..head])
            .lines()
            .find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse::<usize>().ok())
            .expect("a length");
        if asked.len() >= head + 4 + length {
            break &asked[head + 4..];
        }
    };
    thread::sleep(wait);
    let answer = authority.answer(body, at, habit);
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/timestamp-reply\r\ncontent-length: {}\r\n\r\n",
        answer.len()
    );
    stream.write_all(&[head.as_bytes(), &answer].concat())
}

fn certificate(place: &Place, key: &KeyPair, name: &str) -> PathBuf {
    let certificate = CertificateParams::new(Vec::new()).expect("parameters").self_signed(key).expect("a certificate");
    let path = place.path(name);
    fs::write(&path, certificate.pem()).expect("a file");
    path
}

#[test]
fn documents_wait_for_the_time_stamp_that_is_configured() {
    let place = begin(NIGHT);
    roster(&place, 1);
    let authority = Authority::new(ExtendedKeyUsagePurpose::TimeStamping);
    let (root, other) = (place.path("root.pem"), place.path("other.pem"));
    fs::write(&root, &authority.root).expect("a file");
    fs::write(&other, Authority::new(ExtendedKeyUsagePurpose::TimeStamping).root).expect("a file");
    let stamps = Stamps::begin(authority, format!("{NIGHT}T12:00:01Z").parse().expect("a time"));
    let (key, key_file) = (KeyPair::generate().expect("a key"), place.path("key.pem"));
    fs::write(&key_file, key.serialize_pem()).expect("a file");
    let certificate = certificate(&place, &key, "certificate.pem");
    let settings = |when: &str| {
        format!(
            "[summary.signature]\ncertificate_file = {certificate:?}\nkey_file = {key_file:?}\n[summary.signature.time_stamp]\n\
             url = {:?}\nauthority_file = {root:?}\ntimeout_ms = 700\nattempts_max = 1\nwhen_unavailable = {when:?}\n",
            stamps.url
        )
    };
    configure(&place, &settings("withhold"));
    for (habit, wait) in [
        (Habit::Honest, Duration::from_secs(2)),
        (Habit::Garbage, Duration::ZERO),
        (Habit::OtherNonce, Duration::ZERO),
        (Habit::OtherDigest, Duration::ZERO),
    ] {
        stamps.does(habit, wait);
        let report = run(&place, NIGHT, 3);
        let summaries = &report["summaries"];
        assert_eq!((&summaries["rendered"], &summaries["withheld"]), (&0.into(), &1.into()), "{habit:?}: {report}");
        assert!(documents(&place).is_empty(), "{habit:?}");
    }
    assert_eq!(entered(&place), 0, "what was not disclosed is not entered");
    stamps.does(Habit::Honest, Duration::ZERO);
    assert_eq!(run(&place, NIGHT, 0)["summaries"]["rendered"], 1);
    let [document] = &documents(&place)[..] else { panic!("one document") };
    assert_eq!(entered(&place), 1);
    let verify = |authority: Option<&Path>, code: i32| {
        let mut args = vec!["summary", "verify", text(document)];
        args.extend(authority.into_iter().flat_map(|path| ["--authority", text(path)]));
        place.run(&args, code).pop().expect("an answer")
    };
    let good = verify(None, 0);
    let state = |said: &Json, part: &str| word(&said[part], "state").to_owned();
    assert_eq!((state(&good, "signature"), state(&good, "time_stamp")), ("good".to_owned(), "good".to_owned()));
    assert_eq!(state(&good, "proof"), "proven", "the entry is of the stamped bytes");
    assert_eq!(word(&good["time_stamp"], "at"), "2030-01-02T12:00:01Z");
    assert_eq!(state(&verify(Some(&root), 0), "time_stamp"), "good");
    assert_eq!(state(&verify(Some(&other), 3), "time_stamp"), "unknown_authority");
    // Where the configuration says so, a signature alone is better than nothing.
    stamps.does(Habit::Refuses, Duration::ZERO);
    configure(&place, &settings("unstamped"));
    set_time(&place, &format!("{NIGHT}T12:10:00Z"));
    roster(&place, 2);
    let report = run(&place, NIGHT, 0);
    assert_eq!((&report["summaries"]["rendered"], &report["summaries"]["withheld"]), (&1.into(), &0.into()));
    let stamped: Vec<bool> = documents(&place)
        .iter()
        .map(|path| !place.run(&["summary", "verify", text(path)], 0)[0]["time_stamp"].is_null())
        .collect();
    assert_eq!(stamped.iter().filter(|is_stamped| **is_stamped).count(), 1, "{stamped:?}");
    place.run(&["ledger", "verify"], 0);
}

/// Where SoftHSM's module is, if it is installed.
fn softhsm() -> Option<PathBuf> {
    let is_there = Command::new("softhsm2-util").arg("--version").output().is_ok_and(|output| output.status.success());
    let known = [
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib64/softhsm/libsofthsm.so",
        "/usr/local/lib/softhsm/libsofthsm2.so",
    ];
    known.into_iter().map(PathBuf::from).find(|path| is_there && path.exists())
}

#[test]
#[expect(clippy::disallowed_macros, reason = "a test says what it did not show")]
fn a_key_that_never_leaves_its_token_signs_documents() {
    let Some(module) = softhsm() else {
        eprintln!("softhsm2 is not installed: that keys on tokens sign is not shown");
        return;
    };
    for algorithm in [&PKCS_ECDSA_P256_SHA256, &PKCS_RSA_SHA256] {
        let place = begin(NIGHT);
        roster(&place, 1);
        let (tokens, settings, pin) = (place.path("tokens"), place.path("softhsm2.conf"), place.path("pin"));
        fs::create_dir(&tokens).expect("a folder");
        fs::write(&settings, format!("directories.tokendir = {}\n", text(&tokens))).expect("a file");
        fs::write(&pin, "24680\n").expect("a file");
        let key = KeyPair::generate_for(algorithm).expect("a key");
        let (key_file, certificate) = (place.path("key.pem"), certificate(&place, &key, "certificate.pem"));
        fs::write(&key_file, key.serialize_pem()).expect("a file");
        let softhsm = |args: &[&str]| {
            let output =
                Command::new("softhsm2-util").env("SOFTHSM2_CONF", &settings).args(args).output().expect("it runs");
            assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        };
        softhsm(&["--init-token", "--free", "--label", "records", "--pin", "24680", "--so-pin", "13579"]);
        softhsm(&[
            "--import",
            text(&key_file),
            "--token",
            "records",
            "--label",
            "summaries",
            "--id",
            "a1",
            "--pin",
            "24680",
        ]);
        fs::remove_file(&key_file).expect("the key is on its token alone");
        let token = |key: &str, pin: &Path| {
            format!(
                "[summary.signature]\ncertificate_file = {certificate:?}\n[summary.signature.token]\n\
                 module_file = {module:?}\nlabel = \"records\"\nkey = {key:?}\npin_file = {pin:?}\n"
            )
        };
        let night = |code: i32| {
            let mut command = place.command(&["exchange", "run", "--consumer", "dcf", "--date", NIGHT]);
            command.env("SOFTHSM2_CONF", &settings);
            finished(command, code)
        };
        // A key that is not there, and a PIN that is not its own: nothing is delivered unsigned.
        let wrong = place.path("wrong-pin");
        fs::write(&wrong, "11111").expect("a file");
        for (key, pin) in [("another", &pin), ("summaries", &wrong)] {
            configure(&place, &token(key, pin));
            night(1);
            assert!(documents(&place).is_empty());
        }
        configure(&place, &token("summaries", &pin));
        assert_eq!(night(0).pop().expect("a report")["summaries"]["rendered"], 1);
        let [document] = &documents(&place)[..] else { panic!("one document") };
        let said = place.run(&["summary", "verify", text(document)], 0);
        assert_eq!((word(&said[0]["signature"], "state"), word(&said[0]["proof"], "state")), ("good", "proven"));
    }
}
