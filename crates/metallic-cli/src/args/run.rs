//! Arguments of the commands that use a device.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, ValueEnum};
use metallic::caching::EvictionPolicy;

use metallic_transformer::model::builtin;

use super::ContractArgs;
use super::StoreArgs;
use super::values::{Proposes, at_least_one};
use crate::paragraph::write_wrapped;

const EXAMPLES: &str = "Examples:
  metallic run
  metallic run --model ./gpt2 --input prompts.txt --tokens 64
  echo 'a sentence' | metallic run --model ./all-MiniLM-L6-v2 --input - --json
  metallic run --device wgpu --events log.jsonl --policy gemm=lru:64
  metallic run --workers 4 --input prompts.txt
  metallic run --record m.jsonl
  metallic run --warm m.jsonl --arm refuse
  metallic run --warm-model --arm refuse
  metallic run --verify";

const DEVICES: &str = "Devices: `auto` takes a real GPU through wgpu if there is one, and else the host. `host` is the processor. `wgpu` takes a \
real GPU, or else an adapter that runs on the processor, such as lavapipe; `software` only the latter. `wgpu:NAME` takes the \
first one whose name, interface or driver has NAME in it, `wgpu:2` the one of that number in `metallic devices`.";

fn long_help() -> String {
    let policies = format!(
        "{}, as in `lru:1000,idle=300s,min=10`. N counts entries, or generations; a TIME is a number with ms, s, min or h behind it.",
        EvictionPolicy::syntax()
    );
    let mut text = Vec::new();
    // A vector takes all that is written to it.
    let _ = write_wrapped(&mut text, "Policies: ", &policies);
    format!("{EXAMPLES}\n\n{}\n{DEVICES}", String::from_utf8_lossy(&text))
}

/// Arguments of `run`.
#[derive(Debug, ClapArgs)]
#[command(after_help = EXAMPLES, after_long_help = long_help())]
pub struct RunArgs {
    /// The device to run on: `auto`, `host`, `wgpu`, `wgpu:NAME`, `wgpu:NUMBER` or `software`.
    #[arg(long, value_name = "DEVICE", default_value = "auto", value_parser = Proposes::devices(),
        hide_possible_values = true)]
    pub device: String,
    /// A Hugging Face folder of type gpt2 or bert, with config.json, model.safetensors and, for text, tokenizer.json; by default
    /// a built-in decoder with random weights.
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,
    /// Prompts or sentences, one a line; `-` is standard input. By default some that come with the program.
    #[arg(long, value_name = "FILE", conflicts_with = "ids")]
    pub input: Option<PathBuf>,
    /// Token ids instead of text: `12,7,45`, or a file with a prompt a line; `-` is standard input.
    #[arg(long, value_name = "IDS")]
    pub ids: Option<String>,
    /// How many tokens to generate for each prompt [default: 32].
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub tokens: Option<NonZeroUsize>,
    /// How often to run everything: the first pass is cold, the others are warm.
    #[arg(long, value_name = "N", default_value = "2", value_parser = at_least_one)]
    pub repeat: NonZeroUsize,
    /// The type of numbers on the device.
    #[arg(long, value_enum, default_value_t)]
    pub dtype: ElementType,
    /// Threads of the host device; by default as many as the machine has cores.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub threads: Option<NonZeroUsize>,
    /// How many threads run prompts at once, over one registry and one set of weights. Each has its own keys and values.
    #[arg(long, value_name = "N", default_value = "1", value_parser = at_least_one)]
    pub workers: NonZeroUsize,
    /// The seed of the built-in model's weights.
    #[arg(long, value_name = "N", default_value_t = builtin::SEED, conflicts_with = "model")]
    pub seed: u64,
    /// The policy of a cache, such as `gemm=size_limited_lru:64`; `--help` lists them. May be given several times.
    #[arg(long = "policy", value_name = "CACHE=POLICY", value_parser = Proposes::policies(),
        hide_possible_values = true)]
    pub policies: Vec<String>,
    /// Write a log of every operation of the caches to this file, as JSONL for the other commands. By default the one that
    /// METALLIC_METRICS_JSONL_PATH names, if it is set.
    #[arg(long, value_name = "FILE")]
    pub events: Option<PathBuf>,
    /// Where to keep the artifacts of devices that have any, so that the next run need not compile.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Keep no artifacts, and use none.
    #[arg(long, conflicts_with_all = ["store", "store_remote", "trust_remote"])]
    pub no_store: bool,
    /// Compute everything again in f64, and fail if a logit is off by more than 0.001, or an element of a vector by more than
    /// 0.0001; f16 may be off by more, as the schema of `--json` says.
    #[arg(long)]
    pub verify: bool,
    /// Print JSON instead of tables. Its schema is docs/schemas/run.schema.json.
    #[arg(long)]
    pub json: bool,
    /// With the logits of the last position of each prompt in the JSON.
    #[arg(long, requires = "json")]
    pub logits: bool,
    /// Nothing created while serving.
    #[command(flatten)]
    pub contract: ContractArgs,
}

/// Arguments of `devices`.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  metallic devices
  metallic devices --json")]
pub struct DevicesArgs {
    /// Print JSON instead of text. Its schema is docs/schemas/devices.schema.json.
    #[arg(long)]
    pub json: bool,
}

/// The type of numbers on a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ElementType {
    /// 32 bits.
    #[default]
    F32,
    /// 16 bits, where the device has them.
    F16,
}

impl Default for RunArgs {
    /// The arguments of `metallic run` when none are given.
    fn default() -> Self {
        #[derive(Parser)]
        struct Alone {
            #[command(flatten)]
            run: RunArgs,
        }
        Alone::parse_from(["run"]).run
    }
}
