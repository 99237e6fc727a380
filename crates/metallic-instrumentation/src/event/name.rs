//! Names of caches.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// The name of a cache: a string that is cheap to clone, whether it is part of the program or was made at run time.
///
/// It compares, hashes and prints as the string does, so that a map of names can be asked for a `&str`.
#[derive(Clone)]
pub struct CacheName(Text);

#[derive(Clone)]
enum Text {
    Static(&'static str),
    Shared(Arc<str>),
}

impl CacheName {
    /// The name of a kernel or slot whose name is a constant.
    pub const fn from_static(name: &'static str) -> Self {
        Self(Text::Static(name))
    }

    /// The name as a string.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Text::Static(name) => name,
            Text::Shared(name) => name,
        }
    }
}

impl Deref for CacheName {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for CacheName {
    fn as_ref(&self) -> &str {
        self
    }
}

impl Borrow<str> for CacheName {
    fn borrow(&self) -> &str {
        self
    }
}

impl From<&'static str> for CacheName {
    fn from(name: &'static str) -> Self {
        Self::from_static(name)
    }
}

impl From<Arc<str>> for CacheName {
    fn from(name: Arc<str>) -> Self {
        Self(Text::Shared(name))
    }
}

impl From<String> for CacheName {
    fn from(name: String) -> Self {
        Self(Text::Shared(name.into()))
    }
}

impl PartialEq for CacheName {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for CacheName {}

impl PartialEq<str> for CacheName {
    fn eq(&self, other: &str) -> bool {
        **self == *other
    }
}

impl PartialEq<&str> for CacheName {
    fn eq(&self, other: &&str) -> bool {
        **self == **other
    }
}

impl PartialOrd for CacheName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for CacheName {
    fn cmp(&self, other: &Self) -> Ordering {
        (**self).cmp(&**other)
    }
}

impl Hash for CacheName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl fmt::Display for CacheName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

impl fmt::Debug for CacheName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for CacheName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for CacheName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <Arc<str> as serde::Deserialize>::deserialize(deserializer).map(Self::from)
    }
}
