//! The machine's own time: stamps that are cheap to take, and how they become nanoseconds.
//!
//! A hit takes one stamp, and on many machines that is most of what it costs. Which reading is cheapest depends on the
//! machine: on x86-64 the processor's counter takes 7 to 27 ns, the last more where a hypervisor adjusts it; Linux's
//! coarse clock takes 5 to 9, if the kernel shares it, and otherwise a system call; the operating system's clock 20 to 60.
//! So it is measured, once a process, and all stamps of a process are on one [`Line`].

mod counter;
mod rate;
mod system;

use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use self::rate::{Clocks, Rate};
use self::system::Coarse;

/// The time line of this process.
#[derive(Clone, Copy)]
enum Line {
    /// The processor's counter stamps hits and all else.
    Counter,
    /// Stamps are nanoseconds of the monotonic clock. The coarse clock, with a step of `tick_ns`, stamps hits.
    Coarse { clock: Coarse, tick_ns: u64 },
    /// The same, and the one clock stamps all.
    System,
}

/// The machine's time. Having one means that the line was chosen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine(());

impl Machine {
    pub(crate) fn new() -> Self {
        // Before the first stamp: a moment before the origin could not be told.
        LazyLock::force(&ORIGIN);
        Self(())
    }

    /// The stamp of this moment, at most [`Self::tick_ns`] too early and never too late. On the line once there is a `Machine`;
    /// before that, a number without meaning.
    #[inline(always)]
    pub(crate) fn hit_stamp() -> u64 {
        if HITS_READ_COUNTER.load(Ordering::Relaxed) { counter::read() } else { hit_stamp_of_system() }
    }

    /// The stamp of this moment.
    pub(crate) fn stamp(self) -> u64 {
        match ORIGIN.line {
            Line::Counter => counter::read(),
            Line::Coarse { .. } | Line::System => system::fine_ns(),
        }
    }

    /// The most that a hit's stamp is too early, in nanoseconds.
    pub(crate) fn tick_ns(self) -> u64 {
        match ORIGIN.line {
            Line::Coarse { tick_ns, .. } => tick_ns,
            Line::Counter | Line::System => 0,
        }
    }

    /// The time between two stamps that are this much apart, in nanoseconds.
    pub(crate) fn to_ns(self, difference: u64) -> u64 {
        match ORIGIN.line {
            Line::Counter => (difference as f64 * COUNTER.ns_per_tick()) as u64,
            Line::Coarse { .. } | Line::System => difference,
        }
    }

    /// How far apart two stamps may be for at most `ns` nanoseconds, and hardly more, to lie between them: one part in
    /// 1000 is taken off a counter's, whose rate is good to one in 4000 at its worst.
    pub(crate) fn at_most(self, ns: u64) -> u64 {
        match ORIGIN.line {
            Line::Counter => (ns as f64 / COUNTER.ns_per_tick() * 0.999) as u64,
            Line::Coarse { .. } | Line::System => ns,
        }
    }

    /// The moment of a stamp, in nanoseconds since the Unix epoch.
    pub(crate) fn to_unix_ns(self, stamp: u64) -> u64 {
        ORIGIN.unix_ns.saturating_add(match ORIGIN.line {
            Line::Counter => COUNTER.line_ns(stamp),
            Line::Coarse { .. } | Line::System => stamp.saturating_sub(ORIGIN.system_ns),
        })
    }
}

/// The time since the Unix epoch, as it was set when it was first asked for and has passed since.
pub(crate) fn unix_time() -> Duration {
    let since = system::fine_ns().saturating_sub(ORIGIN.system_ns);
    Duration::from_nanos(ORIGIN.unix_ns.saturating_add(since))
}

struct Origin {
    line: Line,
    unix_ns: u64,
    system_ns: u64,
}

static ORIGIN: LazyLock<Origin> = LazyLock::new(|| {
    let line = cheapest_line();
    HITS_READ_COUNTER.store(matches!(line, Line::Counter), Ordering::Relaxed);
    if matches!(line, Line::Counter) {
        LazyLock::force(&COUNTER);
    }
    Origin { line, unix_ns: system::unix_ns(), system_ns: system::fine_ns() }
});

/// Apart from the rest of the choice, for hits: one byte to look at.
static HITS_READ_COUNTER: AtomicBool = AtomicBool::new(true);

static COUNTER: LazyLock<Rate<Machine>> = LazyLock::new(|| Rate::new(Machine(())));

impl Clocks for Machine {
    fn counter(&self) -> u64 {
        counter::read()
    }

    fn system_ns(&self) -> u64 {
        system::fine_ns()
    }
}

/// Out of line, so that a caller's code on the counter stays what it would be without.
#[inline(never)]
fn hit_stamp_of_system() -> u64 {
    match ORIGIN.line {
        Line::Coarse { clock, .. } => clock.ns(),
        Line::Counter | Line::System => system::fine_ns(),
    }
}

/// The coarse clock, if it is a fifth cheaper than what is exact: less is not worth the loss.
fn cheapest_line() -> Line {
    let (exact, exact_ns) = if counter::is_usable() {
        (Line::Counter, cost_ns(counter::read))
    } else {
        (Line::System, cost_ns(system::fine_ns))
    };
    match Coarse::new() {
        Some((clock, tick_ns)) if cost_ns(|| clock.ns()) * 5 < exact_ns * 4 => {
            Line::Coarse { clock, tick_ns }
        }
        _ => exact,
    }
}

/// What 64 readings take, in nanoseconds: the shortest of a few times, since others can only be disturbed.
fn cost_ns(read: impl Fn() -> u64) -> u64 {
    let once = |_| {
        let begin = system::fine_ns();
        for _ in 0..64 {
            std::hint::black_box(read());
        }
        system::fine_ns().saturating_sub(begin)
    };
    (0..8).map(once).min().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
