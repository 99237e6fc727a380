//! `metallic explain`: keys that are searched, and keys that are not there.

use metallic_instrumentation::{EventData, ResourceCacheAccess};

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
