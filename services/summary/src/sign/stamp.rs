//! Time stamps (RFC 3161): an authority says that a signature was there at a time. What is asked, what an answer must hold, and what a document's
//! stamp says to whoever checks it later. The network is the caller's.
//!
//! The authority gets the digest of a signature and a random number, and nothing else.

use std::{fmt, pin::Pin, sync::Arc};

use aws_lc_rs::digest;
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use cms::{content_info::ContentInfo, signed_data::SignedData};
use der::{
    Any, Decode as _, Encode as _, Reader as _, Sequence, SliceReader, Tag, Tagged as _,
    asn1::{Int, ObjectIdentifier, OctetString},
};
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime, pem::PemObject as _};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage};
use x509_cert::{Certificate, spki::AlgorithmIdentifierOwned};

use super::cms::{CONTENT_TYPE, MESSAGE_DIGEST, SHA_256, SIGNED_DATA, SIGNING_CERTIFICATE, find_signer, oid, value_of};
use crate::{Error, WhenUnavailable};

const TIME_STAMP_INFO: ObjectIdentifier = oid("1.2.840.113549.1.9.16.1.4");
/// `SigningCertificate`, which names its certificate by SHA-1.
const SIGNING_CERTIFICATE_V1: ObjectIdentifier = oid("1.2.840.113549.1.9.16.2.12");
const SHA_384: ObjectIdentifier = oid("2.16.840.1.101.3.4.2.2");
const SHA_512: ObjectIdentifier = oid("2.16.840.1.101.3.4.2.3");
/// The purpose `timeStamping`, 1.3.6.1.5.5.7.3.8, which an authority's certificate must name.
const FOR_TIME_STAMPING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 8];
/// Bytes of the number that ties an answer to its question.
const NONCE_BYTES: usize = 16;
/// The longest answer that is looked at, in bytes: a token with its certificates measures some thousands.
pub const ANSWER_BYTES_MAX: usize = 64 << 10;
/// How far an authority's clock may be from ours.
const SKEW_MAX: TimeDelta = TimeDelta::minutes(5);

/// Somebody who stamps.
pub trait TimeStamps: Send + Sync {
    /// The token over a digest (SHA-256), checked against what was asked and against the authorities that are trusted.
    fn token(&self, digest: [u8; 32]) -> Pin<Box<dyn Future<Output = Result<Vec<u8>, Error>> + Send + '_>>;
    /// The room that its tokens need, in bytes.
    fn token_bytes_max(&self) -> usize;
}

/// How documents are stamped.
#[derive(Clone)]
pub struct Stamping {
    /// Who is asked.
    pub authority: Arc<dyn TimeStamps>,
    /// What becomes of a document that cannot be stamped.
    pub when_unavailable: WhenUnavailable,
    /// Questions under way at once.
    pub questions_max: usize,
}

impl Stamping {
    /// The token over a digest; `None`: there is none, and the document may go without.
    ///
    /// # Errors
    /// [`Error::Unstamped`] if there is none and the document must wait.
    pub async fn token(&self, digest: [u8; 32]) -> Result<Option<Vec<u8>>, Error> {
        match (self.authority.token(digest).await, self.when_unavailable) {
            (Ok(token), _) => Ok(Some(token)),
            (Err(_), WhenUnavailable::Unstamped) => Ok(None),
            (Err(error), WhenUnavailable::Withhold) => Err(error),
        }
    }
}

/// Why a time stamp does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadStamp {
    /// The authority refused.
    #[error("the time-stamp authority refused to stamp")]
    Refused,
    /// It is no time stamp that this program can read.
    #[error("the time stamp cannot be read: {0}")]
    Malformed(&'static str),
    /// It is over something else.
    #[error("the time stamp is of another signature")]
    OtherContent,
    /// It answers another question.
    #[error("the time stamp answers another question")]
    OtherQuestion,
    /// It is not signed by the key of its certificate.
    #[error("the time stamp was not made with the key of its certificate")]
    Forged,
    /// No trusted authority vouches for who signed it, at its time and for this purpose.
    #[error("the time stamp is of an authority that is not trusted")]
    UnknownAuthority,
    /// Its time cannot be right.
    #[error("the time stamp's time is more than five minutes from that of the exchange")]
    WrongTime,
}

/// A time stamp that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamped {
    /// When the signature was there.
    pub at: DateTime<Utc>,
    /// Who says so, by the subject of the certificate.
    pub authority: String,
    /// Whether a trusted authority vouches for it; `false` too where none is known.
    pub is_trusted: bool,
}

/// Certificates that vouch for time-stamp authorities.
#[derive(Clone, Default)]
pub struct Authorities(Vec<TrustAnchor<'static>>);

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authorities({})", self.0.len())
    }
}

impl Authorities {
    /// Reads certificates in PEM: roots, or those of the authorities themselves.
    ///
    /// # Errors
    /// [`Error::Invalid`] if there is none, or one that cannot be read.
    pub fn from_pem(pem: &[u8]) -> Result<Self, Error> {
        let unreadable = || Error::invalid("the time-stamp authority", "expected certificates in PEM");
        let mut anchors = Vec::new();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|_| unreadable())?;
            anchors.push(webpki::anchor_from_trusted_cert(&certificate).map_err(|_| unreadable())?.to_owned());
        }
        if anchors.is_empty() { Err(unreadable()) } else { Ok(Self(anchors)) }
    }

    /// Whether none is known.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them vouches, over the certificates between, for this one at a time, as one that stamps.
    fn vouch_for(&self, signer: &EndEntityCert<'_>, between: &[CertificateDer<'_>], at: DateTime<Utc>) -> bool {
        let Ok(seconds) = u64::try_from(at.timestamp()) else { return false };
        let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        let usage = KeyUsage::required(FOR_TIME_STAMPING);
        signer.verify_for_usage(ALL_VERIFICATION_ALGS, &self.0, between, time, usage, None, None).is_ok()
    }
}

/// `MessageImprint`.
#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
struct Imprint {
    algorithm: AlgorithmIdentifierOwned,
    digest: OctetString,
}

/// `TimeStampReq`, without a policy of ours and without extensions.
#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
struct Request {
    version: u8,
    imprint: Imprint,
    nonce: Int,
    wants_certificates: bool,
}

/// What an authority is asked.
#[derive(Clone, Debug)]
pub struct Question {
    digest: [u8; 32],
    nonce: [u8; NONCE_BYTES],
}

impl Question {
    /// Asks about a digest (SHA-256), with a random number that nobody can foresee.
    pub fn new(digest: [u8; 32], mut random: [u8; NONCE_BYTES]) -> Self {
        // A positive number of full length: one way to write it.
        random[0] = random[0] & 0x3f | 0x40;
        Self { digest, nonce: random }
    }

    /// The question as it is sent (`application/timestamp-query`).
    ///
    /// # Errors
    /// [`Error::Corrupt`] if it cannot be written, which is a defect.
    pub fn to_der(&self) -> Result<Vec<u8>, Error> {
        let write = || {
            let algorithm = AlgorithmIdentifierOwned { oid: SHA_256, parameters: None };
            let imprint = Imprint { algorithm, digest: OctetString::new(self.digest)? };
            Request { version: 1, imprint, nonce: Int::new(&self.nonce)?, wants_certificates: true }.to_der()
        };
        write().map_err(|_: der::Error| Error::Corrupt("the question for a time stamp could not be written".to_owned()))
    }

    /// The token in an answer (`application/timestamp-reply`), if it is what was asked for, by a trusted authority, about now.
    ///
    /// # Errors
    /// What keeps it from counting.
    pub fn accept(&self, answer: &[u8], trusted: &Authorities, now: DateTime<Utc>) -> Result<Vec<u8>, BadStamp> {
        const GRANTED: [u8; 2] = [0, 1];
        const ANSWER: BadStamp = BadStamp::Malformed("the answer");
        let mut reader = SliceReader::new(answer).map_err(|_| ANSWER)?;
        let (status, token) = reader
            .sequence(|reader| {
                let status: u8 = reader.sequence(|status| {
                    let code = status.decode()?;
                    while !status.is_finished() {
                        status.decode::<Any>()?;
                    }
                    Ok(code)
                })?;
                let token = if reader.is_finished() { None } else { Some(reader.decode::<Any>()?) };
                Ok((status, token))
            })
            .map_err(|_: der::Error| ANSWER)?;
        if !reader.is_finished() {
            return Err(ANSWER);
        }
        let token = token.filter(|_| GRANTED.contains(&status)).ok_or(BadStamp::Refused)?;
        let token = token.to_der().map_err(|_| ANSWER)?;
        let opened = Opened::of(&token, self.digest)?;
        if opened.nonce.as_ref().map(Any::value) != Some(&self.nonce[..]) {
            return Err(BadStamp::OtherQuestion);
        }
        let stamped = opened.stamped(trusted);
        if !stamped.is_trusted {
            return Err(BadStamp::UnknownAuthority);
        }
        if (stamped.at - now).abs() > SKEW_MAX {
            return Err(BadStamp::WrongTime);
        }
        Ok(token)
    }
}

/// What the token of a document says.
pub(super) fn check(token: &[u8], digest: [u8; 32], trusted: &Authorities) -> Result<Stamped, BadStamp> {
    Ok(Opened::of(token, digest)?.stamped(trusted))
}

/// A token whose signature holds.
struct Opened {
    at: DateTime<Utc>,
    nonce: Option<Any>,
    /// The signer's certificate, then the others that came with it.
    chain: Vec<Certificate>,
}

impl Opened {
    fn of(token: &[u8], digest: [u8; 32]) -> Result<Self, BadStamp> {
        const TOKEN: BadStamp = BadStamp::Malformed("its envelope");
        let content = ContentInfo::from_der(token).map_err(|_| TOKEN)?;
        if content.content_type != SIGNED_DATA {
            return Err(TOKEN);
        }
        let signed: SignedData = content.content.decode_as().map_err(|_| TOKEN)?;
        let encapsulated = &signed.encap_content_info;
        let inner = encapsulated.econtent.as_ref().filter(|inner| inner.tag() == Tag::OctetString);
        let inner = inner.filter(|_| encapsulated.econtent_type == TIME_STAMP_INFO).ok_or(TOKEN)?.value();
        let info = Info::of(inner)?;
        if info.imprint.algorithm.oid != SHA_256 || info.imprint.digest.as_bytes() != digest {
            return Err(BadStamp::OtherContent);
        }
        let [signer] = signed.signer_infos.0.as_slice() else { return Err(TOKEN) };
        let chain = find_signer(&signed, &signer.sid).ok_or(BadStamp::Malformed("its certificate is not with it"))?;
        let attributes = signer.signed_attrs.as_ref().ok_or(TOKEN)?;
        let algorithm = algorithm(signer.digest_alg.oid).ok_or(BadStamp::Malformed("its digest"))?;
        let said = value_of(attributes, MESSAGE_DIGEST).and_then(|value| value.decode_as::<OctetString>().ok());
        let kind = value_of(attributes, CONTENT_TYPE).and_then(|value| value.decode_as::<ObjectIdentifier>().ok());
        let is_over = said.is_some_and(|said| said.as_bytes() == digest::digest(algorithm, inner).as_ref());
        let certificate = chain[0].to_der().map_err(|_| TOKEN)?;
        let names = |oid, of: &[u8]| value_of(attributes, oid).is_some_and(|value| begins_with(&value, of));
        let is_named = names(SIGNING_CERTIFICATE, digest::digest(&digest::SHA256, &certificate).as_ref())
            || names(SIGNING_CERTIFICATE_V1, digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &certificate).as_ref());
        let message = attributes.to_der().map_err(|_| TOKEN)?;
        let certificate = CertificateDer::from(certificate);
        let key = EndEntityCert::try_from(&certificate).map_err(|_| BadStamp::Malformed("its certificate"))?;
        let signature = signer.signature.as_bytes();
        let is_signed =
            ALL_VERIFICATION_ALGS.iter().any(|known| key.verify_signature(*known, &message, signature).is_ok());
        if !(is_over && is_named && is_signed && kind == Some(TIME_STAMP_INFO)) {
            return Err(BadStamp::Forged);
        }
        Ok(Self { at: info.at, nonce: info.nonce, chain })
    }

    fn stamped(&self, trusted: &Authorities) -> Stamped {
        let certificates: Vec<CertificateDer<'_>> =
            self.chain.iter().filter_map(|one| Some(CertificateDer::from(one.to_der().ok()?))).collect();
        let is_trusted = certificates.split_first().is_some_and(|(own, between)| {
            EndEntityCert::try_from(own).is_ok_and(|own| trusted.vouch_for(&own, between, self.at))
        });
        let authority = self.chain[0].tbs_certificate.subject.to_string();
        Stamped { at: self.at, authority, is_trusted }
    }
}

fn algorithm(oid: ObjectIdentifier) -> Option<&'static digest::Algorithm> {
    match oid {
        SHA_256 => Some(&digest::SHA256),
        SHA_384 => Some(&digest::SHA384),
        SHA_512 => Some(&digest::SHA512),
        _ => None,
    }
}

/// Whether the first certificate that a `SigningCertificate` or `SigningCertificateV2` names is named by this digest.
fn begins_with(value: &Any, digest: &[u8]) -> bool {
    let first = || {
        // ids, the first of them, its fields: an algorithm may stand before the digest where it is not the usual one.
        let ids = Any::from_der(value.value())?;
        let id = Any::from_der(SliceReader::new(ids.value())?.tlv_bytes()?)?;
        let mut fields = SliceReader::new(id.value())?;
        let one: Any = fields.decode()?;
        if one.tag() == Tag::Sequence { fields.decode() } else { Ok(one) }
    };
    first().is_ok_and(|found: Any| found.tag() == Tag::OctetString && found.value() == digest)
}

/// `TSTInfo`, as far as it is asked about.
struct Info {
    imprint: Imprint,
    at: DateTime<Utc>,
    nonce: Option<Any>,
}

impl Info {
    fn of(bytes: &[u8]) -> Result<Self, BadStamp> {
        const INFO: BadStamp = BadStamp::Malformed("what it states");
        let read = || {
            SliceReader::new(bytes)?.sequence(|reader| {
                let _version: u8 = reader.decode()?;
                let _policy: ObjectIdentifier = reader.decode()?;
                let imprint: Imprint = reader.decode()?;
                let _serial: Int = reader.decode()?;
                let at: Any = reader.decode()?;
                let mut nonce = None;
                // Of what may follow (accuracy, order, nonce, name, extensions) one is a number.
                while !reader.is_finished() {
                    let field: Any = reader.decode()?;
                    if field.tag() == Tag::Integer {
                        nonce = Some(field);
                    }
                }
                Ok((imprint, at, nonce))
            })
        };
        let (imprint, at, nonce) = read().map_err(|_: der::Error| INFO)?;
        let at = Some(at).filter(|at| at.tag() == Tag::GeneralizedTime).and_then(|at| time(at.value())).ok_or(INFO)?;
        Ok(Self { imprint, at, nonce })
    }
}

/// `YYYYMMDDHHMMSS[.fraction]Z`; a fraction is not asked about.
fn time(text: &[u8]) -> Option<DateTime<Utc>> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_plain = whole.len() == 14 && [whole, fraction].iter().all(|part| part.bytes().all(|b| b.is_ascii_digit()));
    NaiveDateTime::parse_from_str(whole, "%Y%m%d%H%M%S").ok().filter(|_| is_plain).map(|time| time.and_utc())
}
