//! The command itself.

use std::io::Write;
use std::num::NonZeroUsize;
use std::path::Path;
use std::thread;

use metallic::Dtype;
use metallic::caching::{CacheRegistry, ResourceCache};

use super::answers::Latency;
use super::caches::{self, CacheRow};
use super::figures::{DeviceFigures, ModelFigures, PromptFigures, Run, StoreFigures};
use super::log::{self, Log};
use super::policy::CachePolicy;
use super::prompts::prompts;
use super::session::{Outcome, Session};
use super::store;
use super::text;
use super::verify::verify;
use crate::args::{ElementType, RunArgs};
use crate::devices::{self, Choice, DeviceCache, DeviceCaches, Task, Wanted};
use crate::error::Error;
use crate::progress::Progress;
use metallic_store::ArtifactStore;
use metallic_transformer::engine::TransformerDevice;
use metallic_transformer::model::Loaded;

/// Tokens that are generated when no number is given.
const TOKENS: usize = 32;

/// Runs the command.
///
/// # Errors
/// The arguments cannot be meant; a file is missing, damaged or cannot be written; the device fails; with `--verify`, the
/// results are not those of the reference.
pub fn run(args: &RunArgs, out: &mut dyn Write) -> Result<(), Error> {
    let run = collect(args)?;
    if args.json {
        serde_json::to_writer(&mut *out, &run)?;
        return Ok(writeln!(out)?);
    }
    Ok(text::write(&run, out)?)
}

/// Does what the arguments ask for.
///
/// # Errors
/// As [`run`], but for those of the output.
pub fn collect(args: &RunArgs) -> Result<Run, Error> {
    // What is wrong with the arguments alone is said before anything is read, and the log of another run is overwritten only
    // when this one begins.
    let wanted = Wanted::parse(&args.device)?;
    let policies =
        args.policies.iter().map(|text| CachePolicy::parse(text, &names())).collect::<Result<Vec<_>, _>>()?;
    check_threads(args.threads)?;
    if args.threads.is_some() && matches!(wanted, Wanted::Wgpu(_)) {
        return Err(Error::Usage(format!("--threads is for the host, and --device {} is not", args.device)));
    }
    log::refuse_inputs(args)?;
    let loaded = match &args.model {
        Some(folder) => Loaded::read(folder, args.ids.is_none())?,
        None => Loaded::builtin(args.seed),
    };
    if !loaded.model.is_decoder() && (args.tokens.is_some() || args.logits) {
        let flag = if args.logits { "--logits" } else { "--tokens" };
        return Err(Error::Usage(format!(
            "{flag} is for models that write text, and this one is of type bert"
        )));
    }
    let prompts = prompts(args, &loaded)?;
    let session = Session {
        model: &loaded.model,
        prompts: &prompts,
        tokens: args.tokens.map_or(TOKENS, usize::from),
        passes: args.repeat.into(),
        dtype: match args.dtype {
            ElementType::F32 => Dtype::F32,
            ElementType::F16 => Dtype::F16,
        },
        all_logits: args.verify,
    };

    let largest = loaded.model.largest_tensor() as u64 * session.dtype.size_bytes() as u64;
    let Choice { device, name, why } = Choice::make(&wanted, args.threads, largest)?;
    let events = args.events.as_deref();
    let kind = device.kind();
    let Done { outcome, rows, store } =
        device.perform(Job { session: &session, policies: &policies, events, args })?;
    let verification = if args.verify {
        let progress = Progress::steps(prompts.len() as u64, "verifying");
        let found = verify(&loaded.model, &prompts, &outcome.answers, session.dtype, &progress);
        progress.finish();
        Some(found?)
    } else {
        None
    };
    let shape = loaded.model.shape();
    Ok(Run {
        schema: 2,
        device: DeviceFigures { kind, name, why },
        model: ModelFigures {
            source: loaded.source.clone(),
            model_type: if loaded.model.is_decoder() { "gpt2" } else { "bert" },
            layers: shape.layers,
            width: shape.width,
            heads: shape.heads,
            vocabulary: shape.vocabulary,
            parameters: loaded.model.parameters(),
            limit: if args.ids.is_some() { shape.positions } else { loaded.limit },
            dtype: session.dtype.name(),
        },
        prompts: PromptFigures::of(&loaded, &prompts, &outcome, args.logits)?,
        passes: session.passes,
        cold: Latency::mean(outcome.passes.iter().take(1).flatten()),
        warm: Latency::mean(outcome.passes.iter().skip(1).flatten()),
        store,
        caches: rows,
        verification,
    })
}

/// The names of all caches that can have a policy.
fn names() -> Vec<&'static str> {
    caches::names().chain(devices::CACHES.iter().copied()).collect()
}

/// The most threads that `--threads` may ask for: beyond some for each core they only get into each other's way, and a system
/// that cannot start so many ends the program.
fn check_threads(threads: Option<NonZeroUsize>) -> Result<(), Error> {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let most = cores.saturating_mul(16).max(1024);
    match threads {
        Some(threads) if threads.get() > most => {
            Err(Error::Usage(format!("--threads {threads}: there are at most {most}")))
        }
        _ => Ok(()),
    }
}

/// A session with the caches in a new registry and their events in a log.
struct Job<'a> {
    session: &'a Session<'a>,
    policies: &'a [CachePolicy],
    events: Option<&'a Path>,
    args: &'a RunArgs,
}

/// What is left of it.
struct Done {
    outcome: Outcome,
    rows: Vec<CacheRow>,
    store: Option<StoreFigures>,
}

impl Task for Job<'_> {
    type Output = Result<Done, Error>;

    fn perform<D: TransformerDevice + DeviceCaches>(self, device: D) -> Self::Output {
        let Self { session, policies, events, args } = self;
        if !device.supports(session.dtype) {
            return Err(Error::Usage(format!("--dtype {}: the device has no such numbers", session.dtype)));
        }
        let has = |name: &str| caches::names().any(|other| other == name) || device.names().contains(&name);
        if let Some(CachePolicy { cache, .. }) = policies.iter().find(|policy| !has(&policy.cache)) {
            return Err(Error::Usage(format!("--policy {cache}: the device has no such cache")));
        }
        store::check(args, &device)?;
        // From here on nothing is wrong with the arguments.
        let log = events.map(Log::create).transpose()?;
        let store = store::open(args, &device, log.as_ref().map(Log::sink))?;
        let mut registry = CacheRegistry::with_device(device.clone());
        if let Some(sink) = log.as_ref().map(Log::sink) {
            device.observe(&sink);
            registry = registry.with_sink(sink);
        }
        let mut cache = ResourceCache::from(registry);
        for policy in policies {
            if !device.set_policy(&policy.cache, policy.policy) {
                caches::set(&mut cache, policy);
            }
        }
        let progress = Progress::steps((session.prompts.len() * session.passes) as u64, "running");
        let result = session.run(device.clone(), cache, &progress);
        progress.finish();
        let (outcome, cache) = result?;
        let mut rows = caches::rows(&cache);
        rows.extend(
            device
                .caches()
                .iter()
                .map(|DeviceCache { name, policy, metrics }| CacheRow::new(name, "device", *policy, metrics)),
        );
        let figures = store.as_ref().map(|store| StoreFigures {
            folder: store.disk.folder().display().to_string(),
            remote: store.remote.as_ref().map(|remote| remote.journal().store().to_owned()),
        });
        // What they say at their end is part of the log.
        drop((cache, device, store));
        if let Some(log) = log {
            log.finish()?;
        }
        Ok(Done { outcome, rows, store: figures })
    }
}
