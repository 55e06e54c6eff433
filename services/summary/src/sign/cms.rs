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

const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

const DATA: ObjectIdentifier = oid("1.2.840.113549.1.7.1");
const SIGNED_DATA: ObjectIdentifier = oid("1.2.840.113549.1.7.2");
const CONTENT_TYPE: ObjectIdentifier = oid("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = oid("1.2.840.113549.1.9.4");
const SIGNING_CERTIFICATE: ObjectIdentifier = oid("1.2.840.113549.1.9.16.2.47");
const SHA_256: ObjectIdentifier = oid("2.16.840.1.101.3.4.2.1");
const ECDSA_SHA_256: ObjectIdentifier = oid("1.2.840.10045.4.3.2");
const RSA_SHA_256: ObjectIdentifier = oid("1.2.840.113549.1.1.11");

/// Signs a digest; gives the envelope in DER.
pub(super) fn seal(digest: [u8; 32], signer: &dyn Signer) -> Result<Vec<u8>, Error> {
    let identity = signer.identity();
    let attributes = attributes(digest, identity.certificate()).map_err(unwritable)?;
    let signature = signer.sign(&attributes.to_der().map_err(unwritable)?)?;
    envelope(attributes, &signature, identity).map_err(unwritable)
}

/// The most that an envelope of this signer measures.
pub(super) fn bytes_max(identity: &Identity) -> Result<usize, Error> {
    let attributes = attributes([0; 32], identity.certificate()).map_err(unwritable)?;
    let longest = vec![0xff; identity.signature_bytes_max()];
    Ok(envelope(attributes, &longest, identity).map_err(unwritable)?.len())
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

fn envelope(attributes: SetOfVec<Attribute>, signature: &[u8], identity: &Identity) -> der::Result<Vec<u8>> {
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
        unsigned_attrs: None,
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

/// What an envelope turned out to be.
pub(super) enum Opened {
    /// Signed by the key of this certificate, over this digest.
    Good(Box<Identity>),
    /// Signed by that key over another digest.
    OtherContent,
    /// Not signed by the key of its certificate.
    BadSignature,
}

/// Opens an envelope, which may be followed by zeros. `None`: it is none that [`seal`] makes, to the last bit, so that nothing in it
/// can be changed without being noticed.
pub(super) fn open(envelope: &[u8], digest: [u8; 32]) -> Option<Opened> {
    let mut reader = SliceReader::new(envelope).ok()?;
    let content = ContentInfo::decode(&mut reader).ok()?;
    let (written, filling) = envelope.split_at_checked(usize::try_from(reader.position()).ok()?)?;
    if content.content_type != SIGNED_DATA || filling.iter().any(|byte| *byte != 0) {
        return None;
    }
    let signed: SignedData = content.content.decode_as().ok()?;
    let [info] = signed.signer_infos.0.as_slice() else { return None };
    let identity = Identity::new(chain(&signed, &info.sid)?)?;
    let attributes = info.signed_attrs.clone()?;
    let value = |oid| attributes.iter().find(|attribute| attribute.oid == oid)?.values.get(0).cloned();
    let signed_digest = value(MESSAGE_DIGEST)?.decode_as::<OctetString>().ok()?;
    let claimed: [u8; 32] = signed_digest.as_bytes().try_into().ok()?;
    let is_ours = self::attributes(claimed, identity.certificate()).ok()? == attributes
        && self::envelope(attributes.clone(), info.signature.as_bytes(), &identity).ok()? == written;
    if !is_ours {
        return None;
    }
    Some(if !identity.verifies(&attributes.to_der().ok()?, info.signature.as_bytes()) {
        Opened::BadSignature
    } else if claimed != digest {
        Opened::OtherContent
    } else {
        Opened::Good(Box::new(identity))
    })
}

/// The certificates of an envelope, the signer's first.
fn chain(signed: &SignedData, signer: &SignerIdentifier) -> Option<Vec<Certificate>> {
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
