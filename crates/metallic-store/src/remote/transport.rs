use std::fmt;
use std::time::{Duration, Instant, SystemTime};

/// Moves bytes to and from a server under names. What they are, and whether they can be trusted, is not its concern.
///
/// | URL | server | names |
/// |---|---|---|
/// | `http[s]://[user:password@]host[:port]/path` | plain HTTP with PUT, WebDAV | `path/name` |
/// | `bazel+http[s]://[user:password@]host[:port]/path` | bazel's HTTP protocol, bazel-remote | `path/ac/..`, `path/cas/..` |
/// | `redis://[[user]:password@]host[:port][/database]` | Redis and its like | `metallic:name` |
/// | `s3://bucket/prefix?endpoint=URL&region=NAME` | S3 and its like; `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN` from the environment | `prefix/name` |
///
/// The `s` needs the feature `tls`. Without it, and always for Redis, artifacts can be read on the way; with a secret they cannot
/// be forged there.
pub trait Transport: Send + Sync + fmt::Debug {
    /// The protocol's name.
    fn name(&self) -> &str;

    /// Gets what is under a name, or none if there is nothing. Allocates for no more than `limit` bytes.
    ///
    /// # Errors
    ///
    /// If there is no answer by the deadline, or another one than these.
    fn get(&self, name: &str, limit: u64, deadline: Instant) -> Result<Option<Vec<u8>>, TransportError>;

    /// Puts bytes under a name, in the place of what is there.
    ///
    /// # Errors
    ///
    /// If the server has not said by the deadline that they are there.
    fn put(&self, name: &str, bytes: &[u8], deadline: Instant) -> Result<(), TransportError>;

    /// Deletes what is under a name, and returns whether there was something, as far as the server tells.
    ///
    /// # Errors
    ///
    /// If the server has not said by the deadline that it is gone.
    fn delete(&self, name: &str, deadline: Instant) -> Result<bool, TransportError>;

    /// The time by the server's clock, to a second, where the protocol tells it.
    ///
    /// # Errors
    ///
    /// If there is no answer by the deadline.
    fn time(&self, deadline: Instant) -> Result<Option<SystemTime>, TransportError> {
        let _ = deadline;
        Ok(None)
    }
}

/// The reason why a server did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// It said no, and would again.
    #[error("refused: {0}")]
    Refused(String),
    /// It could not be reached, failed, or did not make sense. Another attempt may succeed.
    #[error("{0}")]
    Failed(String),
    /// It did not answer in time.
    #[error("no answer within the deadline")]
    TimedOut,
    /// The response is longer than anything that could be right.
    #[error("answers with more than {limit} bytes")]
    TooLong {
        /// The most there may be.
        limit: u64,
    },
}

/// The time that is left until the deadline.
#[cfg_attr(not(any(feature = "http", feature = "redis")), expect(dead_code, reason = "transports use it"))]
pub(super) fn left(deadline: Instant) -> Result<Duration, TransportError> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(TransportError::TimedOut) } else { Ok(left) }
}
