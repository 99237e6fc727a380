//! The screen of `metallic top`.

use std::time::Duration;

use metallic_cli::commands::top::{Live, LogState, Screen, Sort, draw};
use metallic_instrumentation::{CreationOutcome, Event, LogOpened, ResourceCacheAccess, ResourceCreated};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

const SECOND: u64 = 1_000_000_000;
const START: u64 = 1_793_606_400 * SECOND;

fn shown(live: &Live, screen: &Screen, width: u16, height: u16) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("the backend cannot fail");
    terminal.draw(|frame| draw(frame, "log.jsonl", live, screen)).expect("the backend cannot fail");
    let buffer = terminal.backend().buffer();
    let row = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
    (0..height).map(row).collect()
}

fn access(cache: &str, hit: bool, at: u64) -> String {
    format!(
        "{{\"type\":\"ResourceCacheAccess\",\"data\":{{\"cache_key\":\"{cache}:k\",\"hit\":{hit},\"bytes\":0}},\"timestamp\":{at}}}\n"
    )
}

fn eviction(cache: &str, at: u64) -> String {
    format!(
        "{{\"type\":\"CacheEviction\",\"data\":{{\"cache\":\"{cache}\",\"strategy\":\"lru\",\"count\":3,\
         \"reason\":\"size_limit_exceeded_max_8\",\"size_after\":5}},\"timestamp\":{at}}}\n"
    )
}

/// Ten seconds: `gemm` hits nine times in ten, `softmax` never, and evicts.
fn busy() -> Live {
    let mut live = Live::default();
    let mut log = String::new();
    for second in 0..10 {
        let at = START + second * SECOND;
        (0..10).for_each(|n| log += &access("gemm", n > 0, at + n));
        (0..5).for_each(|n| log += &access("softmax", false, at + n));
    }
    log += &eviction("softmax", START + 8 * SECOND);
    live.feed(log.as_bytes(), 0);
    live.pass(0);
    live
}

fn press(screen: &mut Screen, code: KeyCode) {
    screen.press(KeyEvent::new(code, KeyModifiers::NONE));
}

fn row_of(rows: &[String], name: &str) -> usize {
    rows.iter().position(|row| row.starts_with(name)).unwrap_or_else(|| panic!("no {name} in {rows:#?}"))
}

#[test]
fn each_cache_has_its_rates_and_its_curve() {
    let rows = shown(&busy(), &Screen::default(), 140, 24);
    let gemm = &rows[row_of(&rows, "gemm")];
    assert!(gemm.contains("90.0 %") && gemm.contains("▇▇▇▇▇▇▇▇▇▇"), "{gemm}");
    let softmax = &rows[row_of(&rows, "softmax")];
    assert!(softmax.contains("0 %") && softmax.contains("▁▁▁▁"), "{softmax}");
    assert!(rows[0].contains("151 events") && rows[0].contains("2026-11-02 08:00:09 UTC"), "{}", rows[0]);
}

#[test]
fn recent_evictions_say_when_where_and_why() {
    let rows = shown(&busy(), &Screen::default(), 140, 24);
    let eviction = rows.iter().find(|row| row.contains("size_limit_exceeded_max_8, 5 left"));
    assert!(eviction.is_some_and(|row| row.contains("1.00 s ago") && row.contains("softmax")), "{rows:#?}");
}

#[test]
fn the_evictions_of_a_log_that_no_one_writes_are_told_from_its_end() {
    let mut live = Live::default();
    let log = eviction("softmax", START) + &access("softmax", true, START + 5 * SECOND);
    live.feed(log.as_bytes(), 0);
    let screen = |live: &Live| shown(live, &Screen::default(), 140, 24).join("\n");
    let ended = screen(&live);
    assert!(
        ended.contains(" last evictions, before the end of the log ")
            && ended.contains("5.00 s before  softmax"),
        "{ended}"
    );
    live.pass(SECOND);
    let growing = screen(&live);
    assert!(growing.contains(" recent evictions ") && growing.contains("6.00 s ago  softmax"), "{growing}");
}

#[test]
fn the_header_of_a_log_is_not_counted_as_in_a_report() {
    let mut live = Live::default();
    let header = LogOpened {
        program: "engine".to_owned(),
        version: None,
        library: "0.1.0".into(),
        process_id: 1,
        opened_unix_ns: START + 500 * SECOND,
        rotations: 0,
        devices: Vec::new(),
    };
    let header = serde_json::to_string(&Event::new(header)).expect("events have a JSON form");
    let log = format!("{header}\n{}{}", access("gemm", true, START), access("gemm", true, START + 1));
    live.feed(log.as_bytes(), 0);
    let rows = shown(&live, &Screen::default(), 140, 24);
    assert!(rows[0].contains("  2 events"), "{}", rows[0]);
}

#[test]
fn keys_change_the_order() {
    let (live, mut screen) = (busy(), Screen::default());
    let first = |screen: &Screen| {
        let rows = shown(&live, screen, 140, 24);
        if row_of(&rows, "gemm") < row_of(&rows, "softmax") { "gemm" } else { "softmax" }
    };
    press(&mut screen, KeyCode::Char('s'));
    assert_eq!((screen.sort, first(&screen)), (Sort::Lookups, "gemm"));
    press(&mut screen, KeyCode::Char('s'));
    assert_eq!((screen.sort, first(&screen)), (Sort::HitRate, "softmax"));
    press(&mut screen, KeyCode::Char('r'));
    assert_eq!(first(&screen), "gemm");
    press(&mut screen, KeyCode::Char('6'));
    assert_eq!((screen.sort, first(&screen)), (Sort::Name, "softmax"));
}

#[test]
fn q_escape_and_control_c_end_it() {
    for (code, modifiers) in [
        (KeyCode::Char('q'), KeyModifiers::NONE),
        (KeyCode::Esc, KeyModifiers::NONE),
        (KeyCode::Char('c'), KeyModifiers::CONTROL),
    ] {
        let mut screen = Screen::default();
        screen.press(KeyEvent::new(code, modifiers));
        assert!(screen.quit, "{code:?}");
    }
    let mut screen = Screen::default();
    press(&mut screen, KeyCode::Char('c'));
    assert!(!screen.quit);
}

#[test]
fn rates_fall_when_nothing_happens() {
    let mut live = busy();
    live.pass(60 * SECOND);
    let rows = shown(&live, &Screen::default(), 140, 24);
    let gemm = &rows[row_of(&rows, "gemm")];
    // What is left is the rate over the whole log.
    assert!(gemm.split_whitespace().nth(1) == Some("0") && gemm.contains("90.0 %"), "{gemm}");
}

#[test]
fn what_is_no_event_is_counted_and_an_empty_log_is_waited_for() {
    let mut live = Live::default();
    assert!(shown(&live, &Screen::default(), 80, 24).iter().any(|row| row.contains("waiting for events")));
    live.feed(b"hello\n{\"type\":\"EventsDropped\",\"data\":{\"count\":7}}\n", START);
    let rows = shown(&live, &Screen::default(), 120, 24);
    assert!(rows[0].contains("1 line passed over") && rows[0].contains("7 events lost"), "{}", rows[0]);
}

#[test]
fn all_keys_are_named_in_80_columns() {
    let rows = shown(&busy(), &Screen::default(), 80, 24);
    assert!(rows.iter().any(|row| row.trim_end().ends_with("? help")), "{rows:#?}");
}

#[test]
fn a_screen_of_any_size_is_drawn() {
    let live = busy();
    for (width, height) in [(1, 1), (5, 3), (20, 5), (40, 12), (80, 16), (300, 100)] {
        shown(&live, &Screen { scrolled: 1000, ..Screen::default() }, width, height);
    }
}

#[test]
fn a_name_cannot_steer_the_terminal() {
    let mut live = Live::default();
    live.feed(access("evil\\u001b[2J", true, START).as_bytes(), 0);
    assert!(!shown(&live, &Screen::default(), 100, 20).concat().contains('\u{1b}'));
}

#[test]
fn a_narrow_screen_drops_columns_and_never_digits() {
    let live = busy();
    let wide = shown(&live, &Screen::default(), 160, 24);
    let wide: Vec<&str> = wide[row_of(&wide, "gemm")].split("  ").flat_map(str::split_whitespace).collect();
    for (width, titles) in [
        (40, &["hit rate", "creating"][..]),
        (60, &["look-ups/s", "hit rate", "creating", "entries"]),
        (80, &["look-ups/s", "hit rate", "misses/s", "creating", "evicted/s", "entries"]),
    ] {
        let rows = shown(&live, &Screen::default(), width, 24);
        let head = &rows[2];
        assert!(titles.iter().all(|title| head.contains(title)), "{width}: {head}");
        let gemm = &rows[row_of(&rows, "gemm")];
        assert!(gemm.split_whitespace().all(|figure| wide.contains(&figure)), "{width}: {gemm}");
        assert!(gemm.contains("90.0 %"), "{width}: {gemm}");
        let eviction = rows.iter().find(|row| row.contains("1.00 s ago"));
        assert!(width < 80 || eviction.is_some_and(|row| row.ends_with(", 5 left")), "{rows:#?}");
    }
}

#[test]
fn rates_of_a_short_log_are_taken_over_its_own_length() {
    let mut live = Live::default();
    let log: String = (0..2000).map(|n| access("gemm", true, START + n * SECOND / 1000)).collect();
    live.feed(log.as_bytes(), 0);
    let rows = shown(&live, &Screen::default(), 140, 24);
    let gemm = &rows[row_of(&rows, "gemm")];
    assert_eq!(
        gemm.split_whitespace().nth(1).zip(gemm.split_whitespace().nth(2)),
        Some(("1", "k")),
        "{gemm}"
    );
}

#[test]
fn a_log_that_stopped_or_is_gone_is_said_to_be() {
    let first = |log| shown(&busy(), &Screen { log, ..Screen::default() }, 120, 24).remove(0);
    let silent = |seconds| LogState { silence: Some(Duration::from_secs(seconds)), is_gone: false };
    assert!(!first(silent(4)).contains("no new lines"));
    assert!(first(silent(12)).contains("  no new lines for 12 s"), "{}", first(silent(12)));
    assert!(first(silent(7200)).contains("  no new lines for 2.00 h"));
    assert!(first(LogState { is_gone: true, ..silent(12) }).ends_with("  gone"));
}

#[test]
fn a_key_explains_the_keys_and_the_next_one_goes_back() {
    let (live, mut screen) = (busy(), Screen::default());
    for key in ['?', 'h'] {
        press(&mut screen, KeyCode::Char(key));
        let rows = shown(&live, &screen, 80, 24);
        assert!(rows.iter().any(|row| row.contains("suspend; `fg` goes on")), "{rows:#?}");
        assert!(!rows.iter().any(|row| row.starts_with("gemm")));
        press(&mut screen, KeyCode::Char('r'));
        assert!(!screen.help && !screen.reversed);
        row_of(&shown(&live, &screen, 80, 24), "gemm");
    }
}

#[test]
fn control_z_suspends_and_z_does_not() {
    let mut screen = Screen::default();
    press(&mut screen, KeyCode::Char('z'));
    assert!(!screen.suspend);
    screen.press(KeyEvent::new(KeyCode::Char('z'), KeyModifiers::CONTROL));
    assert!(screen.suspend && !screen.quit);
}

/// The figures of a row, without its name.
fn figures(rows: &[String], name: &str) -> Vec<String> {
    rows[row_of(rows, name)][name.len()..].split_whitespace().map(str::to_owned).collect()
}

#[test]
fn several_registries_are_summed_up_until_a_key_tells_them_apart() {
    let line = |registry: u32, hit: bool| {
        let access = ResourceCacheAccess { cache_key: "gemm:k".into(), hit, bytes: 0 };
        serde_json::to_string(&Event::at(START, access).in_registry(registry)).expect("it has a JSON form")
            + "\n"
    };
    let mut live = Live::default();
    let log: String = (0..4).map(|_| line(1, true)).chain((0..4).map(|_| line(2, false))).collect();
    live.feed(log.as_bytes(), 0);
    let mut screen = Screen::default();
    let rows = shown(&live, &screen, 140, 24);
    assert!(rows[1].contains("2 registries summed up"), "{}", rows[1]);
    assert_eq!(figures(&rows, "gemm")[..3], ["8", "50.0", "%"]);
    press(&mut screen, KeyCode::Char('g'));
    let rows = shown(&live, &screen, 140, 24);
    assert!(rows[1].contains("each of 2 registries"), "{}", rows[1]);
    assert_eq!(figures(&rows, "gemm in 1")[..3], ["4", "100", "%"]);
    assert_eq!(figures(&rows, "gemm in 2")[..3], ["4", "0", "%"]);
}

#[test]
fn creations_of_stored_artifacts_are_counted_apart() {
    let line = |loaded: bool| {
        let created = ResourceCreated {
            cache: "gemm".into(),
            cache_key: "gemm:k".into(),
            duration_ns: 10,
            own_duration_ns: 10,
            outcome: CreationOutcome::Created,
            error: None,
            bytes: 0,
            loaded,
        };
        serde_json::to_string(&Event::at(START, created)).expect("it has a JSON form") + "\n"
    };
    let mut live = Live::default();
    live.feed((line(true) + &line(true) + &line(false)).as_bytes(), 0);
    let rows = shown(&live, &Screen::default(), 140, 24);
    let end = rows[2].find("loads/s").expect("there is such a column") + "loads/s".len();
    let row = &rows[row_of(&rows, "gemm")];
    assert!(row.chars().take(end).collect::<String>().ends_with(" 2"), "{row}");
}

#[test]
fn a_header_without_a_time_is_not_of_this_moment() {
    let header = LogOpened {
        program: "engine".to_owned(),
        version: None,
        library: "0.1.0".into(),
        process_id: 1,
        opened_unix_ns: START + 500 * SECOND,
        rotations: 0,
        devices: Vec::new(),
    };
    let header = serde_json::to_string(&Event::new(header)).expect("it has a JSON form") + "\n";
    let mut live = Live::default();
    live.feed((header + &access("gemm", true, START)).as_bytes(), START + 1000 * SECOND);
    let rows = shown(&live, &Screen::default(), 140, 24);
    assert_eq!(figures(&rows, "gemm")[0], "1");
}

#[test]
fn a_cache_that_did_nothing_of_late_has_no_rate_though_the_log_stopped() {
    let mut live = Live::default();
    live.feed((access("gemm", true, START) + &access("add", true, START + 100 * SECOND)).as_bytes(), 0);
    let rows = shown(&live, &Screen::default(), 140, 24);
    assert_eq!((&*figures(&rows, "gemm")[0], &*figures(&rows, "add")[0]), ("0", "0.1"));
}
