//! Eviction policies as they are written on a command line.

use std::fmt;
use std::time::Duration;

use metallic::caching::{EvictionPolicy, EvictionStrategy};

use crate::error::Error;

const SYNTAX: &str = "none, size_limited_lru:N, lru[:N], fifo[:N], idle_timeout:TIME, hybrid:N:TIME, s3_fifo:N, sieve:N, each with ,max=N ,min=N ,idle=TIME";

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
        Ok(Self { cache: cache.to_owned(), policy: parse(policy).map_err(usage)? })
    }
}

fn parse(text: &str) -> Result<EvictionPolicy, String> {
    let mut parts = text.split(',');
    let mut fields = parts.next().unwrap_or_default().split(':');
    let name = fields.next().unwrap_or_default();
    let arguments: Vec<&str> = fields.collect();
    let mut policy = match (name, arguments.as_slice()) {
        ("none", []) => EvictionPolicy::none(),
        ("size_limited_lru", [max]) => EvictionPolicy::size_limited_lru(entries(max)?),
        ("lru", []) => EvictionPolicy::lru(),
        ("lru", [max]) => EvictionPolicy::lru().with_max_entries(entries(max)?),
        ("fifo", []) => EvictionPolicy::fifo(),
        ("fifo", [max]) => EvictionPolicy::fifo().with_max_entries(entries(max)?),
        ("idle_timeout", [idle]) => EvictionPolicy::idle_timeout(time(idle)?),
        ("hybrid", [max, idle]) => EvictionPolicy::hybrid(entries(max)?, time(idle)?),
        ("s3_fifo", [max]) => EvictionPolicy::s3_fifo(entries(max)?),
        ("sieve", [max]) => EvictionPolicy::sieve(entries(max)?),
        (
            "none" | "size_limited_lru" | "lru" | "fifo" | "idle_timeout" | "hybrid" | "s3_fifo" | "sieve",
            _,
        ) => {
            return Err(format!("`{name}` has other arguments; there are: {SYNTAX}"));
        }
        _ => return Err(format!("no policy has the name `{name}`; there are: {SYNTAX}")),
    };
    for limit in parts {
        policy = match limit.split_once('=') {
            Some(("max", max)) => policy.with_max_entries(entries(max)?),
            Some(("min", min)) => policy.with_min_entries(entries(min)?),
            Some(("idle", idle)) => policy.with_max_idle_duration(time(idle)?),
            _ => return Err(format!("`{limit}` is no limit; there are: max=N, min=N, idle=TIME")),
        };
    }
    Ok(policy)
}

fn entries(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("`{text}` is no number of entries"))
}

fn time(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let seconds = match unit {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "min" | "m" => 60.0,
        "h" => 3600.0,
        _ => f64::NAN,
    };
    let time = number.parse().ok().and_then(|number: f64| Duration::try_from_secs_f64(number * seconds).ok());
    time.ok_or_else(|| format!("`{text}` is no time; 500ms, 30s, 5min and 1h are"))
}

/// A policy in the form in which it can be given on the command line.
pub(super) struct Written(pub(super) EvictionPolicy);

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let policy = &self.0;
        let (mut max, mut idle) = (policy.max_entries(), policy.max_idle_duration());
        write!(f, "{}", policy.strategy())?;
        let (takes_max, takes_idle) = match policy.strategy() {
            EvictionStrategy::SizeLimitedLru
            | EvictionStrategy::Lru
            | EvictionStrategy::Fifo
            | EvictionStrategy::S3Fifo
            | EvictionStrategy::Sieve => (true, false),
            EvictionStrategy::IdleTimeout => (false, true),
            EvictionStrategy::Hybrid => (true, true),
            _ => (false, false),
        };
        if let Some(max) = max.take_if(|_| takes_max) {
            write!(f, ":{max}")?;
        }
        if let Some(idle) = idle.take_if(|_| takes_idle) {
            write!(f, ":{}ms", idle.as_secs_f64() * 1e3)?;
        }
        if let Some(max) = max {
            write!(f, ",max={max}")?;
        }
        if let Some(idle) = idle {
            write!(f, ",idle={}ms", idle.as_secs_f64() * 1e3)?;
        }
        if policy.min_entries() > 0 {
            write!(f, ",min={}", policy.min_entries())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_can_be_written_and_is_written_back() {
        let second = Duration::from_secs(1);
        for (text, policy, back) in [
            ("none", EvictionPolicy::none(), "none"),
            ("size_limited_lru:64", EvictionPolicy::size_limited_lru(64), "size_limited_lru:64"),
            ("lru", EvictionPolicy::lru(), "lru"),
            ("lru:8,min=2", EvictionPolicy::lru().with_max_entries(8).with_min_entries(2), "lru:8,min=2"),
            ("fifo,max=8", EvictionPolicy::fifo().with_max_entries(8), "fifo:8"),
            ("idle_timeout:1s", EvictionPolicy::idle_timeout(second), "idle_timeout:1000ms"),
            ("hybrid:9:0.5min", EvictionPolicy::hybrid(9, 30 * second), "hybrid:9:30000ms"),
            (
                "none,idle=1h",
                EvictionPolicy::none().with_max_idle_duration(3600 * second),
                "none,idle=3600000ms",
            ),
        ] {
            let parsed = CachePolicy::parse(&format!("gemm={text}"), &["gemm"]).expect("it is a policy");
            assert_eq!(parsed.policy, policy, "{text}");
            assert_eq!(Written(policy).to_string(), back, "{text}");
            assert_eq!(parse(back).as_ref(), Ok(&policy), "{text}");
        }
    }

    #[test]
    fn what_is_no_policy_is_refused_with_those_there_are() {
        for (text, message) in [
            ("gemm", "CACHE=POLICY"),
            ("gem=none", "no cache has the name `gem`; there are: gemm"),
            ("gemm=mru:3", "no policy has the name `mru`; there are: none, size_limited_lru:N"),
            ("gemm=hybrid:3", "`hybrid` has other arguments"),
            ("gemm=size_limited_lru", "`size_limited_lru` has other arguments"),
            ("gemm=lru:-1", "`-1` is no number of entries"),
            ("gemm=idle_timeout:5", "`5` is no time"),
            ("gemm=idle_timeout:1e99h", "no time"),
            ("gemm=lru,most=3", "`most=3` is no limit"),
        ] {
            let error = CachePolicy::parse(text, &["gemm"]).expect_err(text);
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains(message), "{error}");
        }
    }
}
