//! Arguments of `trace`.

use std::path::PathBuf;

use clap::Args as ClapArgs;

/// Arguments of `trace`.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  metallic trace log.jsonl > trace.json   open it at https://ui.perfetto.dev
  metallic run --events log.jsonl && metallic trace log.jsonl > trace.json")]
pub struct TraceArgs {
    /// Logs: files, plain, `.zst` or `.gz`, with what rotation left beside them; `-` is standard input.
    #[arg(required = true, value_name = "LOG")]
    pub logs: Vec<PathBuf>,
}
