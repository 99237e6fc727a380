//! The screen of `metallic top`.

use metallic_cli::commands::top::{Live, Screen, Sort, draw};
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
