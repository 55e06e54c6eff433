//! The envelope of a signature: CMS SignedData as PAdES baseline wants it (RFC 5652, RFC 5035): content type, digest, and which certificate.

use cms::{
    cert::{CertificateChoices, IssuerAndSerialNumber},
    content_info::{CmsVersion, ContentInfo},
    signed_data::{CertificateSet, EncapsulatedContentInfo, SignedData, SignerIdentifier, SignerInfo, SignerInfos},
};
use der::{
    Any, Decode as _, Encode as _, Reader as _, SliceReader, Tag,
    asn1::{ObjectIdentifier, OctetString, SetOfVec},
};
use sha2::{Digest as _, Sha256};
use x509_cert::{Certificate, attr::Attribute, spki::AlgorithmIdentifierOwned};

use super::{Identity, Scheme, Signer};
use crate::Error;

pub(super) const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

const DATA: ObjectIdentifier = oid("1.2.840.113549.1.7.1");
pub(super) const SIGNED_DATA: ObjectIdentifier = oid("1.2.840.113549.1.7.2");
pub(super) const CONTENT_TYPE: ObjectIdentifier = oid("1.2.840.113549.1.9.3");
pub(super) const MESSAGE_DIGEST: ObjectIdentifier = oid("1.2.840.113549.1.9.4");
pub(super) const SIGNING_CERTIFICATE: ObjectIdentifier = oid("1.2.840.113549.1.9.16.2.47");
pub(super) const SHA_256: ObjectIdentifier = oid("2.16.840.1.101.3.4.2.1");
const ECDSA_SHA_256: ObjectIdentifier = oid("1.2.840.10045.4.3.2");
const RSA_SHA_256: ObjectIdentifier = oid("1.2.840.113549.1.1.11");
/// `signature-time-stamp`: a token over the signature's value, beside what is signed.
const TIME_STAMP: ObjectIdentifier = oid("1.2.840.113549.1.9.16.2.14");

/// Signs a digest; gives the envelope in DER.
pub(super) fn seal(digest: [u8; 32], signer: &dyn Signer) -> Result<Vec<u8>, Error> {
    let identity = signer.identity();
    let attributes = attributes(digest, identity.certificate()).map_err(unwritable)?;
    let signature = signer.sign(&attributes.to_der().map_err(unwritable)?)?;
    envelope(attributes, &signature, identity, None).map_err(unwritable)
}

/// The most that an envelope of this signer measures, with a token of so many bytes, or without one.
pub(super) fn bytes_max(identity: &Identity, token_bytes: Option<usize>) -> Result<usize, Error> {
    let attributes = attributes([0; 32], identity.certificate()).map_err(unwritable)?;
    let longest = vec![0xff; identity.signature_bytes_max()];
    let token = token_bytes.map(|bytes| Any::new(Tag::Sequence, vec![0; bytes])).transpose().map_err(unwritable)?;
    Ok(envelope(attributes, &longest, identity, token).map_err(unwritable)?.len())
}

fn unwritable(_: der::Error) -> Error {
    Error::Corrupt("the signature could not be written".to_owned())
}

/// What is signed: which content, by its digest, under which certificate.
fn attributes(digest: [u8; 32], certificate: &Certificate) -> der::Result<SetOfVec<Attribute>> {
    let attribute = |oid, value| Ok::<_, der::Error>(Attribute { oid, values: SetOfVec::try_from(vec![value])? });
    SetOfVec::try_from(vec![
        attribute(CONTENT_TYPE, Any::encode_from(&DATA)?)?,
        attribute(MESSAGE_DIGEST, Any::new(Tag::OctetString, digest)?)?,
        attribute(SIGNING_CERTIFICATE, signing_certificate(certificate)?)?,
    ])
}

/// `SigningCertificateV2`: the SHA-256 of the certificate, which is that structure's default and therefore not named.
fn signing_certificate(certificate: &Certificate) -> der::Result<Any> {
    let hash = OctetString::new(Sha256::digest(certificate.to_der()?).to_vec())?.to_der()?;
    let id = Any::new(Tag::Sequence, hash)?.to_der()?;
    let ids = Any::new(Tag::Sequence, id)?.to_der()?;
    Any::new(Tag::Sequence, ids)
}

fn algorithm(oid: ObjectIdentifier, parameters: Option<Any>) -> AlgorithmIdentifierOwned {
    AlgorithmIdentifierOwned { oid, parameters }
}

fn envelope(
    attributes: SetOfVec<Attribute>,
    signature: &[u8],
    identity: &Identity,
    token: Option<Any>,
) -> der::Result<Vec<u8>> {
    let stamp = |token| Ok::<_, der::Error>(Attribute { oid: TIME_STAMP, values: SetOfVec::try_from(vec![token])? });
    let unsigned = token.map(|token| SetOfVec::try_from(vec![stamp(token)?])).transpose()?;
    let certificate = &identity.certificate().tbs_certificate;
    let signature_algorithm = match identity.scheme() {
        Scheme::EcdsaP256 => algorithm(ECDSA_SHA_256, None),
        Scheme::RsaPkcs1 => algorithm(RSA_SHA_256, Some(Any::null())),
    };
    let info = SignerInfo {
        version: CmsVersion::V1,
        sid: SignerIdentifier::IssuerAndSerialNumber(IssuerAndSerialNumber {
            issuer: certificate.issuer.clone(),
            serial_number: certificate.serial_number.clone(),
        }),
        digest_alg: algorithm(SHA_256, None),
        signed_attrs: Some(attributes),
        signature_algorithm,
        signature: OctetString::new(signature)?,
        unsigned_attrs: unsigned,
    };
    let chain = identity.chain().iter().cloned().map(CertificateChoices::Certificate).collect::<Vec<_>>();
    let signed = SignedData {
        version: CmsVersion::V1,
        digest_algorithms: SetOfVec::try_from(vec![algorithm(SHA_256, None)])?,
        encap_content_info: EncapsulatedContentInfo { econtent_type: DATA, econtent: None },
        certificates: Some(CertificateSet::try_from(chain)?),
        crls: None,
        signer_infos: SignerInfos::try_from(vec![info])?,
    };
    ContentInfo { content_type: SIGNED_DATA, content: Any::encode_from(&signed)? }.to_der()
}

/// An envelope that is one of ours to the last bit, so that nothing in it can be changed without being noticed.
pub(super) struct Envelope {
    identity: Identity,
    attributes: SetOfVec<Attribute>,
    /// What its attributes say the content's digest is.
    claimed: [u8; 32],
    signature: Vec<u8>,
    token: Option<Any>,
}

/// What an envelope turned out to be.
pub(super) enum Opened {
    /// Signed by the key of this certificate, over this digest.
    Good(Box<Identity>),
    /// Signed by that key over another digest.
    OtherContent,
    /// Not signed by the key of its certificate.
    BadSignature,
}

impl Envelope {
    /// Reads an envelope, which may be followed by zeros. `None`: it is none that [`seal`] or [`Envelope::with_token`] makes.
    pub(super) fn read(envelope: &[u8]) -> Option<Self> {
        let mut reader = SliceReader::new(envelope).ok()?;
        let content = ContentInfo::decode(&mut reader).ok()?;
        let (written, filling) = envelope.split_at_checked(usize::try_from(reader.position()).ok()?)?;
        if content.content_type != SIGNED_DATA || filling.iter().any(|byte| *byte != 0) {
            return None;
        }
        let signed: SignedData = content.content.decode_as().ok()?;
        let [info] = signed.signer_infos.0.as_slice() else { return None };
        let identity = Identity::new(find_signer(&signed, &info.sid)?)?;
        let attributes = info.signed_attrs.clone()?;
        let digest = value_of(&attributes, MESSAGE_DIGEST)?.decode_as::<OctetString>().ok()?;
        let token = info.unsigned_attrs.as_ref().and_then(|unsigned| value_of(unsigned, TIME_STAMP));
        let read = Self {
            identity,
            claimed: digest.as_bytes().try_into().ok()?,
            attributes,
            signature: info.signature.as_bytes().to_vec(),
            token,
        };
        let is_ours = self::attributes(read.claimed, read.identity.certificate()).ok()? == read.attributes
            && read.write(read.token.clone()).ok()? == written;
        is_ours.then_some(read)
    }

    fn write(&self, token: Option<Any>) -> der::Result<Vec<u8>> {
        envelope(self.attributes.clone(), &self.signature, &self.identity, token)
    }

    /// Holds it against the digest of a content.
    pub(super) fn open(self, digest: [u8; 32]) -> Option<Opened> {
        Some(if !self.identity.verifies(&self.attributes.to_der().ok()?, &self.signature) {
            Opened::BadSignature
        } else if self.claimed != digest {
            Opened::OtherContent
        } else {
            Opened::Good(Box::new(self.identity))
        })
    }

    /// What a time stamp is over: the digest of the signature's value.
    pub(super) fn imprint(&self) -> [u8; 32] {
        Sha256::digest(&self.signature).into()
    }

    /// The token that it bears.
    pub(super) fn token(&self) -> Option<Vec<u8>> {
        self.token.as_ref().and_then(|token| token.to_der().ok())
    }

    /// The same envelope with a token.
    pub(super) fn with_token(&self, token: &[u8]) -> Result<Vec<u8>, Error> {
        self.write(Some(Any::from_der(token).map_err(unwritable)?)).map_err(unwritable)
    }
}

/// The one value of an attribute.
pub(super) fn value_of(attributes: &SetOfVec<Attribute>, oid: ObjectIdentifier) -> Option<Any> {
    attributes.iter().find(|attribute| attribute.oid == oid)?.values.get(0).cloned()
}

/// The certificates of an envelope, the signer's first.
pub(super) fn find_signer(signed: &SignedData, signer: &SignerIdentifier) -> Option<Vec<Certificate>> {
    let SignerIdentifier::IssuerAndSerialNumber(id) = signer else { return None };
    let mut chain: Vec<Certificate> = signed
        .certificates
        .as_ref()?
        .0
        .iter()
        .filter_map(|choice| if let CertificateChoices::Certificate(one) = choice { Some(one.clone()) } else { None })
        .collect();
    let own = |one: &Certificate| {
        one.tbs_certificate.issuer == id.issuer && one.tbs_certificate.serial_number == id.serial_number
    };
    let at = chain.iter().position(own)?;
    chain.swap(0, at);
    Some(chain)
}
