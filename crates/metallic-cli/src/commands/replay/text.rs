//! The results as tables and plots for the terminal.

use std::io::{self, Write};

use metallic::caching::EvictionPolicy;
use unicode_width::UnicodeWidthStr;

use super::advice::{Advice, Setting, amount, weight};
use super::candidates::Candidate;
use super::formats::Input;
use super::plot::{Line, draw};
use super::recording::Recording;
use super::results::CacheReplay;
use super::simulation::Outcome;
use super::summary::{Summary, name};
use super::trace::Trace;
use crate::paragraph::write_wrapped;
use crate::table::Table;
use crate::terminal;
use crate::units::{bytes as size, count, counted, nanoseconds};

pub(super) fn write(out: &mut dyn Write, recording: &Recording, replay: &CacheReplay) -> io::Result<()> {
    let (trace, sweep) = (&recording.trace, &replay.sweep);
    let accesses = counted(trace.len() as u64, "access", "accesses");
    let keys = counted(trace.keys() as u64, "key", "keys");
    let name = name(recording);
    // What does not fit beside the name is below it.
    let is_narrow = name.width() + accesses.len() + keys.len() + 6 > terminal::look().columns;
    let gap = if is_narrow { ":\n  " } else { ": " };
    writeln!(out, "{}{gap}{accesses} of {keys}", terminal::title(&name))?;
    match trace.unmeasured_keys {
        _ if !trace.is_costed() => writeln!(out, "  what creations cost is not known")?,
        0 => {}
        unmeasured => {
            let text = format!("{unmeasured} of them, never created in the log, are priced at the mean");
            write_wrapped(out, "  ", &text)?;
        }
    }
    if trace.is_costed() && trace.rebuilt_keys == 0 {
        write_wrapped(out, "  ", "no key was created twice: rebuilds are priced as first creations")?;
    }
    let late = trace.new_keys_in_last_quarter();
    if late * 20 >= trace.keys() * 3 && trace.keys() > 1 {
        let text = format!("{late} keys are new in the last quarter; the advice ages");
        write_wrapped(out, "  still growing: ", &text)?;
    }
    if let Some(replayed) = &replay.recorded {
        write_recorded(out, recording, replayed)?;
    }
    let (misses, cost) = sweep.compulsory;
    let what = "first uses, and those after removals or failures";
    write_wrapped(out, "  compulsory: ", &format!("{}: {what}", weighed(trace, misses, cost)))?;
    if let Some(replayed) = &replay.recorded {
        let (policy, cost) = (replayed.misses.saturating_sub(misses), (replayed.cost_ns - cost).max(0.0));
        writeln!(out, "  the policy's: {}", weighed(trace, policy, cost))?;
    }

    writeln!(out, "\n  misses, in % of the accesses")?;
    let percent = |misses: u64| misses as f64 * 100.0 / trace.len().max(1) as f64;
    write_curves(out, replay, |value| format!("{value:.2}"), |misses, _| percent(misses))?;
    if trace.is_costed() {
        writeln!(out, "\n  time spent in creations")?;
        write_curves(out, replay, nanoseconds, |_, cost_ns| cost_ns)?;
        write_wrapped(
            out,
            "    ",
            "(Belady's rule has the fewest misses; the least time may be less still)",
        )?;
    }
    if !sweep.idle.is_empty() {
        writeln!(out, "\n  idle_timeout")?;
        let mut table = Table::new(["idle for", "misses %", "creations", "entries at most", "on average"]);
        for (idle, outcome) in &sweep.idle {
            table.row([
                nanoseconds(idle.as_nanos() as f64),
                format!("{:.2}", percent(outcome.misses)),
                if trace.is_costed() { nanoseconds(outcome.cost_ns) } else { "?".to_owned() },
                outcome.peak.to_string(),
                format!("{:.0}", outcome.mean_entries),
            ]);
        }
        table.write(out, 4)?;
    }
    writeln!(out)?;
    match &replay.advice {
        Advice::Refused(reasons) => {
            writeln!(out, "  no advice:")?;
            reasons.iter().try_for_each(|reason| write_wrapped(out, "    - ", reason))
        }
        Advice::Leave(reason) => {
            write_wrapped(out, "  advice: leave it as it is: ", reason)?;
            write_needs(out, recording, replay)
        }
        Advice::Set(setting) => write_advice(out, recording, replay, setting),
    }
}

/// How few entries would do, and what one fewer costs: where memory is short, that is what to know.
fn write_needs(out: &mut dyn Write, recording: &Recording, replay: &CacheReplay) -> io::Result<()> {
    let Some(needs) = &replay.needs else { return Ok(()) };
    let trace = &recording.trace;
    let bytes =
        trace.bytes_per_entry.map(|bytes| format!(" ({})", size((bytes * needs.capacity as f64) as u64)));
    let more = weight(trace, &needs.one_fewer) - weight(trace, &needs.outcome);
    let text = format!(
        "{}{}, {}; one fewer costs {} more",
        counted(needs.capacity as u64, "entry", "entries"),
        bytes.unwrap_or_default(),
        weighed(trace, needs.outcome.misses, needs.outcome.cost_ns),
        amount(trace, more.max(0.0))
    );
    write_wrapped(out, "    knee of lru: ", &text)
}

fn write_recorded(out: &mut dyn Write, recording: &Recording, replayed: &Outcome) -> io::Result<()> {
    let Recording { trace, hits, evictions, .. } = recording;
    let misses = trace.len() as u64 - hits;
    let mut text = format!(
        "{}, {}, {}",
        counted(*hits, "hit", "hits"),
        weighed(trace, misses, replayed.cost_ns),
        counted(*evictions, "eviction", "evictions")
    );
    match replayed.divergence {
        None if replayed.evictions == *evictions => text += "; so does a replay",
        None => text += &format!("; so does a replay, but for {} evictions", count(replayed.evictions)),
        Some(_) => {}
    }
    write_wrapped(out, "  recorded: ", &text)?;
    if let Some(divergence) = replayed.divergence {
        let accesses = count(divergence.accesses);
        let first = count(divergence.first as u64 + 1);
        let text = format!("a replay differs in {accesses} accesses, first in number {first}");
        write_wrapped(out, "  ", &text)?;
    }
    let policies: Vec<String> = recording.policies.iter().map(EvictionPolicy::to_code).collect();
    if !policies.is_empty() {
        write_wrapped(out, "  under: ", &policies.join(", then "))?;
    }
    let notes = [
        (recording.missing, "accesses are not in the log: sampled, or dropped"),
        (recording.earlier, "accesses came before the log: their keys count as new"),
        (recording.restarts, "times the program was started anew, with an empty cache"),
        (recording.unknown_removals, "entries were removed of which the log does not say which"),
    ];
    for (number, what) in notes.into_iter().filter(|(number, _)| *number > 0) {
        write_wrapped(out, "  note: ", &format!("{} {what}", count(number)))?;
    }
    Ok(())
}

/// A table and a plot of one value, which is made of misses and their cost.
fn write_curves(
    out: &mut dyn Write,
    replay: &CacheReplay,
    label: impl Fn(f64) -> String,
    value: impl Fn(u64, f64) -> f64,
) -> io::Result<()> {
    let sweep = &replay.sweep;
    // At a constant capacity `size_limited_lru` is `lru`.
    let curves: Vec<_> = sweep.curves.iter().filter(|curve| curve.candidate != Candidate::Lru).collect();
    let titles = curves.iter().map(|curve| match curve.candidate {
        Candidate::SizeLimitedLru => "lru".to_owned(),
        candidate => title(candidate),
    });
    let titles: Vec<String> =
        ["entries".to_owned()].into_iter().chain(titles).chain(["optimum".to_owned()]).collect();
    let mut table = Table::new(titles.iter().map(String::as_str)).may_lack(["sieve", "s3_fifo", "fifo"]);
    for (at, capacity) in sweep.capacities.iter().enumerate() {
        let values = curves.iter().map(|curve| value(curve.outcomes[at].misses, curve.outcomes[at].cost_ns));
        let optimum = value(sweep.optimum[at].misses, sweep.optimum[at].cost_ns);
        table.row([capacity.to_string()].into_iter().chain(values.chain([optimum]).map(&label)));
    }
    table.write(out, 4)?;
    let mut lines = Vec::new();
    for curve in curves.iter().rev() {
        let mark = match curve.candidate {
            Candidate::Lru | Candidate::SizeLimitedLru => 'l',
            Candidate::Fifo => 'f',
            Candidate::Hybrid(_) => 'h',
            Candidate::S3Fifo => '3',
            Candidate::Sieve => 's',
        };
        let values = curve.outcomes.iter().map(|outcome| value(outcome.misses, outcome.cost_ns)).collect();
        lines.push(Line { mark, values });
    }
    let optimum = sweep.optimum.iter().map(|limit| value(limit.misses, limit.cost_ns)).collect();
    lines.push(Line { mark: 'o', values: optimum });
    writeln!(out)?;
    draw(out, &sweep.capacities, &lines, label)?;
    let hybrid = if lines.iter().any(|line| line.mark == 'h') { ", h hybrid" } else { "" };
    let marks = format!("l lru (both), f fifo{hybrid}, 3 s3_fifo, s sieve, o optimum (Belady)");
    write_wrapped(out, "    ", &marks)
}

fn write_advice(
    out: &mut dyn Write,
    recording: &Recording,
    replay: &CacheReplay,
    setting: &Setting,
) -> io::Result<()> {
    let trace = &recording.trace;
    let Setting { candidate, knee, capacity, outcome, saves, .. } = setting;
    writeln!(out, "  advice: {capacity} entries under {}", title(*candidate))?;
    let line = format!("{}, {} less", weighed(trace, outcome.misses, outcome.cost_ns), amount(trace, *saves));
    write_wrapped(out, "    ", &line)?;
    let line = format!("beyond {knee}, the knee, an entry buys less than the average; the rest is margin");
    write_wrapped(out, "    ", &line)?;
    if let Some(bytes) = trace.bytes_per_entry {
        writeln!(out, "    an entry is {} on average", size(bytes as u64))?;
    }
    let recorded = replay.recorded.and(recording.policies.last()).and_then(EvictionPolicy::capacity);
    if let Some(more) = recorded.and_then(|present| capacity.checked_sub(present)).filter(|more| *more > 0) {
        write!(out, "    one more entry saves {} on the way there", amount(trace, saves / more as f64))?;
        match trace.bytes_per_entry {
            Some(bytes) => {
                writeln!(
                    out,
                    ", one more MiB {}",
                    amount(trace, saves / (more as f64 * bytes) * f64::from(1 << 20))
                )?;
            }
            None => writeln!(out)?,
        }
    }
    for alternative in &setting.alternatives {
        let more = weight(trace, &alternative.outcome) - weight(trace, outcome);
        let (more, than) = if more < 0.0 { (-more, "less") } else { (more, "more") };
        writeln!(out, "    {} at {capacity}: {} {than}", title(alternative.candidate), amount(trace, more))?;
    }
    writeln!(out)?;
    setting.code.lines().try_for_each(|line| writeln!(out, "    {line}"))
}

/// A line for each cache: what it spent, what could be saved, what to do.
pub(super) fn write_summary(out: &mut dyn Write, input: &Input, caches: &[CacheReplay]) -> io::Result<()> {
    let mut table =
        Table::new(["cache", "accesses", "evicted", "creating", "to save", "instead of", "advice"])
            .ending_in_text()
            .may_lack(["accesses", "evicted", "instead of"]);
    for replay in caches {
        let line = Summary::of(&input.recordings[replay.recording], replay);
        table.row([
            line.cache,
            count(line.accesses),
            line.evictions.map_or("-".to_owned(), count),
            line.spent.unwrap_or("?".to_owned()),
            line.saves.unwrap_or("-".to_owned()),
            line.present.unwrap_or("-".to_owned()),
            line.advice,
        ]);
    }
    table.write(out, 0)
}

fn title(candidate: Candidate) -> String {
    match candidate {
        Candidate::Hybrid(idle) => format!("hybrid({})", nanoseconds(idle.as_nanos() as f64)),
        other => other.name().to_owned(),
    }
}

fn weighed(trace: &Trace, misses: u64, cost_ns: f64) -> String {
    let misses = counted(misses, "miss", "misses");
    if trace.is_costed() { format!("{misses} ({})", nanoseconds(cost_ns)) } else { misses }
}
