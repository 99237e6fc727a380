//! A policy as text, and as the code that makes it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::{EvictionPolicy, EvictionStrategy};

/// A text that is not a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParsePolicyError {
    /// No strategy has this name.
    UnknownStrategy(String),
    /// The strategy takes other arguments.
    Arguments(EvictionStrategy),
    /// This is not a limit.
    UnknownLimit(String),
    /// This is not a number of entries.
    Entries(String),
    /// This is not a number of generations.
    Generations(String),
    /// This is not a time, or longer than a [`Duration`] can be.
    Time(String),
}

impl std::error::Error for ParsePolicyError {}

impl fmt::Display for ParsePolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownStrategy(name) => {
                write!(f, "`{name}` is not a strategy; there are: {}", EvictionPolicy::syntax())
            }
            Self::Arguments(strategy) => write!(f, "`{strategy}` is written {}", strategy.syntax()),
            Self::UnknownLimit(limit) => write!(f, "`{limit}` is not a limit; there are: {LIMITS}"),
            Self::Entries(text) => write!(f, "`{text}` is not a number of entries"),
            Self::Generations(text) => write!(f, "`{text}` is not a number of generations"),
            Self::Time(text) => write!(f, "`{text}` is not a time; 500ms, 30s, 5min and 1h are"),
        }
    }
}

const LIMITS: &str = "max=N, idle=TIME, generations=N, min=N";

/// The arguments of a constructor.
#[derive(Clone, Copy, PartialEq)]
enum Max {
    Never,
    /// In the text only: the constructor takes none.
    Optional,
    Always,
}

impl EvictionStrategy {
    /// All strategies.
    pub const ALL: [Self; 8] = [
        Self::None,
        Self::SizeLimitedLru,
        Self::Lru,
        Self::Fifo,
        Self::IdleTimeout,
        Self::Hybrid,
        Self::S3Fifo,
        Self::Sieve,
    ];

    /// `true` for each of a maximum and an idle time that is an argument, in this order.
    fn arguments(self) -> (Max, bool) {
        match self {
            Self::None => (Max::Never, false),
            Self::Lru | Self::Fifo => (Max::Optional, false),
            Self::SizeLimitedLru | Self::S3Fifo | Self::Sieve => (Max::Always, false),
            Self::IdleTimeout => (Max::Never, true),
            Self::Hybrid => (Max::Always, true),
        }
    }

    fn syntax(self) -> String {
        let (max, idle) = self.arguments();
        let max = match max {
            Max::Never => "",
            Max::Optional => "[:N]",
            Max::Always => ":N",
        };
        format!("{self}{max}{}", if idle { ":TIME" } else { "" })
    }
}

/// Writes the strategy, the arguments of its constructor, each after a colon, and the other limits: `lru:1000,idle=300s,min=10`.
/// No two policies are written alike.
impl fmt::Display for EvictionPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut max, mut idle) = (self.max_entries, self.max_idle);
        let (max_is_argument, idle_is_argument) = self.strategy.arguments();
        write!(f, "{}", self.strategy)?;
        if let Some(max) = max.take_if(|_| max_is_argument != Max::Never) {
            write!(f, ":{max}")?;
        }
        if let Some(idle) = idle.take_if(|_| idle_is_argument) {
            write!(f, ":{}", Time(idle))?;
        }
        if let Some(max) = max {
            write!(f, ",max={max}")?;
        }
        if let Some(idle) = idle {
            write!(f, ",idle={}", Time(idle))?;
        }
        if let Some(generations) = self.max_idle_generations {
            write!(f, ",generations={generations}")?;
        }
        if self.min_entries > 0 {
            write!(f, ",min={}", self.min_entries)?;
        }
        Ok(())
    }
}

/// Reads what `Display` writes. A maximum may also be a limit after the strategy (`lru,max=8`), and arguments may also be in
/// parentheses (`hybrid(8, 30s)`). A time is a number, with decimals or without, of `ns`, `us`, `ms`, `s`, `min`, `m` or
/// `h`. Of two limits of a kind the later one holds.
impl FromStr for EvictionPolicy {
    type Err = ParsePolicyError;

    fn from_str(text: &str) -> Result<Self, ParsePolicyError> {
        let (call, limits) = match text.find(')') {
            Some(end) => text.split_at(end + 1),
            None => text.split_at(text.find(',').unwrap_or(text.len())),
        };
        let mut policy = parse_call(call)?;
        let limits = limits.split(',').map(str::trim);
        for (index, limit) in limits.enumerate() {
            if index == 0 && limit.is_empty() {
                continue;
            }
            policy = match limit.split_once('=') {
                Some(("max", max)) if index > 0 => policy.with_max_entries(entries(max)?),
                Some(("min", min)) if index > 0 => policy.with_min_entries(entries(min)?),
                Some(("idle", idle)) if index > 0 => policy.with_max_idle_duration(time(idle)?),
                Some(("generations", number)) if index > 0 => {
                    let generations = number.parse();
                    policy.with_max_idle_generations(
                        generations.map_err(|_| ParsePolicyError::Generations(number.to_owned()))?,
                    )
                }
                _ => return Err(ParsePolicyError::UnknownLimit(limit.to_owned())),
            };
        }
        Ok(policy)
    }
}

/// Reads a strategy and the arguments of its constructor.
fn parse_call(call: &str) -> Result<EvictionPolicy, ParsePolicyError> {
    let (name, arguments): (&str, Vec<&str>) =
        match call.strip_suffix(')').and_then(|call| call.split_once('(')) {
            Some((name, "")) => (name, Vec::new()),
            Some((name, arguments)) => (name, arguments.split(',').map(str::trim).collect()),
            None => {
                let mut fields = call.trim().split(':');
                (fields.next().unwrap_or_default(), fields.collect())
            }
        };
    let strategy = EvictionStrategy::ALL.into_iter().find(|strategy| strategy.name() == name.trim());
    let strategy = strategy.ok_or_else(|| ParsePolicyError::UnknownStrategy(name.to_owned()))?;
    let policy = EvictionPolicy::start(strategy);
    Ok(match (strategy.arguments(), arguments.as_slice()) {
        ((Max::Never | Max::Optional, false), []) => policy,
        ((Max::Always | Max::Optional, false), [max]) => policy.with_max_entries(entries(max)?),
        ((Max::Never, true), [idle]) => policy.with_max_idle_duration(time(idle)?),
        ((Max::Always, true), [max, idle]) => {
            policy.with_max_entries(entries(max)?).with_max_idle_duration(time(idle)?)
        }
        _ => return Err(ParsePolicyError::Arguments(strategy)),
    })
}

impl EvictionPolicy {
    /// The list of all strategies as they are written with their arguments, and of the limits that each may have.
    pub fn syntax() -> String {
        format!("{}, each with {LIMITS}", EvictionStrategy::ALL.map(EvictionStrategy::syntax).join(", "))
    }

    /// The Rust expression that makes this policy, to be pasted.
    ///
    /// ```
    /// # use metallic::caching::EvictionPolicy;
    /// let policy = EvictionPolicy::fifo().with_max_entries(3);
    /// assert_eq!(policy.to_code(), "EvictionPolicy::fifo().with_max_entries(3)");
    /// ```
    pub fn to_code(&self) -> String {
        let (max_is_argument, idle_is_argument) = self.strategy.arguments();
        let (mut arguments, mut builders) = (Vec::new(), String::new());
        let limits = [
            ("max_entries", self.max_entries.map(|max| max.to_string()), max_is_argument == Max::Always),
            ("max_idle_duration", self.max_idle.map(|idle| Time(idle).to_code()), idle_is_argument),
            ("max_idle_generations", self.max_idle_generations.map(|number| number.to_string()), false),
            ("min_entries", (self.min_entries > 0).then(|| self.min_entries.to_string()), false),
        ];
        for (name, value, is_argument) in limits {
            match value {
                Some(value) if is_argument => arguments.push(value),
                Some(value) => builders.push_str(&format!(".with_{name}({value})")),
                None => {}
            }
        }
        format!("EvictionPolicy::{}({}){builders}", self.strategy, arguments.join(", "))
    }
}

/// Spelled exactly, in the largest unit of which it is a whole number.
struct Time(Duration);

impl Time {
    fn in_largest_unit(&self) -> (u128, &'static str, &'static str) {
        let ns = self.0.as_nanos();
        let units = [(1_000_000_000, "s", "secs"), (1_000_000, "ms", "millis"), (1_000, "us", "micros")];
        let whole = units.into_iter().find(|(length, ..)| ns.is_multiple_of(*length));
        whole.map_or((ns, "ns", "nanos"), |(length, unit, constructor)| (ns / length, unit, constructor))
    }

    fn to_code(&self) -> String {
        let (number, _, constructor) = self.in_largest_unit();
        match u64::try_from(number) {
            Ok(number) => format!("Duration::from_{constructor}({number})"),
            Err(_) => format!("Duration::new({}, {})", self.0.as_secs(), self.0.subsec_nanos()),
        }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, unit, _) = self.in_largest_unit();
        write!(f, "{number}{unit}")
    }
}

fn entries(text: &str) -> Result<usize, ParsePolicyError> {
    text.parse().map_err(|_| ParsePolicyError::Entries(text.to_owned()))
}

fn time(text: &str) -> Result<Duration, ParsePolicyError> {
    parse_time(text).ok_or_else(|| ParsePolicyError::Time(text.to_owned()))
}

/// In whole nanoseconds, rounded down: a number of seconds in binary would not be exact.
fn parse_time(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit() && c != '.')?);
    let unit: u128 = match unit {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "min" | "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    if decimals.contains('.') || (whole.is_empty() && decimals.is_empty()) {
        return None;
    }
    // Decimals beyond these are less than a nanosecond of an hour.
    let decimals = &decimals[..decimals.len().min(18)];
    let digits = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<u128>().ok() };
    let part = digits(decimals)? * unit / 10_u128.pow(decimals.len() as u32);
    let ns = digits(whole)?.checked_mul(unit)?.checked_add(part)?;
    let seconds = u64::try_from(ns / 1_000_000_000).ok()?;
    Some(Duration::new(seconds, (ns % 1_000_000_000) as u32))
}

#[cfg(test)]
mod tests {
    use proptest::option;
    use proptest::prelude::*;

    use super::*;

    fn any_policy() -> impl Strategy<Value = EvictionPolicy> {
        let max = prop_oneof![0..2000_usize, Just(usize::MAX)];
        let ns = (any::<u64>(), 0..1_000_000_000_u32).prop_map(|(secs, ns)| Duration::new(secs, ns));
        let idle = prop_oneof![(0..5000_u64).prop_map(Duration::from_millis), ns, Just(Duration::MAX)];
        let start =
            (0..EvictionStrategy::ALL.len(), max.clone(), idle.clone()).prop_map(|(index, max, idle)| {
                let strategy = EvictionStrategy::ALL[index];
                let (takes_max, takes_idle) = strategy.arguments();
                let mut policy = EvictionPolicy::start(strategy);
                policy.max_entries = (takes_max == Max::Always).then_some(max);
                policy.max_idle = takes_idle.then_some(idle);
                policy
            });
        let limits = (option::of(max.clone()), option::of(idle), option::of(any::<u32>()), max);
        (start, limits).prop_map(|(mut policy, (max, idle, generations, min))| {
            policy.max_entries = max.or(policy.max_entries);
            policy.max_idle = idle.or(policy.max_idle);
            EvictionPolicy { max_idle_generations: generations, min_entries: min, ..policy }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: if cfg!(miri) { 2 } else { 256 },
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn a_policy_is_read_as_it_was_written(policy in any_policy()) {
            prop_assert_eq!(policy.to_string().parse(), Ok(policy), "{}", policy);
        }

        #[test]
        fn no_text_is_read_with_a_panic(text in "[a-z0-9_:,.()= ]{0,30}") {
            let _ = text.parse::<EvictionPolicy>();
        }
    }

    #[test]
    fn every_policy_can_be_written_in_several_ways_and_has_its_code() {
        let second = Duration::from_secs(1);
        for (text, policy, code) in [
            ("none", EvictionPolicy::none(), "none()"),
            ("size_limited_lru(64)", EvictionPolicy::size_limited_lru(64), "size_limited_lru(64)"),
            (
                "lru,max=500,idle=300s,min=10",
                EvictionPolicy::lru()
                    .with_max_entries(500)
                    .with_max_idle_duration(300 * second)
                    .with_min_entries(10),
                "lru().with_max_entries(500).with_max_idle_duration(Duration::from_secs(300)).with_min_entries(10)",
            ),
            (
                "hybrid(9, 0.5min)",
                EvictionPolicy::hybrid(9, 30 * second),
                "hybrid(9, Duration::from_secs(30))",
            ),
            (
                "idle_timeout:2h",
                EvictionPolicy::idle_timeout(7200 * second),
                "idle_timeout(Duration::from_secs(7200))",
            ),
            ("s3_fifo:9", EvictionPolicy::s3_fifo(9), "s3_fifo(9)"),
            (
                "sieve:9,generations=2",
                EvictionPolicy::sieve(9).with_max_idle_generations(2),
                "sieve(9).with_max_idle_generations(2)",
            ),
            (
                "idle_timeout:1.5us",
                EvictionPolicy::idle_timeout(Duration::from_nanos(1500)),
                "idle_timeout(Duration::from_nanos(1500))",
            ),
        ] {
            assert_eq!(text.parse(), Ok(policy), "{text}");
            assert_eq!(policy.to_code(), format!("EvictionPolicy::{code}"));
        }
    }

    #[test]
    fn limits_that_are_not_set_are_not_written() {
        let texts = [EvictionPolicy::none(), EvictionPolicy::sieve(3)].map(|policy| policy.to_string());
        assert_eq!(texts, ["none", "sieve:3"]);
    }

    #[test]
    fn an_error_names_the_part_that_is_wrong() {
        for (text, message) in [
            ("mru:3", "`mru` is not a strategy; there are: none, size_limited_lru:N, lru[:N]"),
            ("hybrid:3", "`hybrid` is written hybrid:N:TIME"),
            ("size_limited_lru", "`size_limited_lru` is written size_limited_lru:N"),
            ("lru:-1", "`-1` is not a number of entries"),
            ("idle_timeout:5", "`5` is not a time"),
            ("idle_timeout:.s", "`.s` is not a time"),
            ("idle_timeout:99999999999999999999h", "is not a time"),
            ("lru,most=3", "`most=3` is not a limit; there are: max=N"),
            ("lru,", "`` is not a limit"),
            ("sieve(3)max=4", "`max=4` is not a limit"),
            ("sieve(3)min=4", "`min=4` is not a limit"),
            ("sieve(3)idle=4s", "`idle=4s` is not a limit"),
            ("sieve(3)generations=4", "`generations=4` is not a limit"),
            ("sieve:3,generations=x", "`x` is not a number of generations"),
        ] {
            let error = text.parse::<EvictionPolicy>().expect_err(text);
            assert!(error.to_string().contains(message), "{error}");
        }
    }
}
