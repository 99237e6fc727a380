//! The command itself.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use metallic::Dtype;
use metallic::caching::{CacheRegistry, ResourceCache};
use metallic_instrumentation::{EventSink, JsonlExporter};

use super::answers::Latency;
use super::caches::{self, CacheRow};
use super::figures::{DeviceFigures, ModelFigures, PromptFigures, Run};
use super::own_caches::{self, OwnCaches};
use super::policy::CachePolicy;
use super::prompts::prompts;
use super::session::{Outcome, Session};
use super::text;
use super::verify::verify;
use crate::args::{ElementType, RunArgs};
use crate::devices::{Choice, Chosen, Wanted};
use crate::engine::TransformerDevice;
use crate::error::Error;
use crate::input::Progress;
use crate::model::Loaded;

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
    // What is wrong with the arguments is said before anything is read or written.
    let wanted = Wanted::parse(&args.device)?;
    let policies =
        args.policies.iter().map(|text| CachePolicy::parse(text, &names())).collect::<Result<Vec<_>, _>>()?;
    let choice = Choice::make(&wanted, args.threads)?;
    let log = args.events.as_deref().map(Log::create).transpose()?;
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

    let Choice { device, name, why } = choice;
    let sink = log.as_ref().map(|log| Arc::clone(&log.exporter) as Arc<dyn EventSink>);
    let kind = device.kind();
    let (outcome, rows) = match device {
        Chosen::Host(device) => on(&session, device, &policies, sink)?,
        #[cfg(feature = "wgpu")]
        Chosen::Wgpu(device) => on(&session, device, &policies, sink)?,
    };
    if let Some(log) = log {
        log.finish()?;
    }
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
        schema: 1,
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
        caches: rows,
        verification,
    })
}

/// The names of all caches that can have a policy.
fn names() -> Vec<&'static str> {
    [caches::NAMES, own_caches::NAMES].concat()
}

/// Runs the session on this device, with the caches in a new registry.
fn on<D: TransformerDevice + OwnCaches>(
    session: &Session<'_>,
    device: D,
    policies: &[CachePolicy],
    sink: Option<Arc<dyn EventSink>>,
) -> Result<(Outcome, Vec<CacheRow>), Error> {
    if !device.supports(session.dtype) {
        return Err(Error::Usage(format!("--dtype {}: the device has no such numbers", session.dtype)));
    }
    let mut registry = CacheRegistry::with_device(device.clone());
    if let Some(sink) = sink {
        device.observe(&sink);
        registry = registry.with_sink(sink);
    }
    let mut cache = ResourceCache::from(registry);
    for policy in policies {
        if !(device.set_policy(policy) || caches::set_policy(&mut cache, policy)) {
            let cause = "the device has no such cache";
            return Err(Error::Usage(format!("--policy {}: {cause}", policy.cache)));
        }
    }
    let progress = Progress::steps((session.prompts.len() * session.passes) as u64, "running");
    let result = session.run(device.clone(), cache, &progress);
    progress.finish();
    let (outcome, cache) = result?;
    let mut rows = caches::rows(&cache);
    rows.extend(device.rows());
    Ok((outcome, rows))
}

/// The log of a run.
struct Log {
    file: String,
    exporter: Arc<JsonlExporter>,
}

impl Log {
    fn create(path: &Path) -> Result<Self, Error> {
        let file = path.display().to_string();
        match JsonlExporter::create(path) {
            Ok(exporter) => Ok(Self { file, exporter: Arc::new(exporter) }),
            Err(error) => Err(Error::file(file, error)),
        }
    }

    /// Makes sure that all of it is in the file.
    fn finish(self) -> Result<(), Error> {
        self.exporter.flush().map_err(|error| Error::file(&self.file, error))?;
        match self.exporter.stats().dropped {
            0 => Ok(()),
            dropped => Err(Error::content(self.file, format!("{dropped} events could not be written"))),
        }
    }
}
