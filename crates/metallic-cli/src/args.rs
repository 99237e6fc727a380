//! The command line.

mod contract;
mod diff;
mod manifest;
mod run;
mod store;
mod trace;
mod values;

use std::path::PathBuf;

pub use contract::{Arm, ContractArgs};
pub use diff::DiffArgs;
pub use manifest::{ManifestArgs, ManifestCommand};
pub use run::{DevicesArgs, ElementType, RunArgs};
pub use store::*;
pub use trace::TraceArgs;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::commands::report::{Check, Collector, Report};
use crate::error::Error;

/// Run a transformer out of the caches; see, explain and tune the caches of any program that uses metallic, from the event
/// log it writes.
#[derive(Debug, Parser)]
#[command(name = "metallic", version, about, propagate_version = true, after_help = EXAMPLES)]
pub struct Args {
    /// The command; `run` by default.
    #[command(subcommand)]
    pub command: Option<Command>,
}

const EXAMPLES: &str = "Examples:
  metallic                                run the built-in model, and what its
                                          caches did
  metallic run --model DIR --input FILE   run a model of your own
  metallic devices                        what there is to run on
  metallic report log.jsonl               what the caches did, and what it cost
  metallic replay log.jsonl               what other policies would have done
  metallic diff before.jsonl after.jsonl  what appeared, vanished or got dearer
  metallic explain log.jsonl gemm:m64     why this key missed
  metallic trace log.jsonl > trace.json   a time line for ui.perfetto.dev
  metallic top --follow log.jsonl         watch the log grow

A program that uses metallic writes its log where METALLIC_METRICS_JSONL_PATH=log.jsonl says. A LOG is a file, plain, `.zst` or \
`.gz`, or `-` for standard input. With `log.jsonl` go `log.jsonl.1`, `log.jsonl.2` and so on, which rotation left beside it; they \
are read before it, the oldest first.";

/// clap's refusal of arguments in one line: the cause with the valid values, which it puts before
/// the first empty line, and what was probably meant, but not the usage.
pub fn wrong(error: &clap::Error) -> Error {
    let text = error.to_string();
    let cause = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
    let cause = cause.strip_prefix("error: ").unwrap_or(&cause);
    let kinds = [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue];
    let meant = kinds.into_iter().find_map(|kind| match error.get(kind)? {
        ContextValue::String(one) => Some(one.clone()),
        // The likeliest is the last.
        ContextValue::Strings(several) => several.last().cloned(),
        _ => None,
    });
    let of_program = error.kind() == ErrorKind::UnknownArgument && text.contains("Usage: metallic [COMMAND]");
    let meant = match meant {
        Some(meant) => format!("; did you mean `{meant}`?"),
        None if of_program => "; options of `run` follow its name: `metallic run ...`".to_owned(),
        None => String::new(),
    };
    Error::Usage(format!("{cause}{meant}"))
}

/// The variable that names a program's log: of `run` the one to write, of `top` the one to watch.
pub(crate) const LOG_VARIABLE: &str = "METALLIC_METRICS_JSONL_PATH";

/// The log that the environment names.
pub(crate) fn log_of_environment() -> Option<PathBuf> {
    std::env::var_os(LOG_VARIABLE).map(PathBuf::from).filter(|path| !path.as_os_str().is_empty())
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a transformer whose every plan, weight and cached key comes out of the caches.
    Run(RunArgs),
    /// List what a model can run on.
    Devices(DevicesArgs),
    /// Say what the caches did and what it cost, as tables or as one HTML page.
    Report(ReportArgs),
    /// Say what changed from one log to another: keys that are new, gone, or dearer.
    Diff(DiffArgs),
    /// Replay the recorded accesses under every policy and many capacities, and advise.
    Replay(ReplayArgs),
    /// Tell the life of one key, and why it missed.
    Explain(ExplainArgs),
    /// Write a log as a time line for Perfetto: creations, removals, entries, and the steps that waited.
    Trace(TraceArgs),
    /// Watch a log that grows.
    Top(TopArgs),
    /// List, explain, check, ship and remove the artifacts that are kept for the next run.
    Store(StoreCommands),
    /// Show, merge, compare and prune manifests, and say what they cover.
    Manifest(ManifestArgs),
    /// Print a completion script for a shell.
    Completions(CompletionsArgs),
    /// Print the manual page, or write the pages of all commands into a folder.
    Man(ManArgs),
}

/// Arguments of `report`.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  metallic report log.jsonl
  metallic report log.jsonl --html report.html
  metallic report log.jsonl --check 'gemm.rebuilt == 0' \\
      --check 'total.creation_seconds < 2'
  metallic report log.jsonl.gz --json > report.json")]
pub struct ReportArgs {
    /// Logs: files, plain, `.zst` or `.gz`, with what rotation left beside them; `-` is standard input.
    #[arg(required = true, value_name = "LOG")]
    pub logs: Vec<PathBuf>,
    /// Write one page with plots to this file, which needs nothing else to be looked at. It has the advice of `replay`, which
    /// takes memory by the look-up: up to two million of them.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Fail with exit code 3 unless this holds: CACHE.FIGURE, an operator, a number; the cache `total` is the sum of all. Figures:
    /// hits, misses, hit_rate (0 to 1), entries, peak_entries, evictions, removals, creations, failed, loads (from
    /// a store of artifacts, among the creations), load_seconds, creation_seconds, max_creation_seconds, created_bytes, rebuilt,
    /// rebuilt_seconds; and of creations in armed scopes: violations, refused, warned. May be given several times.
    #[arg(long = "check", value_name = "CONDITION")]
    pub checks: Vec<Check<Report>>,
    /// How many keys to keep figures of; beyond that, only the dearest ones. 200000 take about 50 MB.
    #[arg(long, value_name = "N", default_value_t = 200_000)]
    pub keys: usize,
    /// How many keys to name, the dearest first; `diff` can only compare the keys that a saved report names.
    #[arg(long, value_name = "N", default_value_t = Collector::NAMED)]
    pub top: usize,
    /// Print JSON instead of tables. Its schema is docs/schemas/report.schema.json.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `replay`.
#[derive(Debug, Default, ClapArgs)]
#[command(after_help = "Examples:
  metallic replay log.jsonl
  metallic replay log.jsonl --cache gemm --capacities 64,128,256
  metallic replay --format arc OLTP.lis --capacities 1000,2000,5000,10000,15000
  cut -f3 requests.tsv | metallic replay --format keys -")]
pub struct ReplayArgs {
    /// Logs, or traces in another format; `-` is standard input.
    #[arg(required = true, value_name = "LOG")]
    pub logs: Vec<PathBuf>,
    /// Their format; by default seen from their names and first lines.
    #[arg(long, value_enum, default_value_t)]
    pub format: TraceFormat,
    /// The column of a CSV file that has the key: its number, from 1, or its title in the first line.
    #[arg(long, value_name = "COLUMN")]
    pub column: Option<String>,
    /// Only these caches.
    #[arg(long = "cache", value_name = "NAME")]
    pub caches: Vec<String>,
    /// The capacities to try, in entries; by default a range from 1 to all keys.
    #[arg(long, value_name = "N,N,...", value_delimiter = ',', conflicts_with = "points",
        allow_negative_numbers = true, value_parser = values::entries)]
    pub capacities: Vec<u32>,
    /// How many capacities to try.
    #[arg(long, value_name = "N", default_value_t = 24)]
    pub points: usize,
    /// Idle times to try, in seconds; by default some between the accesses of one key in the log.
    #[arg(long, value_name = "SECONDS,...", value_delimiter = ',', allow_negative_numbers = true)]
    pub idle: Vec<f64>,
    /// Threads; by default as many as the machine has cores.
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
    /// Print JSON instead of tables and plots. Its schema is docs/schemas/replay.schema.json.
    #[arg(long)]
    pub json: bool,
}

/// The format of a trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum TraceFormat {
    /// Seen from the file's name and first lines.
    #[default]
    Auto,
    /// A log of metallic.
    Jsonl,
    /// One key a line.
    Keys,
    /// Comma-separated values, one of them the key.
    Csv,
    /// The format of the ARC paper's traces: start block, count, ignored, request number.
    Arc,
}

/// Arguments of `explain`.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  metallic explain log.jsonl 'gemm:GemmKey{m:64,n:64,k:1024}'
  metallic explain log.jsonl 'GemmKey{m:64,n:64,k:1024}' --json
  metallic explain log.jsonl --like m:4096
  metallic explain log.jsonl --list gemm --group-by m")]
pub struct ExplainArgs {
    /// The log.
    #[arg(value_name = "LOG")]
    pub log: PathBuf,
    /// The key as it is in the log, with or without its cache's name; spaces do not matter.
    #[arg(value_name = "KEY", conflicts_with_all = ["list", "like", "group_by"])]
    pub key: Option<String>,
    /// List the keys of this cache instead, those that missed most first.
    #[arg(long, value_name = "CACHE")]
    pub list: Option<String>,
    /// List the keys that contain this text.
    #[arg(long, value_name = "TEXT")]
    pub like: Option<String>,
    /// Sum the listed keys up by the value of this field, such as `m` or `shape.0`.
    #[arg(long, value_name = "FIELD")]
    pub group_by: Option<String>,
    /// Print JSON instead of text. Its schemas are docs/schemas/explain.schema.json and explain-list.schema.json.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `top`.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  metallic top log.jsonl
  metallic top --follow log.jsonl
  METALLIC_METRICS_JSONL_PATH=log.jsonl metallic top --follow

Keys: q quits, s or 1 to 6 sort, r turns the order round, g tells registries apart, p pauses, the arrows scroll, ? explains.")]
pub struct TopArgs {
    /// The log, which may grow, be rotated and be truncated meanwhile; without it, what METALLIC_METRICS_JSONL_PATH names.
    #[arg(value_name = "LOG")]
    pub log: Option<PathBuf>,
    /// Begin with what is written from now on, and wait for the log if it is not there yet.
    #[arg(long, short)]
    pub follow: bool,
}

/// Arguments of `completions`.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  metallic completions bash >> ~/.bash_completion
  metallic completions fish > ~/.config/fish/completions/metallic.fish")]
pub struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Arguments of `man`.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  metallic man | man -l -
  metallic man --dir ~/.local/share/man/man1")]
pub struct ManArgs {
    /// Write the pages of all commands into this folder.
    #[arg(long, value_name = "FOLDER")]
    pub dir: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// The terminal breaks prose where it is too narrow: a line that is broken here as well would be broken twice.
    fn check(command: &clap::Command) {
        let texts = [command.get_after_help(), command.get_after_long_help()];
        for text in texts.into_iter().flatten().map(ToString::to_string) {
            let lines: Vec<&str> = text.lines().collect();
            for pair in lines.windows(2).filter(|pair| !pair[0].is_empty()) {
                let goes_on = !pair[0].starts_with(' ') && !pair[1].is_empty() && !pair[1].starts_with(' ');
                assert!(!goes_on, "{}: broken after `{}`", command.get_name(), pair[0]);
            }
            for line in lines.iter().filter(|line| line.starts_with(' ')) {
                assert!(line.chars().count() <= 80, "{}: too wide: {line}", command.get_name());
            }
        }
        command.get_subcommands().for_each(check);
    }

    #[test]
    fn examples_fit_80_columns_and_prose_is_broken_by_the_terminal_alone() {
        check(&Args::command());
    }
}
