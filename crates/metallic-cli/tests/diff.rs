//! `metallic diff`, over logs made by hand.
#![expect(clippy::unwrap_used, reason = "what fails in a test's helper fails the test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use metallic_instrumentation::{
    CacheEviction, CacheKind, CacheOpened, CreationOutcome, CreationViolation, EntryRemoved, Event,
    EventData, LogOpened, RemovalCause, ResourceCacheAccess, ResourceCreated, ViolationMode,
    ViolationVerdict,
};
use serde_json::Value;

const MS: u64 = 1_000_000;

/// A log that is being made up.
#[derive(Default)]
struct Log {
    events: Vec<Event>,
    now: u64,
}

impl Log {
    fn by(version: &str, device: &str) -> Self {
        let header = LogOpened {
            program: "engine".to_owned(),
            version: Some(version.to_owned()),
            library: "0.1.0".into(),
            process_id: 7,
            opened_unix_ns: 0,
            rotations: 0,
            devices: vec![device.to_owned()],
        };
        Self { events: vec![Event::new(header)], now: 0 }
    }

    fn at(mut self, data: impl Into<EventData>) -> Self {
        self.now += MS;
        self.events.push(Event::at(self.now, data).in_registry(1));
        self
    }

    fn opened(self, cache: &'static str, max_entries: Option<u64>) -> Self {
        self.at(CacheOpened {
            cache: cache.into(),
            kind: CacheKind::Kernel,
            strategy: "lru".into(),
            max_entries,
            max_idle_ns: None,
            max_idle_generations: None,
            min_entries: 0,
        })
    }

    fn created(self, cache: &'static str, key: &str, duration_ns: u64) -> Self {
        let cache_key: std::sync::Arc<str> = format!("{cache}:{key}").into();
        self.at(ResourceCreated {
            cache: cache.into(),
            cache_key: cache_key.clone(),
            duration_ns,
            own_duration_ns: duration_ns,
            loaded: false,
            outcome: CreationOutcome::Created,
            error: None,
            bytes: 1000,
        })
        .at(ResourceCacheAccess { cache_key, hit: false, bytes: 1000 })
    }

    fn hit(self, cache: &str, key: &str) -> Self {
        self.at(ResourceCacheAccess { cache_key: format!("{cache}:{key}").into(), hit: true, bytes: 0 })
    }

    fn evicted(self, cache: &'static str, key: &str) -> Self {
        self.at(CacheEviction {
            cache: cache.into(),
            strategy: "lru".into(),
            count: 1,
            reason: "size_limit_exceeded_max_1".into(),
            size_after: 0,
        })
        .at(EntryRemoved {
            cache: cache.into(),
            cache_key: format!("{cache}:{key}").into(),
            cause: RemovalCause::SizeLimit,
            age_ns: MS,
            idle_ns: MS,
            reuse_count: 0,
            creation_ns: MS,
            bytes: 1000,
        })
    }

    fn write(&self, folder: &Path, name: &str) -> PathBuf {
        let line = |event| serde_json::to_string(event).unwrap() + "\n";
        let path = folder.join(name);
        fs::write(&path, self.events.iter().map(line).collect::<String>()).unwrap();
        path
    }
}

/// `a` and `slow` are created, `a` is hit; `old` is of a cache that vanishes.
fn before() -> Log {
    Log::by("1.0", "first")
        .opened("gemm", Some(4))
        .created("gemm", "a", 20 * MS)
        .created("gemm", "slow", 20 * MS)
        .created("gemm", "same", 20 * MS)
        .created("old", "gone", 5 * MS)
        .hit("gemm", "a")
}

/// `a` is evicted and created again, `slow` takes longer, `same` a little longer, `new` is new.
fn after() -> Log {
    Log::by("1.1", "second")
        .opened("gemm", Some(1))
        .created("gemm", "a", 20 * MS)
        .evicted("gemm", "a")
        .created("gemm", "a", 20 * MS)
        .created("gemm", "slow", 70 * MS)
        .created("gemm", "same", 24 * MS)
        .created("gemm", "new", 6 * MS)
}

fn metallic(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_metallic")).args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn stdout(args: &[&str]) -> String {
    let output = metallic(args);
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

fn json(args: &[&str]) -> Value {
    serde_json::from_str(&stdout(args)).unwrap()
}

/// The folder of two logs, and their names.
fn logs() -> (tempfile::TempDir, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = [(before(), "a.jsonl"), (after(), "b.jsonl")]
        .map(|(log, name)| log.write(folder.path(), name).to_str().unwrap().to_owned());
    (folder, a, b)
}

fn changes(diff: &Value) -> Vec<(String, String)> {
    let keys = diff["keys"].as_array().unwrap().iter();
    let mut changes: Vec<_> = keys
        .map(|key| (key["key"].as_str().unwrap().to_owned(), key["changes"].to_string().replace('"', "")))
        .collect();
    changes.sort();
    changes
}

#[test]
fn keys_that_appeared_vanished_or_got_dearer_are_named_and_noise_is_not() {
    let (_folder, a, b) = logs();
    let diff = json(&["diff", &a, &b, "--json"]);
    let expected =
        [("gemm:a", "[more]"), ("gemm:new", "[new]"), ("gemm:slow", "[dearer]"), ("old:gone", "[gone]")];
    assert_eq!(changes(&diff), expected.map(|(key, change)| (key.to_owned(), change.to_owned())));
    let total = &diff["total"];
    let figures = |side: &str| {
        ["creations", "rebuilt", "evictions", "creation_ns", "created_bytes"]
            .map(|figure| total[side][figure].as_u64().unwrap())
    };
    assert_eq!(figures("before"), [4, 0, 0, 65 * MS, 4000]);
    assert_eq!(figures("after"), [5, 1, 1, 140 * MS, 5000]);
    assert_eq!((&total["before"]["hit_rate"], &total["after"]["hit_rate"]), (&0.2.into(), &0.0.into()));
    assert!(diff["caches"][1]["after"].is_null());
    // The other way round, and with thresholds that a fifth and four milliseconds pass.
    let back = changes(&json(&["diff", &b, &a, "--json"]));
    assert!(back.contains(&("gemm:slow".to_owned(), "[cheaper]".to_owned())), "{back:?}");
    let fine = changes(&json(&["diff", &a, &b, "--json", "--ratio", "1.1", "--least", "0.004"]));
    assert!(fine.contains(&("gemm:same".to_owned(), "[dearer]".to_owned())), "{fine:?}");
}

#[test]
fn programs_devices_and_policies_that_are_not_the_same_are_named() {
    let (_folder, a, b) = logs();
    let text = stdout(&["diff", &a, &b]);
    for part in ["engine 1.0 → engine 1.1", "first → second", "lru, at most 4 → lru, at most 1", "old (gone)"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains("library:"), "{text}");
    let paths = text.lines().filter(|line| line.contains(&a) || line.contains(&b)).count();
    let wide = text.lines().filter(|line| line.chars().count() > 80).count();
    assert!(wide <= paths, "{text}");
}

#[test]
fn a_log_is_the_same_as_itself() {
    let (_folder, a, _) = logs();
    let diff = json(&["diff", &a, &a, "--json"]);
    assert_eq!((changes(&diff), &diff["conditions"]), (Vec::new(), &serde_json::json!([])));
    let text = stdout(&["diff", &a, &a]);
    assert!(text.contains("0 new, 0 gone, 0 created more often") && !text.contains('→'), "{text}");
}

#[test]
fn a_saved_report_is_as_good_as_its_log_if_it_names_all_keys() {
    let (folder, a, b) = logs();
    let save = |log: &str, top: &str, name: &str| {
        let path = folder.path().join(name);
        fs::write(&path, stdout(&["report", log, "--json", "--top", top])).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (whole, cut) = (save(&a, "20", "whole.json"), save(&a, "1", "cut.json"));
    let of_log = json(&["diff", &a, &b, "--json"]);
    let of_report = json(&["diff", &whole, &b, "--json"]);
    for part in ["total", "caches", "keys", "conditions"] {
        assert_eq!(of_report[part], of_log[part]);
    }
    // Of a report with one key it is not known what is new; what else is said is true.
    let diff = json(&["diff", &cut, &b, "--json"]);
    assert_eq!((&diff["new_known"], &diff["gone_known"]), (&false.into(), &true.into()));
    assert_eq!(
        (&diff["total"]["keys"]["new"], &diff["total"]["before"]["creations"]),
        (&0.into(), &4.into())
    );
    let text = stdout(&["diff", &cut, &b]);
    assert!(text.contains("? new") && text.contains("what is new is not known"), "{text}");
    // Laid out by another program it is still a report.
    let pretty: Value = serde_json::from_str(&fs::read_to_string(&whole).unwrap()).unwrap();
    let path = folder.path().join("pretty.json");
    fs::write(&path, serde_json::to_string_pretty(&pretty).unwrap()).unwrap();
    assert_eq!(json(&["diff", path.to_str().unwrap(), &b, "--json"])["keys"], of_log["keys"]);
}

#[test]
fn conditions_are_on_what_went_up_and_break_with_exit_code_3() {
    let (folder, a, b) = logs();
    let kept = ["total.new == 1", "gemm.gone == 0", "total.creation_seconds < 0.1", "old.creations == -1"];
    let broken = ["total.new == 0", "gemm.rebuilt <= 0", "soft.new == 0"];
    let mut args = vec!["diff", &a, &b];
    kept.iter().for_each(|check| args.extend(["--check", check]));
    assert!(metallic(&args).status.success());
    broken.iter().for_each(|check| args.extend(["--check", check]));
    let output = metallic(&args);
    let errors = text(&output.stderr);
    assert_eq!((output.status.code(), errors.lines().count()), (Some(3), 3), "{errors}");
    for part in ["total.new == 0: it is 1", "gemm.rebuilt <= 0: it is 1", "there is no cache `soft`"] {
        assert!(errors.contains(part), "{errors}");
    }
    // What is not known does not hold.
    let cut = folder.path().join("cut.json");
    fs::write(&cut, stdout(&["report", &a, "--json", "--top", "1"])).unwrap();
    let output = metallic(&["diff", cut.to_str().unwrap(), &b, "--check", "total.new == 0"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
}

#[test]
fn what_is_neither_a_log_nor_a_report_is_refused_in_one_line() {
    let (folder, a, _) = logs();
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let cases = [
        (file("other.json", r#"{"schema":"metallic-run-3"}"#), "metallic-run-3", 1),
        (file("torn.json", r#"{"schema":"metallic-report-2","files":["#), "torn.json", 1),
        (file("half.json", r#"{"schema":"metallic-report-2"}"#), "no whole report", 1),
        (file("number.json", r#"{"schema":1}"#), "neither a log nor a report", 1),
        (file("prose.txt", "no log at all\n"), "the log has no events", 1),
        (file("empty.jsonl", ""), "the log is empty", 1),
        (folder.path().join("missing").to_str().unwrap().to_owned(), "missing", 1),
        ("-".to_owned(), "the log is empty", 1),
    ];
    for (path, part, code) in cases {
        for args in [["diff", &path, &a], ["diff", &a, &path]] {
            let output = metallic(&args);
            let errors = text(&output.stderr);
            assert_eq!((output.status.code(), errors.lines().count()), (Some(code), 1), "{errors}");
            assert!(errors.contains(part), "{errors}");
        }
    }
    for args in
        [["-", "-", "--json"], [&a, &a, "--ratio=0.5"], [&a, &a, "--least=nan"], [&a, &a, "--check=new"]]
    {
        let output = metallic(&[&["diff"], &args[..]].concat());
        let errors = text(&output.stderr);
        assert_eq!((output.status.code(), errors.lines().count()), (Some(2), 1), "{errors}");
    }
}

#[test]
fn creations_in_armed_scopes_are_compared_as_other_figures_are() {
    let folder = tempfile::tempdir().unwrap();
    let violated = |log: Log, cache: &'static str, mode| {
        log.at(CreationViolation {
            cache: cache.into(),
            cache_key: format!("{cache}:late").into(),
            scope: "serving".into(),
            mode,
            verdict: ViolationVerdict::NeverRecorded,
            evicted_by: None,
            nearest_key: None,
            differing_fields: Vec::new(),
            caller: None,
            loaded: false,
            duration_ns: 0,
        })
    };
    let log = violated(before(), "gemm", ViolationMode::Warn);
    let a = log.write(folder.path(), "a.jsonl");
    let later = violated(violated(log, "gemm", ViolationMode::Refuse), "kv", ViolationMode::Refuse);
    let b = later.write(folder.path(), "b.jsonl");
    let [a, b] = [a.to_str().unwrap(), b.to_str().unwrap()];
    let figures = json(&["diff", a, b, "--json"]);
    let of = |side: &str| {
        (figures["total"][side]["violations"].clone(), figures["total"][side]["refused"].clone())
    };
    assert_eq!((of("before"), of("after")), ((1.into(), 0.into()), (3.into(), 2.into())));
    let text = stdout(&["diff", a, b]);
    let row = |title: &str| text.lines().find(|line| line.trim_start().starts_with(title)).map(str::to_owned);
    assert!(row("violations").is_some_and(|row| row.ends_with("+2")), "{text}");
    assert!(row("kv (new)").is_some_and(|row| row.ends_with("0 → 1")), "{text}");
    let kept = ["total.violations == 2", "gemm.refused == 1", "kv.violations == 1", "old.violations == 0"];
    let args: Vec<&str> =
        ["diff", a, b].into_iter().chain(kept.iter().flat_map(|check| ["--check", check])).collect();
    assert!(metallic(&args).status.success(), "{}", self::text(&metallic(&args).stderr));
    assert_eq!(metallic(&["diff", a, b, "--check", "total.refused == 0"]).status.code(), Some(3));
}
