//! `throughline summary verify`: is this document what was issued? Nothing but files is asked.

use std::{fs, path::Path};

use anyhow::{Context as _, ensure};
use chrono::SecondsFormat;
use ledger::{Hash, InclusionError, InclusionProof, KeyUse, Signer, VerifierKey};
use serde_json::{Value as Json, json};
use summary::sign::{Authorities, BadStamp, Identity, Stamped, Unverified, Verified};

use crate::{
    args::{Place, VerifySummary},
    commands::{Outcome, ledger::verifier_key},
    console,
    keys::Keys,
    settings::Settings,
    signing, stamping,
    system::data_folder,
};

/// The largest document that is looked at.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// What somebody checks against.
struct Trusted {
    certificates: Vec<Identity>,
    authorities: Authorities,
    logs: Vec<VerifierKey>,
}

/// One thing found, as a program reads it and in words.
struct Answer {
    state: &'static str,
    words: String,
    is_good: bool,
    more: Json,
}

impl Answer {
    fn new(state: &'static str, is_good: bool, words: impl Into<String>) -> Self {
        Self { state, words: words.into(), is_good, more: json!({}) }
    }

    fn to_json(&self) -> Json {
        let mut json = json!({ "state": self.state, "good": self.is_good, "words": self.words });
        if let (Some(all), Some(more)) = (json.as_object_mut(), self.more.as_object()) {
            all.extend(more.clone());
        }
        json
    }
}

/// Checks signature, digest and proof of one document.
pub fn run(place: &Place, options: &VerifySummary) -> anyhow::Result<Outcome> {
    let file = &options.file;
    let cannot = || format!("cannot read {}", file.display());
    ensure!(
        fs::metadata(file).with_context(cannot)?.len() <= FILE_BYTES_MAX,
        "{} is no summary: it is too large",
        file.display()
    );
    let pdf = fs::read(file).with_context(cannot)?;
    let trusted = trusted(place, options)?;
    let digest = Hash::of(&pdf);
    let checked = summary::sign::verify(&pdf, &trusted.certificates, &trusted.authorities);
    let stamp = checked.as_ref().ok().and_then(|verified| verified.stamp.as_ref());
    let stamp = stamp.map(|stamp| self::stamp(stamp, !trusted.authorities.is_empty()));
    let signature = signature(checked, !trusted.certificates.is_empty());
    let proof = proof(file, options, digest, &trusted.logs)?;
    // Who signs nothing still enters every document in the ledger: then the proof alone has to do.
    let is_proven = proof.state == "proven";
    let is_stamp_good = stamp.as_ref().is_none_or(|stamp| stamp.is_good);
    let is_signed = signature.is_good || (signature.state == "not_signed" && is_proven);
    let found = !(proof.is_good && is_signed && is_stamp_good);
    if place.json {
        console::json(&json!({
            "file": file, "sha256": digest.to_string(), "signature": signature.to_json(), "time_stamp": stamp.as_ref().map(Answer::to_json),
            "proof": proof.to_json(), "good": !found,
        }))?;
    } else {
        let stamped = stamp.map_or_else(String::new, |stamp| format!("{}, ", stamp.words));
        console::line(false, format!("{}: {}, {stamped}{}", file.display(), signature.words, proof.words));
        console::line(false, format!("  SHA-256 {digest}"));
    }
    Ok(Outcome::of(found))
}

fn trusted(place: &Place, options: &VerifySummary) -> anyhow::Result<Trusted> {
    let data = place.data.clone().unwrap_or_else(data_folder);
    // A data folder is looked into, never made.
    let own = data
        .join("keys")
        .is_dir()
        .then(|| anyhow::Ok((Settings::load(place.config.as_deref(), &data)?, Keys::open(&data)?)));
    let own = own.transpose()?;
    let mut certificates = options.certificates.clone();
    let mut logs = options.log_key.iter().map(|path| verifier_key(path)).collect::<anyhow::Result<Vec<_>>>()?;
    if let Some((settings, keys)) = &own {
        if certificates.is_empty() {
            certificates.extend(signing::own_certificate(&settings.summary, keys));
        }
        let ledger = keys.path("ledger.pem");
        if logs.is_empty() && ledger.exists() {
            logs.push(Signer::from_pem_file(&settings.ledger.origin, KeyUse::Log, &ledger)?.public().clone());
        }
    }
    let authorities = match (&options.authority, &own) {
        (Some(path), _) => {
            let pem = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            Authorities::from_pem(&pem).with_context(|| format!("{} cannot be used", path.display()))?
        }
        (None, Some((settings, _))) => {
            let signature = settings.summary.signature.as_ref();
            stamping::trusted(signature.and_then(|signature| signature.time_stamp.as_ref()))?
        }
        (None, None) => Authorities::default(),
    };
    Ok(Trusted {
        authorities,
        certificates: certificates.iter().map(|path| signing::identity(path)).collect::<anyhow::Result<_>>()?,
        logs,
    })
}

fn signature(checked: Result<Verified, Unverified>, has_certificates: bool) -> Answer {
    match checked {
        Ok(verified) => {
            let fingerprint = hex::encode(verified.fingerprint);
            let mut answer = if verified.is_trusted {
                Answer::new("good", true, "signature good")
            } else if has_certificates {
                Answer::new(
                    "unknown_key",
                    false,
                    format!("signed with another key, whose certificate (SHA-256 {fingerprint}) is not trusted"),
                )
            } else {
                let words = format!(
                    "signed under a certificate (SHA-256 {fingerprint}) that nobody here vouches for: name the right one with --certificate"
                );
                Answer::new("unknown_key", false, words)
            };
            answer.more = json!({ "subject": verified.subject, "certificate_sha256": fingerprint, "claimed_at": verified.claimed_at });
            answer
        }
        Err(error) => {
            let state = match error {
                Unverified::NotSigned => "not_signed",
                Unverified::Malformed(_) => "malformed",
                Unverified::AddedTo => "added_to",
                Unverified::Changed => "changed",
                Unverified::WrongKey => "wrong_key",
            };
            Answer::new(state, false, error.to_string())
        }
    }
}

fn stamp(checked: &Result<Stamped, BadStamp>, has_authorities: bool) -> Answer {
    let stamped = match checked {
        Ok(stamped) => stamped,
        Err(error) => return Answer::new("bad", false, error.to_string()),
    };
    let at = stamped.at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let mut answer = if stamped.is_trusted {
        Answer::new("good", true, format!("stamped {at}"))
    } else if has_authorities {
        Answer::new("unknown_authority", false, format!("stamped {at} by an authority that is not trusted"))
    } else {
        let words = format!("stamped {at} by an authority that was not looked at: name it with --authority");
        Answer::new("not_checked", true, words)
    };
    answer.more = json!({ "at": at, "authority": stamped.authority });
    answer
}

fn proof(file: &Path, options: &VerifySummary, digest: Hash, logs: &[VerifierKey]) -> anyhow::Result<Answer> {
    let path = options.proof.clone().unwrap_or_else(|| {
        let mut name = file.as_os_str().to_owned();
        name.push(".tlog-proof");
        name.into()
    });
    if options.proof.is_none() && !path.exists() {
        return Ok(Answer::new("no_proof", true, "not proven logged"));
    }
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    if logs.is_empty() {
        return Ok(Answer::new("no_log_key", false, "its proof cannot be checked: name the log's key with --log-key"));
    }
    let proof: InclusionProof = match text.parse() {
        Ok(proof) => proof,
        Err(error) => return Ok(Answer::new("malformed", false, error.to_string())),
    };
    Ok(match proof.verify_document(digest, logs) {
        Ok(head) => {
            let words = format!("entered in the ledger as number {} of {}", proof.index + 1, head.size());
            Answer { more: json!({ "index": proof.index, "size": head.size() }), ..Answer::new("proven", true, words) }
        }
        Err(InclusionError::Document) => Answer::new(
            "other_document",
            false,
            "the proof beside it is of another document, or of this one before it was changed",
        ),
        Err(error) => Answer::new("does_not_hold", false, error.to_string()),
    })
}
