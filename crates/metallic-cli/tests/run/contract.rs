//! Never while serving: a recorded run, a warmed one, and one whose manifest lacks a line.
#![expect(clippy::unwrap_used, reason = "tests throughout; clippy knows only those in functions marked so")]

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use crate::checkpoints::fixture;
use crate::program::{assert_fails, json, metallic, stdout, text};

const RUN: [&str; 5] = ["run", "--ids", "1,2,3,4,5,6,7,8,9", "--tokens", "12"];

fn args<'a>(device: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [&RUN, device, more].concat()
}

fn contract(run: &Value) -> &Value {
    &run["contract"]
}

/// Records, warms up in another process, and takes one line after the other out of the manifest.
fn assert_nothing_is_created_while_serving(device: &[&str], lines_removed: usize) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("m.jsonl");
    let manifest = text(&path);
    let recorded = json(&args(device, &["--record", manifest]), "");
    let keys = contract(&recorded)["recorded"]["keys"].as_u64().unwrap();
    assert!(keys > 5, "{recorded}");

    let ready = folder.path().join("ready");
    let warmed = args(device, &["--warm", manifest, "--arm", "refuse", "--ready-file", text(&ready)]);
    let run = json(&warmed, "");
    let warm_up = &contract(&run)["warm_up"];
    assert_eq!((warm_up["created"].as_u64(), warm_up["failed"].as_u64()), (Some(keys), Some(0)), "{run}");
    assert_eq!(contract(&run)["violations"], 0, "{run}");
    assert!(contract(&run)["ready_ns"].as_u64() >= warm_up["duration_ns"].as_u64());
    assert_eq!(fs::read_to_string(&ready).unwrap(), "ready\n");
    // The rehearsal is part of the warm-up, and no part of the first prompt or of its pass.
    assert!(run["cold"].is_null() && run["prompts"][0]["times"][0]["cold"] == false, "{run}");
    assert_eq!(run["prompts"][0]["generated_ids"], recorded["prompts"][0]["generated_ids"]);

    // The model lists exactly what a run creates, so that its first run needs no record.
    let listed = json(&args(device, &["--warm-model", "--arm", "refuse"]), "");
    assert_eq!(contract(&listed)["warm_up"]["created"].as_u64(), Some(keys), "{listed}");
    assert_eq!(contract(&listed)["violations"], 0, "{listed}");

    let whole = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let last = lines.len() - 1;
    for removed in (1..=last).rev().take(lines_removed) {
        let kept: Vec<&str> =
            lines.iter().enumerate().filter(|(at, _)| *at != removed).map(|(_, line)| *line).collect();
        fs::write(&path, kept.join("\n") + "\n").unwrap();
        let record: Value = serde_json::from_str(lines[removed]).unwrap();
        let label = record["label"].as_str().unwrap();
        let has_neighbour = kept
            .iter()
            .skip(1)
            .any(|line| serde_json::from_str::<Value>(line).unwrap()["cache"] == record["cache"]);
        let nearest = if has_neighbour { "; the nearest key, `" } else { "never recorded" };
        let differs = if has_neighbour { "`, differs in " } else { "asked for at" };
        let parts =
            [&*format!("`{label}`"), "armed scope `serving`: it was never recorded", nearest, differs];
        assert_fails(&args(device, &["--warm", manifest, "--arm", "refuse"]), "", 3, &parts);
    }
}

#[test]
fn on_the_host_nothing_is_created_after_ready() {
    assert_nothing_is_created_while_serving(&["--device", "host"], 3);
}

#[cfg(feature = "wgpu")]
#[test]
fn on_wgpu_nothing_is_created_after_ready_not_even_a_bind_group() {
    if let Some(device) = crate::wgpu::software(false) {
        assert_nothing_is_created_while_serving(&device, 2);
    }
}

#[test]
fn a_recording_names_phases_and_a_warm_up_may_be_of_one() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("m.jsonl");
    let model = fixture("gpt2-tiny");
    let (manifest, host) = (text(&path), ["--device", "host", "--model", text(&model)]);
    json(&args(&host, &["--record", manifest]), "");
    let shown = json(&["manifest", "show", manifest], "");
    let phases: Vec<_> = shown["phases"].as_array().unwrap().iter().collect();
    let names: Vec<_> = phases.iter().map(|phase| phase["phase"].as_str().unwrap()).collect();
    assert_eq!(names, ["prefill", "decode"]);
    let table = stdout(&["manifest", "show", manifest], "");
    assert!(table.contains("\nphase    keys  to create\nprefill "), "{table}");

    let log = folder.path().join("log.jsonl");
    let warm = args(&host, &["--warm", manifest, "--warm-phase", "decode", "--events", text(&log)]);
    assert_eq!(contract(&json(&warm, ""))["warm_up"]["created"], phases[1]["keys"]);
    let both = ["--warm", manifest, "--warm-phase", "decode", "--warm-phase", "prefill", "--arm", "refuse"];
    assert_eq!(contract(&json(&args(&host, &both), ""))["violations"], 0);
    let coverage = json(&["manifest", "coverage", manifest, text(&log)], "");
    for (phase, used) in phases.iter().zip(coverage["phases"].as_array().unwrap()) {
        assert_eq!((&used["phase"], &used["used"]), (&phase["phase"], &phase["keys"]));
    }
    let unknown = args(&host, &["--warm", manifest, "--warm-phase", "serving"]);
    let parts = ["no key is of the phase `serving`", "prefill, decode"];
    assert_fails(&unknown, "", 1, &parts);
    assert_fails(&args(&host, &["--warm-phase", "decode"]), "", 2, &["--warm"]);
}

#[test]
fn several_workers_are_ready_together() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("m.jsonl");
    let workers = ["--device", "host", "--workers", "3", "--ids", "1,2,3"];
    stdout(&[&["run", "--record", text(&path)], &workers[..]].concat(), "");
    let warmed = [&["run", "--warm", text(&path), "--arm", "refuse"], &workers[..]].concat();
    let run = json(&warmed, "");
    assert_eq!(contract(&run)["violations"], 0);
    assert!(run["cold"].is_null(), "{run}");
}

#[test]
fn what_is_counted_or_warned_of_goes_on() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("m.jsonl");
    fs::write(&path, "{\"metallic_manifest\":1}\n").unwrap();
    let counted = json(&args(&["--device", "host"], &["--warm", text(&path), "--arm", "count"]), "");
    let violations = contract(&counted)["violations"].as_u64().unwrap();
    assert!(violations > 5, "{counted}");
    let warned = metallic(&args(&["--device", "host"], &["--warm", text(&path), "--arm", "warn"]), "");
    assert!(warned.status.success());
    let stderr = String::from_utf8_lossy(&warned.stderr);
    assert_eq!(
        stderr.lines().filter(|line| line.contains("created all the same")).count() as u64,
        violations.min(64)
    );
}

#[test]
fn the_tools_over_the_log_of_a_refused_run_find_the_key_and_count_it() {
    let folder = TempDir::new().unwrap();
    let [manifest, log] = ["m.jsonl", "log.jsonl"].map(|name| folder.path().join(name));
    let (manifest, log) = (text(&manifest), text(&log));
    json(&args(&["--device", "host"], &["--record", manifest]), "");
    let whole = fs::read_to_string(manifest).unwrap();
    let is_lacking = |line: &&str| line.contains("\"gelu:");
    let lacking: Value = serde_json::from_str(whole.lines().find(is_lacking).unwrap()).unwrap();
    let label = lacking["label"].as_str().unwrap();
    let kept: String = whole.lines().filter(|line| !is_lacking(line)).flat_map(|line| [line, "\n"]).collect();
    fs::write(manifest, kept).unwrap();
    let refused = args(&["--device", "host"], &["--warm", manifest, "--arm", "refuse", "--events", log]);
    assert_fails(&refused, "", 3, &[label]);

    let told = stdout(&["explain", log, label], "").split_whitespace().collect::<Vec<_>>().join(" ");
    let parts = ["creation refused in the armed scope serving: never recorded; asked for at ", ".rs:"];
    assert!(parts.iter().all(|part| told.contains(part)), "{told}");
    for asked in [["--like", label], ["--list", "gelu"]] {
        let listed = stdout(&[&["explain", log], &asked[..]].concat(), "");
        assert!(listed.lines().next().unwrap().ends_with("violations"), "{listed}");
        assert_eq!(listed.lines().count(), 2, "{listed}");
    }
    let report = json(&["report", log], "");
    let violations = &report["violations"][0];
    assert_eq!((&violations["cache"], &violations["warned"]), (&"gelu".into(), &0.into()));
    let refusals = &violations["refused"];
    assert!(
        refusals.as_u64() >= Some(1) && *refusals == violations["verdicts"]["never_recorded"],
        "{report}"
    );
    assert!(report["violations"][1].is_null(), "{report}");
    let tables = stdout(&["report", log], "");
    assert!(tables.contains("\nCreations in armed scopes\n"), "{tables}");
    assert!(tables.contains(&format!("  {refusals} never recorded\n")), "{tables}");
    let page = stdout(&["report", log, "--html", "-"], "");
    let tile =
        format!("creations in armed scopes</dt><dd><b>{refusals}</b><span>{refusals} refused, 0 warned of");
    assert!(page.contains(&tile), "{page}");
    let trace: Value = serde_json::from_str(&stdout(&["trace", log], "")).unwrap();
    let drawn = trace["traceEvents"].as_array().unwrap().iter().filter(|event| event["name"] == "refused");
    let drawn: Vec<&Value> = drawn.collect();
    assert_eq!(drawn.len() as u64, refusals.as_u64().unwrap());
    assert!(drawn.iter().all(|event| event["ph"] == "i" && event["args"]["key"] == label), "{drawn:?}");
}

#[test]
fn a_manifest_that_is_none_is_refused_and_not_written_to() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("notes.txt");
    fs::write(&path, "not a manifest\n").unwrap();
    for flag in ["--record", "--warm"] {
        assert_fails(
            &args(&["--device", "host"], &[flag, text(&path)]),
            "",
            1,
            &["notes.txt is not a manifest"],
        );
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), "not a manifest\n");
}

#[test]
fn a_manifest_of_another_version_is_not_recorded_to() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("m.jsonl");
    let newer = "{\"metallic_manifest\":1}\n{\"metallic_manifest\":9}\n{\"more\":1}\n";
    fs::write(&path, newer).unwrap();
    let parts = ["m.jsonl are of version 9, and this library writes version "];
    assert_fails(&args(&["--device", "host"], &["--record", text(&path)]), "", 1, &parts);
    assert_eq!(fs::read_to_string(&path).unwrap(), newer);
}

#[test]
fn manifests_are_shown_merged_compared_pruned_and_covered() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let [one, other, merged, log] = ["one.jsonl", "other.jsonl", "merged.jsonl", "log.jsonl"].map(at);
    let [one, other, merged, log] = [&one, &other, &merged, &log].map(|path| text(path));
    stdout(&args(&["--device", "host"], &["--record", one]), "");
    stdout(&["run", "--device", "host", "--ids", "1", "--tokens", "2", "--record", other], "");
    assert!(stdout(&["manifest", "merge", one, other, "--out", merged], "").contains(" keys"));
    let shown = json(&["manifest", "show", merged], "");
    let difference = json(&["manifest", "diff", one, merged], "");
    assert_eq!(difference["only_first"], serde_json::json!([]));
    let added = difference["only_second"].as_array().unwrap().len();
    let common = difference["common"].as_u64().unwrap() as usize;
    assert_eq!(shown["records"].as_array().unwrap().len(), common + added);
    // A run of the first uses no key of the second alone.
    stdout(&args(&["--device", "host"], &["--warm", merged, "--events", log]), "");
    let coverage = &json(&["manifest", "coverage", merged, log], "")["coverage"];
    assert_eq!(coverage["total"]["never_used"].as_u64(), Some(added as u64), "{coverage}");
    assert_eq!(coverage["total"]["warmed_and_used"].as_u64(), Some(common as u64), "{coverage}");
    assert_eq!(coverage["total"]["never_warmed"], 0);
    stdout(&["manifest", "prune", merged, "--unused", log], "");
    let pruned = json(&["manifest", "diff", one, merged], "");
    assert_eq!(
        (pruned["only_first"].clone(), pruned["only_second"].clone()),
        (serde_json::json!([]), serde_json::json!([]))
    );
}

#[test]
fn a_ready_file_that_cannot_be_made_is_refused_before_anything_runs_and_an_old_one_is_removed_first() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (nowhere, ready, log) = (at("none/ready"), at("ready"), at("log.jsonl"));
    let run =
        |ready, more: &[&str]| assert_fails(&args(&["--ready-file", text(ready)], more), "", 1, &["none"]);
    run(&nowhere, &["--events", text(&log)]);
    assert!(!log.exists());
    fs::write(&ready, "ready\n").unwrap();
    // A run that fails for lack of a model.
    run(&ready, &["--model", text(&at("none"))]);
    assert!(fs::read_dir(folder.path()).unwrap().next().is_none());
    for foreign in [folder.path(), "/dev/null".as_ref()] {
        assert_fails(&args(&["--ready-file", text(foreign)], &[]), "", 1, &["not a file"]);
    }
}

#[test]
fn a_file_that_is_not_a_log_or_a_manifest_is_not_overwritten_with_one() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (manifest, log) = (at("m.jsonl"), at("log.jsonl"));
    let logged = args(&["--device", "host", "--repeat", "1"], &["--events", text(&log)]);
    let said = stdout(&[&logged[..], &["--record", text(&manifest)]].concat(), "");
    assert!(said.ends_with(&format!("\n  metallic run --warm {}\n", text(&manifest))), "{said}");
    let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
    // Each creation before the first token is in the manifest, or of the rehearsal.
    let number_before = |what: &str| -> u64 {
        let (before, _) = words.split_once(what).unwrap_or_else(|| panic!("no {what} in {said}"));
        before.rsplit([' ', '(']).next().unwrap().parse().unwrap()
    };
    let [all, carried] = [" creations (", " from the manifest, "].map(number_before);
    let rehearsed = number_before(" by its rehearsal), ");
    assert_eq!((all, carried), (carried + rehearsed, number_before(" keys; besides, ")), "{said}");
    let prepared =
        format!("creations that no manifest can have: {rehearsed} in tensor_preparation, 1 in kv_cache");
    assert!(rehearsed > 0 && words.contains(&prepared), "{said}");
    assert!(!words.contains("cannot be carried"), "{said}");
    let recorded = fs::read_to_string(&manifest).unwrap();
    assert_fails(&args(&["--events", text(&manifest)], &[]), "", 1, &["m.jsonl: ", "not a log", "--events"]);
    assert_eq!(fs::read_to_string(&manifest).unwrap(), recorded);
    let written = fs::read_to_string(&log).unwrap();
    let merge = ["manifest", "merge", text(&manifest), "--out", text(&log)];
    assert_fails(&merge, "", 1, &["log.jsonl is not a manifest"]);
    assert_eq!(fs::read_to_string(&log).unwrap(), written);
    let page = ["report", text(&log), "--html", text(&manifest)];
    assert_fails(&page, "", 1, &["m.jsonl: ", "not a page", "--html"]);
    // A log is, also one that was cut in its first line.
    stdout(&logged, "");
    fs::write(&log, &written[..20]).unwrap();
    stdout(&logged, "");
}
