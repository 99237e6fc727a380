//! A policy as the Rust code that makes it.

use metallic::caching::EvictionPolicy;

pub(super) fn of(policy: &EvictionPolicy) -> String {
    policy.to_code()
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
