//! Several workers over one registry and one set of weights.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use safetensors::Dtype;
use serde_json::{Value, json};

use crate::checkpoints::{copy, fixture};
use crate::program::{self, assert_fails, metallic, stdout, text};
use crate::tensors::change_tensors;

/// Prompts of several buckets.
const PROMPTS: &str =
    "1\n2,3\n4,5,6\n7,8,9,10,11\n12,13\n1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17\n18\n19,20,21,22\n";

fn run(model: &Path, device: &[&str], workers: &str, more: &[&str]) -> Value {
    let args = ["run", "--model", text(model), "--ids", "-", "--workers", workers];
    program::json(&[&args[..], device, more].concat(), PROMPTS)
}

/// The continuations of the prompts, without times.
fn answers(run: &Value) -> Vec<Value> {
    let mut prompts = run["prompts"].as_array().expect("there are prompts").clone();
    for prompt in &mut prompts {
        let prompt = prompt.as_object_mut().expect("it is an object");
        ["times", "cold", "warm"].into_iter().for_each(|times| drop(prompt.remove(times)));
    }
    prompts
}

/// One figure of each cache whose name passes.
fn figures(run: &Value, figure: &str, passes: impl Fn(&str) -> bool) -> BTreeMap<String, Value> {
    let caches = run["caches"].as_array().expect("there are caches").iter();
    let named = caches.map(|cache| (cache["cache"].as_str().expect("it has a name"), cache));
    let named = named.filter(|(name, _)| passes(name));
    named.map(|(name, cache)| (name.to_owned(), cache[figure].clone())).collect()
}

/// Each worker has its own keys and values, and what binds them to a kernel.
fn is_shared(cache: &str) -> bool {
    !cache.starts_with("kv_cache_") && cache != "kv_cache" && cache != "wgpu_bind_group"
        || cache == "kv_cache_write"
}

/// Checks that any number of workers answers what one does, and creates what one does.
pub(crate) fn assert_workers_change_nothing(device: &[&str]) {
    for name in ["gpt2-tiny", "bert-tiny"] {
        let model = fixture(name);
        let more: &[&str] = if name == "gpt2-tiny" { &["--tokens", "9", "--logits"] } else { &[] };
        let one = run(&model, device, "1", more);
        assert_eq!((&one["workers"], answers(&one).len()), (&json!(1), 8));
        for workers in ["2", "4"] {
            let several = run(&model, device, workers, more);
            assert_eq!(several["workers"].to_string(), workers);
            assert_eq!(answers(&several), answers(&one), "{name} by {workers}");
            for figure in ["misses", "entries", "bytes"] {
                assert_eq!(
                    figures(&several, figure, is_shared),
                    figures(&one, figure, is_shared),
                    "{figure} of {name} by {workers}"
                );
            }
            // Those of the device find layouts for each worker's bind groups.
            let hits =
                |run: &Value| figures(run, "hits", |cache| is_shared(cache) && !cache.starts_with("wgpu_"));
            assert_eq!(hits(&several), hits(&one), "{name} by {workers}");
            if name == "gpt2-tiny" {
                let is_kv = |cache: &str| cache.starts_with("kv_cache") && cache != "kv_cache_write";
                let own = figures(&several, "bytes", is_kv);
                assert_eq!(own.len().to_string(), workers);
                let of_one = &figures(&one, "bytes", is_kv)["kv_cache"];
                assert!(own.values().all(|bytes| bytes == of_one), "{own:?} of {of_one}");
            }
        }
    }
}

#[test]
fn several_workers_answer_what_one_does_and_create_what_one_does() {
    assert_workers_change_nothing(&["--device", "host"]);
}

#[test]
fn no_more_workers_are_started_than_there_are_prompts() {
    let model = fixture("gpt2-tiny");
    let args = ["run", "--device", "host", "--model", text(&model), "--tokens", "3", "--workers", "64"];
    let run = program::json(&[&args[..], &["--ids", "-"]].concat(), "1,2\n3\n");
    assert_eq!(run["workers"], 2);
    let generated: Vec<_> = run["prompts"].as_array().expect("there are two").iter().collect();
    assert!(generated.iter().all(|prompt| prompt["times"].as_array().map(Vec::len) == Some(2)));
}

#[test]
fn the_tokens_of_all_workers_are_shown() {
    let model = fixture("gpt2-tiny");
    let args = ["run", "--device", "host", "--model", text(&model), "--tokens", "3", "--ids", "-"];
    let text = stdout(&[&args[..], &["--workers", "2"]].concat(), "1,2\n3\n");
    assert!(text.contains("tokens/s of 2 workers"), "{text}");
    assert!(text.contains("\nkv_cache_1 ") && text.contains("\nkv_cache_2 "), "{text}");
    assert!(stdout(&args, "1,2\n3\n").contains("tokens/s in all"));
    let run = program::json(&[&args[..], &["--workers", "2", "--repeat", "3"]].concat(), "1,2\n3\n");
    let [cold, warm] = [&run["cold_throughput"], &run["warm_throughput"]];
    assert_eq!([&cold["tokens"], &warm["tokens"]], [6, 12]);
    for throughput in [cold, warm] {
        let figure = |name: &str| throughput[name].as_f64().expect("it is a number");
        let rate = figure("tokens") / figure("wall_ns") * 1e9;
        assert!((figure("tokens_per_second") / rate - 1.0).abs() < 1e-9, "{throughput}");
    }
}

#[test]
fn a_number_of_workers_that_cannot_be_meant_is_refused() {
    let run = ["run", "--device", "host"];
    for refused in ["0", "-1", "many", "1.5", "18446744073709551616"] {
        let workers = format!("--workers={refused}");
        assert_fails(&[&run[..], &[&workers]].concat(), "", 2, &["--workers", refused]);
    }
    assert_fails(
        &[&run[..], &["--workers=100000"]].concat(),
        "",
        2,
        &["--workers 100000: there are at most "],
    );
}

#[test]
fn the_log_of_four_workers_has_every_operation_that_the_table_counts() {
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let log = folder.path().join("log.jsonl");
    let model = fixture("gpt2-tiny");
    let policies = ["--policy", "gemm=size_limited_lru:5", "--policy", "tensor_preparation=lru:20"];
    let events = ["--events", text(&log), "--tokens", "9"];
    let run = run(&model, &["--device", "host"], "4", &[&events[..], &policies].concat());
    let report = program::json(&["report", text(&log)], "");
    let logged = report["caches"].as_array().expect("there are caches");
    let counted = run["caches"].as_array().expect("there are caches");
    for cache in counted.iter().filter(|cache| !cache["hits"].is_null()) {
        let name = &cache["cache"];
        let logged = logged.iter().find(|logged| &logged["cache"] == name);
        let logged = logged.unwrap_or_else(|| panic!("{name} is not in the log"));
        for figure in ["hits", "misses", "evictions"] {
            assert_eq!(logged[figure], cache[figure], "{figure} of {name}");
        }
    }
    assert!(counted.iter().any(|cache| cache["evictions"].as_u64() > Some(0)));
    let lines = fs::read_to_string(&log).expect("it was written");
    for worker in 1..=4 {
        assert!(lines.contains(&format!("\"kv_cache_{worker}\"")), "of worker {worker}");
    }
}

/// A model that knows no more than two positions: prompts of three tokens have no logits that are numbers.
fn without_the_third_position() -> tempfile::TempDir {
    let folder = copy("gpt2-tiny");
    change_tensors(folder.path(), |mut tensor| {
        if tensor.name.ends_with("wpe.weight") {
            assert_eq!(tensor.dtype, Dtype::F32);
            let width = 4 * tensor.shape[1];
            tensor.data[2 * width..3 * width].as_chunks_mut::<4>().0.fill(f32::NAN.to_le_bytes());
        }
        Some(tensor)
    });
    folder
}

#[test]
fn a_worker_that_fails_stops_the_others_and_the_answers_there_are_are_shown() {
    let folder = without_the_third_position();
    let args = ["run", "--device", "host", "--model", text(folder.path()), "--tokens", "1", "--ids", "-"];
    for workers in ["1", "3"] {
        let args = [&args[..], &["--workers", workers, "--json"]].concat();
        let output = metallic(&args, "1\n2,3\n4,5\n1,2,3\n6\n");
        let stderr = String::from_utf8_lossy(&output.stderr);
        let cause = "prompt 4 (line 4): a logit is not a number; nor are all of the model's weights, `transformer.wpe.weight` first";
        assert_eq!((output.status.code(), &*stderr), (Some(1), &*format!("metallic: {cause}\n")));
        let run: Value = serde_json::from_slice(&output.stdout).expect("the output is JSON");
        assert_eq!(run["error"], cause);
        let answered = run["prompts"].as_array().expect("there are prompts");
        let lines: Vec<_> = answered.iter().filter_map(|prompt| prompt["line"].as_u64()).collect();
        assert!(lines.contains(&1) && !lines.contains(&4) && lines.is_sorted(), "{lines:?}");
        assert!(run["warm_throughput"].is_null() && run["verification"].is_null());
    }
    assert_fails(&args, "1,2,3\n1,2,3,4\n", 1, &["a logit is not a number"]);
}
