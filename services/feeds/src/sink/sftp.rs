//! A server for SFTP. The connection is the machine's own OpenSSH client's, so that keys, known hosts and algorithms are what its operator knows
//! from everywhere else; only the protocol of files is spoken here.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use futures::future::BoxFuture;
use russh_sftp::{
    client::{Config, SftpSession, error::Error as SftpError},
    protocol::{FileAttributes, OpenFlags, StatusCode},
};
use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, Command},
    time::timeout,
};

use super::{Digest, FileSink, Problem, Target};
use crate::encrypt::Hashing;

/// A server for SFTP, and who we are there.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sftp {
    /// The server.
    pub host: String,
    /// Its port.
    #[serde(default = "ssh_port")]
    pub port: u16,
    /// The account.
    pub user: String,
    /// The private key: a file that nobody else can read, without a passphrase.
    pub key_file: PathBuf,
    /// The server's public key, as a line of `known_hosts`: a server that shows another is not spoken to.
    pub known_hosts_file: PathBuf,
    /// The folder there; it must be there.
    pub folder: String,
    /// Milliseconds for a connection, and for each answer of the server.
    #[serde(default = "answer_ms")]
    pub answer_ms: u64,
    /// The OpenSSH client.
    #[serde(default = "ssh_program")]
    pub ssh: PathBuf,
}

const fn answer_ms() -> u64 {
    60_000
}

const fn ssh_port() -> u16 {
    22
}

fn ssh_program() -> PathBuf {
    PathBuf::from("ssh")
}

/// Of what the client says when it fails.
const SAID_MAX: u64 = 2_000;
/// Bytes between file and wire.
const CHUNK: usize = 1 << 18;

impl Target for Sftp {
    fn describe(&self) -> String {
        format!("sftp://{}@{}:{}/{}", self.user, self.host, self.port, self.folder)
    }

    fn mistakes(&self) -> Vec<String> {
        let is_word = |text: &str, more: &str| {
            !text.is_empty()
                && !text.starts_with('-')
                && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
        };
        let mut wrong = Vec::new();
        if !is_word(&self.host, ".-:") {
            wrong.push("host: a name or address, and nothing else".to_owned());
        }
        if !is_word(&self.user, "._-") {
            wrong.push("user: letters, digits, and . _ -".to_owned());
        }
        if self.folder.is_empty() || self.folder.chars().any(char::is_control) {
            wrong.push("folder: one that is there".to_owned());
        }
        wrong
    }

    fn open(&self) -> Result<Box<dyn FileSink>, Problem> {
        Ok(Box::new(Session { at: self.clone(), open: None }))
    }
}

/// A connection, as long as it works.
struct Session {
    at: Sftp,
    open: Option<Open>,
}

struct Open {
    files: SftpSession,
    /// Ended with the connection.
    _ssh: Child,
}

impl Session {
    async fn connect(&self) -> Result<Open, Problem> {
        let mut ssh = Command::new(&self.at.ssh);
        // `-F none`: what else is configured for the account changes nothing here.
        ssh.args([
            "-F",
            "none",
            "-T",
            "-o",
            "BatchMode=yes",
            "-o",
            "StrictHostKeyChecking=yes",
            "-o",
            "IdentitiesOnly=yes",
        ])
        .args(["-o", "ConnectTimeout=30", "-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=3"])
        .args(["-o", "ForwardAgent=no", "-o", "ClearAllForwardings=yes"])
        .arg("-o")
        .arg(format!("UserKnownHostsFile={}", self.at.known_hosts_file.display()))
        .arg("-i")
        .arg(&self.at.key_file)
        .args(["-p", &self.at.port.to_string(), "-l", &self.at.user, "-s", "--", &self.at.host, "sftp"]);
        let mut child = ssh
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("{} cannot be started: {error}", self.at.ssh.display()))?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("the client has no pipes".into());
        };
        let limit = Duration::from_millis(self.at.answer_ms);
        let config = Config { request_timeout_secs: limit.as_secs().max(1), ..Config::default() };
        let begun = SftpSession::new_with_config(tokio::io::join(stdout, stdin), config);
        match timeout(limit, begun).await {
            Ok(Ok(files)) => Ok(Open { files, _ssh: child }),
            Ok(Err(error)) => Err(format!("{error}: {}", said(&mut child).await).into()),
            Err(_) => Err(format!("the server does not answer: {}", said(&mut child).await).into()),
        }
    }

    /// The open connection, or a new one.
    async fn take(&mut self) -> Result<Open, Problem> {
        match self.open.take() {
            Some(open) => Ok(open),
            None => self.connect().await,
        }
    }

    fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.at.folder.trim_end_matches('/'))
    }
}

/// What the client said before it gave up.
async fn said(child: &mut Child) -> String {
    let mut text = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        drop(timeout(Duration::from_secs(1), stderr.take(SAID_MAX).read_to_end(&mut text)).await);
    }
    String::from_utf8_lossy(&text).trim().to_owned()
}

impl Open {
    async fn put(&self, path: &str, root: &str, from: &Path) -> Result<(), Problem> {
        self.make_folders(path, root).await?;
        let part = format!("{path}.part");
        if let Err(error) = self.write(&part, from).await {
            // Room that a part takes is room the next attempt lacks.
            drop(self.files.remove_file(&part).await);
            return Err(error);
        }
        // This version of the protocol renames onto nothing that is there.
        if self.files.try_exists(path).await? {
            self.files.remove_file(path).await?;
        }
        Ok(self.files.rename(&part, path).await?)
    }

    async fn write(&self, part: &str, from: &Path) -> Result<(), Problem> {
        let mut plain = tokio::fs::File::open(from).await?;
        let attributes = FileAttributes { permissions: Some(0o640), ..FileAttributes::empty() };
        let flags = OpenFlags::CREATE | OpenFlags::TRUNCATE | OpenFlags::WRITE;
        let mut file = self.files.open_with_flags_and_attributes(part, flags, attributes).await?;
        let mut chunk = vec![0; CHUNK];
        loop {
            let taken = plain.read(&mut chunk).await?;
            if taken == 0 {
                break;
            }
            file.write_all(chunk.get(..taken).unwrap_or_default()).await?;
        }
        file.flush().await?;
        // Where the server cannot, the file is read back all the same.
        file.sync_all().await?;
        Ok(file.close().await?)
    }

    /// Makes the folders between the root, which must be there, and the file.
    async fn make_folders(&self, path: &str, root: &str) -> Result<(), Problem> {
        if !self.files.try_exists(root).await? {
            return Err(format!("there is no folder {root} on the server").into());
        }
        for (end, _) in path.match_indices('/').filter(|(end, _)| *end > root.len()) {
            let folder = path.get(..end).unwrap_or_default();
            if !self.files.try_exists(folder).await? {
                self.files.create_dir(folder).await?;
            }
        }
        Ok(())
    }

    async fn read_back(&self, path: &str) -> Result<Option<Digest>, Problem> {
        let mut file = match self.files.open(path).await {
            Err(SftpError::Status(status)) if status.status_code == StatusCode::NoSuchFile => return Ok(None),
            opened => opened?,
        };
        let mut hashing = Hashing::new(std::io::sink());
        let mut chunk = vec![0; CHUNK];
        loop {
            let taken = file.read(&mut chunk).await?;
            if taken == 0 {
                break;
            }
            std::io::Write::write_all(&mut hashing, chunk.get(..taken).unwrap_or_default())?;
        }
        file.close().await?;
        Ok(Some(hashing.digest()))
    }
}

impl FileSink for Session {
    fn put<'a>(&'a mut self, name: &'a str, from: &'a Path) -> BoxFuture<'a, Result<(), Problem>> {
        Box::pin(async move {
            let open = self.take().await?;
            let root = self.at.folder.trim_end_matches('/');
            open.put(&self.path(name), root, from).await?;
            self.open = Some(open);
            Ok(())
        })
    }

    fn read_back<'a>(&'a mut self, name: &'a str) -> BoxFuture<'a, Result<Option<Digest>, Problem>> {
        Box::pin(async move {
            let open = self.take().await?;
            let found = open.read_back(&self.path(name)).await?;
            self.open = Some(open);
            Ok(found)
        })
    }
}
