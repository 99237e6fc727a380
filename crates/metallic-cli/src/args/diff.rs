//! Arguments of `diff`.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use crate::commands::diff::Diff;
use crate::commands::report::Check;

/// Arguments of `diff`.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  metallic diff before.jsonl after.jsonl
  metallic report main.jsonl --json --top 100000 > main.json
  metallic diff main.json branch.jsonl --check 'total.new == 0' \\
      --check 'gemm.creation_seconds <= 0.5'")]
pub struct DiffArgs {
    /// The state before: a log, as `report` reads it, or a report that `report --json` has written; `-` is standard input.
    #[arg(value_name = "BEFORE")]
    pub before: PathBuf,
    /// The state after: a log or a report.
    #[arg(value_name = "AFTER")]
    pub after: PathBuf,
    /// How many times as long a creation of a key has to take to count as dearer (or, the other way round, as cheaper).
    #[arg(long, value_name = "N", default_value_t = 1.5, value_parser = ratio)]
    pub ratio: f64,
    /// How many seconds more all creations of a key have to take to count as dearer: below this, times are noise.
    #[arg(long, value_name = "SECONDS", default_value_t = 0.01, value_parser = seconds)]
    pub least: f64,
    /// Fail with exit code 3 unless this holds: CACHE.FIGURE, an operator, a number; the cache `total` is the sum of all. Figures:
    /// the numbers of keys that are new, gone, more (created more often), fewer, dearer and cheaper; and by how much these went
    /// up: hits, misses, hit_rate, evictions, creations, failed, creation_seconds, created_bytes, rebuilt, rebuilt_seconds,
    /// violations (creations in armed scopes), refused (those of them that failed). May be given several times.
    #[arg(long = "check", value_name = "CONDITION")]
    pub checks: Vec<Check<Diff>>,
    /// How many keys of each log to keep figures of; beyond that, only the dearest ones. 200000 take about 50 MB.
    #[arg(long, value_name = "N", default_value_t = 200_000)]
    pub keys: usize,
    /// Print JSON instead of tables. Its schema is docs/schemas/diff.schema.json.
    #[arg(long)]
    pub json: bool,
}

fn ratio(text: &str) -> Result<f64, String> {
    let ratio = text.parse().ok().filter(|ratio: &f64| ratio.is_finite() && *ratio >= 1.0);
    ratio.ok_or_else(|| format!("`{text}` is not a number of at least 1"))
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds: &f64| seconds.is_finite() && *seconds >= 0.0);
    seconds.ok_or_else(|| format!("`{text}` is not a number of seconds"))
}
