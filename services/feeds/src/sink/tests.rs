//! Targets that fail where a transfer hurts most: a full disk, a server that is not there, one that cuts, one that changes a byte.

use std::{
    collections::HashMap,
    fs,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::future::BoxFuture;
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request, Response, StatusCode, body::Bytes, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::*;
use crate::{
    Error, Load, MANIFEST, Night, NightManifest, Plan, carry,
    encrypt::{Identity, digest_of},
};

/// A folder with the files of a night.
struct Staged {
    dir: tempfile::TempDir,
    night: Night,
}

impl Staged {
    /// Files of these sizes.
    fn new(sizes: &[usize]) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let load = |(number, size): (usize, &usize)| {
            let path = dir.path().join(format!("{number}.bin"));
            let bytes: Vec<u8> = (0..*size).map(|place| (place % 251) as u8).collect();
            fs::write(&path, bytes).expect("a file");
            Load { path, name: format!("csv/{number}.bin") }
        };
        let night = Night {
            consumer: "cssd".to_owned(),
            date: "2030-01-02".to_owned(),
            created_at: "2030-01-02T23:00:00Z".to_owned(),
            files: sizes.iter().enumerate().map(load).collect(),
        };
        Self { dir, night }
    }

    async fn carry(&self, plan: &Plan) -> Result<NightManifest, Error> {
        let target = plan.target().expect("it can be meant").expect("it is there");
        let mut sink = target.open().expect("it opens");
        let always = || -> BoxFuture<'_, Result<bool, Problem>> { Box::pin(async { Ok(true) }) };
        carry(plan, &mut *sink, &self.night, self.dir.path(), &always).await
    }

    fn leftovers(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.dir.path()).expect("a folder").map(|entry| entry.expect("an entry").path());
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "part")).collect()
    }
}

fn plan(to: &str) -> Plan {
    Plan::parse(&format!("[retry]\nattempts = 3\nbackoff_ms = 1\n[to]\n{to}")).expect("a document")
}

fn folder(path: &Path) -> String {
    format!("kind = \"folder\"\npath = {path:?}")
}

/// Everything at a target that is a folder here: manifest and files are whole.
fn check_whole(night: &Path, manifest: &NightManifest) {
    let told = NightManifest::parse(&fs::read(night.join(MANIFEST)).expect("a manifest")).expect("it reads");
    assert_eq!(&told, manifest);
    for file in &manifest.files {
        let found = digest_of(&night.join(&file.name)).expect("a file");
        assert_eq!((found.bytes, hex::encode(found.sha256)), (file.bytes, file.sha256.clone()));
    }
}

#[tokio::test]
async fn a_folder_holds_the_night_whole_and_encrypted_to_its_recipient() {
    use age::secrecy::ExposeSecret as _;
    let key = age::x25519::Identity::generate();
    let staged = Staged::new(&[0, 5, 300_000]);
    let share = tempfile::tempdir().expect("a folder");
    let mut plan = plan(&folder(share.path()));
    plan.encrypt_to = vec![key.to_public().to_string()];
    let manifest = staged.carry(&plan).await.expect("delivered");
    let night = share.path().join("2030-01-02");
    check_whole(&night, &manifest);
    let identity = Identity::read(key.to_string().expose_secret()).expect("a key");
    for (file, load) in manifest.files.iter().zip(&staged.night.files) {
        assert_eq!(file.name, format!("{}.age", load.name));
        let opened = identity.decrypt(&night.join(&file.name), std::io::sink()).expect("opened");
        let plain = file.plaintext.as_ref().expect("what it is when opened");
        assert_eq!((opened.bytes, hex::encode(opened.sha256)), (plain.bytes, plain.sha256.clone()));
        assert_eq!(opened, digest_of(&load.path).expect("a file"));
    }
    assert!(staged.leftovers().is_empty(), "nothing of it stays behind");
}

#[tokio::test]
async fn a_share_that_is_not_mounted_is_not_made_up_for() {
    let staged = Staged::new(&[5]);
    let share = tempfile::tempdir().expect("a folder");
    let path = share.path().join("not-mounted");
    let error = staged.carry(&plan(&folder(&path))).await.expect_err("it is not there");
    assert!(matches!(error, Error::Target { attempts: 3, .. }), "{error:?}");
    assert!(!path.exists());
}

/// A sink that fails in ways that are armed, in front of a folder.
struct Faulty {
    inner: Box<dyn FileSink>,
    faults: Vec<Fault>,
    puts: u32,
}

#[derive(Clone, Copy)]
enum Fault {
    /// The put fails.
    Refused,
    /// What arrives has lost its end.
    Halved,
    /// It takes for ever.
    Hangs,
}

impl FileSink for Faulty {
    fn put<'a>(&'a mut self, name: &'a str, from: &'a Path) -> BoxFuture<'a, Result<(), Problem>> {
        self.puts += 1;
        Box::pin(async move {
            match self.faults.pop() {
                None => self.inner.put(name, from).await,
                Some(Fault::Refused) => Err("no space left on device".into()),
                Some(Fault::Hangs) => std::future::pending().await,
                Some(Fault::Halved) => {
                    let half = from.with_extension("half");
                    let bytes = fs::read(from)?;
                    fs::write(&half, &bytes[..bytes.len() / 2])?;
                    let put = self.inner.put(name, &half).await;
                    fs::remove_file(&half)?;
                    put
                }
            }
        })
    }

    fn read_back<'a>(&'a mut self, name: &'a str) -> BoxFuture<'a, Result<Option<Digest>, Problem>> {
        self.inner.read_back(name)
    }
}

async fn carry_through(faults: &[Fault]) -> (Result<NightManifest, Error>, u32, bool) {
    let staged = Staged::new(&[1_000, 2_000]);
    let share = tempfile::tempdir().expect("a folder");
    let mut plan = plan(&folder(share.path()));
    plan.retry.timeout_ms = 3_000;
    let inner = plan.target().expect("a target").expect("a target").open().expect("it opens");
    let mut sink = Faulty { inner, faults: faults.to_vec(), puts: 0 };
    let always = || -> BoxFuture<'_, Result<bool, Problem>> { Box::pin(async { Ok(true) }) };
    let done = carry(&plan, &mut sink, &staged.night, staged.dir.path(), &always).await;
    if let Ok(manifest) = &done {
        check_whole(&share.path().join("2030-01-02"), manifest);
    }
    (done, sink.puts, share.path().join("2030-01-02").join(MANIFEST).exists())
}

#[tokio::test]
async fn what_fails_is_tried_again_and_what_keeps_failing_has_no_manifest() {
    use Fault::{Halved, Hangs, Refused};
    for faults in [&[Refused, Halved][..], &[Hangs], &[Halved, Refused]] {
        let (done, puts, _) = carry_through(faults).await;
        assert!(done.is_ok(), "{done:?}");
        // A machine that is busy may be late once more.
        assert!(puts as usize >= 3 + faults.len(), "two files and the manifest, and each failure once more: {puts}");
    }
    for fault in [Refused, Halved, Hangs] {
        let (done, puts, has_manifest) = carry_through(&[fault; 3]).await;
        assert!(matches!(done, Err(Error::Target { attempts: 3, .. })), "{done:?}");
        assert_eq!((puts, has_manifest), (3, false), "it is not complete, and does not say so");
    }
}

#[tokio::test]
async fn nothing_goes_on_leaving_once_authority_has_ended() {
    let staged = Staged::new(&[10, 10, 10]);
    let share = tempfile::tempdir().expect("a folder");
    let plan = plan(&folder(share.path()));
    let mut sink = plan.target().expect("a target").expect("a target").open().expect("it opens");
    let asked = std::sync::atomic::AtomicU32::new(0);
    let twice = || -> BoxFuture<'_, Result<bool, Problem>> {
        let number = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Box::pin(async move { Ok(number < 2) })
    };
    let done = carry(&plan, &mut *sink, &staged.night, staged.dir.path(), &twice).await;
    assert!(matches!(done, Err(Error::Withheld)), "{done:?}");
    let night = share.path().join("2030-01-02");
    assert!(night.join("csv/1.bin").exists() && !night.join("csv/2.bin").exists() && !night.join(MANIFEST).exists());
}

/// A store that speaks as much of S3 as a delivery needs; it refuses as many requests as are armed.
#[derive(Default)]
struct Store {
    objects: HashMap<String, Vec<u8>>,
    uploads: HashMap<String, Vec<Vec<u8>>>,
    aborted: u32,
    refuse: u32,
    /// A byte of each object that is stored is changed.
    corrupts: bool,
}

impl Store {
    fn answer(&mut self, request: &Request<()>, body: Vec<u8>) -> Response<Full<Bytes>> {
        let say = |status: StatusCode, body: Vec<u8>| {
            Response::builder()
                .status(status)
                .header("ETag", "\"1\"")
                .body(Full::new(Bytes::from(body)))
                .expect("an answer")
        };
        let signed = request.headers().get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !signed.starts_with("AWS4-HMAC-SHA256 Credential=test-key/") {
            return say(StatusCode::FORBIDDEN, Vec::new());
        }
        if self.refuse > 0 {
            self.refuse -= 1;
            return say(StatusCode::SERVICE_UNAVAILABLE, Vec::new());
        }
        let key = request.uri().path().to_owned();
        let query = request.uri().query().unwrap_or_default().to_owned();
        let is_upload = query.contains("uploadId=");
        match (request.method(), is_upload) {
            (&Method::POST, false) => {
                self.uploads.insert(key, Vec::new());
                let said = "<InitiateMultipartUploadResult><Bucket>b</Bucket><Key>k</Key><UploadId>7</UploadId></InitiateMultipartUploadResult>";
                say(StatusCode::OK, said.into())
            }
            (&Method::PUT, true) => {
                self.uploads.get_mut(&key).expect("an upload").push(body);
                say(StatusCode::OK, Vec::new())
            }
            (&Method::POST, true) => {
                let parts = self.uploads.remove(&key).expect("an upload").concat();
                self.store(key, parts);
                let said = "<CompleteMultipartUploadResult><ETag>\"1\"</ETag></CompleteMultipartUploadResult>";
                say(StatusCode::OK, said.into())
            }
            (&Method::DELETE, true) => {
                self.uploads.remove(&key);
                self.aborted += 1;
                say(StatusCode::NO_CONTENT, Vec::new())
            }
            (&Method::PUT, false) => {
                self.store(key, body);
                say(StatusCode::OK, Vec::new())
            }
            (method, _) => self.read(method, &key, request),
        }
    }

    fn store(&mut self, key: String, mut bytes: Vec<u8>) {
        if let (true, Some(first)) = (self.corrupts, bytes.first_mut()) {
            *first ^= 1;
        }
        self.objects.insert(key, bytes);
    }

    fn read(&self, method: &Method, key: &str, request: &Request<()>) -> Response<Full<Bytes>> {
        let Some(object) = self.objects.get(key) else {
            return Response::builder().status(StatusCode::NOT_FOUND).body(Full::default()).expect("an answer");
        };
        let answer =
            Response::builder().header("ETag", "\"1\"").header("Last-Modified", "Wed, 02 Jan 2030 00:00:00 GMT");
        if method == Method::HEAD {
            let answer = answer.header("Content-Length", object.len());
            return answer.body(Full::default()).expect("an answer");
        }
        let range = request.headers().get("range").and_then(|value| value.to_str().ok()).expect("a range");
        let (from, to) = range.trim_start_matches("bytes=").split_once('-').expect("two ends");
        let (from, to): (usize, usize) = (from.parse().expect("a number"), to.parse().expect("a number"));
        let bytes = object[from..=to].to_vec();
        answer
            .status(StatusCode::PARTIAL_CONTENT)
            .header("Content-Range", format!("bytes {from}-{to}/{}", object.len()))
            .body(Full::new(Bytes::from(bytes)))
            .expect("an answer")
    }
}

/// Serves a store on this machine until the test ends.
async fn serve(store: Arc<Mutex<Store>>) -> (u16, tokio::task::JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move {
        let mut open = tokio::task::JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let store = Arc::clone(&store);
            let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                let store = Arc::clone(&store);
                async move {
                    let (head, body) = request.into_parts();
                    let body = body.collect().await.expect("a body").to_bytes().to_vec();
                    let answer = store.lock().expect("the store").answer(&Request::from_parts(head, ()), body);
                    Ok::<_, std::convert::Infallible>(answer)
                }
            });
            open.spawn(
                async move { drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await) },
            );
        }
    });
    (port, tasks)
}

fn s3(port: u16, credentials: &Path) -> String {
    format!(
        "kind = \"s3\"\nendpoint = \"http://127.0.0.1:{port}\"\nregion = \"us-east-1\"\nbucket = \"b\"\nprefix = \"in\"\ncredentials_file = {credentials:?}"
    )
}

fn credentials(dir: &Path, mode: u32) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let path = dir.join("store.toml");
    fs::write(&path, "access_key_id = \"test-key\"\nsecret_access_key = \"made-for-a-test\"\n").expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
    path
}

#[tokio::test]
async fn a_store_takes_short_files_and_long_ones_and_they_read_back() {
    let store = Arc::new(Mutex::new(Store { refuse: 2, ..Store::default() }));
    let (port, _tasks) = serve(Arc::clone(&store)).await;
    let staged = Staged::new(&[0, 100, (8 << 20) + 5, 16 << 20]);
    let manifest = staged.carry(&plan(&s3(port, &credentials(staged.dir.path(), 0o600)))).await.expect("delivered");
    let store = store.lock().expect("the store");
    assert_eq!(store.objects.len(), 5);
    let told = store.objects.get("/b/in/2030-01-02/manifest.json").expect("a manifest");
    assert_eq!(NightManifest::parse(told).as_ref(), Some(&manifest));
    for load in &staged.night.files {
        let object = &store.objects[&format!("/b/in/2030-01-02/{}", load.name)];
        assert!(object == &fs::read(&load.path).expect("a file"), "{}", load.name);
    }
}

#[tokio::test]
async fn a_store_that_refuses_or_corrupts_gets_no_manifest() {
    for (refuse, corrupts) in [(u32::MAX, false), (0, true)] {
        let store = Arc::new(Mutex::new(Store { refuse, corrupts, ..Store::default() }));
        let (port, _tasks) = serve(Arc::clone(&store)).await;
        let staged = Staged::new(&[100, (8 << 20) + 5]);
        let error =
            staged.carry(&plan(&s3(port, &credentials(staged.dir.path(), 0o600)))).await.expect_err("not whole");
        assert!(matches!(error, Error::Target { attempts: 3, .. }), "{error:?}");
        assert!(!store.lock().expect("the store").objects.contains_key("/b/in/2030-01-02/manifest.json"));
    }
}

#[tokio::test]
async fn a_store_that_is_not_there_is_told_after_the_attempts() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let staged = Staged::new(&[100]);
    let error =
        staged.carry(&plan(&s3(port, &credentials(staged.dir.path(), 0o600)))).await.expect_err("nobody listens");
    assert!(matches!(error, Error::Target { attempts: 3, .. }), "{error:?}");
}

#[test]
fn credentials_that_others_can_read_are_not_used() {
    let dir = tempfile::tempdir().expect("a folder");
    let open = |mode| {
        let plan = plan(&s3(1, &credentials(dir.path(), mode)));
        plan.target().expect("a target").expect("a target").open().map(drop).map_err(|error| error.to_string())
    };
    assert!(open(0o604).expect_err("others can").contains("others can read it"));
    open(0o640).expect("the group may");
    fs::write(dir.path().join("store.toml"), "secret_access_key = \"the very secret\n").expect("a file");
    let plan = plan(&s3(1, &dir.path().join("store.toml")));
    let told = plan.target().expect("a target").expect("a target").open().map(drop).expect_err("no TOML").to_string();
    assert!(!told.contains("the very secret"), "{told}");
}

/// OpenSSH's own server of files, where it is installed.
const SFTP_SERVER: [&str; 2] = ["/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server"];

/// A program in place of `ssh`, which speaks with a server of files in a folder of the test.
fn sftp(dir: &Path, program: &str, root: &Path) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    let ssh = dir.join("ssh");
    fs::write(&ssh, program).expect("a program");
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).expect("a mode");
    format!(
        "kind = \"sftp\"\nhost = \"files.example.test\"\nuser = \"u\"\nkey_file = \"/none\"\nknown_hosts_file = \"/none\"\nfolder = {root:?}\nssh = {ssh:?}\nanswer_ms = 5000"
    )
}

#[tokio::test]
async fn a_server_for_sftp_takes_the_night_and_a_cut_connection_is_made_anew() {
    let Some(server) = SFTP_SERVER.iter().find(|path| Path::new(path).exists()) else {
        // `deploy/install` brings it; without it only what needs no server is tested.
        return;
    };
    let staged = Staged::new(&[0, 5, 3_000_000]);
    let root = tempfile::tempdir().expect("a folder");
    let plain = sftp(staged.dir.path(), &format!("#!/bin/sh\nexec {server}\n"), root.path());
    let manifest = staged.carry(&plan(&plain)).await.expect("delivered");
    check_whole(&root.path().join("2030-01-02"), &manifest);
    // The same again, in place of what is there.
    staged.carry(&plan(&plain)).await.expect("delivered again");

    // A connection that dies in the middle of the long file, once: bytes are counted by dd on the way in.
    let root = tempfile::tempdir().expect("a folder");
    let once = staged.dir.path().join("cut");
    fs::write(&once, "").expect("a file");
    let cut = format!(
        "#!/bin/sh\nif [ -e {once:?} ]; then rm {once:?}; head -c 1000000 | {server}; exit 255; fi\nexec {server}\n"
    );
    let manifest = staged.carry(&plan(&sftp(staged.dir.path(), &cut, root.path()))).await.expect("delivered");
    assert!(!once.exists(), "the cut struck");
    let night = root.path().join("2030-01-02");
    check_whole(&night, &manifest);
    let parts = fs::read_dir(night.join("csv")).expect("a folder").filter(|entry| {
        entry.as_ref().expect("an entry").path().extension().is_some_and(|extension| extension == "part")
    });
    assert_eq!(parts.count(), 0, "no part of a file is left");

    let missing = sftp(staged.dir.path(), &format!("#!/bin/sh\nexec {server}\n"), &root.path().join("nowhere"));
    let error = staged.carry(&plan(&missing)).await.expect_err("the folder is not there");
    assert!(std::error::Error::source(&error).expect("why").to_string().contains("no folder"), "{error:?}");
}

#[tokio::test]
async fn a_full_disk_at_the_server_leaves_no_part_and_no_manifest() {
    let Some(server) = SFTP_SERVER.iter().find(|path| Path::new(path).exists()) else { return };
    let staged = Staged::new(&[200_000]);
    let root = tempfile::tempdir().expect("a folder");
    // No file can grow beyond 64 blocks of 512 bytes there.
    let full = format!("#!/bin/sh\ntrap '' XFSZ\nulimit -f 64\nexec {server}\n");
    let error = staged.carry(&plan(&sftp(staged.dir.path(), &full, root.path()))).await.expect_err("no room");
    assert!(matches!(error, Error::Target { attempts: 3, .. }), "{error:?}");
    let left = fs::read_dir(root.path().join("2030-01-02/csv")).expect("a folder").count();
    assert_eq!(left, 0, "nothing that would fill it further");
}

#[tokio::test]
async fn an_unreachable_server_is_told_in_the_clients_own_words() {
    let staged = Staged::new(&[5]);
    let refused =
        "#!/bin/sh\necho 'ssh: connect to host files.example.test port 22: Connection refused' >&2\nexit 255\n";
    let plan = plan(&sftp(staged.dir.path(), refused, Path::new("/in")));
    let error = tokio::time::timeout(Duration::from_secs(30), staged.carry(&plan)).await.expect("soon");
    let error = error.expect_err("it is not there");
    assert!(std::error::Error::source(&error).expect("why").to_string().contains("Connection refused"), "{error:?}");
}
