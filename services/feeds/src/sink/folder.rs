//! A folder, such as a mounted share.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use futures::future::BoxFuture;
use serde::Deserialize;

use super::{Digest, FileSink, Problem, Target};
use crate::encrypt::digest_of;

/// A folder that deliveries are taken to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Folder {
    /// Where it is. It must be there: a share that is not mounted is not made up for by a folder of its name.
    pub path: PathBuf,
}

impl Target for Folder {
    fn describe(&self) -> String {
        self.path.display().to_string()
    }

    fn mistakes(&self) -> Vec<String> {
        if self.path.is_absolute() {
            Vec::new()
        } else {
            vec!["path: a folder is named by its absolute path".to_owned()]
        }
    }

    fn open(&self) -> Result<Box<dyn FileSink>, Problem> {
        Ok(Box::new(self.clone()))
    }
}

impl Folder {
    fn put_now(&self, name: &str, from: &Path) -> io::Result<()> {
        if !self.path.is_dir() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the folder is not there: is the share mounted?"));
        }
        let path = self.path.join(name);
        let folder = path.parent().unwrap_or(&self.path);
        fs::create_dir_all(folder)?;
        let part = path.with_added_extension("part");
        let copied = (|| {
            let mut out = crate::delivery::create_private(&part)?;
            io::copy(&mut File::open(from)?, &mut out)?;
            out.sync_all()?;
            fs::rename(&part, &path)?;
            File::open(folder)?.sync_all()
        })();
        if copied.is_err() {
            // Room that a part takes is room the next attempt lacks.
            drop(fs::remove_file(&part));
        }
        copied
    }
}

impl FileSink for Folder {
    fn put<'a>(&'a mut self, name: &'a str, from: &'a Path) -> BoxFuture<'a, Result<(), Problem>> {
        let (folder, name, from) = (self.clone(), name.to_owned(), from.to_owned());
        Box::pin(async move {
            tokio::task::spawn_blocking(move || folder.put_now(&name, &from)).await?.map_err(Problem::from)
        })
    }

    fn read_back<'a>(&'a mut self, name: &'a str) -> BoxFuture<'a, Result<Option<Digest>, Problem>> {
        let path = self.path.join(name);
        Box::pin(async move {
            match tokio::task::spawn_blocking(move || digest_of(&path)).await? {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                found => Ok(Some(found?)),
            }
        })
    }
}
