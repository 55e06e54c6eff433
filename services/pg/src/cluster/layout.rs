//! Where the parts of the embedded server lie in the data folder.

use std::path::{Path, PathBuf};

/// The paths, all directly inside the data folder.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// The data folder itself.
    pub home: PathBuf,
    /// The cluster, 0700, owned by the account the server runs as.
    pub data: PathBuf,
    /// A cluster being made. Renamed to `data` when complete, so what is found there later is rubbish.
    pub unfinished: PathBuf,
    /// The server's log, and the one before it.
    pub log: PathBuf,
    /// The older log.
    pub old_log: PathBuf,
    /// Held for as long as it takes to start or stop the server.
    pub change_lock: PathBuf,
    /// Held shared by every process that uses the server; who gets it exclusively is alone, and stops the server.
    pub users_lock: PathBuf,
    /// Held by the one process that wants the folder to itself.
    pub alone_lock: PathBuf,
}

impl Layout {
    pub fn new(home: &Path) -> Self {
        Self {
            home: home.to_owned(),
            data: home.join("pg"),
            unfinished: home.join("pg.new"),
            log: home.join("pg.log"),
            old_log: home.join("pg.log.1"),
            change_lock: home.join("pg.change.lock"),
            users_lock: home.join("pg.users.lock"),
            alone_lock: home.join("pg.alone.lock"),
        }
    }

    /// The folder of the socket.
    pub fn socket_dir(&self) -> PathBuf {
        self.data.join(super::settings::SOCKET_DIR)
    }
}
