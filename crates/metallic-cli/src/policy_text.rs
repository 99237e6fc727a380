//! The spelling of a policy: on a command line, and as Rust code. The one place of it, until `EvictionPolicy` spells itself.

use std::time::Duration;

use metallic::caching::{EvictionPolicy, EvictionStrategy};

const SYNTAX: &str = "none, size_limited_lru:N, lru[:N], fifo[:N], idle_timeout:TIME, hybrid:N:TIME, each with ,max=N ,min=N ,idle=TIME";

/// Reads a policy.
///
/// # Errors
/// The cause in words, with the policies there are.
pub(crate) fn parse(text: &str) -> Result<EvictionPolicy, String> {
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
        ("none" | "size_limited_lru" | "lru" | "fifo" | "idle_timeout" | "hybrid", _) => {
            return Err(format!("`{name}` has other arguments; there are: {SYNTAX}"));
        }
        _ => return Err(format!("no policy has the name `{name}`; there are: {SYNTAX}")),
    };
    for limit in parts {
        policy = match limit.split_once('=') {
            Some(("max", max)) => policy.with_max_entries(entries(max)?),
            Some(("min", min)) => policy.with_min_entries(entries(min)?),
            Some(("idle", idle)) => policy.with_max_idle_duration(time(idle)?),
            _ => return Err(format!("`{limit}` is not a limit; there are: max=N, min=N, idle=TIME")),
        };
    }
    Ok(policy)
}

fn entries(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("`{text}` is not a number of entries"))
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
    time.ok_or_else(|| format!("`{text}` is not a time; 500ms, 30s, 5min and 1h are"))
}

/// The policy in the form that [`parse`] reads.
pub(crate) fn spelled(policy: EvictionPolicy) -> String {
    let (mut max, mut idle) = (policy.max_entries(), policy.max_idle_duration());
    let mut text = policy.strategy().to_string();
    let (takes_max, takes_idle) = match policy.strategy() {
        EvictionStrategy::SizeLimitedLru | EvictionStrategy::Lru | EvictionStrategy::Fifo => (true, false),
        EvictionStrategy::IdleTimeout => (false, true),
        EvictionStrategy::Hybrid => (true, true),
        _ => (false, false),
    };
    if let Some(max) = max.take_if(|_| takes_max) {
        text.push_str(&format!(":{max}"));
    }
    if let Some(idle) = idle.take_if(|_| takes_idle) {
        text.push_str(&format!(":{}ms", idle.as_secs_f64() * 1e3));
    }
    if let Some(max) = max {
        text.push_str(&format!(",max={max}"));
    }
    if let Some(idle) = idle {
        text.push_str(&format!(",idle={}ms", idle.as_secs_f64() * 1e3));
    }
    if policy.min_entries() > 0 {
        text.push_str(&format!(",min={}", policy.min_entries()));
    }
    text
}

/// The Rust code that makes the policy.
pub(crate) fn code(policy: &EvictionPolicy) -> String {
    let (max, idle) = (policy.max_entries(), policy.max_idle_duration());
    let text = |max: Option<usize>| max.map_or_else(String::new, |max| max.to_string());
    let idle_text = idle.map_or_else(String::new, duration);
    let (mut code, needs_max, needs_idle) = match policy.strategy() {
        EvictionStrategy::SizeLimitedLru => (format!("size_limited_lru({})", text(max)), false, true),
        EvictionStrategy::IdleTimeout => (format!("idle_timeout({idle_text})"), true, false),
        EvictionStrategy::Hybrid => (format!("hybrid({}, {idle_text})", text(max)), false, false),
        other => (format!("{other}()"), true, true),
    };
    if needs_max && let Some(max) = max {
        code.push_str(&format!(".with_max_entries({max})"));
    }
    if needs_idle && let Some(idle) = idle {
        code.push_str(&format!(".with_max_idle_duration({})", duration(idle)));
    }
    if policy.min_entries() > 0 {
        code.push_str(&format!(".with_min_entries({})", policy.min_entries()));
    }
    format!("EvictionPolicy::{code}")
}

/// A duration as the code that makes it, in the largest unit that it is a whole number of.
fn duration(duration: Duration) -> String {
    let ns = duration.as_nanos();
    let units = [(1_000_000_000, "secs"), (1_000_000, "millis"), (1_000, "micros"), (1, "nanos")];
    let (length, unit) =
        units.into_iter().find(|(length, _)| ns.is_multiple_of(*length)).unwrap_or((1, "nanos"));
    format!("Duration::from_{unit}({})", ns / length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_is_parsed_and_spelled_back() {
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
            assert_eq!(parse(text).as_ref(), Ok(&policy), "{text}");
            assert_eq!(spelled(policy), back, "{text}");
            assert_eq!(parse(back).as_ref(), Ok(&policy), "{text}");
        }
    }

    #[test]
    fn the_code_makes_the_policy() {
        let second = Duration::from_secs(1);
        let cases = [
            (EvictionPolicy::none(), "EvictionPolicy::none()"),
            (
                EvictionPolicy::fifo().with_max_entries(3).with_min_entries(2),
                "EvictionPolicy::fifo().with_max_entries(3).with_min_entries(2)",
            ),
            (EvictionPolicy::hybrid(3, second), "EvictionPolicy::hybrid(3, Duration::from_secs(1))"),
            (
                EvictionPolicy::idle_timeout(Duration::from_nanos(1_500)),
                "EvictionPolicy::idle_timeout(Duration::from_nanos(1500))",
            ),
            (
                EvictionPolicy::size_limited_lru(3).with_max_idle_duration(second),
                "EvictionPolicy::size_limited_lru(3).with_max_idle_duration(Duration::from_secs(1))",
            ),
        ];
        for (policy, code) in cases {
            assert_eq!(super::code(&policy), code);
        }
    }
}
