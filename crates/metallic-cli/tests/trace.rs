//! `metallic trace`: the format, read back.
#![expect(clippy::unwrap_used, reason = "what fails in a test's helper fails the test")]

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::{Command, Output};

use metallic_instrumentation::{
    CacheEviction, CreationOutcome, EntryRemoved, Event, EventData, LogOpened, RemovalCause, ResourceCreated,
    SpanEnded,
};
use serde_json::Value;

const US: u64 = 1000;
/// A moment of today: in microseconds as a float it would not be exact.
const TODAY: u64 = 1_795_449_600_071_290_551;

fn created(cache: &'static str, key: u32, duration_ns: u64) -> EventData {
    ResourceCreated {
        cache: cache.into(),
        cache_key: format!("{cache}:Key{{m:{key}}}").into(),
        duration_ns,
        own_duration_ns: duration_ns,
        loaded: false,
        outcome: CreationOutcome::Created,
        error: None,
        bytes: 64,
    }
    .into()
}

fn span(name: &'static str, label: &str, thread: &str, duration_ns: u64) -> EventData {
    let (label, thread) = (Some(label.to_owned()), Some(thread.to_owned()));
    SpanEnded { name: name.into(), label, thread, duration_ns }.into()
}

/// Two threads create at once; one of their tokens waits for two creations, one within the other, and an entry is evicted.
fn log() -> String {
    let header = LogOpened {
        program: "engine".to_owned(),
        version: None,
        library: "0.1.0".into(),
        process_id: 7,
        opened_unix_ns: TODAY,
        rotations: 0,
        devices: Vec::new(),
    };
    let evicted = CacheEviction {
        cache: "gemm".into(),
        strategy: "lru".into(),
        count: 1,
        reason: "size_limit_exceeded_max_1".into(),
        size_after: 0,
    };
    let removed = EntryRemoved {
        cache: "gemm".into(),
        cache_key: "gemm:Key{m:1}".into(),
        cause: RemovalCause::SizeLimit,
        age_ns: 9,
        idle_ns: 9,
        reuse_count: 2,
        creation_ns: 9,
        bytes: 64,
    };
    let at = |us: u64, data: EventData| Event::at(TODAY + us * US, data).in_registry(1);
    let events = [
        at(30, created("gemm", 1, 20 * US)),
        at(40, created("gemm", 2, 20 * US)),
        at(70, created("pipeline", 1, 10 * US)),
        at(80, created("gemm", 3, 30 * US)),
        at(90, removed.into()),
        at(90, evicted.into()),
        at(0, span("token", "1", "worker 1", 100 * US)),
        at(15, span("token", "2", "worker 2", 30 * US)),
        at(0, span("prompt", "1", "worker 1", 110 * US)),
    ];
    let header = Event::new(header);
    [&header].into_iter().chain(&events).map(|event| serde_json::to_string(event).unwrap() + "\n").collect()
}

fn metallic(command: &str, log: &str, args: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    fs::write(&path, log).unwrap();
    Command::new(env!("CARGO_BIN_EXE_metallic")).arg(command).arg(path).args(args).output().unwrap()
}

fn trace(log: &str) -> Vec<Value> {
    let output = metallic("trace", log, &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut document: Value = serde_json::from_slice(&output.stdout).unwrap();
    match document["traceEvents"].take() {
        Value::Array(events) => events,
        other => panic!("{other}"),
    }
}

/// The names of the threads of a time line whose events are what the format asks for.
fn checked_threads(events: &[Value]) -> BTreeMap<(u64, u64), String> {
    let number = |event: &Value, member: &str| event[member].as_u64().unwrap();
    let (mut threads, mut processes) = (BTreeMap::new(), BTreeSet::new());
    for event in events.iter().filter(|event| event["ph"] == "M") {
        let (pid, name) = (number(event, "pid"), &event["args"]["name"]);
        match event["name"].as_str().unwrap() {
            "process_name" => assert!(processes.insert(pid) && name.is_string(), "twice: {event}"),
            "thread_name" => {
                let before = threads.insert((pid, number(event, "tid")), name.as_str().unwrap().to_owned());
                assert_eq!(before, None, "two names of one thread: {event}");
            }
            "thread_sort_index" => assert!(event["args"]["sort_index"].is_u64(), "{event}"),
            other => panic!("no metadata of the format: {other}"),
        }
    }
    let mut slices = BTreeMap::<(u64, u64), Vec<(u64, u64)>>::new();
    let mut counted = BTreeMap::<(u64, String), u64>::new();
    for event in events.iter().filter(|event| event["ph"] != "M") {
        let ns = |member: &str| {
            let us = event[member].as_f64().unwrap_or_else(|| panic!("no {member}: {event}"));
            assert!(us.is_finite() && us >= 0.0, "{event}");
            (us * 1e3).round() as u64
        };
        assert!(event["name"].is_string() && processes.contains(&number(event, "pid")), "{event}");
        let at = ns("ts");
        let thread = || {
            let thread = (number(event, "pid"), number(event, "tid"));
            assert!(threads.contains_key(&thread), "a thread without a name: {event}");
            thread
        };
        match event["ph"].as_str().unwrap() {
            "X" => {
                assert!(event["cat"].is_string() && event["args"].is_object(), "{event}");
                slices.entry(thread()).or_default().push((at, at + ns("dur")));
            }
            "i" => assert!(event["s"] == "t" && thread().0 > 0, "{event}"),
            "C" => {
                assert!(event["args"].as_object().unwrap().values().all(Value::is_u64), "{event}");
                let series = (number(event, "pid"), event["name"].as_str().unwrap().to_owned());
                let before = counted.insert(series, at);
                assert!(before <= Some(at), "a counter that goes back in time: {event}");
            }
            phase => panic!("{phase}"),
        }
    }
    for slices in slices.values_mut() {
        slices.sort_by_key(|(begin, end)| (*begin, Reverse(*end)));
        let mut open: Vec<u64> = Vec::new();
        for (begin, end) in slices {
            while open.last().is_some_and(|open| open <= begin) {
                open.pop();
            }
            assert!(open.last().is_none_or(|open| *end <= *open), "slices that overlap and do not nest");
            open.push(*end);
        }
    }
    threads
}

#[test]
fn each_event_has_the_members_of_its_phase_and_slices_of_a_thread_nest() {
    let events = trace(&log());
    let threads: Vec<_> = checked_threads(&events).into_values().collect();
    assert_eq!(threads, ["worker 1", "worker 2", "gemm", "gemm (2)", "pipeline"]);
    let instants: Vec<_> = events.iter().filter(|event| event["ph"] == "i").collect();
    assert!(instants.len() == 1 && instants[0]["ts"] == 90.0, "{instants:?}");
    let exact = events.iter().find(|event| event["name"] == "Key{m:3}").unwrap();
    assert_eq!((&exact["ts"], &exact["dur"]), (&50.0.into(), &30.0.into()));
    let counters = |name: &str, figure: &str| -> Vec<u64> {
        let of = events.iter().filter(|event| event["name"] == name);
        of.map(|event| event["args"][figure].as_u64().unwrap()).collect()
    };
    assert_eq!(counters("gemm entries", "entries"), [1, 2, 3, 3, 0]);
    assert_eq!(counters("gemm bytes", "bytes"), [64, 128, 192, 128, 128]);
}

#[test]
fn the_time_line_of_a_real_run_of_four_workers_is_one_too() {
    let folder = tempfile::tempdir().unwrap();
    let (path, ids) = (folder.path().join("log.jsonl"), folder.path().join("ids.txt"));
    fs::write(&ids, "1\n2,3\n4,5,6,7,8,9\n1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17\n5\n6,7\n").unwrap();
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/../metallic-transformer/tests/data/gpt2-tiny");
    let run = Command::new(env!("CARGO_BIN_EXE_metallic"))
        .args(["run", "--device", "host", "--workers", "4", "--tokens", "5", "--model", model, "--ids"])
        .arg(&ids)
        .arg("--policy=gemm=lru:3")
        .arg("--events")
        .arg(&path)
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let log = fs::read_to_string(&path).unwrap();
    let events = trace(&log);
    let threads = checked_threads(&events);
    // Which worker takes which prompt is up to them; one may take none.
    let workers: BTreeSet<_> = threads.values().filter(|name| name.starts_with("worker ")).collect();
    assert!(!workers.is_empty() && workers.len() <= 4, "{threads:?}");
    let of_log = |kind: &str| log.lines().filter(|line| line.starts_with(kind)).count();
    let of_trace = |ph: &str, cat: &str| events.iter().filter(|e| e["ph"] == ph && e["cat"] == cat).count();
    assert_eq!(of_trace("X", "creation"), of_log(r#"{"type":"ResourceCreated""#));
    assert_eq!(of_trace("X", "step"), of_log(r#"{"type":"SpanEnded""#));
    let removed = of_log(r#"{"type":"EntryRemoved""#);
    assert!(removed > 0 && of_trace("i", "removal") == removed, "{removed}");
}

#[test]
fn a_log_without_times_is_refused_in_one_line() {
    let untimed = serde_json::to_string(&Event::new(created("gemm", 1, 1))).unwrap() + "\n";
    for (log, cause) in [("", "the log is empty"), (&untimed, "no creation, removal or step with a time")] {
        let output = metallic("trace", log, &[]);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), errors.lines().count()), (Some(1), 1), "{errors}");
        assert!(errors.contains(cause) && output.stdout.is_empty(), "{errors}");
    }
}

#[test]
fn the_report_says_which_step_waited_for_which_creation() {
    let output = metallic("report", &log(), &["--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let waits: Vec<_> = report["steps"]["longest_waits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|wait| (wait["step"].as_str().unwrap(), wait["waited_ns"].as_u64().unwrap(), &wait["key"]))
        .collect();
    // From 10 to 40 and from 50 to 80, whatever is within; what the token waited for the prompt is not charged for.
    assert_eq!(waits[0], ("token", 60 * US, &"gemm:Key{m:3}".into()));
    assert_eq!(waits[1], ("token", 25 * US, &"gemm:Key{m:2}".into()));
    assert_eq!((waits.len(), &report["steps"]["several_threads"]), (2, &true.into()));
    let token = &report["steps"]["kinds"][1];
    assert_eq!(
        (&token["count"], &token["waited"], &token["waited_ns"]),
        (&2.into(), &2.into(), &85_000.into())
    );
    let text = String::from_utf8(metallic("report", &log(), &[]).stdout).unwrap();
    assert!(text.contains("Steps that waited longest") && text.contains("token 1 "), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80 || line.contains(": ")), "{text}");
}
