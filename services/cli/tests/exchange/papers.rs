//! Documents held by somebody who has nothing but the files: the certificate, the log's key, the document and its proof.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value as Json;

use crate::{
    place::{Place, files, finished, program, text, word},
    published::check_python,
};

/// Who checks, away from the exchange.
struct Outsider {
    folder: PathBuf,
    certificate: PathBuf,
    log_key: PathBuf,
}

impl Outsider {
    /// What is said of signature and proof, for programs, and in words.
    fn verify(&self, document: &Path, certificate: &Path, code: i32) -> [(String, String); 2] {
        let mut command = program();
        command.arg("--data").arg(self.folder.join("nothing")).args(["--json", "summary", "verify", text(document)]);
        command.arg("--certificate").arg(certificate).arg("--log-key").arg(&self.log_key);
        let said: Vec<Json> = finished(command, code);
        ["state", "words"].map(|kind| {
            let of = |part: &str| word(&said[0][part], kind).to_owned();
            (of("signature"), of("proof"))
        })
    }

    /// A document of its own, with a proof beside it or none.
    fn keep(&self, name: &str, document: &[u8], proof: Option<&[u8]>) -> PathBuf {
        let path = self.folder.join(name);
        fs::write(&path, document).expect("a file");
        if let Some(proof) = proof {
            fs::write(self.folder.join(format!("{name}.tlog-proof")), proof).expect("a file");
        }
        path
    }
}

/// Checks what a night delivered as its receiver can, whole and tampered with.
pub fn hold(place: &Place, summaries: &Path) {
    let documents: Vec<PathBuf> =
        files(summaries).into_iter().filter(|path| path.extension().is_some_and(|e| e == "pdf")).collect();
    let proof_of = |document: &Path| fs::read(document.with_extension("pdf.tlog-proof")).expect("a proof");
    let [one, other, ..] = &documents[..] else { panic!("two documents") };
    for document in [one, other] {
        let said = place.run(&["summary", "verify", text(document)], 0);
        assert!(said[0]["good"] == true && word(&said[0]["signature"], "state") == "good", "{}", said[0]);
    }
    let folder = place.path("outsider");
    fs::create_dir(&folder).expect("a folder");
    let keys = place.path("data").join("keys");
    let log_key = place.path("ledger").join("log-key.txt");
    let outsider = Outsider { certificate: keys.join("summaries.crt"), log_key, folder };
    let check = |name: &str, document: &[u8], proof: Option<&[u8]>, code: i32, expected: [(&str, &str); 2]| {
        let path = outsider.keep(name, document, proof);
        let said = outsider.verify(&path, &outsider.certificate, code);
        for ((signature, proof), (own, beside)) in said.iter().zip(expected) {
            assert!(signature == own && proof.starts_with(beside), "{name}: {signature}, {proof}");
        }
    };
    let (pdf, proof) = (fs::read(one).expect("a document"), proof_of(one));
    let good = "signature good";
    let other_document = "the proof beside it is of another document, or of this one before it was changed";
    check("whole.pdf", &pdf, Some(&proof), 0, [("good", "proven"), (good, "entered in the ledger as number ")]);
    check("alone.pdf", &pdf, None, 0, [("good", "no_proof"), (good, "not proven logged")]);
    let expected = [("good", "other_document"), (good, other_document)];
    check("other-proof.pdf", &pdf, Some(&proof_of(other)), 3, expected);
    check("no-proof-at-all.pdf", &pdf, Some(b"something else"), 3, [("good", "malformed"), (good, "")]);
    // A program in another language comes to the same, from the exported log alone.
    let ledger = place.path("ledger");
    let python = |name: &str, code| {
        let document = outsider.folder.join(name);
        let proof = document.with_extension("pdf.tlog-proof");
        let papers = [("--log-key", &*outsider.log_key), ("--proof", &*proof), ("--document", &*document)];
        check_python(text(&ledger), &papers, None, code);
    };
    python("whole.pdf", 0);
    python("other-proof.pdf", 3);
    python("no-proof-at-all.pdf", 3);
    let mut tampered = pdf.clone();
    tampered[2_000] ^= 1;
    let changed = ("the document was changed after it was signed", other_document);
    check("tampered.pdf", &tampered, Some(&proof), 3, [("changed", "other_document"), changed]);
    let added_to = ("the document was added to after it was signed", other_document);
    check("added-to.pdf", &[&*pdf, b"\n"].concat(), Some(&proof), 3, [("added_to", "other_document"), added_to]);
    let unsigned = ("the document is not signed", "not proven logged");
    check("no-pdf.pdf", b"nothing of the kind", None, 3, [("not_signed", "no_proof"), unsigned]);
    let stranger = outsider.folder.join("stranger.crt");
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate =
        rcgen::CertificateParams::new(Vec::new()).expect("parameters").self_signed(&key).expect("a certificate");
    fs::write(&stranger, certificate.pem()).expect("a file");
    let path = outsider.keep("stranger.pdf", &pdf, Some(&proof));
    let [state, (signature, _)] = outsider.verify(&path, &stranger, 3);
    assert_eq!(state, ("unknown_key".to_owned(), "proven".to_owned()));
    assert!(signature.starts_with("signed with another key, whose certificate"), "{signature}");
}
