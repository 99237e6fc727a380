//! Guards against keys that do not say all of what their resources depend on.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::BuildHasher;
use std::num::NonZeroU64;
use std::sync::Arc;

use metallic_instrumentation::{CacheName, EventKind, IncompleteKey};
use rustc_hash::FxBuildHasher;

use crate::caching::{
    CacheRegistry, CacheableKernel, Composition, Foreign, SharedRegistry, SlotContext, caught, drop_first,
};
use crate::error::{Error, chain};

/// The entries whose resources are created again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    one_in: NonZeroU64,
    round: u64,
}

impl Sample {
    /// Every entry.
    pub fn all() -> Self {
        Self::one_in(NonZeroU64::MIN, 0)
    }

    /// One in `n` entries. Each round has others, and `n` rounds in a row have all.
    pub fn one_in(n: NonZeroU64, round: u64) -> Self {
        Self { one_in: n, round }
    }

    fn has(&self, cache_key: &str) -> bool {
        FxBuildHasher.hash_one(cache_key).wrapping_add(self.round) % self.one_in == 0
    }
}

/// The result of a verification.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Entries whose resources were created again and are the same.
    pub same: u64,
    /// Entries whose kernel does not say what they are made of.
    pub unknown: u64,
    /// Keys that are incomplete: what was created again is another thing. With each part that differs, as
    /// [`Composition::changes_from`] says it.
    pub incomplete: Vec<(Arc<str>, Vec<String>)>,
    /// Keys whose resources are all the same thing: something is in the key that it does not depend on. Of all entries, sampled or
    /// not.
    pub over_specific: Vec<Vec<Arc<str>>>,
    /// Keys whose creation failed, or whose resource does not even say what it is made of but panics, with the errors.
    pub failed: Vec<(Arc<str>, String)>,
}

impl VerifyReport {
    /// Returns `true` if no key is incomplete, and no creation failed.
    pub fn is_clean(&self) -> bool {
        self.incomplete.is_empty() && self.failed.is_empty()
    }
}

impl fmt::Display for VerifyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} the same, {} incomplete, {} failed",
            self.same,
            self.incomplete.len(),
            self.failed.len()
        )?;
        if self.unknown > 0 {
            write!(f, ", {} that do not say what they are made of", self.unknown)?;
        }
        for (key, changes) in &self.incomplete {
            write!(f, "\nsame key, different artifact: {key}: {}", changes.join(", "))?;
        }
        for keys in &self.over_specific {
            write!(f, "\ndifferent keys, same artifact: {}", keys.join(", "))?;
        }
        self.failed.iter().try_for_each(|(key, error)| write!(f, "\nfailed: {key}: {error}"))
    }
}

impl<D: 'static> SharedRegistry<D> {
    /// Creates a sample of the resources of kernel `K` again, on the registry's device and outside of all locks, and compares what
    /// they are made of with those in the cache: a difference says that the key lacks something that the creation depends on.
    ///
    /// Takes the time of these creations, and the memory of one of them at a time, besides what they ask the registry for. Nothing
    /// is inserted, counted as a miss, loaded from a store or refused. A look-up does nothing for it.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU32, Ordering};
    ///
    /// use metallic::caching::{CacheableKernel, Composition, SharedRegistry};
    /// use metallic::creation::Sample;
    /// # use metallic::{Device, error::Error};
    ///
    /// static LEVEL: AtomicU32 = AtomicU32::new(3); // of optimisation, and not in the key
    ///
    /// struct Shader;
    ///
    /// impl CacheableKernel for Shader {
    ///     type Key = u32;
    ///     type CachedResource = String;
    /// #     type Params = u32;
    /// #     const CACHE_NAME: &'static str = "shader";
    /// #     fn create_cache_key(width: &u32) -> u32 { *width }
    ///
    ///     fn create_cached_resource(width: &u32, _: Option<&Device>) -> Result<String, Error> {
    ///         Ok(format!("{width} wide, -O{}", LEVEL.load(Ordering::Relaxed)))
    ///     }
    ///
    ///     fn composition(code: &String) -> Option<Composition> {
    ///         Some(Composition::new().with("code", code))
    ///     }
    /// }
    ///
    /// let registry: SharedRegistry = SharedRegistry::new();
    /// registry.get_or_create::<Shader>(&64, None)?;
    /// LEVEL.store(2, Ordering::Relaxed);
    /// let report = registry.verify::<Shader>(&Sample::all());
    /// assert_eq!(report.incomplete[0].1, ["code is `64 wide, -O2`, was `64 wide, -O3`"]);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn verify<K>(&self, sample: &Sample) -> VerifyReport
    where
        K: CacheableKernel<D, Key: Send + Sync, CachedResource: Send + Sync>,
    {
        let again = self.detached();
        let entries = self.entries_of::<K>().into_iter();
        let entries = entries.map(|(key, label, resource)| {
            let composition = caught(|| K::composition(&resource));
            drop_first(resource, (key, label, composition))
        });
        let create = |key: &K::Key| {
            let made = again.create_by_key::<K>(key).map(|made| K::composition(&made));
            again.clear_cache::<K>();
            made
        };
        verify(CacheName::from_static(K::CACHE_NAME), entries, sample, create, &self.context())
    }
}

impl<D: 'static> CacheRegistry<D> {
    /// As [`SharedRegistry::verify`].
    pub fn verify<K: CacheableKernel<D>>(&self, sample: &Sample) -> VerifyReport {
        let Some(cache) = self.cache::<K>() else { return VerifyReport::default() };
        let mut again = self.detached();
        let entries = cache.labelled_entries();
        let entries = entries.map(|(key, label, resource)| {
            (Foreign::new(key.clone()), label, caught(|| K::composition(resource)))
        });
        let create = |key: &K::Key| {
            let made = again.create_by_key::<K>(key.clone()).map(|made| K::composition(made));
            again.clear_cache::<K>();
            made
        };
        verify(cache.name().clone(), entries, sample, create, &self.context())
    }
}

fn verify<Key>(
    cache: CacheName,
    entries: impl Iterator<Item = (Foreign<Key>, Arc<str>, Option<Option<Composition>>)>,
    sample: &Sample,
    mut create: impl FnMut(&Key) -> Result<Option<Composition>, Error>,
    context: &SlotContext,
) -> VerifyReport {
    let mut report = VerifyReport::default();
    let mut by_composition = BTreeMap::<String, Vec<Arc<str>>>::new();
    for (key, label, kept) in entries {
        let kept = match kept {
            Some(Some(kept)) => kept,
            Some(None) => {
                report.unknown += 1;
                continue;
            }
            None => {
                report
                    .failed
                    .push((label, "the composition of the resource that is kept panicked".to_owned()));
                continue;
            }
        };
        by_composition.entry(kept.to_string()).or_default().push(label.clone());
        if !sample.has(&label) {
            continue;
        }
        match caught(|| create(&key)) {
            Some(Ok(Some(created))) if created == kept => report.same += 1,
            Some(Ok(created)) => {
                let created = created.unwrap_or_default();
                let differing = created.differing_parts(&kept);
                context.report(EventKind::IncompleteKey, context.now(), || IncompleteKey {
                    cache: cache.clone(),
                    cache_key: label.clone(),
                    differing_parts: differing.into_iter().map(str::to_owned).collect(),
                });
                report.incomplete.push((label, created.changes_from(&kept)));
            }
            Some(Err(error)) => report.failed.push((label, chain(&error))),
            None => report.failed.push((label, "the creation panicked".to_owned())),
        }
    }
    report.over_specific = by_composition.into_values().filter(|keys| keys.len() > 1).collect();
    report.over_specific.iter_mut().for_each(|keys| keys.sort());
    report.incomplete.sort();
    report.failed.sort();
    report
}
