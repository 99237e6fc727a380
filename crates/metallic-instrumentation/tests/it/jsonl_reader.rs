use std::io::{self, BufReader, ErrorKind, Read};

use metallic_instrumentation::{Event, EventData, JsonlReader, SkipReason, Skipped};

use crate::samples::{access, line, one_of_each};

fn read(log: impl AsRef<[u8]>) -> (Vec<Event>, Skipped) {
    let mut reader = JsonlReader::new(log.as_ref());
    let events = reader.by_ref().map(Result::unwrap).collect();
    (events, reader.skipped().clone())
}

#[test]
fn a_torn_last_line_is_skipped_and_named() {
    for torn_at in 1..line(1).len() - 2 {
        let (events, skipped) = read(line(0) + &line(1)[..torn_at]);
        assert_eq!(events, [access(0)], "torn after {torn_at} bytes");
        assert_eq!((skipped.torn, skipped.total()), (1, 1));
        assert_eq!((skipped.first[0].line, skipped.first[0].reason), (2, SkipReason::Torn));
    }
}

#[test]
fn a_last_line_that_lacks_only_its_end_is_an_event() {
    let (events, skipped) = read(line(0) + line(1).trim_end());
    assert_eq!(events, [access(0), access(1)]);
    assert_eq!(skipped.total(), 0);
}

#[test]
fn events_of_unknown_types_are_skipped_and_counted_by_name() {
    let newer = concat!(r#"{"type":"GraphCompiled","data":[1,{"a":"b"}],"timestamp":3}"#, "\n");
    let without_data = concat!(r#"{"type":"Heartbeat"}"#, "\n");
    let (events, skipped) = read([newer, &line(0), newer, without_data, &line(1)].concat());
    assert_eq!(events, [access(0), access(1)]);
    assert_eq!((skipped.unknown_type, skipped.total()), (3, 3));
    assert!(
        skipped
            .unknown_types
            .iter()
            .map(|(name, &count)| (&**name, count))
            .eq([("GraphCompiled", 2), ("Heartbeat", 1)])
    );
    assert_eq!(skipped.first[1].to_string(), "line 3: unknown type: GraphCompiled");
}

#[test]
fn lines_that_are_no_events_are_skipped_and_say_why() {
    let bad = [
        "INFO starting up",
        "[1,2]",
        "null",
        r#"{"kind":"ResourceCacheAccess"}"#,
        r#"{"type":"ResourceCacheAccess"}"#,
        r#"{"type":"ResourceCacheAccess","data":{"cache_key":"a","hit":"yes","bytes":0}}"#,
        r#"{"type":"EventsDropped","data":{"count":-1}}"#,
        r#"{"type":"EventsDropped","data":{"count":1}} trailing"#,
    ];
    let (events, skipped) = read(bad.map(|bad| format!("{bad}\n{}", line(0))).concat());
    assert_eq!(events, vec![access(0); bad.len()]);
    assert_eq!((skipped.malformed, skipped.total()), (bad.len() as u64, bad.len() as u64));
    assert!(skipped.first.iter().map(|skipped| skipped.line).eq((1..).step_by(2).take(bad.len())));
    assert_eq!(
        skipped.first[4].detail,
        "ResourceCacheAccess: invalid type: null, expected struct ResourceCacheAccess at line 1 column 4"
    );
}

#[test]
fn blank_lines_and_carriage_returns_do_not_disturb() {
    let (events, skipped) = read(format!("\n{}\r\n  \t\r\n{}\n", line(0).trim_end(), line(1)));
    assert_eq!(events, [access(0), access(1)]);
    assert_eq!((skipped.blank, skipped.total()), (3, 3));
    assert_eq!(skipped.first, []);
}

#[test]
fn a_line_that_is_not_utf_8_is_skipped() {
    let mut log = line(0).into_bytes();
    log.extend(b"{\"type\":\"\xff\xfe\"}\n");
    log.extend(line(1).bytes());
    let (events, skipped) = read(log);
    assert_eq!(events, [access(0), access(1)]);
    assert_eq!((skipped.invalid_utf8, skipped.total()), (1, 1));
}

#[test]
fn a_line_too_long_is_skipped_without_holding_it() {
    const MAX: usize = JsonlReader::<&[u8]>::MAX_LINE;
    let padded =
        |len: usize| line(0).trim_end().to_owned() + &" ".repeat(len - line(0).trim_end().len()) + "\n";
    let (events, skipped) = read(padded(MAX) + &padded(MAX + 1) + &padded(5 * MAX) + &line(1));
    assert_eq!(events, [access(0), access(1)]);
    assert_eq!((skipped.too_long, skipped.total()), (2, 2));
    assert!(skipped.first.iter().map(|skipped| skipped.line).eq([2, 3]));

    // A gigabyte without a line break, held nowhere.
    let endless = io::repeat(b'x').take(1 << 30).chain("\n".as_bytes());
    let mut reader = JsonlReader::new(BufReader::new(endless.chain(io::Cursor::new(line(1)))));
    assert!(reader.by_ref().map(Result::unwrap).eq([access(1)]));
    assert_eq!((reader.skipped().too_long, reader.lines()), (1, 2));
}

#[test]
fn fields_in_another_order_and_unknown_fields_do_not_disturb() {
    let log = r#"{"span":{"id":7},"timestamp":5,"data":{"new":null,"bytes":2,"hit":true,"cache_key":"gemm:GemmKey{m:64}"},"type":"Resource\u0043acheAccess"}"#;
    let (events, skipped) = read(log);
    assert_eq!(events, [Event { timestamp: Some(5), ..access(2) }]);
    assert_eq!(skipped.total(), 0);
}

#[test]
fn a_byte_order_mark_does_not_cost_the_first_event() {
    let (events, skipped) = read(format!("\u{feff}{}{}", line(0), line(1)));
    assert_eq!(events, [access(0), access(1)]);
    assert_eq!(skipped.total(), 0);
    let (events, skipped) = read(line(0) + "\u{feff}" + &line(1));
    assert_eq!(events, [access(0)]);
    assert_eq!(skipped.malformed, 1, "elsewhere it is none");
}

#[test]
fn a_time_is_read_as_other_programs_pass_it_on() {
    let cases = [
        (r#""timestamp":5"#, Some(5), 0),
        (r#""timestamp":5.0"#, Some(5), 0),
        (r#""timestamp":1.7e18"#, Some(1_700_000_000_000_000_000), 0),
        (r#""timestamp":"1732374000000000001""#, Some(1_732_374_000_000_000_001), 0),
        (r#""timestamp":null"#, None, 0),
        (r#""timestamp":"noon""#, None, 1),
        (r#""timestamp":-1"#, None, 1),
        (r#""timestamp":1e300"#, None, 1),
        (r#""timestamp":[5]"#, None, 1),
    ];
    for (field, timestamp, unread) in cases {
        let log = line(1).replace("}}\n", &format!("}},{field}}}\n"));
        let mut reader = JsonlReader::new(log.as_bytes());
        assert_eq!(reader.next().unwrap().unwrap(), Event { timestamp, ..access(1) }, "{field}");
        assert_eq!(reader.unread_fields(), unread, "{field}");
        assert_eq!(reader.skipped().total(), 0);
    }
}

#[test]
fn a_registry_is_a_number_of_32_bits_or_left_out() {
    let cases =
        [("0", Some(0), 0), ("4294967295", Some(u32::MAX), 0), ("4294967296", None, 1), ("[]", None, 1)];
    for (field, registry, unread) in cases {
        let log = line(1).replace("}}\n", &format!("}},\"registry\":{field}}}\n"));
        let mut reader = JsonlReader::new(log.as_bytes());
        assert_eq!(reader.next().unwrap().unwrap(), Event { registry, ..access(1) }, "{field}");
        assert_eq!(reader.unread_fields(), unread, "{field}");
    }
}

#[test]
fn logs_of_the_first_version_are_read() {
    let log = concat!(
        r#"{"type":"ResourceCreated","data":{"cache":"a","cache_key":"a:K","duration_ns":7,"outcome":"created","bytes":1}}"#,
        "\n",
        r#"{"type":"CachePolicyChanged","data":{"cache":"a","strategy":"lru","max_entries":null,"max_idle_ns":5,"min_entries":0}}"#,
        "\n",
    );
    let (events, skipped) = read(log);
    assert_eq!(skipped.total(), 0);
    assert!(matches!(&events[0].data, EventData::ResourceCreated(e) if e.own_duration_ns == 7));
    assert!(matches!(&events[1].data, EventData::CachePolicyChanged(e) if e.max_idle_generations.is_none()));
}

#[test]
fn a_hit_rate_that_is_not_finite_is_read_back_as_nan() {
    let mut event = one_of_each()[1].clone();
    let EventData::ResourceCacheSummary(summary) = &mut event.data else { panic!("not a summary") };
    summary.hit_rate = f64::INFINITY;
    let (events, skipped) = read(serde_json::to_string(&event).unwrap());
    assert!(
        matches!(&events[..], [Event { data: EventData::ResourceCacheSummary(s), .. }] if s.hit_rate.is_nan())
    );
    assert_eq!(skipped.total(), 0);
}

#[test]
fn a_log_of_nothing_but_foreign_lines_does_not_fill_the_memory() {
    let log: String = (0..1000).map(|n| format!("{{\"type\":\"T{n}{}\"}}\n", "x".repeat(1000))).collect();
    let (_, skipped) = read(log);
    assert_eq!(skipped.unknown_type, 1000);
    assert_eq!(skipped.unknown_types.len(), Skipped::DETAILS);
    assert_eq!(skipped.first.len(), Skipped::DETAILS);
    assert!(skipped.first.iter().all(|skipped| skipped.detail.len() <= 200));
}

#[test]
fn an_error_of_the_underlying_reader_is_an_error_and_the_end() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("unplugged"))
        }
    }
    let log = line(0);
    let mut reader = JsonlReader::new(BufReader::new(log.as_bytes().chain(Broken)));
    assert_eq!(reader.next().unwrap().unwrap(), access(0));
    assert_eq!(reader.next().unwrap().unwrap_err().kind(), ErrorKind::Other);
    assert!(reader.next().is_none());
}

#[test]
fn a_log_that_does_not_exist_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(JsonlReader::open(dir.path().join("none")).unwrap_err().kind(), ErrorKind::NotFound);
}
