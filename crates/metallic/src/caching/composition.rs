//! The parts that a resource is made of, for comparison.

use std::borrow::Cow;
use std::fmt::{self, Display};
use std::hash::{BuildHasher, Hash};

use rustc_hash::FxBuildHasher;

/// The named parts that a resource is made of: says if two are the same thing, and if not, in which parts they differ.
///
/// A part is anything that the resource depends on: a source, options, sizes, the number of threads, an environment variable. Two
/// resources of one key must have equal compositions, whenever and on whichever thread they were created. Compositions are
/// compared within one process.
///
/// ```
/// use metallic::caching::Composition;
///
/// let kept = Composition::new().with("options", "-O3").with_digest("source", b"kernel void scale()");
/// let created = Composition::new().with("options", "-O2").with_digest("source", b"kernel void scale()");
/// assert_eq!(created.changes_from(&kept), ["options is `-O2`, was `-O3`"]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Composition(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Part {
    name: Cow<'static, str>,
    /// The value, or the digest of one that is too long to be shown.
    value: String,
}

impl Composition {
    /// A composition without parts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a part by its value, which is shown where it differs.
    #[must_use]
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, value: impl Display) -> Self {
        self.0.push(Part { name: name.into(), value: value.to_string() });
        self
    }

    /// Adds a part by its digest, for what is too long to be shown: a source, or code.
    #[must_use]
    pub fn with_digest(self, name: impl Into<Cow<'static, str>>, value: impl Hash) -> Self {
        self.with(name, format_args!("{:016x}", FxBuildHasher.hash_one(value)))
    }

    /// The names of the parts in which this differs from another.
    pub fn differing_parts<'a>(&'a self, other: &'a Self) -> Vec<&'a str> {
        let differs = |part: &&Part| other.part(&part.name) != Some(&*part.value);
        let only_there = other.0.iter().filter(|part| self.part(&part.name).is_none());
        self.0.iter().filter(differs).chain(only_there).map(|part| &*part.name).collect()
    }

    /// Says part by part how this differs from what was before.
    pub fn changes_from(&self, before: &Self) -> Vec<String> {
        let said = |part: Option<&str>| part.map_or("absent".to_owned(), |value| format!("`{value}`"));
        let names = self.differing_parts(before).into_iter();
        names
            .map(|name| format!("{name} is {}, was {}", said(self.part(name)), said(before.part(name))))
            .collect()
    }

    fn part(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|part| part.name == name).map(|part| &*part.value)
    }
}

impl fmt::Display for Composition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, part) in self.0.iter().enumerate() {
            let comma = if number > 0 { ", " } else { "" };
            write!(f, "{comma}{} `{}`", part.name, part.value)?;
        }
        Ok(())
    }
}
