//! Warm-up on several threads.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use super::plan::{Plan, Turn};
use super::report::WarmReport;
use super::{Began, WarmOptions, WarmTarget, saturating_ns};
use crate::manifest::read::Manifest;

/// Warms up a registry whose clones are handles to one, on several threads.
pub(in crate::manifest) fn on_threads<R: WarmTarget + Clone + Send>(
    registry: &mut R,
    manifest: &Manifest,
    options: &WarmOptions<'_>,
) -> WarmReport {
    let began = Began::now(registry);
    let plan = Plan::new(registry, manifest, options.memory);
    let threads = options.threads.or_else(|| thread::available_parallelism().ok());
    let threads = threads.map_or(1, NonZeroUsize::get).min(plan.progress().of);
    let plan = Mutex::new(plan);
    let work = |registry: R| work(registry, &plan, &began, options);
    thread::scope(|scope| {
        for _ in 1..threads {
            let registry = registry.clone();
            // A thread that cannot be had is one less.
            let _ = thread::Builder::new().spawn_scoped(scope, || work(registry));
        }
        work(registry.clone());
    });
    let plan = plan.into_inner().unwrap_or_else(PoisonError::into_inner);
    began.end(registry, plan.into_report())
}

/// Creates until there is nothing left that fits.
fn work<R: WarmTarget>(mut registry: R, plan: &Mutex<Plan<R>>, began: &Began, options: &WarmOptions<'_>) {
    let context = registry.reports();
    let deadline_ns = options.deadline.map(saturating_ns);
    loop {
        let limit_ns = deadline_ns.map(|deadline| deadline.saturating_sub(context.ns_since(began.at())));
        if limit_ns == Some(0) {
            return;
        }
        if options.is_stopped() {
            return locked(plan).stop();
        }
        let Some(key) = locked(plan).next(Turn { limit_ns, may_exceed: false }) else { return };
        let ended = key.run(&mut registry);
        let mut plan = locked(plan);
        plan.ended(&key, ended);
        let progress = plan.progress();
        drop(plan);
        if let Some(report) = options.progress {
            report(&progress);
        }
    }
}

fn locked<R>(plan: &Mutex<Plan<R>>) -> MutexGuard<'_, Plan<R>> {
    plan.lock().unwrap_or_else(PoisonError::into_inner)
}
