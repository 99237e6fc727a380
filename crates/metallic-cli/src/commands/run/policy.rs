//! The value of `--policy`.

use metallic::caching::{EvictionPolicy, ParsePolicyError};

use crate::error::Error;

/// The policy of one cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachePolicy {
    /// The name of the cache.
    pub cache: String,
    /// Its policy.
    pub policy: EvictionPolicy,
}

impl CachePolicy {
    /// Reads `CACHE=POLICY`, where the cache is one of these.
    ///
    /// # Errors
    /// [`Error::Usage`] if it cannot be read, or there is no such cache or policy.
    pub fn parse(text: &str, caches: &[&str]) -> Result<Self, Error> {
        let usage = |cause: String| Error::Usage(format!("--policy {text}: {cause}"));
        let (cache, policy) =
            text.split_once('=').ok_or_else(|| usage("it is not of the form CACHE=POLICY".to_owned()))?;
        if !caches.contains(&cache) {
            return Err(usage(format!("no cache has the name `{cache}`; there are: {}", caches.join(", "))));
        }
        Ok(Self {
            cache: cache.to_owned(),
            policy: policy.parse().map_err(|error: ParsePolicyError| usage(error.to_string()))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_policy_is_refused_with_those_there_are() {
        for (text, message) in [
            ("gemm", "CACHE=POLICY"),
            ("gem=none", "no cache has the name `gem`; there are: gemm"),
            ("gemm=mru:3", "`mru` is not a strategy; there are: none, size_limited_lru:N"),
            ("gemm=hybrid:3", "`hybrid` is written hybrid:N:TIME"),
            ("gemm=size_limited_lru", "`size_limited_lru` is written size_limited_lru:N"),
            ("gemm=lru:-1", "`-1` is not a number of entries"),
            ("gemm=idle_timeout:5", "`5` is not a time"),
            ("gemm=idle_timeout:99999999999999999999h", "not a time"),
            ("gemm=lru,most=3", "`most=3` is not a limit"),
        ] {
            let error = CachePolicy::parse(text, &["gemm"]).expect_err(text);
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains(message), "{error}");
        }
    }
}
