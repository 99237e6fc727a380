//! A run as text for a terminal.

use std::io::{self, Write};

use super::answers::{Quantiles, Throughput};
use super::caches::{CacheRow, PREPARED};
use super::figures::{PromptFigures, Run};
use crate::commands::manifest::write_coverage;
use crate::paragraph::write_wrapped;
use crate::table::Table;
use crate::units::{bytes, count, counted, duration, nanoseconds, percent, printable};

/// Longest text of a prompt, and of what the model made of it, in columns, however wide the terminal is.
const TEXT: usize = 80;

/// Writes what came out, how long it took, and what the caches did.
///
/// # Errors
/// The writer's.
pub(super) fn write(run: &Run, out: &mut dyn Write) -> io::Result<()> {
    let model = &run.model;
    let parameters = match model.parameters {
        few if few < 100_000 => format!("{} parameters", count(few as u64)),
        many => format!("{:.1} million parameters", many as f64 / 1e6),
    };
    let [layers, width, heads] = [model.layers, model.width, model.heads];
    let text = format!(
        "{} ({}): {layers} layers of width {width}, {heads} heads, {parameters}, {}",
        model.model_type, model.source, model.dtype
    );
    write_wrapped(out, "model   ", &text)?;
    write_wrapped(out, "device  ", &format!("{}; {}", run.device.name, run.device.why))?;
    writeln!(out)?;
    answers(run).write(out, 0)?;
    write_more(run, out)?;
    if run.prompts.iter().any(|prompt| prompt.full == Some(true)) {
        writeln!(out, "(full): the model has no more positions, so that there are no more tokens")?;
    }
    writeln!(out)?;
    by_prompt(run).write(out, 0)?;
    write_more(run, out)?;
    writeln!(out)?;
    times(run).write(out, 0)?;
    write_throughput(run, out)?;
    writeln!(out)?;
    caches(run).write(out, 0)?;
    if let Some(store) = &run.store {
        let sum = |of: fn(&CacheRow) -> u64| run.caches.iter().map(of).sum();
        let [loads, ns] = [sum(|row| row.loads), sum(|row| row.load_ns)];
        let remote = store.remote.as_ref().map_or(String::new(), |remote| format!(" and {remote}"));
        let folder = printable(&store.folder, usize::MAX);
        let text = format!(
            "loaded {} of the misses in {} from the artifacts in {folder}{remote}",
            count(loads),
            duration(ns)
        );
        writeln!(out)?;
        write_wrapped(out, "", &text)?;
    }
    // Or one would add up the column.
    if run.device.kind == "wgpu" {
        writeln!(out, "\ncreating kernels contains creating wgpu_pipeline and wgpu_layout for them")?;
    }
    write_contract(run, out)?;
    if let Some(found) = &run.verification {
        let text = format!(
            "{} of f64 to within {:.1e}, with {:.1e} allowed; prompt {} is the farthest off",
            counted(found.compared, "number is that", "numbers are those"),
            found.worst,
            found.allowed,
            found.prompt
        );
        writeln!(out)?;
        write_wrapped(out, "verified: ", &text)?;
    }
    Ok(())
}

/// Writes what was recorded, warmed up and created all the same; of a run without any of it, what a warmed start would have saved.
fn write_contract(run: &Run, out: &mut dyn Write) -> io::Result<()> {
    let figures = &run.contract;
    if let Some(warm_up) = &figures.warm_up {
        writeln!(out)?;
        write_wrapped(out, &format!("warm-up in {}: ", duration(warm_up.duration_ns)), &warm_up.summary)?;
    }
    if let Some(ready) = figures.ready_ns {
        writeln!(out, "ready after {}, rehearsal included", duration(ready))?;
    }
    if let Some(violations) = figures.violations {
        writeln!(out, "created after that: {}", count(violations))?;
        if let Some(first) = figures.first_violations.first() {
            write_wrapped(out, "the first: ", &first.to_string())?;
        }
    }
    if let Some(coverage) = &figures.coverage {
        writeln!(out)?;
        write_coverage(coverage, out)?;
    }
    if let Some(recorded) = &figures.recorded {
        let mut text = format!("recorded {}", counted(recorded.keys, "key", "keys"));
        if recorded.not_portable > 0 {
            let creations = counted(recorded.not_portable, "creation has", "creations have");
            text += &format!("; {creations} keys that cannot be carried");
        }
        let others = run.caches.iter().filter(|row| row.kind == "slot" && row.misses > 0);
        let others: Vec<_> = others.map(|row| format!("{} in {}", count(row.misses), row.cache)).collect();
        if !others.is_empty() {
            text += &format!("; besides, creations that no manifest can have: {}", others.join(", "));
        }
        writeln!(out)?;
        write_wrapped(out, "", &text)?;
    }
    // What a manifest cannot have, such as prepared tensors, is created by the rehearsal; keys and values are a sequence's own.
    let before = run.caches.iter().filter(|row| row.kind == "kernel" || row.cache == PREPARED);
    let (misses, ns) = before.fold((0, 0), |(misses, ns), row| (misses + row.misses, ns + row.creation_ns));
    let kernels = run.caches.iter().filter(|row| row.kind == "kernel").map(|row| row.misses).sum::<u64>();
    let not_portable = figures.recorded.as_ref().map_or(0, |recorded| recorded.not_portable);
    let carried = kernels.saturating_sub(not_portable);
    if figures.ready_ns.is_none() && misses > 0 {
        let creations = counted(misses, "creation", "creations");
        let how = match &figures.recorded {
            Some(recorded) => format!("metallic run --warm {}", printable(&recorded.file, usize::MAX)),
            None => "metallic run --record m.jsonl, then metallic run --warm m.jsonl".to_owned(),
        };
        let [carried, others] = [carried, misses - carried].map(count);
        let text = format!(
            "a warmed start would have had {creations} ({carried} from the manifest, {others} by its rehearsal), {}, behind it:",
            duration(ns)
        );
        writeln!(out)?;
        write_wrapped(out, "", &text)?;
        writeln!(out, "  {how}")?;
    }
    Ok(())
}

/// The most prompts in a table.
const PROMPTS: usize = 20;

/// Writes how many prompts a table lacks.
fn write_more(run: &Run, out: &mut dyn Write) -> io::Result<()> {
    match run.prompts.len().saturating_sub(PROMPTS) {
        0 => Ok(()),
        more => writeln!(out, "and {}; --json has all", counted(more as u64, "more prompt", "more prompts")),
    }
}

fn answers(run: &Run) -> Table {
    let is_decoder = run.prompts.iter().any(|prompt| prompt.generated_ids.is_some());
    let titles = ["prompt", "tokens", if is_decoder { "continuation" } else { "vector" }];
    let mut table = Table::new(titles).ending_in_text();
    for prompt in run.prompts.iter().take(PROMPTS) {
        let cut = if prompt.truncated { " (cut)" } else { "" };
        let full = if prompt.full == Some(true) { " (full)" } else { "" };
        let input = prompt.input_ids.len();
        let tokens = match &prompt.generated_ids {
            Some(ids) => format!("{}{cut} + {}{full}", count(input as u64), ids.len()),
            None => format!("{}{cut}", count(input as u64)),
        };
        let text = prompt.text.clone().unwrap_or_else(|| joined(&prompt.input_ids));
        table.row([printable(&text, TEXT), tokens, made_of_it(prompt)]);
    }
    table
}

fn made_of_it(prompt: &PromptFigures) -> String {
    if let Some(embedding) = &prompt.embedding {
        let first: Vec<String> = embedding.iter().take(4).map(|x| format!("{x:.4}")).collect();
        return format!("{}, ... {} in all", first.join(", "), embedding.len());
    }
    let ids = prompt.generated_ids.as_deref().unwrap_or_default();
    match &prompt.generated_text {
        Some(text) => printable(text, TEXT),
        None => printable(&joined(ids), TEXT),
    }
}

fn joined(ids: &[u32]) -> String {
    let ids: Vec<String> = ids.iter().map(u32::to_string).collect();
    ids.join(",")
}

/// The first result: a token, or the vector.
fn first(run: &Run) -> &'static str {
    match run.prompts.iter().any(|prompt| prompt.embedding.is_some()) {
        true => "vector",
        false => "first token",
    }
}

/// A row for each prompt. Its tokens are those of the passes in which nothing was created, if there are any.
fn by_prompt(run: &Run) -> Table {
    let first = first(run);
    let has_tokens =
        run.prompts.iter().any(|prompt| prompt.times.iter().any(|times| times.token_ns.is_some()));
    let cold = format!("{first}, cold");
    let titles = ["prompt", &*cold, "warm", "per token", "p95", "p99"];
    let mut table = Table::new(titles.into_iter().take(if has_tokens { 6 } else { 3 }));
    for (number, prompt) in (1..).zip(&run.prompts).take(PROMPTS) {
        let text = |ns: Option<u64>| ns.map_or_else(String::new, |ns| nanoseconds(ns as f64));
        let first = [prompt.cold, prompt.warm].map(|times| text(times.map(|times| times.first.p50_ns)));
        let token = prompt.warm.or(prompt.cold).and_then(|times| times.token);
        let figures: [fn(Quantiles) -> u64; 3] = [|all| all.p50_ns, |all| all.p95_ns, |all| all.p99_ns];
        let tokens = figures.map(|figure| text(token.map(figure)));
        let name = prompt.line.map_or_else(|| count(number), |line| format!("line {}", count(line)));
        table.row([name].into_iter().chain(first).chain(tokens.into_iter().filter(|_| has_tokens)));
    }
    table
}

/// A row for each kind of time of all prompts: cold are those during which something was created.
fn times(run: &Run) -> Table {
    let first = first(run);
    let mut table = Table::new(["latency", "times", "p50", "p95", "p99"]);
    let mut row = |title: String, times: Option<Quantiles>| {
        let Some(Quantiles { count: times, p50_ns, p95_ns, p99_ns, .. }) = times else { return };
        let quantiles = [p50_ns, p95_ns, p99_ns].map(|ns| nanoseconds(ns as f64));
        table.row([title, count(times)].into_iter().chain(quantiles));
    };
    let kinds = [("cold", run.cold), ("warm", run.warm)];
    for (kind, times) in kinds {
        row(format!("{first}, {kind}"), times.map(|times| times.first));
    }
    for (kind, times) in kinds {
        row(format!("per token, {kind}"), times.and_then(|times| times.token));
    }
    table
}

fn write_throughput(run: &Run, out: &mut dyn Write) -> io::Result<()> {
    let of = match run.workers {
        1 => "in all".to_owned(),
        workers => format!("of {workers} workers"),
    };
    let rate = |times: Option<Throughput>| times.map(|times| format!("{:.0}", times.tokens_per_second));
    let later = match run.passes {
        2 => "the second".to_owned(),
        passes => format!("the {} after it", passes.saturating_sub(1)),
    };
    match (rate(run.cold_throughput), rate(run.warm_throughput)) {
        (None, _) => Ok(()),
        (Some(first), None) => writeln!(out, "tokens/s {of}: {first}"),
        (Some(first), Some(warm)) => {
            writeln!(out, "tokens/s {of}: {first} in the first pass, {warm} in {later}")
        }
    }
}

fn caches(run: &Run) -> Table {
    let loads = run.store.is_some().then_some("loads");
    let titles = ["cache", "entries", "hits", "misses", "hit rate", "evictions", "bytes", "creating"];
    let mut table = Table::new(titles.into_iter().chain(loads)).may_lack(["evictions", "hit rate"]);
    for row in &run.caches {
        let loads = run.store.is_some().then(|| count(row.loads));
        let figures = [
            row.cache.clone(),
            count(row.entries),
            row.hits.map_or_else(String::new, count),
            count(row.misses),
            row.hit_rate.map_or_else(String::new, percent),
            count(row.evictions),
            bytes(row.bytes),
            duration(row.creation_ns),
        ];
        table.row(figures.into_iter().chain(loads));
    }
    table
}
