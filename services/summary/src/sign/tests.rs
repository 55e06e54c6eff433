//! Signed, checked, and tampered with.

use chrono::{DateTime, Utc};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, SignatureAlgorithm};

use super::{Authorities, Identity, KeyFile, Seal, Signer, Unverified, Verified};
use crate::{Error, Form, Origin, RenderOptions, from_json, render};

fn document(form: Form) -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/full.json");
    let summary = from_json(&std::fs::read(path).expect("a fixture")).expect("a summary");
    render(&summary, RenderOptions { origin: Origin::Exchange, form, ..RenderOptions::default() }).expect("a document")
}

fn at() -> DateTime<Utc> {
    "2026-11-20T22:15:00Z".parse().expect("a time")
}

fn sign(pdf: &[u8], signer: &KeyFile, at: DateTime<Utc>) -> Result<Vec<u8>, Error> {
    super::sign(pdf, Seal { signer, at, token_bytes_max: None })
}

fn verify(pdf: &[u8], trusted: &[Identity]) -> Result<Verified, Unverified> {
    super::verify(pdf, trusted, &Authorities::default())
}

fn pems(algorithm: &'static SignatureAlgorithm) -> (String, String) {
    let key = KeyPair::generate_for(algorithm).expect("a key");
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.distinguished_name.push(rcgen::DnType::CommonName, "State Department of Education (test)");
    (key.serialize_pem(), params.self_signed(&key).expect("a certificate").pem())
}

fn key(algorithm: &'static SignatureAlgorithm) -> KeyFile {
    let (key, certificate) = pems(algorithm);
    KeyFile::from_pem(key.as_bytes(), certificate.as_bytes()).expect("a signing key")
}

#[test]
fn a_signed_document_begins_with_the_unsigned_one_and_is_reproducible() {
    for algorithm in [&PKCS_ECDSA_P256_SHA256, &PKCS_RSA_SHA256] {
        let key = key(algorithm);
        for form in [Form::Pdf, Form::OnePage, Form::PdfWithRecord] {
            let plain = document(form);
            let signed = sign(&plain, &key, at()).expect("signed");
            assert!(signed.starts_with(&plain));
            assert!(signed == sign(&plain, &key, at()).expect("signed"), "the same time gives the same bytes");
            let verified = verify(&signed, &[key.identity().clone()]).expect("it holds");
            assert!(verified.is_trusted && verified.subject.contains("State Department of Education (test)"));
            assert_eq!(verified.claimed_at.as_deref(), Some("D:20261120221500Z"));
            assert!(!verify(&signed, &[]).expect("it holds").is_trusted);
            assert_eq!(verify(&plain, &[]), Err(Unverified::NotSigned));
            let again = sign(&signed, &key, at());
            assert!(matches!(again, Err(Error::Precondition(_))), "nothing is signed twice");
        }
    }
}

#[test]
fn no_byte_can_be_changed_added_or_taken_away() {
    let key = key(&PKCS_ECDSA_P256_SHA256);
    let signed = sign(&document(Form::Pdf), &key, at()).expect("signed");
    let other = self::key(&PKCS_ECDSA_P256_SHA256);
    let trusted = [key.identity().clone(), other.identity().clone()];
    let start = signed.windows(11).rposition(|window| window == b"/ByteRange[").expect("a range");
    // Bytes all over, and each of the signature's own.
    for at in (0..start).step_by(97).chain(start - 40..signed.len()) {
        let mut tampered = signed.clone();
        tampered[at] ^= 1;
        assert!(verify(&tampered, &trusted).is_err(), "byte {at}");
    }
    let mut longer = signed.clone();
    longer.extend_from_slice(b"\n1 0 obj\n<<>>\nendobj\n");
    assert_eq!(verify(&longer, &trusted), Err(Unverified::AddedTo));
    assert_eq!(verify(&signed[..signed.len() - 1], &trusted), Err(Unverified::Changed));
    let mut changed = signed.clone();
    changed[1_000] ^= 1;
    assert_eq!(verify(&changed, &trusted), Err(Unverified::Changed));
    assert!(!verify(&signed, &trusted[1..]).expect("it holds").is_trusted, "another's certificate vouches for nothing");
}

#[test]
fn a_key_that_is_not_the_certificates_is_refused() {
    let (key, _) = pems(&PKCS_ECDSA_P256_SHA256);
    let (_, certificate) = pems(&PKCS_ECDSA_P256_SHA256);
    assert!(matches!(KeyFile::from_pem(key.as_bytes(), certificate.as_bytes()), Err(Error::Invalid { .. })));
    assert!(matches!(KeyFile::from_pem(b"no key", certificate.as_bytes()), Err(Error::Invalid { .. })));
    assert!(Identity::from_pem(b"no certificate").is_err());
}
