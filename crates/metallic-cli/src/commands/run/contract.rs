//! A run in which nothing is created while serving: recorded, warmed up, armed.

use std::borrow::Cow;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use metallic::caching::SharedRegistry;
use metallic::creation::{Armed, Contract, Supervisor};
use metallic::manifest::{Coverage, InPhase, Manifest, ManifestWriter, WarmOptions, WarmReport};
use metallic_transformer::engine::{TransformerDevice, Workload};
use serde::Serialize;

use crate::args::{Arm, ContractArgs};
use crate::error::Error;
use crate::overwrite;
use crate::progress::Progress;
use crate::signals;
use crate::units::printable;

/// Figures of what was recorded, warmed up and created all the same.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ContractFigures {
    /// The recording, with `--record`.
    pub recorded: Option<Recorded>,
    /// The warm-up, with `--warm`.
    pub warm_up: Option<WarmUpFigures>,
    /// The time from the begin of the warm-up until the first prompt could be taken, in nanoseconds.
    pub ready_ns: Option<u64>,
    /// Creations after that, with `--arm`.
    pub violations: Option<u64>,
    /// The first of them.
    pub first_violations: Vec<String>,
    /// The keys that were warmed up and those that were used, with `--warm` or `--warm-model`.
    pub coverage: Option<Coverage>,
}

/// A recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Recorded {
    /// The manifest, as the user named it.
    #[serde(skip)]
    pub file: String,
    /// Keys that were created and are in the manifest.
    pub keys: u64,
    /// Creations of caches whose keys cannot be carried.
    pub not_portable: u64,
}

/// A warm-up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WarmUpFigures {
    /// Keys that were created.
    pub created: u64,
    /// Keys that were loaded from a store.
    pub loaded: u64,
    /// Keys that failed.
    pub failed: u64,
    /// Records that were passed over.
    pub skipped: u64,
    /// Keys that were not tried.
    pub left_out: u64,
    /// The time that it took, in nanoseconds.
    pub duration_ns: u64,
    /// All of it in one line.
    pub summary: String,
}

impl From<&WarmReport> for WarmUpFigures {
    fn from(report: &WarmReport) -> Self {
        Self {
            created: report.created,
            loaded: report.loaded,
            failed: report.failed.len() as u64,
            skipped: report.skipped.values().sum(),
            left_out: report.left_out.values().sum(),
            duration_ns: u64::try_from(report.duration.as_nanos()).unwrap_or(u64::MAX),
            summary: report.to_string(),
        }
    }
}

/// The arguments' wishes, and what was read for them.
pub(super) struct Plan<'a> {
    args: &'a ContractArgs,
    manifest: Option<Manifest>,
}

impl<'a> Plan<'a> {
    /// Removes an old ready file and reads the manifests, before anything is begun.
    ///
    /// # Errors
    /// A ready file cannot be made, or a manifest cannot be read, or is not one.
    pub(super) fn read(args: &'a ContractArgs) -> Result<Self, Error> {
        args.ready_file.as_deref().map_or(Ok(()), clear)?;
        if let Some(path) = args.record.as_deref().filter(|path| path.exists()) {
            // What is no regular file, not a manifest, or one of another version, is not written to.
            ManifestWriter::append_to(path)?;
            Manifest::open(path)?;
        }
        let manifest = args.warm.as_deref().map(|path| of_phases(path, &args.warm_phase)).transpose()?;
        Ok(Self { args, manifest })
    }

    /// The keys of the manifest, and those that the model lists; `None` if neither is asked for.
    fn manifest<D: TransformerDevice>(
        &self,
        workload: &Workload,
    ) -> Result<Option<Cow<'_, Manifest>>, Error> {
        let known = self.manifest.as_ref().map(Cow::Borrowed);
        if !self.args.warm_model {
            return Ok(known);
        }
        let mut manifest = known.map_or_else(Manifest::new, Cow::into_owned);
        manifest.merge(&workload.manifest::<D>()?);
        Ok(Some(Cow::Owned(manifest)))
    }

    /// Records, and warms up.
    ///
    /// # Errors
    /// A file cannot be written.
    pub(super) fn begin<D>(
        &self,
        registry: &SharedRegistry<D>,
        workload: &Workload,
        workers: usize,
    ) -> Result<Serving<'a>, Error>
    where
        D: TransformerDevice + Send + Sync,
    {
        let began = Instant::now();
        let args = self.args;
        Workload::register(registry);
        let supervisor = registry.supervisor();
        supervisor.set_phase("loading");
        if let Some(path) = &args.record {
            supervisor.record(ManifestWriter::append_to(path)?);
        }
        let manifest = self.manifest::<D>(workload)?;
        let warm_up = manifest.as_ref().map(|manifest| {
            let progress = Progress::steps(manifest.len() as u64, "warming up");
            let report = registry.warm(
                manifest,
                &WarmOptions {
                    progress: Some(&|_| progress.add(1)),
                    stop: Some(&|| signals::received().is_some()),
                    ..WarmOptions::default()
                },
            );
            progress.finish();
            report
        });
        let figures = ContractFigures {
            warm_up: warm_up.as_ref().map(WarmUpFigures::from),
            ..ContractFigures::default()
        };
        // A rehearsal creates what no manifest can have. What the manifest could have and has not, is for the run to meet.
        let armed = args.arm.and(manifest.as_ref());
        let armed = armed.map(|_| supervisor.arm_portable("rehearsal", Contract::Refuse));
        let state = State { waiting: workers, is_lost: false, armed, failure: None, figures };
        Ok(Serving { args, supervisor, began, state: Mutex::new(state), changed: Condvar::new() })
    }
}

/// A run from its warm-up to its end.
pub(super) struct Serving<'a> {
    args: &'a ContractArgs,
    supervisor: Supervisor,
    began: Instant,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// Workers that are not ready yet.
    waiting: usize,
    /// `true` if one of them never will be: the run ends, and neither is armed nor says that it is ready.
    is_lost: bool,
    armed: Option<Armed>,
    failure: Option<Error>,
    figures: ContractFigures,
}

/// The arguments of a run without a contract.
static NO_CONTRACT: ContractArgs = ContractArgs {
    record: None,
    warm: None,
    warm_phase: Vec::new(),
    warm_model: false,
    arm: None,
    ready_file: None,
};

impl Serving<'_> {
    /// A run without a contract.
    pub(super) fn without_contract(workers: usize) -> Self {
        let state = State {
            waiting: workers,
            is_lost: false,
            armed: None,
            failure: None,
            figures: ContractFigures::default(),
        };
        Self {
            args: &NO_CONTRACT,
            supervisor: Supervisor::new(),
            began: Instant::now(),
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    /// Returns `true` if workers are to rehearse, so that they create nothing afterwards.
    pub(super) fn is_rehearsed(&self) -> bool {
        let ContractArgs { warm, warm_model, arm, ready_file, .. } = self.args;
        warm.is_some() || *warm_model || arm.is_some() || ready_file.is_some()
    }

    /// Notes that `workers` workers are ready, or never will be. The last of them arms the run, if all are.
    pub(super) fn arrive(&self, workers: usize, are_ready: bool) {
        let mut state = self.state();
        state.waiting -= workers;
        state.is_lost |= workers > 0 && !are_ready;
        if state.waiting > 0 || workers == 0 {
            return;
        }
        // A run that is to end is not ready.
        if !state.is_lost && signals::received().is_none() {
            self.begin_serving(&mut state);
        }
        drop(state);
        self.changed.notify_all();
    }

    fn begin_serving(&self, state: &mut State) {
        state.armed = self.args.arm.map(|arm| self.supervisor.arm("serving", arm.into()));
        self.supervisor.set_phase("serving");
        if self.is_rehearsed() {
            let ready = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
            state.figures.ready_ns = Some(ready);
        }
        if let Some(path) = self.args.ready_file.as_deref() {
            state.failure = fs::write(path, READY).err().map(|error| Error::file(name(path), error));
        }
    }

    /// Has what this thread creates recorded with a phase, until the guard is dropped.
    pub(super) fn phase(&self, name: &'static str) -> InPhase {
        self.supervisor.enter_phase(name)
    }

    /// A worker that is on its way.
    pub(super) fn arrival(&self) -> Arrival<'_> {
        Arrival { serving: self, is_ready: false }
    }

    /// Waits until all workers are ready.
    pub(super) fn wait(&self) {
        let state = self.state();
        let waited = self.changed.wait_while(state, |state| state.waiting > 0);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// Ends the recording, and says what there is to say: the figures, and the files that could not be written.
    pub(super) fn end(self) -> (ContractFigures, Vec<Error>) {
        let mut state = self.state();
        if let Some(armed) = state.armed.take() {
            self.note(&mut state, &armed);
            state.figures.violations = Some(armed.violations());
        }
        let mut failures: Vec<Error> = state.failure.take().into_iter().collect();
        if let Some(report) = self.supervisor.stop_recording() {
            let file = self.args.record.as_deref().map(name).unwrap_or_default();
            if let Some(error) = report.error {
                failures.push(Error::content(&*file, error));
            }
            let not_portable = report.not_portable.values().sum();
            state.figures.recorded = Some(Recorded { file, keys: report.keys, not_portable });
        }
        (std::mem::take(&mut state.figures), failures)
    }

    /// Keeps the violations of a scope, and says them if they are warned of.
    fn note(&self, state: &mut State, armed: &Armed) {
        let said = armed.first_violations();
        let said = said.into_iter().map(|violation| {
            printable(&metallic::Error::CreationRefused(Box::new(violation)).to_string(), usize::MAX)
        });
        let said: Vec<_> = said.collect();
        if self.args.arm == Some(Arm::Warn) {
            let mut err = io::stderr();
            // Where it cannot be said, the figures say it.
            let _ = said.iter().try_for_each(|line| writeln!(err, "metallic: created all the same: {line}"));
        }
        state.figures.first_violations.extend(said);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A worker that is not ready yet. If it is dropped, it never will be.
pub(super) struct Arrival<'a> {
    serving: &'a Serving<'a>,
    is_ready: bool,
}

impl Arrival<'_> {
    /// Notes that it is ready.
    pub(super) fn arrive(mut self) {
        self.is_ready = true;
    }
}

impl Drop for Arrival<'_> {
    fn drop(&mut self) {
        self.serving.arrive(1, self.is_ready);
    }
}

/// Reads a manifest, and keeps the keys of these phases; of none, all keys.
fn of_phases(path: &Path, wanted: &[String]) -> Result<Manifest, Error> {
    let all = Manifest::open(path)?;
    if wanted.is_empty() {
        return Ok(all);
    }
    let known: Vec<&str> = all.phases().into_iter().flatten().collect();
    if let Some(missing) = wanted.iter().find(|phase| !known.contains(&phase.as_str())) {
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        let cause = format!("no key is of the phase `{missing}`; its phases: {known}");
        return Err(Error::content(name(path), printable(&cause, usize::MAX)));
    }
    Ok(all.prune(|record| record.phase.as_ref().is_some_and(|phase| wanted.contains(phase))))
}

/// The content of the ready file.
const READY: &str = "ready\n";

/// Removes what an earlier run left, and checks that the file can be made: no one is to wait for one that cannot.
fn clear(path: &Path) -> Result<(), Error> {
    let failed = |error| Error::file(name(path), error);
    overwrite::refuse_foreign("--ready-file", path, "what a run leaves", |path| {
        fs::read(path).is_ok_and(|content| content == READY.as_bytes())
    })?;
    if fs::symlink_metadata(path).is_ok_and(|file| !file.is_file()) {
        return Err(Error::content(name(path), "it is there, and not a file: --ready-file makes one"));
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    overwrite::probe(path).map_err(failed)
}

fn name(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready_after(arrivals: &[bool]) -> bool {
        let folder = tempfile::tempdir().expect("there is a folder for temporary files");
        let path = folder.path().join("ready");
        let args = ContractArgs { ready_file: Some(path.clone()), ..ContractArgs::default() };
        let serving = Serving { args: &args, ..Serving::without_contract(arrivals.len()) };
        for is_ready in arrivals {
            let arrival = serving.arrival();
            if *is_ready {
                arrival.arrive();
            }
        }
        serving.wait();
        let (figures, failures) = serving.end();
        assert!(failures.is_empty());
        assert_eq!(figures.ready_ns.is_some(), path.exists());
        path.exists()
    }

    #[test]
    fn a_run_is_ready_only_if_all_of_its_workers_are() {
        assert!(ready_after(&[true, true]));
        assert!(!ready_after(&[false, true]) && !ready_after(&[true, false]));
    }
}
