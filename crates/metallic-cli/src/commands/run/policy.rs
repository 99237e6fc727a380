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
        let parsed = policy.parse().map_err(|error: ParsePolicyError| usage(error.to_string()))?;
        contradiction(policy).map_or(Ok(()), |cause| Err(usage(cause)))?;
        Ok(Self { cache: cache.to_owned(), policy: parsed })
    }

    /// Reads several.
    ///
    /// # Errors
    /// Those of [`parse`](Self::parse), and [`Error::Usage`] if two are of one cache.
    pub fn parse_all(texts: &[String], caches: &[&str]) -> Result<Vec<Self>, Error> {
        let mut policies: Vec<Self> = Vec::new();
        for text in texts {
            let policy = Self::parse(text, caches)?;
            if policies.iter().any(|other| other.cache == policy.cache) {
                return Err(Error::Usage(format!("--policy {text}: `{}` has one already", policy.cache)));
            }
            policies.push(policy);
        }
        Ok(policies)
    }
}

/// Finds what a text that is a policy says against itself. The library takes the later of two limits, and lets a minimum prevail
/// over a maximum: in code both may be meant.
fn contradiction(text: &str) -> Option<String> {
    let given = |limit: &str| {
        let names =
            text.split([',', ')']).filter_map(|part| part.split_once('=')).map(|(name, _)| name.trim());
        names.filter(|name| *name == limit).count()
    };
    let end = text.find(')').map(|end| end + 1).or(text.find(',')).unwrap_or(text.len());
    let constructed: EvictionPolicy = text[..end].parse().ok()?;
    let arguments = [
        ("max", constructed.capacity().is_some()),
        ("idle", constructed.max_idle_duration().is_some()),
        ("generations", false),
        ("min", false),
    ];
    if let Some((limit, _)) =
        arguments.into_iter().find(|(limit, is_argument)| given(limit) + usize::from(*is_argument) > 1)
    {
        return Some(format!("`{limit}` is given twice"));
    }
    let without_minimum: Vec<&str> =
        text.split(',').filter(|part| !part.trim_start().starts_with("min")).collect();
    let capacity = |text: &str| text.parse().ok().and_then(|policy: EvictionPolicy| policy.capacity());
    let maximum = capacity(&without_minimum.join(","))?;
    (capacity(text)? > maximum).then(|| format!("the minimum is not below the maximum, {maximum}"))
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
            ("gemm=lru:4,min=8", "the minimum is not below the maximum, 4"),
            ("gemm=lru,min=4,max=4", "the minimum is not below the maximum, 4"),
            ("gemm=lru,max=2,max=3", "`max` is given twice"),
            ("gemm=sieve(2), max=2", "`max` is given twice"),
            ("gemm=hybrid:3:1s,idle=2s", "`idle` is given twice"),
        ] {
            let error = CachePolicy::parse(text, &["gemm"]).expect_err(text);
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains(message), "{error}");
        }
        for text in
            ["gemm=lru:4,min=3", "gemm=hybrid(4, 30s),min=3,generations=2", "gemm=none", "gemm=lru,min=9"]
        {
            CachePolicy::parse(text, &["gemm"]).expect(text);
        }
    }
}
