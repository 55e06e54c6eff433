//! The bytes as received: their digest, and the blocks they are kept in.

use std::{
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};
use model::BatchId;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use tokio::{sync::mpsc, task::JoinHandle};

use super::LoadError;
use crate::store;

/// SHA-256 and size of a file, taken on a blocking thread.
pub(super) fn digest(path: &Path) -> JoinHandle<io::Result<([u8; 32], u64)>> {
    let path = path.to_path_buf();
    tokio::task::spawn_blocking(move || {
        let mut file = File::open(path)?;
        let mut hash = Sha256::new();
        let size = io::copy(&mut file, &mut hash)?;
        Ok((hash.finalize().into(), size))
    })
}

/// The file in compressed blocks, made on a blocking thread, each a gzip member of its own: read one after the other they are the file.
pub(super) struct Packed {
    pub(super) blocks: mpsc::Receiver<Vec<u8>>,
    packer: JoinHandle<io::Result<()>>,
}

impl Packed {
    pub(super) fn begin(path: &Path, block_bytes: usize) -> Self {
        let (sender, blocks) = mpsc::channel(1);
        let path: PathBuf = path.to_path_buf();
        let packer = tokio::task::spawn_blocking(move || compress(&path, block_bytes, &sender));
        Self { blocks, packer }
    }

    /// Says whether it could be read to its end, or as far as it was wanted.
    pub(super) async fn end(self, name: &str) -> Result<(), LoadError> {
        drop(self.blocks);
        let packed = self.packer.await.map_err(|_| LoadError::Stopped)?;
        packed.map_err(|source| LoadError::File { file: name.to_owned(), source })
    }
}

/// Keeps a whole file.
pub(super) async fn store(
    conn: &mut PgConnection,
    batch: BatchId,
    path: &Path,
    name: &str,
    block_bytes: usize,
) -> Result<(), LoadError> {
    let mut packed = Packed::begin(path, block_bytes);
    let mut number = 0;
    while let Some(block) = packed.blocks.recv().await {
        store::insert_raw_block(conn, batch, number, &block).await?;
        number += 1;
    }
    packed.end(name).await
}

fn compress(path: &Path, block_bytes: usize, blocks: &mpsc::Sender<Vec<u8>>) -> io::Result<()> {
    let mut file = File::open(path)?;
    loop {
        let mut block = Vec::with_capacity(block_bytes);
        (&mut file).take(block_bytes as u64).read_to_end(&mut block)?;
        if block.is_empty() {
            return Ok(());
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&block)?;
        if blocks.blocking_send(encoder.finish()?).is_err() {
            return Ok(());
        }
    }
}
