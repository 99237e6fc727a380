//! A policy as the Rust code that makes it.

use std::time::Duration;

use metallic::caching::{EvictionPolicy, EvictionStrategy};

pub(super) fn of(policy: &EvictionPolicy) -> String {
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
    use std::time::Duration;

    use metallic::caching::EvictionPolicy;

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
            assert_eq!(super::of(&policy), code);
        }
    }
}
