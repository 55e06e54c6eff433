//! Signing a document, and checking one that was signed: PAdES baseline B-B (ETSI EN 319 142-1), as the last step and an incremental
//! update, so that the bytes before it are those of the unsigned document; with a time stamp over the signature ([`add_token`]), B-T.
//!
//! The same document, key, certificate and time give the same bytes: ECDSA is deterministic (RFC 6979), RSA is PKCS#1 v1.5. A token
//! (PKCS#11) draws its own chance, and its documents differ in their signatures.

mod cms;
mod key;
pub(crate) mod packed;
mod stamp;
mod verify;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};

pub use key::{Identity, KeyFile, Scheme, Signer, ecdsa_der};
pub use stamp::{ANSWER_BYTES_MAX, Authorities, BadStamp, Question, Stamped, Stamping, TimeStamps};
pub use verify::{Unverified, Verified, add_token, imprint, verify};

use crate::{Error, Form, pack};
use packed::Packed;

/// Where the signature's place is told, before it is known: as wide as any file needs.
const BYTE_RANGE: &str = "[0 0000000000 0000000000 0000000000]";

/// What a document is signed with.
#[derive(Clone, Copy)]
pub struct Seal<'a> {
    /// The key.
    pub signer: &'a dyn Signer,
    /// The caller's claim; it stands in the document. What proves when a document was there is its entry in the ledger, and a time stamp.
    pub at: DateTime<Utc>,
    /// Room for a time stamp of at most so many bytes, if one is to be added.
    pub token_bytes_max: Option<usize>,
}

/// What seals documents, as it is configured: a key, and an authority that stamps its signatures with the time.
#[derive(Clone, Default)]
pub struct Seals {
    /// The key, if there is one.
    pub signer: Option<Arc<dyn Signer>>,
    /// The authority, if there is one.
    pub stamping: Option<Stamping>,
}

impl Seals {
    /// What a document of this time is signed with.
    pub fn of(&self, at: DateTime<Utc>) -> Option<Seal<'_>> {
        let token_bytes_max = self.stamping.as_ref().map(|stamping| stamping.authority.token_bytes_max());
        self.signer.as_deref().map(|signer| Seal { signer, at, token_bytes_max })
    }

    /// Who stamps documents of this form, if anybody does.
    pub fn stamping(&self, form: Form) -> Option<&Stamping> {
        self.stamping.as_ref().filter(|_| form.is_signable() && self.signer.is_some())
    }
}

/// Signs a document of this crate. It must not be signed yet.
pub fn sign(pdf: &[u8], seal: Seal<'_>) -> Result<Vec<u8>, Error> {
    let Seal { signer, at, token_bytes_max } = seal;
    let file = Packed::read(pdf)?;
    let (page, catalog) = (file.first_page()?, file.root()?);
    let (signature, field, stream, table) = (file.size, file.size + 1, file.size + 2, file.size + 3);
    let mut out = Vec::with_capacity(pdf.len() + 16_384);
    out.extend_from_slice(pdf);
    out.push(b'\n');
    let room = cms::bytes_max(signer.identity(), token_bytes_max)?;
    let signature_at = out.len();
    let (range_at, contents_at) = write_signature(&mut out, signature, room, at);
    let field_body = format!(
        "<</Type/Annot/Subtype/Widget/FT/Sig/T(Signature)/TU(Signature)/F 132/Rect[0 0 0 0]/P {page} 0 R/V {signature} 0 R>>"
    );
    let mut changed = [
        (page, with_field(&file.object(page)?, field)?),
        (catalog, with_form(&file.object(catalog)?, field)?),
        (field, field_body.into_bytes()),
    ];
    changed.sort_unstable_by_key(|(number, _)| *number);
    let stream_at = out.len();
    let objects: Vec<(usize, &[u8])> = changed.iter().map(|(number, body)| (*number, body.as_slice())).collect();
    let mut deflater = pack::Deflater::new();
    pack::write_object_stream(&mut out, stream, &objects, &mut deflater)?;
    let mut entries: Vec<(usize, pack::Entry)> = objects
        .iter()
        .enumerate()
        .map(|(index, (number, _))| (*number, pack::Entry::Inside { stream, index }))
        .collect();
    entries.push((signature, pack::Entry::At(signature_at)));
    entries.push((stream, pack::Entry::At(stream_at)));
    pack::write_update(&mut out, table, entries, &file, &mut deflater)?;
    fill(&mut out, (range_at, contents_at, room), signer)?;
    Ok(out)
}

/// Writes the signature's dictionary with room for what is not known yet; gives where the range and the contents stand.
fn write_signature(out: &mut Vec<u8>, number: usize, room: usize, at: DateTime<Utc>) -> (usize, usize) {
    let time = at.format("D:%Y%m%d%H%M%SZ");
    let head =
        format!("{number} 0 obj\n<</Type/Sig/Filter/Adobe.PPKLite/SubFilter/ETSI.CAdES.detached/M({time})/ByteRange");
    out.extend_from_slice(head.as_bytes());
    let range_at = out.len();
    out.extend_from_slice(BYTE_RANGE.as_bytes());
    out.extend_from_slice(b"/Contents");
    let contents_at = out.len();
    out.push(b'<');
    out.resize(out.len() + 2 * room, b'0');
    out.extend_from_slice(b">>>\nendobj\n");
    (range_at, contents_at)
}

/// Puts range, digest and signature into their places.
fn fill(
    out: &mut [u8],
    (range_at, contents_at, room): (usize, usize, usize),
    signer: &dyn Signer,
) -> Result<(), Error> {
    let after = contents_at + 2 * room + 2;
    let range = format!("[0 {contents_at:010} {after:010} {:010}]", out.len() - after);
    out[range_at..range_at + range.len()].copy_from_slice(range.as_bytes());
    let mut digest = Sha256::new();
    digest.update(&out[..contents_at]);
    digest.update(&out[after..]);
    let envelope = cms::seal(digest.finalize().into(), signer)?;
    let hex = hex::encode(envelope);
    let place = out
        .get_mut(contents_at + 1..contents_at + 1 + hex.len())
        .filter(|_| hex.len() <= 2 * room)
        .ok_or_else(|| Error::Corrupt("the signature needs more room than it was given".to_owned()))?;
    place.copy_from_slice(hex.as_bytes());
    Ok(())
}

/// The first page with the signature's field among its annotations.
fn with_field(page: &[u8], field: usize) -> Result<Vec<u8>, Error> {
    let text = dictionary(page)?;
    let with_annotation = match text.split_once("/Annots[") {
        Some((before, after)) => format!("{before}/Annots[{field} 0 R {after}"),
        None if text.contains("/Annots") => {
            return Err(Error::Corrupt("the first page's annotations lie elsewhere".to_owned()));
        }
        None => format!("{text}/Annots[{field} 0 R]"),
    };
    let tabs = if text.contains("/Tabs") { "" } else { "/Tabs/S" };
    Ok(format!("<<{with_annotation}{tabs}>>").into_bytes())
}

/// The catalog with the form that holds the field.
fn with_form(catalog: &[u8], field: usize) -> Result<Vec<u8>, Error> {
    let text = dictionary(catalog)?;
    if text.contains("/AcroForm") {
        return Err(Error::Precondition("the document is signed already"));
    }
    Ok(format!("<<{text}/AcroForm<</Fields[{field} 0 R]/SigFlags 3>>>>").into_bytes())
}

/// The inside of a dictionary.
fn dictionary(object: &[u8]) -> Result<&str, Error> {
    let text = std::str::from_utf8(object.trim_ascii()).ok();
    text.and_then(|text| text.strip_prefix("<<")?.strip_suffix(">>"))
        .ok_or_else(|| Error::Corrupt("an object of the document is no dictionary".to_owned()))
}
