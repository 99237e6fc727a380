use std::fmt;
use std::time::{Instant, SystemTime};

use ureq::http::StatusCode;
use ureq::{Agent, Error};

use super::transport::{Transport, TransportError, left};
use super::url::Location;

/// Plain HTTP: GET, PUT and DELETE of files below a URL, as WebDAV and many servers of files do.
pub struct HttpTransport {
    agent: Agent,
    base: String,
}

/// A status, and what was asked for if it came.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Vec<u8>,
    /// The server's clock, if it tells.
    date: Option<SystemTime>,
}

impl HttpTransport {
    /// Files below a URL such as `http://user:password@host:8080/artifacts`.
    pub(super) fn at(location: &Location) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .max_redirects(3)
            .accept_encoding("identity")
            .user_agent(concat!("metallic-store/", env!("CARGO_PKG_VERSION")));
        #[cfg(feature = "tls")]
        // A redirection must not lose what was asked for.
        let config = config.tls_config(super::tls::config()).https_only(location.is_encrypted);
        Self { agent: config.build().new_agent(), base: location.http_url() }
    }

    pub(super) fn url(&self, name: &str) -> String {
        format!("{}/{name}", self.base)
    }

    /// Sends a request, and reads up to `limit` bytes of what it gets, all by the deadline.
    pub(super) fn send(
        &self,
        method: &str,
        url: &str,
        body: Option<&[u8]>,
        limit: u64,
        deadline: Instant,
    ) -> Result<Answer, TransportError> {
        let request = ureq::http::Request::builder().method(method).uri(url);
        let left = left(deadline)?;
        let sent = match body {
            Some(body) => {
                let request = request.header("content-type", "application/octet-stream").body(body);
                let request = request.map_err(|error| TransportError::Refused(error.to_string()))?;
                self.agent.run(self.agent.configure_request(request).timeout_global(Some(left)).build())
            }
            None => {
                let request = request.body(()).map_err(|error| TransportError::Refused(error.to_string()))?;
                self.agent.run(self.agent.configure_request(request).timeout_global(Some(left)).build())
            }
        };
        let mut response = sent.map_err(|error| failure(error, limit))?;
        let status = response.status();
        let date = response
            .headers()
            .get("date")
            .and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
        if !(method == "GET" && status == StatusCode::OK) {
            // The status says it all: a page that explains it may be of any length. Read to the end, if that is near, the
            // connection can be used again.
            let _ = response.body_mut().with_config().limit(PAGE).read_to_vec();
            return Ok(Answer { status, body: Vec::new(), date });
        }
        if response.body().content_length().is_some_and(|len| len > limit) {
            return Err(TransportError::TooLong { limit });
        }
        // One byte more, since the limit itself is an error there.
        let body = response.body_mut().with_config().limit(limit.saturating_add(1)).read_to_vec();
        Ok(Answer { status, body: body.map_err(|error| failure(error, limit))?, date })
    }

    pub(super) fn get_url(
        &self,
        url: &str,
        limit: u64,
        deadline: Instant,
    ) -> Result<Option<Vec<u8>>, TransportError> {
        let answer = self.send("GET", url, None, limit, deadline)?;
        match answer.status {
            StatusCode::OK => Ok(Some(answer.body)),
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(None),
            status => Err(unexpected(status)),
        }
    }

    #[cfg(feature = "s3")]
    pub(super) fn has_url(&self, url: &str, deadline: Instant) -> Result<bool, TransportError> {
        let answer = self.send("HEAD", url, None, 0, deadline)?;
        match answer.status {
            StatusCode::OK => Ok(true),
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(false),
            status => Err(unexpected(status)),
        }
    }

    /// The time in the header of whatever the server answers to a request that changes nothing.
    pub(super) fn time_at(&self, url: &str, deadline: Instant) -> Result<Option<SystemTime>, TransportError> {
        Ok(self.send("HEAD", url, None, 0, deadline)?.date)
    }

    pub(super) fn put_url(&self, url: &str, bytes: &[u8], deadline: Instant) -> Result<(), TransportError> {
        let answer = self.send("PUT", url, Some(bytes), 0, deadline)?;
        if answer.status.is_success() { Ok(()) } else { Err(unexpected(answer.status)) }
    }

    pub(super) fn delete_url(&self, url: &str, deadline: Instant) -> Result<bool, TransportError> {
        let answer = self.send("DELETE", url, None, 0, deadline)?;
        match answer.status {
            status if status.is_success() => Ok(true),
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(false),
            status => Err(unexpected(status)),
        }
    }
}

/// The most that is read of an answer that no one looks at.
const PAGE: u64 = 1 << 16;

impl Transport for HttpTransport {
    fn name(&self) -> &str {
        "http"
    }

    fn get(&self, name: &str, limit: u64, deadline: Instant) -> Result<Option<Vec<u8>>, TransportError> {
        self.get_url(&self.url(name), limit, deadline)
    }

    fn put(&self, name: &str, bytes: &[u8], deadline: Instant) -> Result<(), TransportError> {
        let url = self.url(name);
        let answer = self.send("PUT", &url, Some(bytes), 0, deadline)?;
        match answer.status {
            status if status.is_success() => Ok(()),
            // WebDAV (RFC 4918, 9.7.1): the collection is not there yet.
            StatusCode::CONFLICT => {
                self.send("MKCOL", &self.base, None, 0, deadline)?;
                self.put_url(&url, bytes, deadline)
            }
            status => Err(unexpected(status)),
        }
    }

    fn delete(&self, name: &str, deadline: Instant) -> Result<bool, TransportError> {
        self.delete_url(&self.url(name), deadline)
    }

    fn time(&self, deadline: Instant) -> Result<Option<SystemTime>, TransportError> {
        self.time_at(&self.base, deadline)
    }
}

impl fmt::Debug for HttpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL may have a password.
        f.write_str("HttpTransport")
    }
}

fn unexpected(status: StatusCode) -> TransportError {
    let text = format!("the server answers {status}");
    match status {
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => TransportError::Failed(text),
        status if status.is_client_error() => TransportError::Refused(text),
        _ => TransportError::Failed(text),
    }
}

fn failure(error: Error, limit: u64) -> TransportError {
    match error {
        Error::Timeout(_) => TransportError::TimedOut,
        Error::BodyExceedsLimit(_) => TransportError::TooLong { limit },
        Error::Io(error) if error.kind() == std::io::ErrorKind::TimedOut => TransportError::TimedOut,
        // With the URL, in which a signature or a password may be.
        Error::BadUri(_) => TransportError::Refused("its URL is not one".to_owned()),
        Error::RequireHttpsOnly(_) => TransportError::Refused("it redirects to plain HTTP".to_owned()),
        error => TransportError::Failed(error.to_string()),
    }
}
