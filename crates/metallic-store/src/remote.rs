//! Stores on other machines: existing servers, of which none is this project's.

#[cfg(feature = "bazel")]
mod action_result;
#[cfg(feature = "bazel")]
mod bazel;
mod breaker;
#[cfg(feature = "http")]
mod http;
mod options;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "s3")]
mod s3;
#[cfg(feature = "tls")]
mod tls;
mod transport;
mod url;
mod wire;

use std::fmt;
use std::time::{Duration, Instant, SystemTime};

use crate::{
    ArtifactStore, Entry, EntryId, EntryInfo, Journal, Lease, MissCause, SaveError, StoreAction, Subject,
    limits,
};

#[cfg(feature = "bazel")]
pub use bazel::BazelTransport;
use breaker::Breaker;
#[cfg(feature = "http")]
pub use http::HttpTransport;
pub use options::RemoteOptions;
#[cfg(feature = "redis")]
pub use redis::RedisTransport;
#[cfg(feature = "s3")]
pub use s3::S3Transport;
pub use transport::{Transport, TransportError};
pub use url::{RemoteUrlError, redacted_url};

/// A store on another machine, that answers soon or not at all.
///
/// Nothing is read without a secret, or an explicit word of trust: what a server gives is executed by a driver. Entries are
/// compressed on the way, and verified like those of a disk.
///
/// The time that a server may cost is bounded for the whole process: one deadline. Look-ups that give nothing cost what they
/// take, hits earn what creating their artifact took; once more was lost than the deadline, or an operation failed with all its
/// retries, nothing is asked any more. It has no leases, and lists nothing.
pub struct RemoteStore {
    transport: Box<dyn Transport>,
    options: RemoteOptions,
    breaker: Breaker,
    journal: Journal,
}

/// A century, which no process sees the end of.
const FAR_AHEAD: Duration = Duration::from_secs(100 * 365 * 86_400);

impl RemoteStore {
    /// A store behind a transport.
    pub fn new(transport: impl Transport + 'static, options: RemoteOptions) -> Self {
        Self::boxed(Box::new(transport), options)
    }

    /// A store at a URL: `http[s]://`, `bazel+http[s]://`, `redis://` or `s3://`, each by the feature of its name. See
    /// [the transports](Transport) for what each takes.
    ///
    /// # Errors
    ///
    /// If the URL is none of these, or incomplete. The server is not asked yet.
    pub fn at(url: &str, options: RemoteOptions) -> Result<Self, RemoteUrlError> {
        Ok(Self::boxed(url::transport(url)?, options))
    }

    fn boxed(transport: Box<dyn Transport>, mut options: RemoteOptions) -> Self {
        let name = options.name.take().unwrap_or_else(|| transport.name().to_owned());
        let journal = Journal::new(name, options.observer.take());
        Self { transport, breaker: Breaker::new(options.deadline), options, journal }
    }

    /// Returns why the server is not asked any more in this process, if it is not.
    pub fn given_up(&self) -> Option<String> {
        self.breaker.reason()
    }

    /// The time by the server's clock, to a second, where the protocol tells it. S3 refuses requests that are signed by a clock
    /// 15 minutes from its own.
    ///
    /// # Errors
    ///
    /// If there is no answer within the deadline.
    pub fn server_time(&self) -> Result<Option<SystemTime>, TransportError> {
        self.transport.time(self.deadline())
    }

    /// The end of an operation that begins now.
    fn deadline(&self) -> Instant {
        let now = Instant::now();
        // A clock may have no name for what is that far ahead.
        now.checked_add(self.options.deadline).unwrap_or_else(|| now + FAR_AHEAD)
    }

    /// Tries until it succeeds, is refused, has been retried often enough, or the deadline is over.
    fn attempt<T>(
        &self,
        name: &'static str,
        mut operation: impl FnMut(Instant) -> Result<T, TransportError>,
    ) -> Result<T, TransportError> {
        let deadline = self.deadline();
        let mut pause = Duration::from_millis(10);
        let mut retries = self.options.retries;
        loop {
            let error = match operation(deadline) {
                Err(error @ TransportError::Failed(_)) => error,
                outcome => return outcome,
            };
            if retries == 0 || deadline.saturating_duration_since(Instant::now()) <= pause {
                return Err(error);
            }
            self.journal.record(StoreAction::Fault { attempt: name, cause: &error.to_string() });
            std::thread::sleep(pause);
            pause = pause.saturating_mul(4);
            retries -= 1;
        }
    }

    /// Gives the server up, if that is what an error means, and returns its text.
    fn note(&self, attempt: &'static str, error: &TransportError) -> String {
        let text = error.to_string();
        match error {
            TransportError::Refused(_) | TransportError::TooLong { .. } => {}
            TransportError::Failed(_) | TransportError::TimedOut => self.breaker.open(&text),
        }
        self.journal.record(StoreAction::Fault { attempt, cause: &text });
        text
    }

    fn fetch(&self, id: &EntryId) -> Result<Entry, MissCause> {
        let answer =
            self.attempt("get", |deadline| self.transport.get(&id.to_string(), limits::ENTRY, deadline));
        let bytes = answer
            .map_err(|error| MissCause::Unavailable(self.note("get", &error)))?
            .ok_or(MissCause::Absent)?;
        let entry = Entry::decode(wire::unpack(bytes)?, self.options.secret.as_ref())?;
        if entry.key.id() == *id { Ok(entry) } else { Err(MissCause::OtherKey) }
    }
}

impl ArtifactStore for RemoteStore {
    fn journal(&self) -> &Journal {
        &self.journal
    }

    fn read(&self, id: &EntryId) -> Result<Entry, MissCause> {
        if !self.options.may_be_read() {
            return Err(MissCause::Untrusted);
        }
        if let Some(reason) = self.breaker.reason() {
            return Err(MissCause::Unavailable(reason));
        }
        let start = Instant::now();
        let fetched = self.fetch(id);
        match &fetched {
            Ok(entry) => self.breaker.spend(start.elapsed(), Duration::from_nanos(entry.body.cost_ns())),
            Err(_) => self.breaker.spend(start.elapsed(), Duration::ZERO),
        }
        fetched
    }

    fn write(&self, entry: &Entry) -> Result<(), SaveError> {
        if self.options.read_only {
            return Err(SaveError::ReadOnly);
        }
        if let Some(reason) = self.breaker.reason_not_to_write() {
            return Err(SaveError::Unavailable(reason));
        }
        let packed = wire::pack(entry.encode(self.options.secret.as_ref(), SystemTime::now())?);
        let name = entry.key.id().to_string();
        self.attempt("put", |deadline| self.transport.put(&name, &packed, deadline)).map_err(|error| {
            if let TransportError::Refused(reason) = &error {
                self.breaker.refuse_writes(reason);
            }
            SaveError::Unavailable(self.note("put", &error))
        })
    }

    fn remove(&self, id: &EntryId) -> Result<bool, SaveError> {
        if self.options.read_only {
            return Err(SaveError::ReadOnly);
        }
        if let Some(reason) = self.breaker.reason() {
            return Err(SaveError::Unavailable(reason));
        }
        self.attempt("delete", |deadline| self.transport.delete(&id.to_string(), deadline))
            .map_err(|error| SaveError::Unavailable(self.note("delete", &error)))
    }

    fn ids(&self, _: Option<Subject>) -> Result<Vec<EntryId>, MissCause> {
        Ok(Vec::new())
    }

    fn info(&self, id: &EntryId) -> Result<EntryInfo, MissCause> {
        self.read(id).map(|entry| EntryInfo::of_resident(&entry))
    }

    fn lease(&self, _: &EntryId, _: Duration) -> Lease {
        Lease::Unsupported
    }
}

impl fmt::Debug for RemoteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteStore").field("transport", &self.transport).finish_non_exhaustive()
    }
}
