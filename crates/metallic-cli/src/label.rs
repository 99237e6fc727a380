//! The parts of a cache key in events: the cache's name, a colon, the key's debug form.

use std::collections::HashSet;

/// Tells the caches of labels. A name may itself contain a colon, so the names that other events gave go first.
#[derive(Debug, Default)]
pub struct CacheNames {
    /// Only names with a colon: for the others the first colon is right.
    with_colon: HashSet<Box<str>>,
    /// The length of the longest of them.
    longest: usize,
}

impl CacheNames {
    /// Notes that a cache has this name.
    pub fn learn(&mut self, name: &str) {
        if name.contains(':') && !self.with_colon.contains(name) {
            self.with_colon.insert(name.into());
            self.longest = self.longest.max(name.len());
        }
    }

    /// The cache's name and the key. A label without a colon is a key of a cache without a name.
    pub fn split<'a>(&self, label: &'a str) -> (&'a str, &'a str) {
        // The longest name that is known; a log may have any number of them.
        let ends = label.bytes().take(self.longest + 1).enumerate().filter(|(_, byte)| *byte == b':');
        let mut known = ends.map(|(at, _)| at).filter(|at| self.with_colon.contains(&label[..*at]));
        match known.next_back() {
            Some(at) => (&label[..at], &label[at + 1..]),
            None => label.split_once(':').unwrap_or(("", label)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::CacheNames;

    #[test]
    fn the_name_ends_at_the_first_colon_unless_a_longer_one_is_known() {
        let mut names = CacheNames::default();
        assert_eq!(names.split("gemm:Key{m:1}"), ("gemm", "Key{m:1}"));
        assert_eq!(names.split("wgpu:gemm:Key{m:1}"), ("wgpu", "gemm:Key{m:1}"));
        names.learn("wgpu:gemm");
        assert_eq!(names.split("wgpu:gemm:Key{m:1}"), ("wgpu:gemm", "Key{m:1}"));
        names.learn("wgpu:gemm:of:f16");
        assert_eq!(names.split("wgpu:gemm:of:f16:Key{m:1}"), ("wgpu:gemm:of:f16", "Key{m:1}"));
        assert_eq!(names.split("wgpu:gemm:of:f32:Key{m:1}"), ("wgpu:gemm", "of:f32:Key{m:1}"));
        assert_eq!(names.split("wgpu:gemm"), ("wgpu", "gemm"));
        assert_eq!(names.split("no colon"), ("", "no colon"));
    }
}
