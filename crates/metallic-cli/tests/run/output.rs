//! The output and the log of a run.

use std::fs;

use crate::checkpoints::{copy, fixture};
use crate::program::{assert_fails, json, stdout, text};

#[test]
fn the_text_has_the_device_the_answers_the_times_and_the_caches() {
    let model = fixture("gpt2-tiny");
    let args = [
        "run",
        "--device",
        "host",
        "--threads",
        "1",
        "--model",
        text(&model),
        "--tokens",
        "3",
        "--input",
        "-",
    ];
    let text = stdout(&args, "a\na cache\n");
    for part in [
        "model   gpt2",
        "device  host, 1 thread",
        "as asked for",
        "\nline 2 ",
        "first token, cold ",
        "first token, warm ",
        "per token, cold ",
        "  p99\n",
        "in the first pass, ",
        " in the second\n",
        "hit rate",
        "creating",
        "\ngemm ",
        "\nkv_cache_write ",
        "\nscaled_dot_product_attention ",
        "\ntensor_preparation ",
        "\nkv_cache ",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let heading: Vec<&str> = text.lines().take_while(|line| !line.is_empty()).collect();
    // The folder's name is one word.
    let fits = |line: &&str| line.chars().count() <= 80 || line.split_whitespace().count() == 1;
    assert!(heading.len() > 2 && heading.iter().all(fits), "{heading:#?}");
    let once = stdout(&[&args[..], &["--repeat", "1"]].concat(), "a\n");
    assert!(once.contains("first token, cold") && !once.contains("first token, warm"), "{once}");
}

#[test]
fn the_vectors_of_an_encoder_have_length_1() {
    let model = fixture("bert-tiny");
    let args = ["run", "--device", "host", "--model", text(&model), "--input", "-"];
    assert!(stdout(&args, "a\n").contains("24 in all"));
    let run = json(&args, "a\n\nnothing\n");
    assert_eq!([&run["prompts"][0]["line"], &run["prompts"][1]["line"]], [1, 3]);
    for prompt in run["prompts"].as_array().expect("there are prompts") {
        let vector =
            prompt["embedding"].as_array().expect("it has a vector").iter().filter_map(|x| x.as_f64());
        assert!((vector.map(|x| x * x).sum::<f64>() - 1.0).abs() < 1e-5);
        assert!(prompt["generated_ids"].is_null() && prompt["logits"].is_null());
        assert_eq!(prompt["times"].as_array().map(Vec::len), Some(2));
    }
    assert!(run["warm"]["first"]["p50_ns"].as_u64() > Some(0));
    assert!(run["warm"]["token"].is_null() && run["verification"].is_null());
}

#[test]
fn a_prompt_is_cold_if_something_was_created_for_it_and_many_are_counted() {
    let model = fixture("gpt2-tiny");
    let run = ["run", "--device", "host", "--model", text(&model), "--tokens", "3", "--ids", "-"];
    // The second is of the first one's shape, and the last of another.
    let input = format!("1,2\n{}1,2,3,4,5,6,7,8,9\n", "3,4\n".repeat(24));
    for workers in ["1", "2"] {
        let run = json(&[&run[..], &["--workers", workers]].concat(), &input);
        let prompts = run["prompts"].as_array().expect("there are prompts");
        let colds = |pass: usize| {
            let is_cold = |prompt: &serde_json::Value| prompt["times"][pass]["cold"].as_bool();
            prompts.iter().map(|prompt| is_cold(prompt).expect("it says so")).collect::<Vec<_>>()
        };
        assert!(colds(1).iter().all(|is_cold| !is_cold), "nothing is created in the second pass");
        assert!(colds(0)[0] && colds(0)[25], "{:?}", colds(0));
        assert!(workers == "2" || colds(0)[1..25].iter().all(|is_cold| !is_cold), "{:?}", colds(0));
        let cold = colds(0).iter().filter(|is_cold| **is_cold).count() as u64;
        assert_eq!(run["cold"]["first"]["count"], cold);
        assert_eq!(run["warm"]["first"]["count"], 52 - cold);
        assert_eq!(run["warm"]["token"]["count"], 2 * (52 - cold));
        let [p50, p99] = ["p50_ns", "p99_ns"].map(|name| run["warm"]["token"][name].as_u64());
        assert!(p50 > Some(0) && p50 <= p99);
        assert!(prompts[0]["warm"]["token"]["count"] == 2 && prompts[1]["cold"].is_null() || workers == "2");
    }
    let text = stdout(&run, &input);
    assert_eq!(text.matches("and 6 more prompts; --json has all\n").count(), 2, "{text}");
}

#[test]
fn a_continuation_that_fills_the_model_is_marked() {
    let model = fixture("gpt2-tiny");
    let run = ["run", "--device", "host", "--model", text(&model), "--ids", "1,2", "--tokens"];
    assert!(stdout(&[&run[..], &["64"]].concat(), "").contains("2 + 63 (full)"));
    assert!(stdout(&[&run[..], &["64"]].concat(), "").contains("\n(full): the model has no more positions"));
    assert!(!stdout(&[&run[..], &["63"]].concat(), "").contains("(full)"));
    assert_eq!(json(&[&run[..], &["1000000"]].concat(), "")["prompts"][0]["full"], true);
}

#[test]
fn the_variable_of_the_library_names_the_log_of_a_run() {
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let (model, log) = (fixture("gpt2-tiny"), folder.path().join("log.jsonl"));
    let run = |log: &std::path::Path| {
        let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_metallic"));
        program.args(["run", "--device", "host", "--model", text(&model), "--ids", "1,2", "--tokens", "2"]);
        program.env("METALLIC_METRICS_JSONL_PATH", log).output().expect("the binary was built")
    };
    assert!(run(&log).status.success());
    assert!(fs::read_to_string(&log).expect("it was written").contains("ResourceCreated"));
    let refused = run(&model.join("config.json"));
    assert_eq!(refused.status.code(), Some(2));
    let stderr = String::from_utf8_lossy(&refused.stderr);
    assert!(
        stderr.contains("METALLIC_METRICS_JSONL_PATH ") && stderr.contains("would overwrite"),
        "{stderr}"
    );
    let args = ["run", "--device", "host", "--model", text(&model), "--events", "-"];
    assert_fails(&args, "", 2, &["--events -: standard output has the results"]);
}

#[test]
fn the_log_has_every_operation_that_the_table_counts() {
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let log = folder.path().join("log.jsonl");
    let model = fixture("gpt2-tiny");
    let args =
        ["run", "--device", "host", "--model", text(&model), "--tokens", "3", "--input", "-", "--events"];
    let run = json(&[&args[..], &[text(&log)]].concat(), "a cache\n");
    let report = json(&["report", text(&log)], "");
    let logged = report["caches"].as_array().expect("there are caches");
    // A KV cache has no look-ups, but an event for each growth.
    for cache in
        run["caches"].as_array().expect("there are caches").iter().filter(|cache| !cache["hits"].is_null())
    {
        let name = &cache["cache"];
        let logged = logged.iter().find(|logged| &logged["cache"] == name);
        let logged = logged.unwrap_or_else(|| panic!("{name} is not in the log"));
        assert_eq!([&logged["hits"], &logged["misses"]], [&cache["hits"], &cache["misses"]], "{name}");
    }
}

#[test]
fn a_log_that_cannot_be_written_is_named() {
    let model = fixture("gpt2-tiny");
    let args = ["run", "--device", "host", "--model", text(&model), "--events", "/no/such/folder/log.jsonl"];
    assert_fails(&args, "", 1, &["/no/such/folder/log.jsonl: No such file"]);
}

#[test]
fn a_log_never_takes_the_place_of_what_is_read() {
    let folder = copy("gpt2-tiny");
    let (input, ids) = (folder.path().join("keep.txt"), folder.path().join("ids.txt"));
    fs::write(&input, "a cache\n").expect("it can be written");
    fs::write(&ids, "1,2\n").expect("it can be written");
    let model = text(folder.path());
    let run = ["run", "--device", "host", "--model", model, "--events"];
    let read = [&input, &ids, &folder.path().join("model.safetensors"), &folder.path().join("config.json")];
    for (file, from) in read.into_iter().zip([&input, &ids, &input, &input]) {
        let before = fs::read(file).expect("it can be read");
        let from = if *from == ids { ["--ids", text(from)] } else { ["--input", text(from)] };
        // The same file by another name.
        let name = file.file_name().and_then(|name| name.to_str()).expect("it has a name");
        let other = format!("{model}/../{}/{name}", folder.path().file_name().unwrap_or_default().display());
        let args = [&run[..], &[&other], &from].concat();
        assert_fails(&args, "", 2, &["--events", "would overwrite", "which is read"]);
        assert_eq!(fs::read(file).expect("it is still there"), before);
    }
}

#[test]
fn no_output_takes_the_place_of_another_or_of_a_manifest_or_of_what_is_not_its_own() {
    let folder = copy("gpt2-tiny");
    let manifest = folder.path().join("m.jsonl");
    let (model, manifest) = (text(folder.path()), text(&manifest));
    let run = ["run", "--device", "host", "--model", model, "--ids", "1,2"];
    stdout(&[&run[..], &["--record", manifest]].concat(), "");
    let before = fs::read(manifest).expect("it was recorded");
    for (flags, named) in [
        (["--warm", manifest, "--events", manifest], "--events"),
        (["--record", manifest, "--ready-file", manifest], "--ready-file"),
        (["--warm", manifest, "--ready-file", manifest], "--ready-file"),
    ] {
        assert_fails(&[&run[..], &flags].concat(), "", 2, &[named, "would overwrite"]);
        assert_eq!(fs::read(manifest).expect("it is still there"), before);
    }
    assert_fails(&[&run[..], &["--ready-file", manifest]].concat(), "", 1, &[manifest, "--ready-file"]);
    assert_eq!(fs::read(manifest).expect("it is still there"), before);
}

#[test]
fn a_run_that_does_not_begin_leaves_the_log_of_another_alone() {
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let (old, new) = (folder.path().join("old.jsonl"), folder.path().join("new.jsonl"));
    let model = fixture("gpt2-tiny");
    let args = ["run", "--device", "host", "--model", text(&model), "--events"];
    stdout(&[&args[..], &[text(&old), "--ids", "1", "--tokens", "1"]].concat(), "");
    let kept = fs::read_to_string(&old).expect("it was written");
    for log in [&old, &new] {
        let args = [&args[..], &[text(log)]].concat();
        assert_fails(&[&args[..], &["--policy", "wgpu_layout=none", "--ids", "1"]].concat(), "", 2, &[]);
        assert_fails(&[&args[..], &["--ids", "100000"]].concat(), "", 2, &[]);
        assert_fails(&[&args[..], &["--input", "/no/such/file"]].concat(), "", 1, &[]);
    }
    assert_eq!(fs::read_to_string(&old).expect("it is still there"), kept);
    assert!(!new.exists());
}

#[test]
fn input_without_a_prompt_is_an_error() {
    let model = fixture("gpt2-tiny");
    let args = ["run", "--device", "host", "--model", text(&model), "--input"];
    assert_fails(&[&args[..], &["-"]].concat(), "\n \n", 1, &["-: there is no prompt in it"]);
    assert_fails(&[&args[..], &["/no/such/file"]].concat(), "", 1, &["/no/such/file: No such file"]);
}

#[test]
fn a_prompt_that_is_not_utf_8_is_named_by_its_line_and_a_byte_order_mark_is_no_token() {
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let model = fixture("gpt2-tiny");
    let input = folder.path().join("prompts.txt");
    let args = ["run", "--device", "host", "--model", text(&model), "--tokens", "1", "--input", text(&input)];
    fs::write(&input, b"a\nb\n\xff\n").expect("it can be written");
    assert_fails(&args, "", 1, &["prompts.txt:3: the text is not UTF-8"]);
    fs::write(&input, format!("a\n{}\n", "long ".repeat(1 << 18))).expect("it can be written");
    assert_fails(&args, "", 1, &["prompts.txt:2: a prompt of 1.2 MiB; at most 1.0 MiB are taken"]);
    fs::write(&input, "\u{feff}a\n").expect("it can be written");
    assert_eq!(json(&args, "")["prompts"][0]["text"], "a");
}

#[test]
fn the_devices_are_listed_with_what_auto_takes() {
    let text = stdout(&["devices"], "");
    assert!(text.starts_with("host ") && text.contains("--device auto takes "), "{text}");
    let devices = json(&["devices"], "");
    assert!(devices["host"]["threads"].as_u64() > Some(0));
    let adapters = devices["adapters"].as_array().expect("there is a list");
    let words: Vec<_> = text.split_whitespace().collect();
    let saying = |sentence: &str| words.join(" ").matches(sentence).count();
    let keeping = adapters.iter().filter(|adapter| adapter["keeps_artifacts"] == true).count();
    assert_eq!(saying("keeps pipelines in a store"), keeping);
    // The host is one of those that keep nothing.
    assert_eq!(saying("keeps nothing in a store ("), adapters.len() - keeping + 1);
    assert_eq!(saying("), and `--store` is refused"), adapters.len() - keeping + 1);
    let software = adapters.iter().filter(|adapter| adapter["is_software"] == true).count();
    assert_eq!(saying("(software, whose driver has nothing to keep)"), software);
    let auto = words.join(" ");
    let (_, auto) = auto.split_once("--device auto takes ").expect("it was there");
    assert!(auto.contains(", since ") && !auto.contains("auto"), "{auto}");
    let has_gpu = adapters.iter().any(|adapter| adapter["is_software"] == false);
    assert_eq!(devices["auto_kind"] == "host", !has_gpu);
    assert!(devices["why"].as_str().is_some_and(|why| !why.is_empty()));
}
