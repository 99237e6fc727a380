//! Which tensor, and which of its contents.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// Tells a tensor from all others of the process. It is a name of the tensor, not of its contents.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TensorId(u64);

impl TensorId {
    /// One that nothing else has.
    pub fn unique() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// Its number in events.
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// The number alone, so that the keys of a log stay short.
impl fmt::Debug for TensorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for TensorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A tensor with the contents it had at one moment.
///
/// The caller that changes the tensor must raise its version: [`Versioned`] does that by itself. Two contents of one tensor that
/// have one version would be taken for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TensorVersion {
    /// Which tensor.
    pub id: TensorId,
    /// Higher after every change.
    pub version: u64,
}

impl TensorVersion {
    /// The first version of a tensor that never changes, such as a weight read from a file.
    pub fn unchanging() -> Self {
        Self { id: TensorId::unique(), version: 0 }
    }
}

/// The source of prepared tensors, with its identity and a version that rises whenever it may have changed.
///
/// ```
/// use metallic::slots::Versioned;
///
/// let mut weights = Versioned::new(vec![1.0, 2.0]);
/// let before = weights.version();
/// weights.get_mut()[0] = 3.0;
/// assert_eq!(weights.version().id, before.id);
/// assert!(weights.version().version > before.version);
/// ```
#[derive(Debug)]
pub struct Versioned<S> {
    version: TensorVersion,
    source: S,
}

impl<S> Versioned<S> {
    /// A source that has an identity from now on.
    pub fn new(source: S) -> Self {
        Self { version: TensorVersion::unchanging(), source }
    }

    /// Its identity and its present version.
    pub fn version(&self) -> TensorVersion {
        self.version
    }

    /// The source, to be read.
    pub fn get(&self) -> &S {
        &self.source
    }

    /// The source, to be changed: prepared forms made before are outdated.
    pub fn get_mut(&mut self) -> &mut S {
        self.version.version += 1;
        &mut self.source
    }

    /// The source without its identity.
    pub fn into_inner(self) -> S {
        self.source
    }
}

/// A clone changes on its own, and so has its own identity.
impl<S: Clone> Clone for Versioned<S> {
    fn clone(&self) -> Self {
        Self::new(self.source.clone())
    }
}
