//! The time-stamp authority that is configured: asked over HTTP, for documents that are signed and not yet disclosed.

use std::{
    fs,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Request, StatusCode, Uri,
    body::Bytes,
    header::{CONTENT_TYPE, HOST, USER_AGENT},
};
use model::{Clock, Entropy as _};
use summary::{
    Config, Error, TimeStamp,
    sign::{ANSWER_BYTES_MAX, Authorities, Question, Stamping, TimeStamps},
};
use tokio::time::timeout;

use crate::{system::SystemEntropy, web::Server};

/// Room for the first token, in bytes; for later ones the longest so far, and [`SLACK_BYTES`].
const TOKEN_BYTES: usize = 8_192;
/// How much longer than another a token of the same authority may be: numbers and times are as long as they are.
const SLACK_BYTES: usize = 128;
/// How long an authority that did not answer is not asked again.
const REST: Duration = Duration::from_mins(1);
/// Between one attempt and the next.
const PAUSE: Duration = Duration::from_millis(200);

/// An authority.
struct Authority {
    address: Uri,
    server: Server,
    trusted: Authorities,
    timeout: Duration,
    attempts_max: u32,
    clock: Arc<dyn Clock>,
    known: Mutex<Known>,
}

/// What has been learnt of an authority.
#[derive(Default)]
struct Known {
    token_bytes: Option<usize>,
    away_until: Option<Instant>,
}

/// The certificates that vouch for the authority of a configuration; none without one.
pub fn trusted(stamp: Option<&TimeStamp>) -> anyhow::Result<Authorities> {
    let Some(TimeStamp { authority_file, .. }) = stamp else { return Ok(Authorities::default()) };
    let pem = fs::read(authority_file).with_context(|| format!("cannot read {}", authority_file.display()))?;
    Authorities::from_pem(&pem).with_context(|| format!("{} cannot be used", authority_file.display()))
}

/// The authority that is configured, if one is. It is asked once, so that an operator hears now that it does not answer.
pub async fn stamping(config: &Config, clock: Arc<dyn Clock>) -> anyhow::Result<Option<Stamping>> {
    let Some(stamp) = config.signature.as_ref().and_then(|signature| signature.time_stamp.as_ref()) else {
        return Ok(None);
    };
    let address: Uri = stamp.url.parse().with_context(|| format!("{} is no address", stamp.url))?;
    let authority = Authority {
        server: Server::of(&address, stamp.server_authority_file.as_deref())?,
        address,
        trusted: trusted(Some(stamp))?,
        timeout: Duration::from_millis(stamp.timeout_ms),
        attempts_max: stamp.attempts_max,
        clock,
        known: Mutex::default(),
    };
    let mut nothing = [0; 32];
    SystemEntropy.fill(&mut nothing);
    // The refusal is logged; what becomes of documents is decided when there are some.
    let _ = authority.token(nothing).await;
    Ok(Some(Stamping {
        authority: Arc::new(authority),
        when_unavailable: stamp.when_unavailable,
        questions_max: stamp.questions_max,
    }))
}

impl TimeStamps for Authority {
    fn token(&self, digest: [u8; 32]) -> Pin<Box<dyn Future<Output = Result<Vec<u8>, Error>> + Send + '_>> {
        Box::pin(async move {
            let away = |until: Instant| until.checked_duration_since(Instant::now()).is_some();
            if self.known(|known| known.away_until.is_some_and(away)) {
                return Err(Error::Unstamped("the time-stamp authority did not answer a moment ago".to_owned()));
            }
            let mut failed = None;
            for attempt in 0..self.attempts_max {
                if attempt > 0 {
                    tokio::time::sleep(PAUSE).await;
                }
                match self.ask(digest).await {
                    Ok(token) => {
                        self.known(|known| {
                            known.token_bytes = known.token_bytes.max(Some(token.len() + SLACK_BYTES));
                            known.away_until = None;
                        });
                        return Ok(token);
                    }
                    Err(error) => failed = Some(error),
                }
            }
            let why = failed.map_or_else(String::new, |error| format!("{error:#}"));
            tracing::warn!(attempts = self.attempts_max, why, "the time-stamp authority gave no time stamp");
            self.known(|known| known.away_until = Some(Instant::now() + REST));
            Err(Error::Unstamped(why))
        })
    }

    fn token_bytes_max(&self) -> usize {
        self.known(|known| known.token_bytes.unwrap_or(TOKEN_BYTES))
    }
}

impl Authority {
    fn known<T>(&self, of: impl FnOnce(&mut Known) -> T) -> T {
        of(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks once.
    async fn ask(&self, digest: [u8; 32]) -> anyhow::Result<Vec<u8>> {
        let mut random = [0; 16];
        SystemEntropy.fill(&mut random);
        let question = Question::new(digest, random);
        let answer = timeout(self.timeout, self.send(question.to_der()?)).await;
        let answer = answer.context("the time-stamp authority does not answer in time")??;
        Ok(question.accept(&answer, &self.trusted, self.clock.now())?)
    }

    async fn send(&self, question: Vec<u8>) -> anyhow::Result<Vec<u8>> {
        let mut open = self.server.connect::<Full<Bytes>>().await?;
        open.ready().await?;
        let authority = self.address.authority().map_or(self.server.host(), |authority| authority.as_str());
        let path = self.address.path_and_query().map_or("/", |path| path.as_str());
        let request = Request::post(path)
            .header(HOST, authority)
            .header(CONTENT_TYPE, "application/timestamp-query")
            .header(USER_AGENT, concat!("throughline/", env!("CARGO_PKG_VERSION")))
            .body(Full::new(Bytes::from(question)))?;
        let response = open.send_request(request).await?;
        ensure!(response.status() == StatusCode::OK, "the time-stamp authority answers {}", response.status());
        match Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await {
            Ok(body) => Ok(body.to_bytes().to_vec()),
            Err(_) => bail!("the time-stamp authority's answer was cut, or is longer than any can be"),
        }
    }
}
