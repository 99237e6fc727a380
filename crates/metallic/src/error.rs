//! The one error type.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use metallic_instrumentation::{CacheName, CreationViolation, ViolationVerdict};

/// The specification's name of [`Error`].
pub type MetalError = Error;

/// The reason why a resource is not available.
///
/// As usual, a text does not repeat what [`source`](StdError::source) is there for: that of a creation that failed or was refused
/// names the key alone. `{error:#}` is a line with all causes, [`root`](Error::root) the innermost of this library.
///
/// An engine's own error goes in by [`Error::kernel`] and comes out by [`Error::downcast_ref`], whatever it was wrapped in on
/// the way:
///
/// ```
/// # use metallic::caching::{CacheableKernel, CacheRegistry};
/// # use metallic::{Device, error::Error};
/// #[derive(Debug, PartialEq, thiserror::Error)]
/// #[error("line {line} of the shader does not compile")]
/// struct ShaderError {
///     line: u32,
/// }
/// # struct Shader;
/// # impl CacheableKernel for Shader {
/// #     type Key = u32;
/// #     type CachedResource = ();
/// #     type Params = u32;
/// #     const CACHE_NAME: &'static str = "shader";
/// #     fn create_cache_key(line: &u32) -> u32 { *line }
/// #     fn create_cached_resource(&line: &u32, _: Option<&Device>) -> Result<(), Error> {
/// #         Err(Error::kernel(ShaderError { line }))
/// #     }
/// # }
///
/// let mut registry = CacheRegistry::new();
/// let error = registry.get_or_create::<Shader>(&7, None).unwrap_err();
/// assert_eq!(error.to_string(), "cannot create `shader:7`");
/// assert_eq!(format!("{error:#}"), "cannot create `shader:7`: line 7 of the shader does not compile");
/// assert_eq!(error.downcast_ref::<ShaderError>(), Some(&ShaderError { line: 7 }));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A creation failed.
    #[error(fmt = creation_text)]
    Creation {
        /// The name of the cache and the key, as in events.
        cache_key: Arc<str>,
        /// The kernel's error.
        source: Box<Error>,
    },
    /// The error of a creation that others waited for, too.
    #[error(transparent)]
    Shared(Arc<Error>),
    /// Another thread's creation of the resource did not end in the time that the caller would wait.
    #[error("the creation of `{cache_key}` by another thread takes longer than the caller would wait")]
    TimedOut {
        /// The name of the cache and the key, as in events.
        cache_key: Arc<str>,
    },
    /// The creation, or the growth of a slot, was refused by a contract.
    #[error("{}", violation_text(.0))]
    CreationRefused(Box<CreationViolation>),
    /// The device was lost while a resource was created on it.
    #[error("the device was lost")]
    DeviceLost,
    /// A creation in the background panicked. Where a caller creates, the panic is the caller's.
    #[error("the creation panicked: {message}")]
    Panicked {
        /// The panic's payload, if that is text.
        message: Box<str>,
    },
    /// The registry creates nothing in the background any more: it was told to, or its last handle was dropped.
    #[error("the registry no longer creates in the background")]
    ShutDown,
    /// An engine's own error.
    #[error(transparent)]
    Kernel(Box<dyn StdError + Send + Sync>),
    /// The kernel needs a device, and neither the caller nor the registry has one.
    #[error("no device is available")]
    DeviceNotAvailable,
    /// The cache's resource was made on another device than the one that was asked for: a device is not part of a key.
    #[error(
        "the cache `{cache}` has resources of device {made_on:#x}, not of device {asked_for:#x}; use a registry for each device"
    )]
    AnotherDevice {
        /// The name of the cache.
        cache: CacheName,
        /// The identity of the device that its resources were made on.
        made_on: u64,
        /// The identity of the device that was asked for.
        asked_for: u64,
    },
    /// Two caches have the same name, so that their events and metrics could not be told apart.
    #[error("the cache name `{name}` belongs to {first} and cannot be used by {second}")]
    DuplicateCacheName {
        /// The name they share.
        name: CacheName,
        /// The type that had it first.
        first: &'static str,
        /// The type that was refused.
        second: &'static str,
    },
    /// A creation asked for the resource that it is creating, by itself or through others.
    #[error("the creation of `{cache_key}` needs `{cache_key}`")]
    RecursiveCreation {
        /// The name of the cache and the key, as in events.
        cache_key: Arc<str>,
    },
    /// A creation asked for another resource, and its cache is in no registry.
    #[error("a cache that stands alone has no other caches to create from")]
    NoRegistry,
    /// The parameters describe nothing that the kernel can make.
    #[error("invalid parameters: {reason}")]
    InvalidParams {
        /// The fault.
        reason: Cow<'static, str>,
    },
    /// The device, its driver or its compiler failed.
    #[error("{operation} failed")]
    Device {
        /// The action, such as `pipeline compilation`.
        operation: Cow<'static, str>,
        /// The device's own error.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// A KV cache would have to grow beyond its limits. It holds what it held.
    #[error(
        "the KV cache is full: {positions} positions take {needed_bytes} bytes, and it may have {max_positions} in {limit_bytes} bytes"
    )]
    KvCacheFull {
        /// Positions that each sequence would have.
        positions: usize,
        /// The most that each sequence can have under the cache's limits.
        max_positions: usize,
        /// The bytes that the positions would take.
        needed_bytes: u64,
        /// The most that the cache may hold, in bytes.
        limit_bytes: u64,
    },
    /// A prepared tensor was asked for by a version of its source that has been changed since.
    #[error("tensor {tensor} was asked for in version {version} and is in version {latest} by now")]
    OutdatedTensor {
        /// The number of the tensor's identity.
        tensor: u64,
        /// The version that was asked for.
        version: u64,
        /// The version that is there.
        latest: u64,
    },
}

impl Error {
    /// [`Error::Kernel`]: an engine's own error.
    pub fn kernel(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Kernel(error.into())
    }

    /// [`Error::Device`]: `operation` failed because of `source`.
    pub fn device(
        operation: impl Into<Cow<'static, str>>,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self::Device { operation: operation.into(), source: source.into() }
    }

    /// [`Error::InvalidParams`]: the parameters are wrong for this `reason`.
    pub fn invalid_params(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::InvalidParams { reason: reason.into() }
    }

    pub(crate) fn creation(cache_key: Arc<str>, source: Self) -> Self {
        Self::Creation { cache_key, source: Box::new(source) }
    }

    /// The error that stopped the innermost creation: this one, unless it is an [`Error::Creation`] or [`Error::Shared`].
    pub fn root(&self) -> &Self {
        match self {
            Self::Creation { source, .. } => source.root(),
            Self::Shared(error) => error.root(),
            root => root,
        }
    }

    /// [`root`](Self::root), by value: an [`Error::Shared`] where others still have it.
    pub fn into_root(self) -> Self {
        match self {
            Self::Creation { source, .. } => source.into_root(),
            Self::Shared(error) => Arc::try_unwrap(error).map_or_else(Self::Shared, Self::into_root),
            root => root,
        }
    }

    /// The error of type `E` among this one's causes: an engine's own, a device's own, or one of their sources.
    pub fn downcast_ref<E: StdError + 'static>(&self) -> Option<&E> {
        let mut cause: &(dyn StdError + 'static) = match self.root() {
            Self::Kernel(error) => &**error,
            root => root,
        };
        loop {
            if let Some(found) = cause.downcast_ref() {
                return Some(found);
            }
            cause = cause.source()?;
        }
    }
}

/// The text of [`Error::Creation`]; with `#`, that of its causes, too.
fn creation_text(cache_key: &str, source: &Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "cannot create `{cache_key}`")?;
    if f.alternate() { write!(f, ": {}", chain(source)) } else { Ok(()) }
}

/// A violation in one line: what, where, why, and the nearest key that was there.
pub(crate) fn violation_text(violation: &CreationViolation) -> String {
    let CreationViolation { cache_key, scope, verdict, evicted_by, nearest_key, caller, .. } = violation;
    let why = match (verdict, evicted_by) {
        (ViolationVerdict::NeverRecorded, _) => {
            "it was never recorded, or not among what was to be warmed up".to_owned()
        }
        (ViolationVerdict::NotReady, _) => "it was recorded, and warm-up had not come to it".to_owned(),
        (ViolationVerdict::Failed, _) => "warm-up failed to create it".to_owned(),
        (ViolationVerdict::Evicted, Some(policy)) => format!("it was there, and `{policy}` evicted it"),
        (ViolationVerdict::Evicted, None) => "it was there, and was removed".to_owned(),
        (ViolationVerdict::OtherFingerprint, _) => {
            "it was recorded for another schema or fingerprint".to_owned()
        }
        (ViolationVerdict::NotRecordable, _) => {
            "it was not there, and no manifest can have what a closure or a slot creates: prefetch it, or rehearse, \
             before the scope is armed"
                .to_owned()
        }
        (_, _) => "there was no manifest to warm up from".to_owned(),
    };
    let mut text = format!("`{cache_key}` was to be created in the armed scope `{scope}`: {why}");
    if let Some(nearest) = nearest_key {
        let fields = violation.differing_fields.join(", ");
        text.push_str(&match &*fields {
            // A key without fields, such as a number.
            "" => format!("; the nearest key is `{nearest}`"),
            fields => format!("; the nearest key, `{nearest}`, differs in {fields}"),
        });
    }
    if let Some(caller) = caller {
        text.push_str(&format!("; asked for at {caller}"));
    }
    text
}

/// An error and its sources on one line.
pub(crate) fn chain(error: &dyn StdError) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        line.push_str(": ");
        line.push_str(&error.to_string());
        source = error.source();
    }
    line
}
