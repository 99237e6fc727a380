//! The form of figures in tables and plots.

use std::collections::{HashMap, HashSet};

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// A count with its thousands apart: `1_234_567`, as it can be pasted into code.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('_');
        }
        text.push(digit);
    }
    text
}

/// A time given in nanoseconds, to three or four digits in a unit that suits it.
pub(crate) fn nanoseconds(ns: f64) -> String {
    let (value, unit) = match ns {
        _ if ns < 1e3 => return format!("{ns:.0} ns"),
        _ if ns < 1e6 => (ns / 1e3, "µs"),
        _ if ns < 1e9 => (ns / 1e6, "ms"),
        _ if ns < 60e9 => (ns / 1e9, "s"),
        _ if ns < 3600e9 => (ns / 60e9, "min"),
        _ => (ns / 3600e9, "h"),
    };
    if value < 10.0 {
        format!("{value:.2} {unit}")
    } else if value < 100.0 {
        format!("{value:.1} {unit}")
    } else {
        format!("{value:.0} {unit}")
    }
}

/// A sum that stops at the end of its range: the figures of a log may be anything.
pub(crate) fn total(figures: impl IntoIterator<Item = u64>) -> u64 {
    figures.into_iter().fold(0, u64::saturating_add)
}

/// A count of things: `1 miss`, `2 misses`.
pub(crate) fn counted(n: u64, one: &str, several: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { several })
}

/// A number of lines, in words.
pub(crate) fn lines_text(n: u64) -> String {
    counted(n, "line", "lines")
}

/// A count in four characters or so: `1.2 k`, `34 M`.
pub(crate) fn short_count(n: f64) -> String {
    let (value, unit) = match n {
        _ if n < 1e3 => (n, ""),
        _ if n < 1e6 => (n / 1e3, " k"),
        _ if n < 1e9 => (n / 1e6, " M"),
        _ => (n / 1e9, " G"),
    };
    let digits = usize::from(value < 10.0 && value.fract().abs() > 0.049);
    format!("{value:.digits$}{unit}")
}

/// A size in bytes.
pub(crate) fn bytes(n: u64) -> String {
    let (value, unit) = match n as f64 {
        n if n < 1024.0 => return format!("{n:.0} B"),
        n if n < 1024.0 * 1024.0 => (n / 1024.0, "KiB"),
        n if n < 1024.0 * 1024.0 * 1024.0 => (n / (1024.0 * 1024.0), "MiB"),
        n => (n / (1024.0 * 1024.0 * 1024.0), "GiB"),
    };
    let digits = usize::from(value < 10.0);
    format!("{value:.digits$} {unit}")
}

/// Reads a size in bytes: a number, or one with K, M, G or T behind it, which may be spelled `KiB` and so on.
pub(crate) fn parse_bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is not a size such as 4096, 64K or 1.5GiB");
    let digits = text.find(|c: char| !matches!(c, '0'..='9' | '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kib" => 10,
        "m" | "mib" => 20,
        "g" | "gib" => 30,
        "t" | "tib" => 40,
        _ => return Err(wrong()),
    };
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(1 << shift).ok_or_else(wrong);
    }
    let bytes = number.parse::<f64>().map_err(|_| wrong())? * (1_u64 << shift) as f64;
    // A part of a byte means nothing, and beyond this the conversion would round.
    if shift > 0 && bytes < 9e15 { Ok(bytes as u64) } else { Err(wrong()) }
}

/// A duration given in nanoseconds.
pub(crate) fn duration(ns: u64) -> String {
    if ns == 0 { "0 s".to_owned() } else { nanoseconds(ns as f64) }
}

/// A duration on a round number of its unit, as on the axis of a plot: `500 ms`, `2 min`, `90 s`.
pub(crate) fn round_duration(ns: u64) -> String {
    const UNITS: [(u64, &str); 7] = [
        (86_400_000_000_000, "d"),
        (3_600_000_000_000, "h"),
        (60_000_000_000, "min"),
        (1_000_000_000, "s"),
        (1_000_000, "ms"),
        (1_000, "µs"),
        (1, "ns"),
    ];
    let whole = |unit: u64| ns >= unit && ns.is_multiple_of(unit);
    match UNITS.iter().find(|(unit, _)| whole(*unit)) {
        Some((unit, name)) => format!("{} {name}", ns / unit),
        None => "0".to_owned(),
    }
}

/// A share, given from 0 to 1, in percent.
pub(crate) fn percent(share: f64) -> String {
    let digits = match share {
        _ if share == 0.0 || share == 1.0 => 0,
        // A rate near 1 is what one wants to see the last digits of.
        _ if share > 0.999 => 3,
        _ if share > 0.99 => 2,
        _ => 1,
    };
    format!("{:.digits$} %", share * 100.0)
}

/// A moment, in UTC, given in nanoseconds since the Unix epoch; `None` before the year 2000, as hand-driven clocks count.
pub(crate) fn utc(ns: u64) -> Option<String> {
    const YEAR_2000: u64 = 946_684_800;
    let seconds = ns / 1_000_000_000;
    if seconds < YEAR_2000 {
        return None;
    }
    let (mut days, second) = (seconds / 86_400, seconds % 86_400);
    // Counted from 1 March of the year 0, so that the leap day is the last of its year.
    days += 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    Some(format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC"))
}

/// Text from a log, so that it cannot steer a terminal and takes one line of at most `width` columns.
pub(crate) fn printable(text: &str, width: usize) -> String {
    let mut safe = String::new();
    for c in text.chars() {
        if c.is_control() || is_bidi_control(c) { safe.extend(c.escape_unicode()) } else { safe.push(c) }
    }
    shortened(&safe, width)
}

/// Text that lost its middle if it takes more than `width` columns: keys of one cache begin alike and often end differently.
pub(crate) fn shortened(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let head = width.saturating_sub(1) * 2 / 3;
    let tail = width.saturating_sub(1) - head;
    let mut end: Vec<char> = fitting(text.chars().rev(), tail).collect();
    end.reverse();
    fitting(text.chars(), head).chain(['…']).chain(end).collect()
}

/// Texts of at most `width` columns each. Those that would be the same without their middles lose what they share, and show what
/// they differ in.
pub(crate) fn shortened_apart<'a>(texts: impl Iterator<Item = &'a str> + Clone, width: usize) -> Vec<String> {
    let by_group = apart_in_groups(texts.clone(), width);
    let distinct = |shorts: &[String]| shorts.iter().collect::<HashSet<_>>().len();
    if distinct(&by_group) == texts.clone().collect::<HashSet<_>>().len() {
        return by_group;
    }
    let long = texts.clone().filter(|text| text.width() > width);
    let shared = from_field(long.reduce(common).unwrap_or_default());
    let without = |text: &str| match text.strip_prefix(shared) {
        Some(rest) if !shared.is_empty() && text.width() > width => {
            format!("…{}", shortened(rest, width.saturating_sub(1)))
        }
        _ => shortened(text, width),
    };
    let by_rest: Vec<String> = texts.map(without).collect();
    if distinct(&by_rest) > distinct(&by_group) { by_rest } else { by_group }
}

/// The texts, those that would be the same without their middles as what they differ in.
fn apart_in_groups<'a>(texts: impl Iterator<Item = &'a str> + Clone, width: usize) -> Vec<String> {
    let mut shared: HashMap<String, &str> = HashMap::new();
    for text in texts.clone() {
        let begin = shared.entry(shortened(text, width)).or_insert(text);
        *begin = common(begin, text);
    }
    let apart = |text: &str| {
        let short = shortened(text, width);
        let begin = shared[&short];
        if begin.len() == text.len() {
            return short;
        }
        let begin = from_field(begin);
        let room = width.saturating_sub(1);
        let least = room / 3;
        let differing = match &text[begin.len()..] {
            whole if whole.width() <= room - least => whole.to_owned(),
            long => fitting(long.chars(), (room - least).saturating_sub(1)).chain(['…']).collect(),
        };
        let head = room.saturating_sub(differing.width());
        fitting(begin.chars(), head).chain(['…']).chain(differing.chars()).collect()
    };
    texts.map(apart).collect()
}

/// The beginning that both share.
fn common<'a>(one: &'a str, other: &str) -> &'a str {
    let same = one.chars().zip(other.chars()).take_while(|(a, b)| a == b);
    &one[..same.map(|(c, _)| c.len_utf8()).sum()]
}

/// The begin of keys that differ from then on, up to the field in which they do.
fn from_field(begin: &str) -> &str {
    &begin[..begin.rfind(|c: char| "{(,".contains(c)).map_or(begin.len(), |place| place + 1)]
}

/// The first characters, as far as they fit into this many columns.
fn fitting(chars: impl Iterator<Item = char>, columns: usize) -> impl Iterator<Item = char> {
    chars.scan(columns, |left, c| {
        *left = left.checked_sub(c.width().unwrap_or(0))?;
        Some(c)
    })
}

fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_differ_in_several_fields_are_told_apart_where_there_is_room() {
        let key = |m: u32, n: u32| {
            format!(
                "gemm:GemmKey{{m:RowBucket({m}),n:{n},k:512,transpose_a:false,transpose_b:true,dtype:F32}}"
            )
        };
        let keys: Vec<String> = [8, 16, 128].iter().flat_map(|m| [512, 1536].map(|n| key(*m, n))).collect();
        let shorts = shortened_apart(keys.iter().map(String::as_str), 46);
        assert!(shorts.iter().all(|short| short.width() <= 46), "{shorts:?}");
        assert_eq!(shorts.iter().collect::<HashSet<_>>().len(), keys.len(), "{shorts:?}");
        assert!(shorts[5].starts_with("…128),n:1536,"), "{shorts:?}");
    }

    #[test]
    fn times_have_a_unit_that_suits_them() {
        let cases =
            [(0.0, "0 ns"), (1500.0, "1.50 µs"), (12.3e6, "12.3 ms"), (2e9, "2.00 s"), (90e9, "1.50 min")];
        for (ns, text) in cases {
            assert_eq!(nanoseconds(ns), text);
        }
    }

    #[test]
    fn counts_are_short() {
        let cases = [(0.0, "0"), (999.0, "999"), (1200.0, "1.2 k"), (2000.0, "2 k"), (34_000_000.0, "34 M")];
        for (n, text) in cases {
            assert_eq!(short_count(n), text);
        }
    }

    #[test]
    fn sizes_have_a_unit_that_suits_them() {
        let cases =
            [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (100 << 20, "100 MiB"), (3 << 30, "3.0 GiB")];
        for (n, text) in cases {
            assert_eq!(bytes(n), text);
        }
    }

    #[test]
    fn sizes_are_read_as_they_are_written() {
        let cases =
            [("0", 0), ("4096", 4096), ("64K", 65536), ("1.5GiB", 3 << 29), ("2 MiB", 2 << 20), ("1b", 1)];
        for (text, bytes) in cases {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
        for wrong in ["", "K", "-1", "1.5", "1e9", "1.2.3K", "99999999999G", "1 MB/s", "NaN"] {
            assert!(parse_bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn round_durations_are_in_the_largest_unit_that_fits() {
        let cases = [(0, "0"), (90_000_000_000, "90 s"), (120_000_000_000, "2 min"), (500_000_000, "500 ms")];
        for (ns, text) in cases {
            assert_eq!(round_duration(ns), text);
        }
    }

    #[test]
    fn moments_are_those_of_the_calendar() {
        let second = 1_000_000_000;
        assert_eq!(utc(1_709_210_096 * second).unwrap(), "2024-02-29 12:34:56 UTC");
        assert_eq!(utc(1_735_689_599 * second).unwrap(), "2024-12-31 23:59:59 UTC");
        assert_eq!(utc(1_735_689_600 * second).unwrap(), "2025-01-01 00:00:00 UTC");
        assert_eq!(utc(5 * second), None);
        assert!(utc(u64::MAX).is_some());
    }

    #[test]
    fn rates_near_one_are_told_apart() {
        let cases =
            [(0.5, "50.0 %"), (0.9987, "99.87 %"), (0.99995, "99.995 %"), (1.0, "100 %"), (0.0, "0 %")];
        for (share, text) in cases {
            assert_eq!(percent(share), text);
        }
    }

    #[test]
    fn text_of_a_log_cannot_steer_the_terminal() {
        assert_eq!(printable("a\u{1b}[31m\nb\u{202e}", 40), "a\\u{1b}[31m\\u{a}b\\u{202e}");
    }

    #[test]
    fn long_text_loses_its_middle() {
        assert_eq!(printable("0123456789", 10), "0123456789");
        assert_eq!(printable("0123456789abcdef", 10), "012345…def");
    }
}
