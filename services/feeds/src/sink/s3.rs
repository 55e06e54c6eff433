//! A store that speaks S3. An object is there whole or not at all by the store's own promise; long files go up in parts, joined at the end.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
};

use futures::future::BoxFuture;
use hyper::Uri;
use object_store::{
    Error as StoreError, MultipartUpload as _, ObjectStoreExt as _, PutPayload, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder},
    path::Path as Key,
};
use serde::Deserialize;
use tokio::io::AsyncReadExt as _;

use super::{Digest, FileSink, Problem, Target, http::Http, is_private};
use crate::encrypt::Hashing;

/// A bucket, and who we are there.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3 {
    /// The store's address: `https://host[:port]`; plain HTTP to this machine itself only.
    pub endpoint: String,
    /// Its region.
    pub region: String,
    /// The bucket.
    pub bucket: String,
    /// Before each object's name.
    #[serde(default)]
    pub prefix: String,
    /// A TOML file with `access_key_id` and `secret_access_key` that nobody else can read.
    pub credentials_file: PathBuf,
    /// The authorities that vouch for the store, PEM; absent: those of the web.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

/// Who we are to a store.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Credentials {
    access_key_id: String,
    secret_access_key: String,
}

/// What is held in memory, sent in one request, and fetched in one: a store takes ten thousand parts of one object at most.
const PART: usize = 8 << 20;

impl S3 {
    fn is_local(uri: &Uri) -> bool {
        uri.scheme_str() == Some("http") && matches!(uri.host(), Some("127.0.0.1" | "localhost" | "[::1]"))
    }
}

impl Target for S3 {
    fn describe(&self) -> String {
        format!("{}/{}/{}", self.endpoint.trim_end_matches('/'), self.bucket, self.prefix)
    }

    fn mistakes(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let is_good = self.endpoint.parse::<Uri>().is_ok_and(|uri| {
            (uri.scheme_str() == Some("https") || Self::is_local(&uri)) && uri.host().is_some() && uri.query().is_none()
        });
        if !is_good {
            wrong.push("endpoint: https://host, or http to this machine itself".to_owned());
        }
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
        if self.bucket.is_empty() || !self.bucket.chars().all(is_name) {
            wrong.push("bucket: lower-case letters, digits, - and .".to_owned());
        }
        if Key::parse(&self.prefix).is_err() {
            wrong.push("prefix: names parted by /".to_owned());
        }
        wrong
    }

    fn open(&self) -> Result<Box<dyn FileSink>, Problem> {
        let named = |error: &dyn std::fmt::Display| format!("{}: {error}", self.credentials_file.display());
        if !is_private(&self.credentials_file).map_err(|error| named(&error))? {
            return Err(named(&"others can read it").into());
        }
        let mut text = String::new();
        std::fs::File::open(&self.credentials_file)?.read_to_string(&mut text)?;
        // What a reader of TOML says of a mistake shows the line that it is in.
        let credentials: Credentials = toml::from_str(&text)
            .map_err(|_| named(&"it says access_key_id and secret_access_key, as texts, and nothing else"))?;
        let is_plain = self.endpoint.parse::<Uri>().is_ok_and(|uri| Self::is_local(&uri));
        let store = AmazonS3Builder::new()
            .with_endpoint(self.endpoint.trim_end_matches('/'))
            .with_region(&self.region)
            .with_bucket_name(&self.bucket)
            .with_access_key_id(credentials.access_key_id)
            .with_secret_access_key(credentials.secret_access_key)
            .with_virtual_hosted_style_request(false)
            .with_allow_http(is_plain)
            // Whole files are tried again, not single requests: how often, the consumer's document says.
            .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
            .with_http_connector(Http::new(self.ca_file.as_deref())?)
            .build()?;
        Ok(Box::new(Bucket { store, prefix: self.prefix.trim_matches('/').to_owned() }))
    }
}

struct Bucket {
    store: AmazonS3,
    prefix: String,
}

impl Bucket {
    fn key(&self, name: &str) -> Result<Key, Problem> {
        let key = if self.prefix.is_empty() { name.to_owned() } else { format!("{}/{name}", self.prefix) };
        Ok(Key::parse(key)?)
    }

    /// In parts; what was sent of a file that fails is taken away again.
    async fn put_parts(&self, key: &Key, file: &mut tokio::fs::File) -> Result<(), Problem> {
        let mut upload = self.store.put_multipart(key).await?;
        let sent = async {
            loop {
                let part = read_part(file).await?;
                if part.is_empty() {
                    return Ok::<_, Problem>(upload.complete().await.map(drop)?);
                }
                upload.put_part(PutPayload::from(part)).await?;
            }
        };
        let sent = sent.await;
        if sent.is_err() {
            drop(upload.abort().await);
        }
        sent
    }
}

/// The next bytes of a file, as many as one request carries; fewer at its end.
async fn read_part(file: &mut tokio::fs::File) -> std::io::Result<Vec<u8>> {
    let mut part = Vec::new();
    file.take(PART as u64).read_to_end(&mut part).await?;
    Ok(part)
}

impl FileSink for Bucket {
    fn put<'a>(&'a mut self, name: &'a str, from: &'a Path) -> BoxFuture<'a, Result<(), Problem>> {
        Box::pin(async move {
            let key = self.key(name)?;
            let mut file = tokio::fs::File::open(from).await?;
            if file.metadata().await?.len() > PART as u64 {
                return self.put_parts(&key, &mut file).await;
            }
            let bytes = read_part(&mut file).await?;
            Ok(self.store.put(&key, PutPayload::from(bytes)).await.map(drop)?)
        })
    }

    fn read_back<'a>(&'a mut self, name: &'a str) -> BoxFuture<'a, Result<Option<Digest>, Problem>> {
        Box::pin(async move {
            let key = self.key(name)?;
            let size = match self.store.head(&key).await {
                Err(StoreError::NotFound { .. }) => return Ok(None),
                found => found?.size,
            };
            let mut hashing = Hashing::new(std::io::sink());
            let mut from = 0;
            while from < size {
                let to = size.min(from + PART as u64);
                let bytes = self.store.get_range(&key, from..to).await?;
                std::io::Write::write_all(&mut hashing, &bytes)?;
                from = to;
            }
            Ok(Some(hashing.digest()))
        })
    }
}
