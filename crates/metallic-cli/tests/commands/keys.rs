//! `metallic explain`: keys that are searched, and keys that are not there.

use metallic_instrumentation::{
    CacheEviction, CreationViolation, EntryRemoved, EventData, RemovalCause, ResourceCacheAccess,
    ViolationMode, ViolationVerdict,
};

use crate::program::{access, lines, metallic, stdout};

#[test]
fn keys_are_listed_searched_and_grouped() {
    let key = |m: u32, n: u32, hit| -> EventData {
        ResourceCacheAccess { cache_key: format!("gemm:Key{{m:{m},n:{n}}}").into(), hit, bytes: 0 }.into()
    };
    let other = ResourceCacheAccess { cache_key: "add:Key{m:Bucket(9)}".into(), hit: false, bytes: 0 };
    let accesses = [key(1, 1, false), key(1, 2, false), key(1, 1, true), key(2, 1, false), other.into()];
    let log = lines(accesses);
    let explain = |args: &[&str]| metallic(&[&["explain", "-"], args].concat(), log.as_bytes());
    let rows = |args: &[&str]| {
        let output = explain(&[args, &["--json"]].concat());
        let json: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("the output is JSON");
        let rows = json["keys"].as_array().expect("it has keys").clone();
        let text = |row: &serde_json::Value| {
            format!("{} {} {}", row["key"].as_str().unwrap_or(""), row["keys"], row["misses"])
        };
        rows.iter().map(text).collect::<Vec<_>>()
    };
    assert_eq!(rows(&["--list", "gemm", "--group-by", "m"]), ["m:1 2 2", "m:2 1 1"]);
    assert_eq!(rows(&["--like", "n: 2"]), ["gemm:Key{m:1,n:2} 1 1"]);
    assert_eq!(rows(&["--list", "gemm"]).len(), 3);
    assert!(stdout(&explain(&["--group-by", "m"])).contains("add m:Bucket 9"));
    for (args, lacking) in [
        (&["--list", "gem"][..], "no cache in it is called `gem`; there are: add, gemm"),
        (&["--like", "m:7"], "no key in it contains `m:7`"),
        (&["--list", "gemm", "--group-by", "k"], "none of these keys has the field `k`"),
    ] {
        let nothing = explain(args);
        assert_eq!(nothing.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&nothing.stderr).contains(lacking), "{args:?}");
    }
}

#[test]
fn a_key_that_is_not_in_the_log_is_an_error_and_no_stranger_is_called_near() {
    let log = lines((0..4).map(|number| access(number, false)));
    let json = |key: &str| {
        let output = metallic(&["explain", "-", key, "--json"], log.as_bytes());
        assert_eq!(output.status.code(), Some(1), "{key}");
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("the output is JSON");
        (json["cache"].clone(), json["containing"].clone())
    };
    assert_eq!(json("tensor:55"), (serde_json::Value::Null, 0.into()));
    assert_eq!(json("m:3"), (serde_json::Value::Null, 1.into()));
    assert_eq!(json("gemm:Key{m:7}"), ("gemm".into(), 0.into()));
}

#[test]
fn no_line_of_a_life_is_wider_than_80_columns() {
    let access =
        |key: &str, hit| EventData::from(ResourceCacheAccess { cache_key: key.into(), hit, bytes: 0 });
    let removed = EntryRemoved {
        cache: "pipeline".into(),
        cache_key: "pipeline:1".into(),
        cause: RemovalCause::SizeLimit,
        age_ns: 1_234_567,
        idle_ns: 1_234_567,
        reuse_count: 1,
        creation_ns: 1,
        bytes: 0,
    };
    let eviction = CacheEviction {
        cache: "pipeline".into(),
        strategy: "size_limited_lru".into(),
        count: 1,
        reason: "size_limit_exceeded_max_1000".into(),
        size_after: 0,
    };
    let violation = CreationViolation {
        cache: "pipeline".into(),
        cache_key: "pipeline:1".into(),
        scope: "serving".into(),
        mode: ViolationMode::Refuse,
        verdict: ViolationVerdict::Evicted,
        evicted_by: Some("size_limited_lru".into()),
        nearest_key: Some("pipeline:2".into()),
        differing_fields: vec![String::new()],
        caller: Some("crates/engine/src/decoder/attention.rs:1234".into()),
        loaded: false,
        duration_ns: 0,
    };
    let log = lines([
        access("pipeline:2", false),
        access("pipeline:1", false),
        access("pipeline:1", true),
        removed.into(),
        eviction.into(),
        access("pipeline:1", false),
        violation.into(),
    ]);
    let text = stdout(&metallic(&["explain", "-", "pipeline:1"], log.as_bytes()));
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "1 hit, 2 misses, evicted or removed 1 time; ",
        "by size_limited_lru (size_limit_exceeded_max_1000); 1.23 ms old, idle for 1.23 ms, 1 hit line",
        "the nearest key there, pipeline:2, differs in the key",
    ] {
        assert!(words.contains(part), "{part}: {text}");
    }
}
