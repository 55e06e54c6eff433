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
use tokio::sync::mpsc;

use super::LoadError;
use crate::store;

/// SHA-256 and size of a file.
pub(super) async fn digest(path: &Path) -> io::Result<([u8; 32], u64)> {
    let path = path.to_path_buf();
    let task = tokio::task::spawn_blocking(move || {
        let mut file = File::open(path)?;
        let mut hash = Sha256::new();
        let size = io::copy(&mut file, &mut hash)?;
        Ok((hash.finalize().into(), size))
    });
    task.await.map_err(io::Error::other)?
}

/// Keeps the file in compressed blocks, each a gzip member of its own: read one after the other they are the file.
pub(super) async fn store(
    conn: &mut PgConnection,
    batch: BatchId,
    path: &Path,
    name: &str,
    block_bytes: usize,
) -> Result<(), LoadError> {
    let unreadable = |source| LoadError::File { file: name.to_owned(), source };
    let (sender, mut blocks) = mpsc::channel::<Vec<u8>>(1);
    let path: PathBuf = path.to_path_buf();
    let reader = tokio::task::spawn_blocking(move || compress(&path, block_bytes, &sender));
    let mut number = 0;
    while let Some(block) = blocks.recv().await {
        store::insert_raw_block(conn, batch, number, &block).await?;
        number += 1;
    }
    reader.await.map_err(|_| LoadError::Stopped)?.map_err(unreadable)
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
