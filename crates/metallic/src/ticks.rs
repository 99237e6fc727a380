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
use std::time::Duration;

use self::rate::{Clocks, Rate};
use self::system::Coarse;

/// The time line of this process.
#[derive(Clone, Copy, Debug)]
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
pub(crate) struct Machine {
    line: Line,
}

impl Machine {
    pub(crate) fn new() -> Self {
        // Before the first stamp: a moment before the origin could not be told.
        Self { line: ORIGIN.line }
    }

    /// The stamp of this moment if it is before `limit`; at most [`Self::tick_ns`] too early, and never too late.
    /// `limit` is from [`Self::limit`], or 0.
    #[inline(always)]
    pub(crate) fn hit_stamp_before(limit: u64) -> Option<u64> {
        if limit == NO_LIMIT_ON_COUNTER {
            return Some(counter::read());
        }
        if limit.is_multiple_of(2) {
            let stamp = counter::read();
            return (stamp < limit).then_some(stamp);
        }
        hit_stamp_of_system(limit)
    }

    /// The stamp of this moment if `limit` is on the counter and none: one comparison, and no case to be told apart afterwards.
    #[inline(always)]
    pub(crate) fn unlimited_hit_stamp(limit: u64) -> Option<u64> {
        (limit == NO_LIMIT_ON_COUNTER).then(counter::read)
    }

    /// A stamp as the limit of hits. It says besides what they are stamped with: an even one is the counter's, an odd one
    /// the operating system's, so that a hit asks nothing but its limit.
    pub(crate) fn limit(self, stamp: u64) -> u64 {
        match self.line {
            Line::Counter if stamp == u64::MAX => NO_LIMIT_ON_COUNTER,
            Line::Counter => stamp & !1,
            // No later than the stamp, unless it is 0.
            Line::Coarse { .. } | Line::System => stamp.min(NO_LIMIT_ON_COUNTER - 1).saturating_sub(1) | 1,
        }
    }

    /// The stamp of this moment.
    #[inline(always)]
    pub(crate) fn stamp(self) -> u64 {
        match self.line {
            Line::Counter => counter::read(),
            Line::Coarse { .. } | Line::System => system::fine_ns(),
        }
    }

    /// The most that a hit's stamp is too early, in nanoseconds.
    pub(crate) fn tick_ns(self) -> u64 {
        match self.line {
            Line::Coarse { tick_ns, .. } => tick_ns,
            Line::Counter | Line::System => 0,
        }
    }

    /// The time between two stamps that are this much apart, in nanoseconds.
    pub(crate) fn to_ns(self, difference: u64) -> u64 {
        match self.line {
            Line::Counter => (difference as f64 * COUNTER.ns_per_tick()) as u64,
            Line::Coarse { .. } | Line::System => difference,
        }
    }

    /// How far apart two stamps may be for at most `ns` nanoseconds, and hardly more, to lie between them: one part in
    /// 1000 is taken off a counter's, whose rate is good to one in 4000 at its worst.
    pub(crate) fn at_most(self, ns: u64) -> u64 {
        match self.line {
            Line::Counter => (ns as f64 / COUNTER.ns_per_tick() * 0.999) as u64,
            Line::Coarse { .. } | Line::System => ns,
        }
    }

    /// The moment of a stamp, in nanoseconds since the Unix epoch.
    pub(crate) fn to_unix_ns(self, stamp: u64) -> u64 {
        ORIGIN.unix_ns.saturating_add(match self.line {
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
    if matches!(line, Line::Counter) {
        LazyLock::force(&COUNTER);
    }
    Origin { line, unix_ns: system::unix_ns(), system_ns: system::fine_ns() }
});

/// Counters do not get there.
const NO_LIMIT_ON_COUNTER: u64 = u64::MAX;

static COUNTER: LazyLock<Rate<Compared>> = LazyLock::new(|| Rate::new(Compared));

/// The counter, and the clock that it is compared with.
struct Compared;

impl Clocks for Compared {
    fn counter(&self) -> u64 {
        counter::read()
    }

    fn system_ns(&self) -> u64 {
        system::fine_ns()
    }
}

/// Out of line, so that a hit on the counter costs what it would if there were nothing else.
#[cold]
#[inline(never)]
fn hit_stamp_of_system(limit: u64) -> Option<u64> {
    let stamp = match ORIGIN.line {
        Line::Coarse { clock, .. } => clock.ns(),
        Line::Counter | Line::System => system::fine_ns(),
    };
    (stamp < limit).then_some(stamp)
}

/// The coarse clock, if it is a fifth cheaper than what is exact: less is not worth the loss.
fn cheapest_line() -> Line {
    let (exact, read): (_, fn() -> u64) =
        if counter::is_usable() { (Line::Counter, counter::read) } else { (Line::System, system::fine_ns) };
    let Some((clock, tick_ns)) = Coarse::new() else { return exact };
    // In turn, and the shortest of many: a reading can only be disturbed, and by an emulator for long at first.
    let (exact_ns, coarse_ns) = (0..32).fold((u64::MAX, u64::MAX), |(exact_ns, coarse_ns), _| {
        (exact_ns.min(cost_ns(read)), coarse_ns.min(cost_ns(|| clock.ns())))
    });
    if coarse_ns * 5 < exact_ns * 4 { Line::Coarse { clock, tick_ns } } else { exact }
}

/// The time of 32 readings, in nanoseconds.
fn cost_ns(read: impl Fn() -> u64) -> u64 {
    let begin = system::fine_ns();
    for _ in 0..32 {
        std::hint::black_box(read());
    }
    system::fine_ns().saturating_sub(begin)
}

#[cfg(test)]
mod tests;
