//! The command itself.

use std::io::Write;
use std::num::NonZeroUsize;
use std::thread;

use metallic::Dtype;
use metallic::caching::SharedRegistry;

use super::answers::{Latencies, Throughput};
use super::board::Pass;
use super::caches::{self, CacheRow};
use super::contract::{self, ContractFigures};
use super::figures::{DeviceFigures, ModelFigures, PromptFigures, Run, StoreFigures};
use super::log::{self, Log};
use super::policy::CachePolicy;
use super::prompts::prompts;
use super::session::{Ended, Session};
use super::store;
use super::text;
use super::verify::verify;
use crate::args::{ElementType, RunArgs};
use crate::devices::{self, Choice, DeviceCache, DeviceCaches, Task, Wanted};
use crate::error::Error;
use crate::json;
use crate::progress::Progress;
use crate::signals::{self, Second};
use metallic_store::ArtifactStore;
use metallic_transformer::engine::TransformerDevice;
use metallic_transformer::model::Loaded;

/// Tokens that are generated when no number is given.
const TOKENS: usize = 32;

/// The most passes: the times of each are kept.
const MAX_PASSES: usize = 100_000;

/// Runs the command. Of a run that fails, is interrupted or loses its log on the way, the results there are are written before
/// the error is returned; as JSON also if there are none.
///
/// # Errors
/// The arguments cannot be meant; a file is missing, damaged or cannot be written; the device fails; with `--verify`, the
/// results are not those of the reference.
pub fn run(args: &RunArgs, out: &mut dyn Write) -> Result<(), Error> {
    let (run, failure) = collect(args)?;
    if args.json {
        json::write(json::RUN, &run, out)?;
    } else if failure.is_none() || !run.prompts.is_empty() {
        text::write(&run, out)?;
    }
    failure.map_or(Ok(()), Err)
}

/// Does what the arguments ask for. Of a run that fails after the first prompt was taken, returns the answers there are, and the
/// error.
///
/// # Errors
/// As [`run`], but for those of the output.
pub fn collect(args: &RunArgs) -> Result<(Run, Option<Error>), Error> {
    // What is wrong with the arguments alone is said before anything is read, and the log of another run is overwritten only
    // when this one begins.
    let wanted = Wanted::parse(&args.device)?;
    let policies = CachePolicy::parse_all(&args.policies, &names())?;
    check_threads("--threads", args.threads)?;
    check_threads("--workers", Some(args.workers))?;
    if args.repeat.get() > MAX_PASSES {
        return Err(Error::Usage(format!("--repeat {}: there are at most {MAX_PASSES}", args.repeat)));
    }
    if args.threads.is_some() && matches!(wanted, Wanted::Wgpu(_)) {
        return Err(Error::Usage(format!("--threads is for the host, and --device {} is not", args.device)));
    }
    log::refuse_inputs(args)?;
    let contract = contract::Plan::read(&args.contract)?;
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
        workers: args.workers,
    };

    let largest = loaded.model.largest_tensor() as u64 * session.dtype.size_bytes() as u64;
    let Choice { device, name, why } = Choice::make(&wanted, args.threads, largest)?;
    let kind = device.kind();
    let job = Job { session: &session, policies: &policies, contract: &contract, args };
    let Done { ended: Ended { outcome, kv_caches: _, failure }, rows, contract: figures, store, unwritten } =
        device.perform(job)?;
    let is_whole = failure.is_none();
    let mut failures: Vec<Error> = failure.into_iter().chain(unwritten).collect();
    let mut verification = None;
    if args.verify && is_whole {
        let progress = Progress::steps(prompts.len() as u64, "verifying");
        match verify(&loaded.model, &prompts, &outcome.answers, session.dtype, &progress) {
            Ok(found) => verification = Some(found),
            Err(failure) => failures.insert(0, failure),
        }
        progress.finish();
    }
    let failure = Error::of_all(failures);
    let shape = loaded.model.shape();
    let [cold, warm] = Latencies::cold_and_warm(outcome.passes.iter().flat_map(Pass::timings));
    let (first, later) = outcome.passes.split_at(1);
    let run = Run {
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
        prompts: PromptFigures::of(&loaded, &prompts, &outcome, session.tokens, args.logits)?,
        workers: session.workers(),
        passes: session.passes,
        cold,
        warm,
        cold_throughput: Throughput::of(first),
        warm_throughput: Throughput::of(later),
        store,
        caches: rows,
        contract: figures,
        verification,
        error: failure.as_ref().map(Error::to_string),
    };
    Ok((run, failure))
}

/// The names of all caches that can have a policy.
fn names() -> Vec<&'static str> {
    caches::names().chain(devices::CACHES.iter().copied()).collect()
}

/// Checks that an argument asks for no more threads than are of use: beyond some for each core they only get into each other's
/// way, and a system that cannot start so many ends the program.
fn check_threads(flag: &str, threads: Option<NonZeroUsize>) -> Result<(), Error> {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let most = cores.saturating_mul(16).max(1024);
    match threads {
        Some(threads) if threads.get() > most => {
            Err(Error::Usage(format!("{flag} {threads}: there are at most {most}")))
        }
        _ => Ok(()),
    }
}

/// A session with the caches in a new registry and their events in a log.
struct Job<'a> {
    session: &'a Session<'a>,
    policies: &'a [CachePolicy],
    contract: &'a contract::Plan<'a>,
    args: &'a RunArgs,
}

/// The results of a job.
struct Done {
    ended: Ended,
    rows: Vec<CacheRow>,
    contract: ContractFigures,
    store: Option<StoreFigures>,
    /// The files that are not what they should be.
    unwritten: Vec<Error>,
}

impl Task for Job<'_> {
    type Output = Result<Done, Error>;

    fn perform<D: TransformerDevice + DeviceCaches + Send + Sync>(self, device: D) -> Self::Output {
        let Self { session, policies, contract, args } = self;
        if !device.supports(session.dtype) {
            return Err(Error::Usage(format!("--dtype {}: the device has no such numbers", session.dtype)));
        }
        let has = |name: &str| caches::names().any(|other| other == name) || device.names().contains(&name);
        if let Some(CachePolicy { cache, .. }) = policies.iter().find(|policy| !has(&policy.cache)) {
            return Err(Error::Usage(format!("--policy {cache}: the device has no such cache")));
        }
        store::check(args, &device)?;
        // From here on nothing is wrong with the arguments.
        let log = Log::open(args.events.as_deref())?;
        let store = store::open(args, &device, log.as_ref().map(Log::sink))?;
        let registry = SharedRegistry::with_device(device.clone());
        if let Some(sink) = log.as_ref().map(Log::sink) {
            device.observe(&sink);
            registry.set_sink(Some(sink));
        }
        for policy in policies {
            if !device.set_policy(&policy.cache, policy.policy) {
                caches::set(&registry, policy);
            }
        }
        // A second signal ends the program at once.
        signals::listen(Second::Kills)?;
        let serving = contract.begin(&registry, &session.workload(), session.workers())?;
        let progress = Progress::steps((session.prompts.len() * session.passes) as u64, "running");
        let mut ended = session.serve(&device, &registry, &serving, &progress);
        progress.finish();
        let (mut figures, mut unwritten) = serving.end();
        figures.coverage = figures.warm_up.as_ref().map(|_| registry.coverage());
        let mut rows = caches::rows(&registry);
        rows.append(&mut ended.kv_caches);
        rows.extend(
            device
                .caches()
                .iter()
                .map(|DeviceCache { name, policy, metrics }| CacheRow::new(name, "device", *policy, metrics)),
        );
        let store_figures = store.as_ref().map(|store| StoreFigures {
            folder: store.disk.folder().display().to_string(),
            remote: store.remote.as_ref().map(|remote| remote.journal().store().to_owned()),
        });
        // What they say at their end is part of the log.
        drop((registry, device, store));
        unwritten.extend(log.and_then(|log| log.finish().err()));
        Ok(Done { ended, rows, contract: figures, store: store_figures, unwritten })
    }
}
