//! Arguments for runs in which nothing is created while serving.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};
use metallic::creation::Contract;

/// Arguments of the contract: files to record and to warm up from, and the answer to what is created all the same.
#[derive(Debug, Default, ClapArgs)]
#[command(next_help_heading = "Never while serving")]
pub struct ContractArgs {
    /// Record the keys of what is created into this manifest, after those that it has.
    #[arg(long, value_name = "MANIFEST")]
    pub record: Option<PathBuf>,
    /// Create the keys of this manifest before the first prompt, the costliest first.
    #[arg(long, value_name = "MANIFEST")]
    pub warm: Option<PathBuf>,
    /// Create those keys of the manifest alone that were first created in this phase: `loading`, `prefill`, `decode` or `encode`
    /// where a run recorded them. May be given several times.
    #[arg(long, value_name = "PHASE", requires = "warm")]
    pub warm_phase: Vec<String>,
    /// Create the keys that the model lists for these prompts before the first of them, so that no manifest is needed. With
    /// `--warm`, those of the manifest too.
    #[arg(long)]
    pub warm_model: bool,
    /// Once warm: count, warn of or refuse every creation. With `refuse`, one ends the run with exit code 3.
    #[arg(long, value_enum, value_name = "CONTRACT")]
    pub arm: Option<Arm>,
    /// Create this file once the run is warm and armed, for those who wait for it.
    #[arg(long, value_name = "FILE")]
    pub ready_file: Option<PathBuf>,
}

/// The treatment of creations after warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Arm {
    /// They go on, and are counted.
    Count,
    /// They go on, and each is said on standard error.
    Warn,
    /// The first one ends the run.
    Refuse,
}

impl From<Arm> for Contract {
    fn from(arm: Arm) -> Self {
        match arm {
            Arm::Count => Self::Count,
            Arm::Warn => Self::Warn,
            Arm::Refuse => Self::Refuse,
        }
    }
}
