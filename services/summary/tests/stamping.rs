//! Documents with a time stamp over their signature, and answers of authorities that do not count.

#[path = "stamping/authority.rs"]
mod authority;

use std::{fs, path::Path};

use authority::{Authority, Habit};
use chrono::{DateTime, Utc};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose as Purpose, KeyPair};
use summary::{
    Form, Origin, RenderOptions, from_json, render,
    sign::{
        Authorities, BadStamp, Identity, KeyFile, Question, Seal, Signer as _, Verified, add_token, imprint, sign,
        verify,
    },
};

/// Room for what the authority of these tests gives.
const TOKEN_BYTES_MAX: usize = 2_000;

fn now() -> DateTime<Utc> {
    "2026-11-20T22:15:00Z".parse().expect("a time")
}

fn key() -> KeyFile {
    let key = KeyPair::generate().expect("a key");
    let certificate = CertificateParams::new(Vec::new()).expect("parameters").self_signed(&key).expect("a certificate");
    KeyFile::from_pem(key.serialize_pem().as_bytes(), certificate.pem().as_bytes()).expect("a signing key")
}

fn document() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/sparse.json");
    let summary = from_json(&fs::read(path).expect("a fixture")).expect("a summary");
    render(&summary, RenderOptions { origin: Origin::File, form: Form::Pdf, ..RenderOptions::default() })
        .expect("a PDF")
}

fn signed(key: &KeyFile) -> Vec<u8> {
    sign(&document(), Seal { signer: key, at: now(), token_bytes_max: Some(TOKEN_BYTES_MAX) }).expect("signed")
}

fn trust(authority: &Authority) -> Authorities {
    Authorities::from_pem(authority.root.as_bytes()).expect("a root")
}

fn checked(pdf: &[u8], signer: &Identity, authorities: &Authorities) -> Verified {
    verify(pdf, std::slice::from_ref(signer), authorities).expect("the signature holds")
}

#[test]
fn a_stamp_says_when_the_signature_was_there_and_who_says_so() {
    let (key, authority) = (key(), Authority::new(Purpose::TimeStamping));
    let (signed, trusted) = (signed(&key), trust(&authority));
    let question = Question::new(imprint(&signed).expect("a signature"), [0xff; 16]);
    let answer = authority.answer(&question.to_der().expect("DER"), now(), Habit::Honest);
    let token = question.accept(&answer, &trusted, now()).expect("a token");
    let stamped = add_token(&signed, &token).expect("there is room");
    assert_eq!(stamped.len(), signed.len(), "what is signed stays where it is");
    let verified = checked(&stamped, key.identity(), &trusted);
    let stamp = verified.stamp.expect("a stamp").expect("it holds");
    assert!(verified.is_trusted && stamp.is_trusted && stamp.at == now(), "{stamp:?}");
    assert!(stamp.authority.contains("Authority for time stamps (test)"), "{stamp:?}");
    // Without it, the same document is signed all the same; and it is nobody's who is not asked about.
    assert_eq!(checked(&signed, key.identity(), &trusted).stamp, None);
    let other = trust(&Authority::new(Purpose::TimeStamping));
    for unknown in [&other, &Authorities::default()] {
        let stamp = checked(&stamped, key.identity(), unknown).stamp.expect("a stamp").expect("it holds");
        assert!(!stamp.is_trusted && stamp.at == now());
    }
}

#[test]
fn what_an_authority_says_otherwise_does_not_count() {
    let authority = Authority::new(Purpose::TimeStamping);
    let (trusted, digest) = (trust(&authority), [9; 32]);
    let question = Question::new(digest, [5; 16]);
    let asked = question.to_der().expect("DER");
    let check = |habit, expected: Result<(), BadStamp>| {
        let answer = authority.answer(&asked, now(), habit);
        assert_eq!(question.accept(&answer, &trusted, now()).map(drop), expected, "{habit:?}");
    };
    check(Habit::Honest, Ok(()));
    check(Habit::OtherDigest, Err(BadStamp::OtherContent));
    check(Habit::OtherNonce, Err(BadStamp::OtherQuestion));
    check(Habit::Refuses, Err(BadStamp::Refused));
    check(Habit::Garbage, Err(BadStamp::Malformed("the answer")));
    check(Habit::Forges, Err(BadStamp::Forged));
    check(Habit::Late, Err(BadStamp::WrongTime));
    let honest = authority.answer(&asked, now(), Habit::Honest);
    assert_eq!(question.accept(&honest[..honest.len() - 1], &trusted, now()), Err(BadStamp::Malformed("the answer")));
    assert_eq!(question.accept(&[], &trusted, now()), Err(BadStamp::Malformed("the answer")));
    // A root that vouches for another, and a certificate that is for something else.
    let other = trust(&Authority::new(Purpose::TimeStamping));
    assert_eq!(question.accept(&honest, &other, now()).map(drop), Err(BadStamp::UnknownAuthority));
    let server = Authority::new(Purpose::ServerAuth);
    let answer = server.answer(&asked, now(), Habit::Honest);
    assert_eq!(question.accept(&answer, &trust(&server), now()).map(drop), Err(BadStamp::UnknownAuthority));
    // An answer to an earlier question, kept.
    let later = Question::new(digest, [6; 16]);
    assert_eq!(later.accept(&honest, &trusted, now()).map(drop), Err(BadStamp::OtherQuestion));
}

#[test]
fn no_changed_byte_makes_a_stamp_say_another_time() {
    let (key, authority) = (key(), Authority::new(Purpose::TimeStamping));
    let (signed, trusted) = (signed(&key), trust(&authority));
    let question = Question::new(imprint(&signed).expect("a signature"), [1; 16]);
    let answer = authority.answer(&question.to_der().expect("DER"), now(), Habit::Honest);
    let stamped = add_token(&signed, &question.accept(&answer, &trusted, now()).expect("a token")).expect("room");
    let start = stamped.windows(10).rposition(|window| window == b"/Contents<").expect("a signature") + 10;
    for at in (start..stamped.len()).step_by(3) {
        let mut tampered = stamped.clone();
        tampered[at] ^= 1;
        let Ok(verified) = verify(&tampered, &[key.identity().clone()], &trusted) else { continue };
        let Some(Ok(stamp)) = verified.stamp else { continue };
        assert!(!stamp.is_trusted || stamp.at == now(), "byte {at}");
    }
}

#[test]
fn a_stamp_without_room_is_refused() {
    let (key, authority) = (key(), Authority::new(Purpose::TimeStamping));
    let tight = sign(&document(), Seal { signer: &key, at: now(), token_bytes_max: None }).expect("signed");
    let question = Question::new(imprint(&tight).expect("a signature"), [1; 16]);
    let answer = authority.answer(&question.to_der().expect("DER"), now(), Habit::Honest);
    let token = question.accept(&answer, &trust(&authority), now()).expect("a token");
    assert!(add_token(&tight, &token).is_err());
    assert!(imprint(&document()).is_err(), "what is not signed cannot be stamped");
}
