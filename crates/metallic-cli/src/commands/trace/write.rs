//! Writes the time line.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use serde_json::{Value, json};

use super::counters::Count;
use super::lanes::lanes;
use super::timeline::{Instant, Slice, Timeline, Track, microseconds};

/// One event a line: such files are looked at in editors, too.
struct Events<'a> {
    out: &'a mut dyn Write,
    is_first: bool,
}

impl Events<'_> {
    fn write(&mut self, event: &Value) -> io::Result<()> {
        let separator = if self.is_first { "\n" } else { ",\n" };
        self.is_first = false;
        write!(self.out, "{separator}{event}")
    }
}

pub(super) fn write(timeline: Timeline, files: &[String], out: &mut dyn Write) -> io::Result<()> {
    let origin = timeline.origin();
    let ts = |at: u64| microseconds(at.saturating_sub(origin));
    let other = json!({"program": "metallic", "version": env!("CARGO_PKG_VERSION"), "files": files, "origin_unix_ns": origin});
    write!(out, "{{\"displayTimeUnit\":\"ms\",\"otherData\":{other},\"traceEvents\":[")?;
    let mut events = Events { out: &mut *out, is_first: true };
    let titles = titles(&timeline);
    let Timeline { registries, tracks, slices, instants, evictions, counters, .. } = timeline;
    let counts = counters.into_counts();

    for process in tracks.iter().map(Track::process).collect::<BTreeSet<_>>() {
        let header = (process as usize).checked_sub(1).and_then(|at| registries.processes().get(at));
        let name = header.map_or_else(|| "the program".to_owned(), ToString::to_string);
        events.write(&json!({"ph": "M", "name": "process_name", "pid": process, "args": {"name": name}}))?;
    }
    let mut by_track: BTreeMap<usize, Vec<Slice>> =
        (0..tracks.len()).map(|track| (track, Vec::new())).collect();
    for slice in slices {
        by_track.entry(slice.track).or_default().push(slice);
    }
    // Steps are above what they wait for.
    let mut order: Vec<usize> = (0..tracks.len()).collect();
    order.sort_by_key(|track| matches!(tracks[*track], Track::Cache { .. }));
    let mut threads = vec![0; tracks.len()];
    let mut next = 1_usize;
    for track in order {
        let mut slices = by_track.remove(&track).unwrap_or_default();
        let lanes = lanes(&mut slices);
        let number = lanes.iter().max().map_or(1, |lane| lane + 1);
        let pid = tracks[track].process();
        threads[track] = next;
        for lane in 0..number {
            let tid = next + lane;
            let name = match lane {
                0 => titles[track].clone(),
                _ => format!("{} ({})", titles[track], lane + 1),
            };
            events.write(
                &json!({"ph": "M", "name": "thread_name", "pid": pid, "tid": tid, "args": {"name": name}}),
            )?;
            events.write(
                &json!({"ph": "M", "name": "thread_sort_index", "pid": pid, "tid": tid, "args": {"sort_index": tid}}),
            )?;
        }
        let category = if let Track::Steps { .. } = tracks[track] { "step" } else { "creation" };
        for (Slice { begin, end, name, args, .. }, lane) in slices.iter().zip(lanes) {
            events.write(&json!({
                "ph": "X", "name": name, "cat": category, "pid": pid, "tid": next + lane,
                "ts": ts(*begin), "dur": microseconds(end - begin), "args": args,
            }))?;
        }
        next += number;
    }
    let removals = if instants.is_empty() { &evictions } else { &instants };
    for Instant { track, at, name, args } in removals {
        events.write(&json!({
            "ph": "i", "s": "t", "name": name, "cat": "removal", "pid": tracks[*track].process(),
            "tid": threads[*track], "ts": ts(*at), "args": args,
        }))?;
    }
    let has_bytes = counts.iter().any(|count| count.bytes > 0);
    for Count { track, at, entries, bytes } in &counts {
        let mut counter = |what: &str, value: u64| {
            let name = format!("{} {what}", titles[*track]);
            let pid = tracks[*track].process();
            events.write(&json!({"ph": "C", "name": name, "pid": pid, "ts": ts(*at), "args": {what: value}}))
        };
        counter("entries", *entries)?;
        if has_bytes {
            counter("bytes", *bytes)?;
        }
    }
    writeln!(out, "\n]}}")
}

/// The names of the tracks: a cache's registry is named where there are several.
fn titles(timeline: &Timeline) -> Vec<String> {
    let registries: BTreeSet<_> = timeline.tracks.iter().filter_map(registry).collect();
    let title = |track: &Track| match track {
        Track::Steps { thread, .. } => thread.clone(),
        Track::Cache { cache, .. } if registries.len() < 2 => cache.clone(),
        Track::Cache { registry, cache } => {
            format!("{cache} in registry {}", timeline.registries.name_of(*registry))
        }
    };
    timeline.tracks.iter().map(title).collect()
}

fn registry(track: &Track) -> Option<crate::input::RegistryId> {
    match track {
        Track::Steps { .. } => None,
        Track::Cache { registry, .. } => Some(*registry),
    }
}
