use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::limits;

/// The result of a compilation: one or several named payloads, and what making them cost.
///
/// Usual payloads are [`Artifact::NATIVE`], code for one device such as a cubin, and [`Artifact::PORTABLE`], code that a
/// driver can still translate such as PTX. A clone shares the bytes.
#[derive(Clone)]
pub struct Artifact {
    bytes: Arc<Vec<u8>>,
    payloads: Vec<(String, Range<usize>)>,
    cost: Duration,
    label: String,
}

impl Artifact {
    /// The payload for exactly the fingerprint's device and driver.
    pub const NATIVE: &'static str = "native";
    /// The payload from which a driver can make a native one.
    pub const PORTABLE: &'static str = "portable";

    /// An artifact of one native payload.
    pub fn native(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        let payloads = vec![(Self::NATIVE.to_owned(), 0..bytes.len())];
        Self { bytes: Arc::new(bytes), payloads, cost: Duration::ZERO, label: String::new() }
    }

    /// Adds a payload. One of the same name is superseded.
    ///
    /// # Panics
    ///
    /// If the name has not 1 to 64 bytes, or there would be more than 16 payloads: mistakes in a program, never data.
    #[must_use]
    pub fn with_payload(mut self, name: &str, bytes: &[u8]) -> Self {
        assert!(
            !name.is_empty() && name.len() <= limits::NAME,
            "a payload's name has 1 to 64 bytes: `{name}`"
        );
        let mut all = Vec::with_capacity(self.bytes.len() + bytes.len());
        let mut payloads = Vec::with_capacity(self.payloads.len() + 1);
        let kept = self.payloads().filter(|(present, _)| *present != name);
        for (name, bytes) in kept.chain([(name, bytes)]) {
            payloads.push((name.to_owned(), all.len()..all.len() + bytes.len()));
            all.extend_from_slice(bytes);
        }
        assert!(payloads.len() <= limits::PAYLOADS, "an artifact has at most 16 payloads");
        self.bytes = Arc::new(all);
        self.payloads = payloads;
        self
    }

    /// Sets what creation took. Stores keep what is costly.
    #[must_use]
    pub fn with_cost(mut self, cost: Duration) -> Self {
        self.cost = cost;
        self
    }

    /// Sets a readable name for listings, such as the key's debug form. It is cut after 1024 bytes and not compared.
    #[must_use]
    pub fn with_label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        crate::fingerprint::cut(&mut self.label, limits::VALUE);
        self
    }

    /// The payload called `name`.
    pub fn payload(&self, name: &str) -> Option<&[u8]> {
        self.payloads().find(|(present, _)| *present == name).map(|(_, bytes)| bytes)
    }

    /// All payloads by name, in the order in which they were added.
    pub fn payloads(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.payloads.iter().map(|(name, range)| (name.as_str(), &self.bytes[range.clone()]))
    }

    /// Length of all payloads, in bytes.
    pub fn bytes(&self) -> u64 {
        self.payloads.iter().map(|(_, range)| range.len() as u64).sum()
    }

    /// The time that creation took.
    pub fn cost(&self) -> Duration {
        self.cost
    }

    /// The readable name for listings.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// An artifact whose payloads are ranges of a decoded file, which is not copied.
    pub(crate) fn from_parts(
        bytes: Vec<u8>,
        payloads: Vec<(String, Range<usize>)>,
        cost: Duration,
        label: String,
    ) -> Self {
        Self { bytes: Arc::new(bytes), payloads, cost, label }
    }
}

impl From<Vec<u8>> for Artifact {
    /// [`Artifact::native`].
    fn from(bytes: Vec<u8>) -> Self {
        Self::native(bytes)
    }
}

impl PartialEq for Artifact {
    fn eq(&self, other: &Self) -> bool {
        self.cost == other.cost && self.label == other.label && self.payloads().eq(other.payloads())
    }
}

impl Eq for Artifact {}

impl fmt::Debug for Artifact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let payloads: Vec<_> =
            self.payloads().map(|(name, bytes)| format!("{name}: {} bytes", bytes.len())).collect();
        f.debug_struct("Artifact")
            .field("label", &self.label)
            .field("cost", &self.cost)
            .field("payloads", &payloads)
            .finish()
    }
}
