//! A time-stamp authority (RFC 3161) with a key of its own, and with bad habits.

use chrono::{DateTime, TimeDelta, Utc};
use cms::{
    cert::{CertificateChoices, IssuerAndSerialNumber},
    content_info::{CmsVersion, ContentInfo},
    signed_data::{CertificateSet, EncapsulatedContentInfo, SignedData, SignerIdentifier, SignerInfo, SignerInfos},
};
use der::{
    Any, Decode as _, Encode as _, Tag,
    asn1::{ObjectIdentifier, OctetString, SetOfVec},
};
use p256::{
    ecdsa::{Signature, SigningKey, signature::Signer as _},
    pkcs8::DecodePrivateKey as _,
};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use sha2::{Digest as _, Sha256};
use x509_cert::{Certificate, attr::Attribute, spki::AlgorithmIdentifierOwned};

/// What an authority does with a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// Answers as it should.
    Honest,
    /// Stamps another digest.
    OtherDigest,
    /// Answers with another number.
    OtherNonce,
    /// Says no.
    Refuses,
    /// Says something that is no answer.
    Garbage,
    /// Signs with a key that is not its certificate's.
    Forges,
    /// Gives an hour ago as its time.
    Late,
}

/// An authority under a root.
pub struct Authority {
    key: SigningKey,
    certificate: Certificate,
    /// The root's certificate, PEM.
    pub root: String,
}

const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

const SHA_256: ObjectIdentifier = oid("2.16.840.1.101.3.4.2.1");
const TIME_STAMP_INFO: ObjectIdentifier = oid("1.2.840.113549.1.9.16.1.4");

fn plain(oid: ObjectIdentifier) -> AlgorithmIdentifierOwned {
    AlgorithmIdentifierOwned { oid, parameters: None }
}

fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    Any::new(Tag::Sequence, parts.concat()).and_then(|any| any.to_der()).expect("DER")
}

fn der(value: &impl der::Encode) -> Vec<u8> {
    value.to_der().expect("DER")
}

impl Authority {
    /// One whose certificate names a purpose.
    pub fn new(purpose: ExtendedKeyUsagePurpose) -> Self {
        let params = |name: &str| {
            let mut params = CertificateParams::new(Vec::new()).expect("parameters");
            params.distinguished_name.push(DnType::CommonName, name);
            params
        };
        let mut root = params("Root of time stamps (test)");
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let root_key = KeyPair::generate().expect("a key");
        let root_pem = root.self_signed(&root_key).expect("a certificate").pem();
        let key = KeyPair::generate().expect("a key");
        let mut own = params("Authority for time stamps (test)");
        own.extended_key_usages = vec![purpose];
        let certificate = own.signed_by(&key, &Issuer::new(root, root_key)).expect("a certificate");
        Self {
            key: SigningKey::from_pkcs8_pem(&key.serialize_pem()).expect("a key"),
            certificate: Certificate::from_der(certificate.der()).expect("a certificate"),
            root: root_pem,
        }
    }

    /// The answer to a question.
    pub fn answer(&self, question: &[u8], at: DateTime<Utc>, habit: Habit) -> Vec<u8> {
        match habit {
            Habit::Garbage => b"<html>the service is being maintained</html>".to_vec(),
            Habit::Refuses => sequence(&[sequence(&[der(&2_u8)])]),
            _ => sequence(&[sequence(&[der(&0_u8)]), self.token(question, at, habit)]),
        }
    }

    fn token(&self, question: &[u8], at: DateTime<Utc>, habit: Habit) -> Vec<u8> {
        let asked = Any::from_der(question).expect("a sequence");
        let mut fields = Vec::new();
        let mut rest = asked.value();
        while !rest.is_empty() {
            let (header, body) = (usize::from(rest[1]) + 2, rest);
            assert!(rest[1] < 0x80, "the fields of a question are short");
            fields.push(body[..header].to_vec());
            rest = &rest[header..];
        }
        let [_version, mut imprint, mut nonce, _] = <[Vec<u8>; 4]>::try_from(fields).expect("four fields");
        let flip = |bytes: &mut Vec<u8>, is_so: bool| *bytes.last_mut().expect("a byte") ^= u8::from(is_so);
        flip(&mut imprint, habit == Habit::OtherDigest);
        flip(&mut nonce, habit == Habit::OtherNonce);
        let at = if habit == Habit::Late { at - TimeDelta::hours(1) } else { at };
        let time =
            Any::new(Tag::GeneralizedTime, at.format("%Y%m%d%H%M%S.5Z").to_string().into_bytes()).expect("a time");
        let accuracy = sequence(&[der(&1_u8)]);
        let info = sequence(&[der(&1_u8), der(&oid("1.2.3.4.1")), imprint, der(&7_u8), der(&time), accuracy, nonce]);
        self.signed(info, habit)
    }

    fn signed(&self, info: Vec<u8>, habit: Habit) -> Vec<u8> {
        let attribute =
            |oid, value| Attribute { oid, values: SetOfVec::try_from(vec![value]).expect("a set of one value") };
        let own = Sha256::digest(der(&self.certificate)).to_vec();
        let named = sequence(&[sequence(&[sequence(&[der(&OctetString::new(own).expect("a digest"))])])]);
        let attributes = SetOfVec::try_from(vec![
            attribute(oid("1.2.840.113549.1.9.3"), Any::encode_from(&TIME_STAMP_INFO).expect("an OID")),
            attribute(
                oid("1.2.840.113549.1.9.4"),
                Any::new(Tag::OctetString, Sha256::digest(&info).to_vec()).expect("a digest"),
            ),
            attribute(oid("1.2.840.113549.1.9.16.2.47"), Any::from_der(&named).expect("a sequence")),
        ])
        .expect("attributes");
        let key =
            if habit == Habit::Forges { SigningKey::from_slice(&[7; 32]).expect("a key") } else { self.key.clone() };
        let signature: Signature = key.sign(&der(&attributes));
        let tbs = &self.certificate.tbs_certificate;
        let signer = SignerInfo {
            version: CmsVersion::V1,
            sid: SignerIdentifier::IssuerAndSerialNumber(IssuerAndSerialNumber {
                issuer: tbs.issuer.clone(),
                serial_number: tbs.serial_number.clone(),
            }),
            digest_alg: plain(SHA_256),
            signed_attrs: Some(attributes),
            signature_algorithm: plain(oid("1.2.840.10045.4.3.2")),
            signature: OctetString::new(signature.to_der().as_bytes()).expect("a signature"),
            unsigned_attrs: None,
        };
        let certificate = CertificateChoices::Certificate(self.certificate.clone());
        let signed = SignedData {
            version: CmsVersion::V3,
            digest_algorithms: SetOfVec::try_from(vec![plain(SHA_256)]).expect("a set"),
            encap_content_info: EncapsulatedContentInfo {
                econtent_type: TIME_STAMP_INFO,
                econtent: Some(Any::new(Tag::OctetString, info).expect("a content")),
            },
            certificates: Some(CertificateSet::try_from(vec![certificate]).expect("a set")),
            crls: None,
            signer_infos: SignerInfos::try_from(vec![signer]).expect("a set"),
        };
        let content = Any::encode_from(&signed).expect("DER");
        der(&ContentInfo { content_type: oid("1.2.840.113549.1.7.2"), content })
    }
}
