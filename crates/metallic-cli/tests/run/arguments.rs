//! Wrong arguments end in one line that names the valid ones.

use clap::Parser;
use metallic::caching::EvictionPolicy;
use metallic_cli::args::{Args, RunArgs};

use crate::checkpoints::fixture;
use crate::program::{assert_fails, json, stdout, text};

#[test]
fn an_unknown_policy_or_cache_is_refused_with_those_there_are() {
    assert_fails(
        &["run", "--policy", "gemm=mru:3"],
        "",
        2,
        &["`mru`", "size_limited_lru:N", "hybrid:N:TIME"],
    );
    assert_fails(&["run", "--policy", "gem=none"], "", 2, &["`gem`", "gemm", "layer_norm", "kv_cache_write"]);
    assert_fails(&["run", "--policy", "gemm"], "", 2, &["CACHE=POLICY"]);
    assert_fails(&["run", "--policy", "gemm=hybrid:3"], "", 2, &["`hybrid` is written hybrid:N:TIME"]);
}

#[test]
fn policies_that_contradict_one_another_are_refused() {
    assert_fails(&["run", "--policy", "gemm=lru:4,min=8"], "", 2, &["minimum is not below the maximum, 4"]);
    let twice = ["run", "--policy", "gemm=none", "--policy", "gemm=lru:3"];
    assert_fails(&twice, "", 2, &["--policy gemm=lru:3: `gemm` has one already"]);
}

#[test]
fn a_store_is_refused_where_there_are_no_artifacts_and_off_where_it_is_not_asked_for() {
    let model = fixture("gpt2-tiny");
    let host = ["run", "--device", "host", "--model", text(&model), "--ids", "1,2", "--repeat", "1"];
    assert_fails(&[&host[..], &["--store", "somewhere"]].concat(), "", 2, &["--store", "no artifacts"]);
    let both = ["--no-store", "--store", "somewhere"];
    assert_fails(&[&host[..], &both].concat(), "", 2, &["--no-store", "--store"]);
    for more in [&[][..], &["--no-store"]] {
        let run = json(&[&host[..], more].concat(), "");
        assert!(run["store"].is_null());
        assert!(run["caches"].as_array().unwrap().iter().all(|cache| cache["loads"] == 0));
    }
}

#[test]
fn an_unknown_device_is_refused_with_those_there_are() {
    assert_fails(&["run", "--device", "cuda"], "", 2, &["cuda", "auto, host, wgpu"]);
}

#[test]
fn arguments_that_the_model_has_no_use_for_are_refused() {
    let (gpt2, bert) = (fixture("gpt2-tiny"), fixture("bert-tiny"));
    let on = |model| ["run", "--device", "host", "--model", text(model)];
    assert_fails(&[&on(&bert)[..], &["--tokens", "3"]].concat(), "", 2, &["--tokens", "bert"]);
    assert_fails(&[&on(&bert)[..], &["--json", "--logits"]].concat(), "", 2, &["--logits", "bert"]);
    assert_fails(
        &[&on(&gpt2)[..], &["--ids", "1,280"]].concat(),
        "",
        2,
        &["280 is not a token", "which has 280"],
    );
    assert_fails(&[&on(&gpt2)[..], &["--ids", ","]].concat(), "", 2, &["there is no token id"]);
    let many = vec!["1"; 65].join(",");
    assert_fails(&[&on(&gpt2)[..], &["--ids", &many]].concat(), "", 2, &["65 tokens", "64 positions"]);
    for refused in [&["--ids", "1", "--input", "-"][..], &["--seed", "1"], &["--logits"], &["--repeat", "0"]]
    {
        assert_fails(&[&on(&gpt2)[..], refused].concat(), "", 2, &["--"]);
    }
}

#[test]
fn what_clap_refuses_is_one_line_with_the_values_there_are() {
    assert_fails(&["run", "--dtype", "f8"], "", 2, &["'f8'", "--dtype", "[possible values: f32, f16]"]);
    assert_fails(&["report"], "", 2, &["required", "<LOG>"]);
    assert_fails(&["run", "--modle", "x"], "", 2, &["'--modle'", "; did you mean `--model`?"]);
    assert_fails(&["rpeort"], "", 2, &["'rpeort'; did you mean `report`?"]);
    assert_fails(&["--events", "x.jsonl"], "", 2, &["'--events'", "`metallic run ...`"]);
    assert_fails(&["store"], "", 2, &["requires a subcommand", "ls", "doctor"]);
    assert_fails(&["manifest"], "", 2, &["requires a subcommand", "show", "coverage"]);
    assert_fails(&["run", "--tokens", "0"], "", 2, &["'0' for '--tokens", "not a whole number from 1 to "]);
    assert_fails(&["run", "--ids", ""], "", 2, &["--ids ``: there is no token id"]);
    assert_fails(&["run", "--repeat", "1000000000000"], "", 2, &["--repeat", "there are at most 100000"]);
    assert_fails(&["replay", "x", "--capacities", "-1"], "", 2, &["'-1'", "from 1 to 4294967295"]);
    for ids in ["1,,2", "1,"] {
        assert_fails(&["run", "--device", "host", "--ids", ids], "", 2, &["a comma has no token id"]);
    }
    assert!(stdout(&["--version"], "").starts_with("metallic "));
    assert!(stdout(&["run", "-h"], "").contains("Usage: metallic run"));
}

#[test]
fn numbers_that_cannot_be_meant_are_refused() {
    let model = fixture("gpt2-tiny");
    let args = ["run", "--device", "host", "--model", text(&model)];
    assert_fails(&[&args[..], &["--ids", "1,-2"]].concat(), "", 2, &["1,-2: neither a list of token ids"]);
    let threads = ["--threads", "18446744073709551615"];
    assert_fails(&[&args[..], &threads].concat(), "", 2, &["--threads", "there are at most "]);
    assert_fails(&["run", "--device", "wgpu", "--threads", "2"], "", 2, &["--threads is for the host"]);
    let many = json(&[&args[..], &["--ids", "1,2", "--tokens", "18446744073709551615"]].concat(), "");
    assert_eq!(many["prompts"][0]["generated_ids"].as_array().map(Vec::len), Some(63));
}

#[cfg(unix)]
#[test]
fn an_error_that_cannot_be_written_is_no_panic() {
    use std::process::{Command, Stdio};
    let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") else { return };
    let program = env!("CARGO_BIN_EXE_metallic");
    let status = Command::new(program)
        .args(["run", "--device", "cuda"])
        .stdout(Stdio::null())
        .stderr(Stdio::from(full))
        .status();
    assert_eq!(status.expect("the binary was built").code(), Some(2));
}

#[test]
fn a_policy_is_in_force_and_changes_no_result() {
    let model = fixture("gpt2-tiny");
    let args = ["run", "--device", "host", "--model", text(&model), "--tokens", "3", "--input", "-"];
    let input = "a\na cache is a promise\n";
    let free = json(&args, input);
    let policy = ["gemm=size_limited_lru:1", "layer_norm=lru:5,min=2,idle=30s", "tensor_preparation=fifo:3"];
    let policy: Vec<&str> = policy.into_iter().flat_map(|policy| ["--policy", policy]).collect();
    let bound = json(&[&args[..], &policy].concat(), input);
    let cache = |run: &serde_json::Value, name: &str| {
        let caches = run["caches"].as_array().expect("there are caches");
        caches.iter().find(|cache| cache["cache"] == name).expect("the cache is there").clone()
    };
    assert_eq!(cache(&free, "gemm")["evictions"], 0);
    assert_eq!(cache(&free, "gemm")["policy"], "none");
    assert!(cache(&bound, "gemm")["evictions"].as_u64() > Some(0));
    assert_eq!(cache(&bound, "gemm")["entries"], 1);
    assert_eq!(cache(&bound, "gemm")["policy"], "size_limited_lru:1");
    assert_eq!(cache(&bound, "layer_norm")["policy"], "lru:5,idle=30s,min=2");
    assert!(cache(&bound, "tensor_preparation")["evictions"].as_u64() > Some(100));
    assert_eq!(cache(&bound, "tensor_preparation")["entries"], 3);
    let generated = |run: &serde_json::Value| {
        let prompts = run["prompts"].as_array().expect("there are prompts").iter();
        prompts.map(|prompt| prompt["generated_ids"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(generated(&free), generated(&bound));
}

#[cfg(feature = "wgpu")]
#[test]
fn a_policy_for_a_cache_of_another_device_is_refused() {
    let model = fixture("gpt2-tiny");
    let args = ["run", "--device", "host", "--model", text(&model), "--policy", "wgpu_layout=none"];
    assert_fails(&args, "", 2, &["wgpu_layout", "the device has no such cache"]);
}

#[test]
fn nothing_said_means_run_with_what_is_meant_by_default() {
    assert!(Args::parse_from(["metallic"]).command.is_none());
    let default = RunArgs::default();
    assert_eq!((default.device.as_str(), default.repeat.get(), default.verify), ("auto", 2, false));
}

#[test]
fn the_help_has_the_policies_and_an_example_and_names_the_schema() {
    let help = stdout(&["run", "--help"], "");
    for part in ["Examples:\n", "metallic run", "docs/schemas/run.schema.json"] {
        assert!(help.contains(part), "{part}: {help}");
    }
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words(&help).contains(&EvictionPolicy::syntax()) && help.contains("generations=N"), "{help}");
}
