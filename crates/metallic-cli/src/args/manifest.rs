//! Arguments of `manifest`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

/// Arguments of `manifest`.
#[derive(Debug, ClapArgs)]
#[command(
    arg_required_else_help = false,
    after_help = "Examples:
  metallic run --record m.jsonl
  metallic manifest show m.jsonl
  metallic manifest merge gpu-1.jsonl gpu-2.jsonl --out fleet.jsonl
  metallic manifest prune m.jsonl --unused log.jsonl --out smaller.jsonl
  metallic manifest coverage m.jsonl log.jsonl"
)]
pub struct ManifestArgs {
    /// The command.
    #[command(subcommand)]
    pub command: ManifestCommand,
}

/// The commands over manifests.
#[derive(Debug, Subcommand)]
pub enum ManifestCommand {
    /// List the keys, the costliest first.
    Show {
        /// The manifest.
        manifest: PathBuf,
        /// Print JSON instead of a table. Its schema is docs/schemas/manifest-show.schema.json.
        #[arg(long)]
        json: bool,
    },
    /// Write the keys of all manifests into one.
    Merge {
        /// The manifests.
        #[arg(required = true, num_args = 1..)]
        manifests: Vec<PathBuf>,
        /// The file to write.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// List the keys that one manifest has and the other has not. The exit code is 0 either way.
    Diff {
        /// The one.
        first: PathBuf,
        /// The other.
        second: PathBuf,
        /// Print JSON instead of text. Its schema is docs/schemas/manifest-diff.schema.json.
        #[arg(long)]
        json: bool,
    },
    /// Write the keys that are in use.
    Prune {
        /// The manifest.
        manifest: PathBuf,
        /// Logs of runs: keys that none of them uses are left out.
        #[arg(long, value_name = "LOG", required = true, num_args = 1..)]
        unused: Vec<PathBuf>,
        /// The file to write; by default the manifest itself.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Say which keys were warmed and never used, used and never warmed, or used before warm-up was over.
    Coverage {
        /// The manifest.
        manifest: PathBuf,
        /// The log of a run.
        log: PathBuf,
        /// Print JSON instead of text. Its schema is docs/schemas/manifest-coverage.schema.json.
        #[arg(long)]
        json: bool,
    },
}
