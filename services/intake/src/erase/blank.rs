//! Kept files, block by block: read back as the file they are, and written again with stretches overwritten by blanks.

use std::{
    collections::BTreeSet,
    io::{self, BufReader, Read, Write as _},
};

use flate2::{
    Compression,
    read::MultiGzDecoder,
    write::{GzEncoder, MultiGzDecoder as Unpacker},
};
use model::BatchId;
use sha2::{Digest as _, Sha256};
use sqlx::PgConnection;
use tokio::sync::mpsc;

use super::records::{Stretch, Wanted, find};
use crate::{load::LoadError, store::erase as store};

/// Blocks that may wait between the database and the search.
const BLOCKS_WAITING_MAX: usize = 2;

/// The first bytes of a packed file.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The blocks of a file as they come, read one after the other.
struct Blocks {
    coming: mpsc::Receiver<Vec<u8>>,
    block: io::Cursor<Vec<u8>>,
}

impl Read for Blocks {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.block.read(into)?;
            if count > 0 || into.is_empty() {
                return Ok(count);
            }
            match self.coming.blocking_recv() {
                Some(block) => self.block = io::Cursor::new(block),
                None => return Ok(0),
            }
        }
    }
}

/// Finds records in the kept file of a batch.
pub(super) async fn search(
    conn: &mut PgConnection,
    batch: BatchId,
    layout: Option<&str>,
    wanted: &Wanted,
) -> Result<Vec<Stretch>, LoadError> {
    let (sender, coming) = mpsc::channel(BLOCKS_WAITING_MAX);
    let (layout, wanted) = (layout.map(str::to_owned), wanted.clone());
    let search = tokio::task::spawn_blocking(move || {
        let blocks = Blocks { coming, block: io::Cursor::new(Vec::new()) };
        let mut file = BufReader::new(MultiGzDecoder::new(blocks));
        let first = io::BufRead::fill_buf(&mut file)?;
        if first.starts_with(&GZIP) {
            find(&mut BufReader::new(MultiGzDecoder::new(file)), layout.as_deref(), &wanted)
        } else {
            find(&mut file, layout.as_deref(), &wanted)
        }
    });
    let mut after = -1;
    while let Some((number, block)) = store::find_block_after(conn, batch, after).await? {
        after = number;
        if sender.send(block).await.is_err() {
            break;
        }
    }
    drop(sender);
    let found = search.await.map_err(|_| LoadError::Stopped)?;
    found.map_err(|source| LoadError::File { file: format!("the kept file of batch {batch}"), source })
}

/// Overwrites stretches of the kept file of a batch, enters its new hash and says which lines were blanked. The blocks are written anew under numbers of
/// their own and take the old ones' place at the end.
pub(super) async fn blank(
    conn: &mut PgConnection,
    batch: BatchId,
    stretches: Vec<Stretch>,
) -> Result<BTreeSet<u32>, LoadError> {
    let lines = stretches.iter().map(|stretch| stretch.line).collect();
    if stretches.is_empty() {
        return Ok(lines);
    }
    let mut rewriter = Some(Rewriter::new(stretches));
    let (mut after, mut written) = (-1, 0);
    loop {
        let next = store::find_block_after(conn, batch, after).await?;
        let is_last = next.is_none();
        let (mut taken, block) = (rewriter.take(), next.as_ref().map(|(_, block)| block.clone()));
        let step = tokio::task::spawn_blocking(move || {
            let out = taken.as_mut().map(|rewriter| rewriter.push(block.as_deref())).transpose();
            (taken, out)
        });
        let (given_back, out) = step.await.map_err(|_| LoadError::Stopped)?;
        rewriter = given_back;
        let out = out.map_err(|source| LoadError::File { file: format!("the kept file of batch {batch}"), source })?;
        for block in out.unwrap_or_default() {
            written += 1;
            store::insert_block(conn, batch, -written, &block).await?;
        }
        if let Some((number, _)) = next {
            after = number;
        }
        if is_last {
            break;
        }
    }
    let sha256: [u8; 32] = rewriter.map(|rewriter| rewriter.hash.finalize().into()).unwrap_or_default();
    store::replace_blocks(conn, batch, &sha256).await?;
    Ok(lines)
}

/// A file that came packed is unpacked, and packed again.
type Packed = (Unpacker<Vec<u8>>, GzEncoder<Vec<u8>>);

/// Takes blocks as they are kept and gives blocks as they are to be kept.
struct Rewriter {
    stretches: Vec<Stretch>,
    at: u64,
    packed: Option<Packed>,
    has_begun: bool,
    hash: Sha256,
}

impl Rewriter {
    fn new(mut stretches: Vec<Stretch>) -> Self {
        stretches.sort_unstable();
        Self { stretches, at: 0, packed: None, has_begun: false, hash: Sha256::new() }
    }

    /// The blocks that a block becomes; `None` ends the file.
    fn push(&mut self, block: Option<&[u8]>) -> io::Result<Vec<Vec<u8>>> {
        let mut bytes = Vec::new();
        if let Some(block) = block {
            MultiGzDecoder::new(block).read_to_end(&mut bytes)?;
        }
        if !self.has_begun {
            self.has_begun = true;
            let packed = || (Unpacker::new(Vec::new()), GzEncoder::new(Vec::new(), Compression::fast()));
            self.packed = bytes.starts_with(&GZIP).then(packed);
        }
        let out = if let Some((mut unpacker, mut packer)) = self.packed.take() {
            unpacker.write_all(&bytes)?;
            if block.is_none() {
                unpacker.try_finish()?;
            }
            let mut plain = std::mem::take(unpacker.get_mut());
            self.overwrite(&mut plain);
            packer.write_all(&plain)?;
            if block.is_none() {
                packer.finish()?
            } else {
                let out = std::mem::take(packer.get_mut());
                self.packed = Some((unpacker, packer));
                out
            }
        } else {
            self.overwrite(&mut bytes);
            bytes
        };
        if out.is_empty() {
            return Ok(Vec::new());
        }
        self.hash.update(&out);
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&out)?;
        Ok(vec![encoder.finish()?])
    }

    /// Blanks what of the stretches lies in the next bytes of the file. Line ends stay, so that every other line keeps its number.
    fn overwrite(&mut self, bytes: &mut [u8]) {
        let (from, to) = (self.at, self.at + bytes.len() as u64);
        self.at = to;
        for stretch in self.stretches.iter().filter(|stretch| stretch.from < to && stretch.to > from) {
            let begin = usize::try_from(stretch.from.saturating_sub(from)).unwrap_or(0);
            let end = usize::try_from(stretch.to.min(to) - from).unwrap_or(0);
            for byte in bytes.get_mut(begin..end).into_iter().flatten() {
                if !matches!(byte, b'\n' | b'\r') {
                    *byte = b' ';
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(parts: &[&[u8]]) -> Vec<Vec<u8>> {
        let pack = |part: &&[u8]| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(part).expect("memory");
            encoder.finish().expect("memory")
        };
        parts.iter().map(pack).collect()
    }

    fn unpacked(blocks: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let all = blocks.concat();
        MultiGzDecoder::new(all.as_slice()).read_to_end(&mut bytes).expect("gzip members");
        bytes
    }

    fn check(parts: &[&[u8]], stretches: &[(u64, u64)], expect: &[u8]) {
        let stretches = stretches.iter().map(|(from, to)| Stretch { from: *from, to: *to, line: 1 }).collect();
        let mut rewriter = Rewriter::new(stretches);
        let mut out = Vec::new();
        for block in kept(parts) {
            out.extend(rewriter.push(Some(&block)).expect("a block"));
        }
        out.extend(rewriter.push(None).expect("the end"));
        let file = unpacked(&out);
        assert_eq!(<[u8; 32]>::from(rewriter.hash.finalize()), <[u8; 32]>::from(Sha256::digest(&file)));
        let plain = if file.starts_with(&GZIP) { unpacked(&[file]) } else { file };
        assert_eq!(String::from_utf8_lossy(&plain), String::from_utf8_lossy(expect));
    }

    #[test]
    fn stretches_are_blanked_over_the_borders_of_blocks() {
        check(&[b"one\ntw", b"o\nthree\n"], &[(4, 7)], b"one\n   \nthree\n");
        check(&[b"one\ntw", b"o\nthree\n"], &[(0, 3), (8, 13)], b"   \ntwo\n     \n");
        check(&[b"a\nb"], &[(0, 3)], b" \n ");
    }

    #[test]
    fn a_file_that_came_packed_stays_packed() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(b"one\ntwo\nthree\n").expect("memory");
        let packed = encoder.finish().expect("memory");
        let (first, second) = packed.split_at(packed.len() / 2);
        check(&[first, second], &[(4, 7)], b"one\n   \nthree\n");
    }
}
