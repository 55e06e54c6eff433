//! Where deliveries are taken: a folder, a server for SFTP, a store that speaks S3.

mod folder;
mod http;
mod s3;
mod sftp;

use std::path::Path;

use futures::future::BoxFuture;

pub use folder::Folder;
pub use http::trust;
pub use s3::S3;
pub use sftp::Sftp;

/// Why a target did not do what was asked: for the operator, without what is in files.
pub type Problem = Box<dyn std::error::Error + Send + Sync>;

/// Size and SHA-256 of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest {
    /// Bytes.
    pub bytes: u64,
    /// Their SHA-256.
    pub sha256: [u8; 32],
}

/// A place that deliveries can be taken to, as it is configured.
pub trait Target: Send + Sync {
    /// Where that is, for people: no secret.
    fn describe(&self) -> String;
    /// What in its configuration cannot be meant.
    fn mistakes(&self) -> Vec<String>;
    /// Makes ready to take files there. Nothing is connected before the first.
    fn open(&self) -> Result<Box<dyn FileSink>, Problem>;
}

/// A place that takes files. After a failure it can be used again: it connects anew.
pub trait FileSink: Send {
    /// Puts a file under a name (`/` parts folders), in place of what bears it: whole or not at all.
    fn put<'a>(&'a mut self, name: &'a str, from: &'a Path) -> BoxFuture<'a, Result<(), Problem>>;
    /// What stands under a name, read back; `None`: nothing does.
    fn read_back<'a>(&'a mut self, name: &'a str) -> BoxFuture<'a, Result<Option<Digest>, Problem>>;
}

/// A file of credentials that others can read is none.
pub(crate) fn is_private(path: &Path) -> std::io::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    let others = std::fs::metadata(path)?.permissions().mode() % 0o10;
    Ok(others == 0)
}

#[cfg(test)]
mod tests;
