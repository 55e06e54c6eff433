//! The key that signs summaries: a file, a token, or in a sandbox one of its own.

use std::{fs, path::Path, sync::Mutex};

use anyhow::{Context as _, anyhow, ensure};
use chrono::{DateTime, Datelike as _, Days, Utc};
use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    mechanism::Mechanism,
    object::{Attribute, ObjectClass, ObjectHandle},
    session::{Session, UserType},
    types::AuthPin,
};
use rcgen::{CertificateParams, DnType, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256};
use sha2::{Digest as _, Sha256};
use summary::{
    Config, Token,
    sign::{Identity, KeyFile, Scheme, Signer, ecdsa_der},
};

use crate::keys::{Keys, write_new};

/// The names of a sandbox's own key and certificate in the folder of keys.
const SANDBOX_KEY: &str = "summaries.pem";
/// See [`SANDBOX_KEY`].
pub const SANDBOX_CERTIFICATE: &str = "summaries.crt";
/// How long a sandbox's certificate is good for.
const SANDBOX_DAYS: u64 = 3_650;

/// The key that is configured; in a sandbox without one, a key of its own, made at first need.
pub fn signer(
    config: &Config,
    keys: &Keys,
    is_sandbox: bool,
    now: DateTime<Utc>,
) -> anyhow::Result<Option<Box<dyn Signer>>> {
    let Some(signature) = &config.signature else {
        return if is_sandbox { sandbox(keys, now).map(Some) } else { Ok(None) };
    };
    if let Some(key) = &signature.key_file {
        return Ok(Some(Box::new(KeyFile::load(key, &signature.certificate_file)?)));
    }
    let token = signature.token.as_ref().context("summary.signature names no key")?;
    let pem = fs::read(&signature.certificate_file)
        .with_context(|| format!("cannot read {}", signature.certificate_file.display()))?;
    Ok(Some(Box::new(TokenKey::open(token, Identity::from_pem(&pem)?)?)))
}

fn sandbox(keys: &Keys, now: DateTime<Utc>) -> anyhow::Result<Box<dyn Signer>> {
    let (key_file, certificate_file) = (keys.path(SANDBOX_KEY), keys.path(SANDBOX_CERTIFICATE));
    if !certificate_file.exists() {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, "Throughline sandbox, summaries");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::ContentCommitment];
        let (from, until) = (now - Days::new(1), now + Days::new(SANDBOX_DAYS));
        params.not_before = rcgen::date_time_ymd(from.year(), from.month() as u8, from.day() as u8);
        params.not_after = rcgen::date_time_ymd(until.year(), until.month() as u8, until.day() as u8);
        // The key first: a certificate that is there has its key.
        write_new(&key_file, key.serialize_pem().as_bytes())?;
        write_new(&certificate_file, params.self_signed(&key)?.pem().as_bytes())?;
    }
    Ok(Box::new(KeyFile::load(&key_file, &certificate_file)?))
}

/// The certificate that this data folder's summaries are signed under, if there is one.
pub fn own_certificate(config: &Config, keys: &Keys) -> Option<std::path::PathBuf> {
    let configured = config.signature.as_ref().map(|signature| signature.certificate_file.clone());
    configured.or_else(|| Some(keys.path(SANDBOX_CERTIFICATE)).filter(|path| path.exists()))
}

/// A private key that never leaves its token.
struct TokenKey {
    identity: Identity,
    key: ObjectHandle,
    session: Mutex<Session>,
}

impl TokenKey {
    fn open(token: &Token, identity: Identity) -> anyhow::Result<Self> {
        let module = Pkcs11::new(&token.module_file)
            .with_context(|| format!("cannot load the token's module {}", token.module_file.display()))?;
        module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))?;
        let slots = module.get_slots_with_token()?;
        let slot = slots
            .into_iter()
            .find(|slot| module.get_token_info(*slot).is_ok_and(|info| info.label().trim_end() == token.label));
        let session = module.open_ro_session(slot.with_context(|| format!("there is no token {}", token.label))?)?;
        let pin =
            fs::read_to_string(&token.pin_file).with_context(|| format!("cannot read {}", token.pin_file.display()))?;
        session.login(UserType::User, Some(&AuthPin::new(pin.trim().into()))).context("the token refused the PIN")?;
        let wanted = [Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Label(token.key.clone().into_bytes())];
        let found = session.find_objects(&wanted)?;
        ensure!(found.len() == 1, "the token holds {} private keys with the label {}", found.len(), token.key);
        let key = Self { identity, key: found[0], session: Mutex::new(session) };
        // A certificate of another key is found now, not by whoever receives the first document.
        let probe = Signer::sign(&key, b"probe")?;
        ensure!(
            key.identity.verifies(b"probe", &probe),
            "the certificate is not that of the token's key {}",
            token.key
        );
        Ok(key)
    }

    fn sign_with_token(&self, message: &[u8]) -> anyhow::Result<Vec<u8>> {
        let session = self.session.lock().map_err(|_| anyhow!("the token's session is broken"))?;
        match self.identity.scheme() {
            Scheme::RsaPkcs1 => Ok(session.sign(&Mechanism::Sha256RsaPkcs, self.key, message)?),
            Scheme::EcdsaP256 => {
                let raw = session.sign(&Mechanism::Ecdsa, self.key, &Sha256::digest(message))?;
                ecdsa_der(&raw).context("the token gave no signature on P-256")
            }
        }
    }
}

impl Signer for TokenKey {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, summary::Error> {
        self.sign_with_token(message)
            .map_err(|error| summary::Error::Corrupt(format!("the token could not sign: {error:#}")))
    }
}

/// The certificates of a file.
pub fn identity(path: &Path) -> anyhow::Result<Identity> {
    let pem = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Identity::from_pem(&pem).with_context(|| format!("{} holds no certificate that can be used", path.display()))
}
