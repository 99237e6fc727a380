//! Holds the schemas in `docs/schemas` against what the program prints.
#![expect(clippy::unwrap_used, reason = "what fails in a test's helper fails the test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use metallic_cli::json::SCHEMAS;
use metallic_store::{Artifact, ArtifactKey, ArtifactStore, DiskOptions, DiskStore, Fingerprint};
use serde_json::Value;

use self::json_schema::Schema;

#[path = "../../metallic-instrumentation/tests/json_schema/mod.rs"]
mod json_schema;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schemas")
}

/// The schema that a document names, which has the file of that name without the number.
fn schema_of(document: &Value) -> Schema {
    let (stem, _) = document["schema"].as_str().unwrap().rsplit_once('-').unwrap();
    let name = stem.strip_prefix("metallic-").unwrap();
    let file = fs::read(folder().join(format!("{name}.schema.json"))).unwrap();
    Schema { root: serde_json::from_slice(&file).unwrap(), is_closed: true }
}

fn metallic(args: &[&str]) -> Output {
    // Without a display, Mesa's layer that orders Vulkan's devices says so on standard error.
    Command::new(env!("CARGO_BIN_EXE_metallic")).args(args).env("NODEVICE_SELECT", "1").output().unwrap()
}

/// Returns what the program prints with `--json`, after checking that it is one line that its schema describes.
fn valid(args: &[&str]) -> Value {
    let output = metallic(&[args, &["--json"]].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 1, "{args:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["version"], env!("CARGO_PKG_VERSION"));
    schema_of(&document).check(&document).unwrap_or_else(|error| panic!("{args:?}: {error}"));
    document
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn each_schema_has_a_file_and_each_file_is_a_schema() {
    let named: BTreeSet<String> = SCHEMAS.iter().map(|name| (*name).to_owned()).collect();
    let of_files: BTreeSet<String> = fs::read_dir(folder())
        .unwrap()
        .map(|file| {
            let schema: Value = serde_json::from_slice(&fs::read(file.unwrap().path()).unwrap()).unwrap();
            assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
            schema["properties"]["schema"]["const"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(named, of_files);
}

#[test]
fn what_the_commands_over_a_run_print_is_what_their_schemas_say() {
    let folder = tempfile::tempdir().unwrap();
    let [log, other, manifest, saved] =
        ["a.jsonl", "b.jsonl", "m.jsonl", "a.json"].map(|name| folder.path().join(name));
    let prompts = folder.path().join("prompts.txt");
    fs::write(&prompts, "1,2,3\n4,5\n").unwrap();
    let run = |log: &Path, rest: &[&str]| {
        let args =
            ["run", "--device", "host", "--tokens", "2", "--ids", text(&prompts), "--events", text(log)];
        valid(&[&args, rest].concat())
    };
    let first = run(&log, &["--record", text(&manifest), "--policy", "gemm=lru:2", "--verify", "--logits"]);
    assert!(first["prompts"][0]["logits"].is_array() && first["verification"].is_object());
    let second =
        run(&other, &["--warm", text(&manifest), "--arm", "count", "--repeat", "1", "--workers", "2"]);
    assert!(
        second["contract"]["warm_up"].is_object() && second["cold"].is_null() && second["warm"].is_object()
    );

    let report = valid(&["report", text(&log)]);
    assert!(!report["rebuilt_keys"].as_array().unwrap().is_empty());
    let kinds = report["steps"]["kinds"].as_array().unwrap();
    assert_eq!(kinds.iter().map(|kind| &kind["name"]).collect::<Vec<_>>(), ["prompt", "token"]);
    assert!(!report["steps"]["longest_waits"].as_array().unwrap().is_empty());
    fs::write(&saved, report.to_string()).unwrap();
    let diff = valid(&["diff", text(&saved), text(&other)]);
    assert!(!diff["conditions"].as_array().unwrap().is_empty(), "the policy of gemm is another");
    assert!(!diff["keys"].as_array().unwrap().is_empty());

    let replay = valid(&["replay", text(&log), "--points", "4"]);
    assert!(replay["caches"].as_array().unwrap().len() > 3);
    let loops: String = (0..2000).map(|number| format!("{}\n", number % 30)).collect();
    let keys = folder.path().join("loop.keys");
    fs::write(&keys, loops).unwrap();
    let replay = valid(&["replay", "--format", "keys", text(&keys), "--points", "4"]);
    assert!(replay["caches"][0]["advice"]["code"].is_string());

    let key = report["dearest_keys"][0]["key"].as_str().unwrap();
    assert_eq!(valid(&["explain", text(&log), key])["found"], true);
    assert_eq!(valid(&["explain", text(&log), "gemm:GemmKey{m:3}"])["found"], false);
    assert!(!valid(&["explain", text(&log), "--list", "gemm"])["keys"].as_array().unwrap().is_empty());
    assert!(!valid(&["explain", text(&log), "--like", "m:", "--group-by", "m"])["keys"][0].is_null());

    valid(&["manifest", "show", text(&manifest)]);
    let smaller = folder.path().join("smaller.jsonl");
    let lines = fs::read_to_string(&manifest).unwrap();
    fs::write(&smaller, lines.lines().take(2).collect::<Vec<_>>().join("\n") + "\nno record\n").unwrap();
    assert!(valid(&["manifest", "show", text(&smaller)])["skipped"].as_object().unwrap().len() == 1);
    let armed = folder.path().join("armed.jsonl");
    run(&armed, &["--warm", text(&smaller), "--arm", "count"]);
    let cache = &valid(&["report", text(&armed)])["violations"][0]["cache"];
    let listed = valid(&["explain", text(&armed), "--list", cache.as_str().unwrap()]);
    let violated = listed["keys"].as_array().unwrap().iter().find(|key| key["violations"] != 0).unwrap();
    let life = &valid(&["explain", text(&armed), violated["key"].as_str().unwrap()])["life"];
    assert!(life.as_array().unwrap().iter().any(|event| event["event"] == "violated"), "{life}");
    assert!(!valid(&["manifest", "diff", text(&manifest), text(&smaller)])["only_first"][0].is_null());
    let coverage = valid(&["manifest", "coverage", text(&smaller), text(&other)]);
    assert!(!coverage["coverage"]["caches"].as_object().unwrap().is_empty());
    valid(&["devices"]);
}

#[test]
fn what_the_commands_over_a_store_print_is_what_their_schemas_say() {
    let holds = tempfile::tempdir().unwrap();
    let folder = holds.path().join("artifacts");
    let store = DiskStore::open(&folder, DiskOptions::new());
    for driver in ["550", "560"] {
        let fingerprint = Fingerprint::new().with_layer("driver", driver);
        let key = ArtifactKey::new("gemm", 1, *b"m64", fingerprint).unwrap();
        let artifact = Artifact::native(vec![7; 3000]).with_cost(Duration::from_millis(9)).with_label("m64");
        store.save(&key, &artifact).unwrap();
    }
    let at = ["--store", text(&folder)];
    let valid = |args: &[&str]| valid(&[args, &at].concat());
    assert_eq!(valid(&["store", "ls"])["entries"].as_array().unwrap().len(), 2);
    assert_eq!(valid(&["store", "show", "gemm:m64"])["entries"].as_array().unwrap().len(), 2);
    let why = valid(&["store", "why", "gemm:m64", "--layer", "driver=570"]);
    assert!(!why["others"][0]["changes"][0].is_null());
    assert_eq!(valid(&["store", "verify"])["verified"], 2);
    let bundle = holds.path().join("all.bundle");
    assert_eq!(valid(&["store", "export", "--out", text(&bundle)])["exported"], 2);
    assert!(valid(&["store", "doctor"])["levels"].is_array());

    let damaged = folder.join(first_file(&folder));
    let mut bytes = fs::read(&damaged).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&damaged, bytes).unwrap();
    assert!(!valid(&["store", "verify"])["damaged"][0].is_null());
    assert!(valid(&["store", "prune", "--to", "1"])["removed"].is_array());
    assert_eq!(valid(&["store", "import", text(&bundle), "--trust"])["imported"], 2);
    assert_eq!(valid(&["store", "clear"])["removed"].as_array().unwrap().len(), 2);
}

/// The first artifact in the folder, wherever in it.
fn first_file(folder: &Path) -> PathBuf {
    let mut found: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    found.sort();
    let is_artifact = |path: &PathBuf| fs::metadata(path).unwrap().len() > 3000;
    let below = found.iter().filter(|path| path.is_dir()).map(|path| first_file(path));
    let mut here = found.iter().filter(|path| path.is_file()).cloned();
    here.find(is_artifact).or_else(|| below.into_iter().find(|path| path.exists())).unwrap_or_default()
}
