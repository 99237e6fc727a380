//! Warm-up: the keys of a manifest are created before they are asked for.

mod plan;
mod report;
mod threads;

use std::fmt;
use std::num::NonZeroUsize;
use std::time::Duration;

pub use self::report::{WarmProgress, WarmReport};

use self::plan::{Plan, Turn};
use super::read::Manifest;
use crate::caching::{Moment, SlotContext};
use crate::creation::Supervisor;

pub(super) use self::threads::on_threads;

/// How a warm-up is to be made. By default: on as many threads as the machine runs at once, without a limit.
#[derive(Clone, Copy, Default)]
pub struct WarmOptions<'a> {
    /// Threads that create.
    pub threads: Option<NonZeroUsize>,
    /// No creation begins that would, by its recorded cost, be over later than this.
    pub deadline: Option<Duration>,
    /// The bytes that resources may take. What is recorded as larger than what is left is left out.
    pub memory: Option<u64>,
    /// Is called after each key, on the thread that created it.
    pub progress: Option<&'a (dyn Fn(&WarmProgress) + Sync)>,
    /// Is asked before each key, on the thread that would create it: `true` ends the warm-up, and leaves out what is not created
    /// yet.
    pub stop: Option<&'a (dyn Fn() -> bool + Sync)>,
}

impl WarmOptions<'_> {
    fn is_stopped(&self) -> bool {
        self.stop.is_some_and(|stop| stop())
    }
}

impl fmt::Debug for WarmOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WarmOptions")
            .field("threads", &self.threads)
            .field("deadline", &self.deadline)
            .field("memory", &self.memory)
            .finish_non_exhaustive()
    }
}

/// A registry that can be warmed up: those of this crate.
pub trait WarmTarget: Sized + 'static {
    #[doc(hidden)]
    fn watched_by(&mut self) -> Supervisor;
    #[doc(hidden)]
    fn reports(&self) -> SlotContext;
}

/// A warm-up in slices, for a program with one thread and no time: at most so many milliseconds a frame.
///
/// ```
/// # use std::time::Duration;
/// # use metallic::caching::CacheRegistry;
/// # use metallic::manifest::Manifest;
/// # let mut registry = CacheRegistry::new();
/// # let manifest = Manifest::new();
/// let mut warm_up = registry.warm_up(&manifest, None);
/// loop {
///     let progress = warm_up.run_for(&mut registry, Duration::from_millis(5));
///     println!("{} of {}", progress.done, progress.of);
///     if progress.is_over() {
///         break;
///     }
///     // draw a frame
/// }
/// let report = warm_up.finish(&mut registry);
/// # assert_eq!(report.created, 0);
/// ```
#[must_use = "it does nothing until it is run"]
pub struct WarmUp<R> {
    plan: Plan<R>,
    began: Began,
}

impl<R: WarmTarget> WarmUp<R> {
    pub(super) fn new(registry: &mut R, manifest: &Manifest, memory: Option<u64>) -> Self {
        let began = Began::now(registry);
        Self { plan: Plan::new(registry, manifest, memory), began }
    }

    /// Creates for as long as `slice`, going by recorded costs: the costliest key that fits into the rest of the slice is next.
    /// A key that fits into no slice has one for itself: each call creates a key at least, if there is one that may be.
    ///
    /// # Panics
    /// Never: a creation that panics has failed.
    pub fn run_for(&mut self, registry: &mut R, slice: Duration) -> WarmProgress {
        let began = registry.reports().now();
        let mut may_exceed = true;
        self.run(registry, began, &WarmOptions { deadline: Some(slice), ..WarmOptions::default() }, |_| {
            std::mem::take(&mut may_exceed)
        })
    }

    /// Creates until the deadline, which counts from the begin.
    pub(super) fn run_until(&mut self, registry: &mut R, options: &WarmOptions<'_>) {
        let tell = |progress: &WarmProgress| {
            if let Some(report) = options.progress.filter(|_| progress.done > 0) {
                report(progress);
            }
            false
        };
        self.run(registry, self.began.at(), options, tell);
    }

    /// Creates until the deadline, which counts from `began`, or until it is stopped. Before each turn, `may_exceed` hears how
    /// far it has come, and says whether the next key may take longer than there is time.
    fn run(
        &mut self,
        registry: &mut R,
        began: Moment,
        options: &WarmOptions<'_>,
        mut may_exceed: impl FnMut(&WarmProgress) -> bool,
    ) -> WarmProgress {
        let context = registry.reports();
        loop {
            if options.is_stopped() {
                self.plan.stop();
            }
            let progress = self.plan.progress();
            let may_exceed = may_exceed(&progress);
            let rest =
                options.deadline.map(|limit| saturating_ns(limit).saturating_sub(context.ns_since(began)));
            if progress.is_over() || rest == Some(0) && !may_exceed {
                return progress;
            }
            let Some(key) = self.plan.next(Turn { limit_ns: rest, may_exceed }) else {
                return self.plan.progress();
            };
            let ended = key.run(registry);
            self.plan.ended(&key, ended);
        }
    }

    /// Ends the warm-up. What was not created by now is left out.
    pub fn finish(self, registry: &mut R) -> WarmReport {
        let Self { plan, began } = self;
        began.end(registry, plan.into_report())
    }
}

impl<R> fmt::Debug for WarmUp<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WarmUp").field("progress", &self.plan.progress()).finish_non_exhaustive()
    }
}

/// The begin of a warm-up. Dropped, it is the end.
pub(super) struct Began {
    supervisor: Supervisor,
    at: Moment,
}

impl Began {
    pub(super) fn now(registry: &mut impl WarmTarget) -> Self {
        let supervisor = registry.watched_by();
        supervisor.warming().ready.begin();
        Self { supervisor, at: registry.reports().now() }
    }

    pub(super) fn at(&self) -> Moment {
        self.at
    }

    /// Reports the end.
    pub(super) fn end(self, registry: &mut impl WarmTarget, report: WarmReport) -> WarmReport {
        let warming = self.supervisor.warming();
        let uses = warming.uses(registry);
        warming.seen().ready(uses);
        let context = registry.reports();
        let duration_ns = context.ns_since(self.at);
        let report = WarmReport { duration: Duration::from_nanos(duration_ns), ..report };
        report.tell(&context);
        report
    }
}

impl Drop for Began {
    fn drop(&mut self) {
        self.supervisor.warming().ready.end();
    }
}

fn saturating_ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
