use std::sync::Arc;
use std::time::Duration;

use crate::{Secret, StoreObserver};

/// How a [`RemoteStore`](crate::RemoteStore) is used.
#[derive(Clone)]
pub struct RemoteOptions {
    pub(super) name: Option<String>,
    pub(super) secret: Option<Secret>,
    pub(super) is_trusted: bool,
    pub(super) read_only: bool,
    pub(super) deadline: Duration,
    pub(super) retries: u32,
    pub(super) observer: Option<Arc<dyn StoreObserver>>,
}

impl RemoteOptions {
    /// A store that is written to and never read, for want of trust; a deadline of 2 s, and two retries within it.
    pub fn new() -> Self {
        Self {
            name: None,
            secret: None,
            is_trusted: false,
            read_only: false,
            deadline: Duration::from_secs(2),
            retries: 2,
            observer: None,
        }
    }

    /// Sets the name of the store in events: otherwise the protocol's.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Authenticates what is written, and accepts nothing else: write access to the server is not enough to forge artifacts.
    #[must_use]
    pub fn with_secret(mut self, secret: Secret) -> Self {
        self.secret = Some(secret);
        self
    }

    /// Accepts entries without a MAC: write access to the server, or to the network, is then enough to run code here.
    #[must_use]
    pub fn trusted(mut self) -> Self {
        self.is_trusted = true;
        self
    }

    /// Never writes to the server.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// Sets how long an operation may take, and how much time the server may cost the process in all.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Sets how often an operation that fails is tried again, within its deadline.
    #[must_use]
    pub fn with_retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// Sets the observer of the store's events.
    #[must_use]
    pub fn with_observer(mut self, observer: Arc<dyn StoreObserver>) -> Self {
        self.observer = Some(observer);
        self
    }

    pub(super) fn may_be_read(&self) -> bool {
        self.is_trusted || self.secret.is_some()
    }
}

impl Default for RemoteOptions {
    fn default() -> Self {
        Self::new()
    }
}
