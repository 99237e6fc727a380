//! `metallic replay`: advice, formats, arguments.

use metallic_instrumentation::{
    CachePolicyChanged, EventsDropped, ResourceCacheAccess, ResourceCacheSummary,
};

use crate::program::{access, lines, loop_trace, metallic, stdout};

/// The text with its sentences in one line each.
fn unwrapped(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_trace_on_standard_input_is_replayed_and_ends_in_code_to_paste() {
    let output = metallic(&["replay", "--format", "keys", "-"], loop_trace().as_bytes());
    let text = stdout(&output);
    assert!(text.contains("cache.set_eviction_policy(EvictionPolicy::size_limited_lru(33));"), "{text}");
    assert!(!text.contains("kernel"), "a trace is not of a kernel: {text}");
    assert!(text.contains("compulsory: 30 misses"), "{text}");
}

#[test]
fn the_json_has_the_figures_of_the_text() {
    let output = metallic(&["replay", "--json", "--capacities", "29,30", "-"], loop_trace().as_bytes());
    let json: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("the output is JSON");
    let cache = &json["caches"][0];
    assert_eq!(json["format"], "keys");
    assert_eq!(cache["accesses"], 1200);
    assert_eq!(cache["compulsory"]["misses"], 30);
    assert_eq!(cache["curves"][0]["strategy"], "size_limited_lru");
    // A loop longer than the cache is the worst there is for LRU, and none for a loop that fits.
    assert_eq!(cache["curves"][0]["outcomes"][0]["misses"], 1200);
    assert_eq!(cache["curves"][0]["outcomes"][1]["misses"], 30);
    assert_eq!((&cache["advice"]["knee"], &cache["advice"]["capacity"]), (&30.into(), &33.into()));
    assert!(cache["recorded"].is_null());
}

#[test]
fn a_short_trace_gets_no_advice_and_hears_why() {
    let keys: String = (0..20).map(|number| format!("{number}\n")).collect();
    let text = stdout(&metallic(&["replay", "--format", "keys", "-"], keys.as_bytes()));
    assert!(text.contains("20 accesses are fewer than 1000"), "{text}");
    assert!(text.contains("0 accesses, fewer than 100, are to a key that was there before"), "{text}");
}

#[test]
fn a_short_log_in_which_nothing_was_evicted_is_told_to_leave_it_as_it_is() {
    let log = lines((0..20).map(|number| access(number, false)));
    let text = stdout(&metallic(&["replay", "-"], log.as_bytes()));
    assert!(text.contains("leave it as it is: nothing was evicted"), "{text}");
}

#[test]
fn a_sampled_log_and_one_with_gaps_get_no_advice() {
    let summary = |operations: u64| {
        let (cache, misses) = ("gemm".into(), operations);
        ResourceCacheSummary { cache, hits: 0, misses, hit_rate: 0.0, size: 30 }.into()
    };
    // One access in ten is there, and every summary.
    let sampled = (0..3000).flat_map(|number| {
        let summary = (number % 10 == 9).then(|| summary((u64::from(number) + 1) * 10));
        [Some(access(number % 30, number >= 30)), summary].into_iter().flatten()
    });
    let text = stdout(&metallic(&["replay", "-"], lines(sampled).as_bytes()));
    assert!(unwrapped(&text).contains("the accesses are sampled, or were dropped"), "{text}");

    let gap = (0..3000).map(|number| access(number % 30, number >= 30));
    let gap = gap.chain([EventsDropped { count: 500 }.into()]);
    let text = stdout(&metallic(&["replay", "-"], lines(gap).as_bytes()));
    assert!(unwrapped(&text).contains("exporter dropped 500 events"), "{text}");
    assert!(
        text.contains("500 accesses or more are missing from the log: the exporter dropped events"),
        "{text}"
    );
}

#[test]
fn a_log_that_contradicts_its_policy_gets_no_advice() {
    // Two registries with a cache of one name, each of which misses each key once.
    let policy = CachePolicyChanged {
        cache: "gemm".into(),
        strategy: "size_limited_lru".into(),
        max_entries: Some(100),
        max_idle_ns: None,
        max_idle_generations: None,
        min_entries: 0,
    };
    let accesses = (0..3000).map(|number| access(number % 300, number < 600));
    let log = lines([policy.into()].into_iter().chain(accesses));
    let text = stdout(&metallic(&["replay", "-"], log.as_bytes()));
    assert!(
        unwrapped(&text)
            .contains("have another result in a replay than in the log, the first of them number 1"),
        "{text}"
    );
}

#[test]
fn more_points_than_a_plot_can_show_are_refused() {
    let output =
        metallic(&["replay", "-", "--format", "keys", "--points", "100000000"], loop_trace().as_bytes());
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--points 100000000: there are at most 1000"));
}

#[test]
fn an_idle_time_that_is_none_is_refused_for_its_true_reason() {
    for (idle, cause) in
        [("1e300", "--idle 1e300: longer than a time can be"), ("-1", "a number of seconds, 0 or more")]
    {
        let output = metallic(&["replay", "-", "--format", "keys", "--idle", idle], loop_trace().as_bytes());
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).contains(cause), "{output:?}");
    }
}

#[test]
fn of_many_caches_those_that_were_accessed_most_are_replayed() {
    let log: String = (0..70)
        .flat_map(|cache| (0..=cache).map(move |_| cache))
        .map(|cache| {
            let cache_key = format!("cache{cache}:k").into();
            lines([ResourceCacheAccess { cache_key, hit: false, bytes: 0 }.into()])
        })
        .collect();
    let text = stdout(&metallic(&["replay", "-"], log.as_bytes()));
    assert!(text.contains("and 6 more caches, with fewer accesses; --cache NAME replays one"), "{text}");
    assert!(!text.contains("\ncache5:") && text.contains("\ncache6: 7 accesses"), "{text}");
    assert!(stdout(&metallic(&["replay", "-", "--cache", "cache5"], log.as_bytes())).contains("\ncache5: 6"));
}

#[test]
fn a_title_line_of_a_csv_file_is_said_and_not_replayed() {
    let csv = "time,key\n1,a\n2,b\n3,a\n";
    let text = stdout(&metallic(&["replay", "-", "--format", "csv", "--column", "2"], csv.as_bytes()));
    assert!(text.contains("the first line is taken for titles: time,key"), "{text}");
    assert!(text.contains("3 accesses of 2 keys"), "{text}");
}

#[test]
fn a_log_of_very_many_registries_is_replayed_in_time_that_grows_with_it() {
    let event = |registry: u32| {
        let mut event = metallic_instrumentation::Event::new(access(1, false));
        event.registry = Some(registry);
        serde_json::to_string(&event).expect("events have a JSON form") + "\n"
    };
    // Were each compared with each, this would take minutes.
    let log: String = (0..40_000).map(event).collect();
    let text = stdout(&metallic(&["replay", "-"], log.as_bytes()));
    assert!(text.contains("gemm in 0") && text.contains("39_936"), "{text}");
}
