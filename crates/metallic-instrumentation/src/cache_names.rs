//! The names of caches in the labels of keys.

use std::collections::HashSet;

/// Finds the cache in a key's label: `CACHE_NAME:` and the key's debug form.
///
/// A name may itself contain colons, and so may a key. So the names that events tell are learned, and of those a label
/// begins with, the longest is the cache; of a label that begins with none of them, the cache is what is before the first
/// colon.
///
/// ```
/// use metallic_instrumentation::CacheNames;
///
/// let mut names = CacheNames::default();
/// assert_eq!(names.split("wgpu::gemm:Key{m:1}"), ("wgpu", ":gemm:Key{m:1}"));
/// names.learn("wgpu::gemm");
/// assert_eq!(names.split("wgpu::gemm:Key{m:1}"), ("wgpu::gemm", "Key{m:1}"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct CacheNames {
    /// Names with a colon: for the others the first colon is right.
    with_colons: HashSet<Box<str>>,
    /// The most colons that a name has.
    most_colons: usize,
}

impl CacheNames {
    /// Notes that a cache has this name.
    pub fn learn(&mut self, name: &str) {
        let colons = name.matches(':').count();
        if colons > 0 && !self.with_colons.contains(name) {
            self.with_colons.insert(name.into());
            self.most_colons = self.most_colons.max(colons);
        }
    }

    /// Returns the cache's name and the key. A label without a colon is a key of a cache without a name.
    pub fn split<'a>(&self, label: &'a str) -> (&'a str, &'a str) {
        // A name with n colons ends at the colon after them; the first colon is that of names without any.
        let ends = label.match_indices(':').map(|(at, _)| at).take(self.most_colons + 1).skip(1);
        let known = ends.filter(|&at| self.with_colons.contains(&label[..at])).last();
        match known {
            Some(at) => (&label[..at], &label[at + 1..]),
            None => label.split_once(':').unwrap_or(("", label)),
        }
    }
}
