//! The JSON of `--json`, whose schema is `docs/schemas/replay.schema.json`.

use serde::Serialize;
use serde_json::{Value, json};

use super::advice::Advice;
use super::belady::Optimum;
use super::candidates::Candidate;
use super::formats::Input;
use super::recording::Recording;
use super::results::CacheReplay;
use super::simulation::Outcome;
use super::trace::Trace;
use crate::args::TraceFormat;
use metallic::caching::EvictionPolicy;

pub(super) fn document(input: &Input, caches: &[CacheReplay], left_out: usize) -> Value {
    let format = match input.format {
        TraceFormat::Keys => "keys",
        TraceFormat::Csv => "csv",
        TraceFormat::Arc => "arc",
        TraceFormat::Auto | TraceFormat::Jsonl => "jsonl",
    };
    let skipped = input.skipped.iter().map(|skipped| {
        let first: Vec<String> = skipped.skipped.first.iter().map(ToString::to_string).collect();
        json!({"file": skipped.file, "lines": skipped.skipped.total(), "first": first})
    });
    json!({
        "format": format,
        "files": input.files,
        "dropped": input.dropped,
        "skipped": skipped.collect::<Value>(),
        "caches": caches.iter().map(|cache| cache_json(input, cache)).collect::<Value>(),
        "left_out": left_out,
    })
}

fn cache_json(input: &Input, replay: &CacheReplay) -> Value {
    let Recording { trace, .. } = &input.recordings[replay.recording];
    let recording = &input.recordings[replay.recording];
    let sweep = &replay.sweep;
    let outcome = |outcome: &Outcome| OutcomeJson::new(trace, outcome);
    let curves = sweep.curves.iter().map(|curve| {
        let outcomes: Vec<OutcomeJson> = curve.outcomes.iter().map(outcome).collect();
        let idle = match curve.candidate {
            Candidate::Hybrid(idle) => Some(idle.as_secs_f64()),
            _ => None,
        };
        json!({"strategy": curve.candidate.name(), "idle_seconds": idle, "outcomes": outcomes})
    });
    let optimum = sweep.optimum.iter().map(|Optimum { misses, cost_ns }| {
        json!({
            "misses": misses,
            "miss_ratio": *misses as f64 / trace.len().max(1) as f64,
            "creation_seconds": seconds(trace, *cost_ns),
        })
    });
    let idle = sweep
        .idle
        .iter()
        .map(|(idle, result)| json!({"idle_seconds": idle.as_secs_f64(), "outcome": outcome(result)}));
    let recorded = replay.recorded.map(|replayed| {
        json!({
            "hits": recording.hits,
            "misses": trace.len() as u64 - recording.hits,
            "evictions": recording.evictions,
            "policies": recording.policies.iter().map(EvictionPolicy::to_code).collect::<Value>(),
            "missing": recording.missing,
            "earlier": recording.earlier,
            "restarts": recording.restarts,
            "entangled": recording.entangled,
            "unknown_removals": recording.unknown_removals,
            "divergence": replayed.divergence.map(|divergence| {
                json!({"first": divergence.first, "accesses": divergence.accesses})
            }),
        })
    });
    let advice = match &replay.advice {
        Advice::Refused(reasons) => json!({"refused": reasons}),
        Advice::Leave(reason) => json!({"leave": reason}),
        Advice::Set(setting) => {
            let rivals = setting.alternatives.iter().map(|alternative| {
                json!({"strategy": alternative.candidate.name(), "outcome": outcome(&alternative.outcome)})
            });
            json!({
                "strategy": setting.candidate.name(),
                "knee": setting.knee,
                "capacity": setting.capacity,
                "code": setting.code,
                "outcome": outcome(&setting.outcome),
                "saves_misses": (!trace.is_costed()).then_some(setting.saves),
                "saves_seconds": seconds(trace, setting.saves),
                "rivals": rivals.collect::<Value>(),
            })
        }
    };
    let needs = replay.needs.as_ref().map(|needs| {
        json!({
            "capacity": needs.capacity,
            "outcome": outcome(&needs.outcome),
            "one_fewer": outcome(&needs.one_fewer),
        })
    });
    json!({
        "cache": trace.cache,
        "registry": recording.registry.number,
        "process": recording.registry.process,
        "bytes_per_entry": trace.bytes_per_entry,
        "rebuilt_keys": trace.rebuilt_keys,
        "accesses": trace.len(),
        "keys": trace.keys(),
        "measured_keys": trace.keys() - trace.unmeasured_keys,
        "recorded": recorded,
        "compulsory": {
            "misses": sweep.compulsory.0,
            "creation_seconds": seconds(trace, sweep.compulsory.1),
        },
        "unlimited": outcome(&sweep.unlimited),
        "capacities": sweep.capacities,
        "curves": curves.collect::<Value>(),
        "optimum": optimum.collect::<Value>(),
        "idle_timeout": idle.collect::<Value>(),
        "needs": needs,
        "advice": advice,
    })
}

#[derive(Serialize)]
struct OutcomeJson {
    hits: u64,
    misses: u64,
    miss_ratio: f64,
    evictions: u64,
    creation_seconds: Option<f64>,
    peak_entries: usize,
    mean_entries: f64,
}

impl OutcomeJson {
    fn new(trace: &Trace, outcome: &Outcome) -> Self {
        Self {
            hits: outcome.hits,
            misses: outcome.misses,
            miss_ratio: outcome.misses as f64 / trace.len().max(1) as f64,
            evictions: outcome.evictions,
            creation_seconds: seconds(trace, outcome.cost_ns),
            peak_entries: outcome.peak,
            mean_entries: outcome.mean_entries,
        }
    }
}

fn seconds(trace: &Trace, ns: f64) -> Option<f64> {
    trace.is_costed().then_some(ns / 1e9)
}
