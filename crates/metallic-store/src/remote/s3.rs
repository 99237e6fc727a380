use std::fmt;
use std::time::{Duration, Instant, SystemTime};

use rusty_s3::{Bucket, Credentials, S3Action, UrlStyle};

use super::http::HttpTransport;
use super::transport::{Transport, TransportError};
use super::url::{Location, RemoteUrlError, can_encrypt, redacted_url};

/// S3, and what speaks its protocol: signed GET, PUT and DELETE of objects.
///
/// Objects are addressed by path, since that works with every server. Without an endpoint it is Amazon's of the region, by
/// TLS if that is compiled in.
pub struct S3Transport {
    http: HttpTransport,
    bucket: Bucket,
    credentials: Credentials,
    prefix: String,
}

/// How long a signature is good for: requests are sent at once, and clocks differ.
const VALID: Duration = Duration::from_secs(300);

impl S3Transport {
    pub(super) fn at(location: &Location) -> Result<Self, RemoteUrlError> {
        let incomplete = |what: &str| RemoteUrlError::Incomplete(what.to_owned());
        let region = location.parameter("region").unwrap_or_else(|| "us-east-1".to_owned());
        let scheme = if can_encrypt() { "https" } else { "http" };
        let amazons = || format!("{scheme}://s3.{region}.amazonaws.com");
        let endpoint = location.parameter("endpoint").unwrap_or_else(amazons);
        let is_encrypted = endpoint.starts_with("https://");
        if !(endpoint.starts_with("http://") || is_encrypted && can_encrypt()) {
            return Err(RemoteUrlError::Unsupported(redacted_url(&endpoint)));
        }
        let endpoint = endpoint.parse().map_err(|_| incomplete("an endpoint that is a URL"))?;
        let bucket = Bucket::new(endpoint, UrlStyle::Path, location.authority.clone(), region)
            .map_err(|error| RemoteUrlError::Incomplete(error.to_string()))?;
        let credentials = Credentials::from_env()
            .ok_or_else(|| incomplete("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment"))?;
        Ok(Self {
            // Objects are asked for by whole URLs, in which the signature is.
            http: HttpTransport::at(&Location { is_encrypted, ..Location::default() }),
            bucket,
            credentials,
            prefix: location.path.trim_matches('/').to_owned(),
        })
    }

    fn object(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_owned() } else { format!("{}/{name}", self.prefix) }
    }
}

impl Transport for S3Transport {
    fn name(&self) -> &str {
        "s3"
    }

    fn get(&self, name: &str, limit: u64, deadline: Instant) -> Result<Option<Vec<u8>>, TransportError> {
        let object = self.object(name);
        let url = self.bucket.get_object(Some(&self.credentials), &object).sign(VALID);
        self.http.get_url(url.as_str(), limit, deadline)
    }

    fn put(&self, name: &str, bytes: &[u8], deadline: Instant) -> Result<(), TransportError> {
        let object = self.object(name);
        let url = self.bucket.put_object(Some(&self.credentials), &object).sign(VALID);
        self.http.put_url(url.as_str(), bytes, deadline)
    }

    fn delete(&self, name: &str, deadline: Instant) -> Result<bool, TransportError> {
        let object = self.object(name);
        // S3 says the same whether there was an object or not.
        let url = self.bucket.head_object(Some(&self.credentials), &object).sign(VALID);
        if !self.http.has_url(url.as_str(), deadline)? {
            return Ok(false);
        }
        let url = self.bucket.delete_object(Some(&self.credentials), &object).sign(VALID);
        self.http.delete_url(url.as_str(), deadline)
    }

    fn time(&self, deadline: Instant) -> Result<Option<SystemTime>, TransportError> {
        self.http.time_at(self.bucket.base_url().as_str(), deadline)
    }
}

impl fmt::Debug for S3Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the endpoint, which may have a password.
        f.debug_struct("S3Transport").field("bucket", &self.bucket.name()).finish_non_exhaustive()
    }
}
