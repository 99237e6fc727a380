//! The input of a replay: logs of metallic, and traces in three other formats.

use std::io::{BufRead, BufReader};
use std::path::Path;

use rustc_hash::FxHashMap;

use super::recording::{Recorder, Recording};
use super::trace::{Access, Trace};
use crate::args::{ReplayArgs, TraceFormat};
use crate::error::Error;
use crate::input::{LogReader, SkippedIn, Source, sources};
use crate::progress::Progress;

/// Everything that was read.
#[derive(Debug)]
pub struct Input {
    /// The format it was read as; never [`TraceFormat::Auto`].
    pub format: TraceFormat,
    /// The files that were read, in their order; `-` is standard input.
    pub files: Vec<String>,
    /// One for each cache of each registry; a trace in another format than a log is one cache.
    pub recordings: Vec<Recording>,
    /// Events that the exporter says are missing from the log, of whichever cache.
    pub dropped: u64,
    /// Lines that are not events.
    pub skipped: Vec<SkippedIn>,
    /// The first line of a CSV file, if it was taken for titles without being asked for one.
    pub titles: Option<String>,
}

/// Reads what the arguments name.
///
/// # Errors
/// A file cannot be read, or a line of a trace is not of its format.
pub fn load(args: &ReplayArgs) -> Result<Input, Error> {
    let sources = sources(&args.logs)?;
    let progress = Progress::bytes(sources.iter().map(Source::len).sum());
    let files: Vec<String> = sources.iter().map(|source| source.name().to_owned()).collect();
    let mut sources = sources.into_iter();
    let Some(first) = sources.next() else {
        return Err(Error::Usage("no log is named".to_owned()));
    };
    let mut reader = first.open(&progress)?;
    skip_mark(&first, &mut reader)?;
    let format = match args.format {
        TraceFormat::Auto => {
            let start = reader.fill_buf().map_err(|error| Error::file(first.name(), error))?;
            seen_from(first.name(), start)
        }
        format => format,
    };
    if args.column.is_some() && format != TraceFormat::Csv {
        return Err(Error::Usage("--column is for CSV files: add --format csv".to_owned()));
    }
    if format == TraceFormat::Jsonl {
        return load_log(LogReader::starting_with(first.name(), reader, sources.collect(), progress));
    }
    let mut keys = KeyTrace::new(cache_name(first.name()));
    let mut titles = None;
    let mut next = Some((first, reader));
    while let Some((source, reader)) = next.take() {
        let of_source = read_trace(&source, reader, format, args.column.as_deref(), &mut keys)?;
        titles = titles.or(of_source);
        if let Some(source) = sources.next() {
            let mut reader = source.open(&progress)?;
            skip_mark(&source, &mut reader)?;
            next = Some((source, reader));
        }
    }
    progress.finish();
    let recordings = vec![Recording { trace: keys.finish(), ..Recording::default() }];
    Ok(Input { format, files, recordings, dropped: 0, skipped: Vec::new(), titles })
}

/// Skips the mark of the byte order, which some editors write.
fn skip_mark(source: &Source, reader: &mut dyn BufRead) -> Result<(), Error> {
    const MARK: &[u8] = "\u{feff}".as_bytes();
    let start = reader.fill_buf().map_err(|error| Error::file(source.name(), error))?;
    if start.starts_with(MARK) {
        reader.consume(MARK.len());
    }
    Ok(())
}

fn load_log(mut log: LogReader) -> Result<Input, Error> {
    let mut recorder = Recorder::default();
    while let Some(event) = log.next().transpose()? {
        recorder.record(event);
        if let Some(cause) = recorder.obstacle() {
            let (file, line) = log.position();
            return Err(Error::Line { file: file.to_owned(), line, cause: cause.to_owned() });
        }
    }
    let (recordings, dropped) = recorder.finish();
    let (files, skipped) = (log.files().to_vec(), log.skipped().to_vec());
    Ok(Input { format: TraceFormat::Jsonl, files, recordings, dropped, skipped, titles: None })
}

/// The format of a file with this name that begins with these bytes.
fn seen_from(name: &str, start: &[u8]) -> TraceFormat {
    let name = Path::new(name.strip_suffix(".zst").unwrap_or(name));
    match name.extension().and_then(|extension| extension.to_str()) {
        Some("jsonl" | "ndjson") => return TraceFormat::Jsonl,
        Some("csv") => return TraceFormat::Csv,
        Some("lis") => return TraceFormat::Arc,
        _ => {}
    }
    let line = start.split(|byte| *byte == b'\n').find(|line| !line.trim_ascii().is_empty()).unwrap_or(b"");
    if line.trim_ascii_start().starts_with(b"{") {
        TraceFormat::Jsonl
    } else if arc_line(line).is_ok() {
        TraceFormat::Arc
    } else {
        TraceFormat::Keys
    }
}

/// The most blocks of one request in the ARC format: more are a damaged line, and would fill the memory.
const MAX_BLOCKS: u64 = 1 << 20;

fn cache_name(file: &str) -> String {
    Path::new(file).file_name().map_or_else(|| file.to_owned(), |name| name.to_string_lossy().into_owned())
}

/// Returns the first line, if it was taken for titles.
fn read_trace(
    source: &Source,
    reader: Box<dyn BufRead>,
    format: TraceFormat,
    column: Option<&str>,
    keys: &mut KeyTrace,
) -> Result<Option<String>, Error> {
    let failed = |line, cause: String| Error::Line { file: source.name().to_owned(), line, cause };
    if format == TraceFormat::Csv {
        return read_csv(reader, column, keys, failed);
    }
    let mut reader = reader;
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        if reader.read_until(b'\n', &mut line).map_err(|error| failed(number, error.to_string()))? == 0 {
            break;
        }
        let text = line.trim_ascii();
        if text.is_empty() {
        } else if format == TraceFormat::Arc {
            let [start, count, ..] = arc_line(text).map_err(|cause| failed(number, cause.to_owned()))?;
            if count > MAX_BLOCKS {
                let cause = format!("a request of {count} blocks; at most {MAX_BLOCKS} are read");
                return Err(failed(number, cause));
            }
            for block in start..start.saturating_add(count) {
                keys.push(&block.to_le_bytes()).map_err(|cause| failed(number, cause.to_owned()))?;
            }
        } else {
            keys.push(text).map_err(|cause| failed(number, cause.to_owned()))?;
        }
    }
    Ok(None)
}

/// The four numbers of a line: start block, count, ignored, request number.
fn arc_line(line: &[u8]) -> Result<[u64; 4], &'static str> {
    const CAUSE: &str = "not four numbers: start block, count, ignored, request number";
    let text = str::from_utf8(line).map_err(|_| CAUSE)?;
    let mut numbers = text.split_ascii_whitespace().map(|word| word.parse().map_err(|_| CAUSE));
    let mut next = || numbers.next().unwrap_or(Err(CAUSE));
    let four = [next()?, next()?, next()?, next()?];
    if numbers.next().is_some() { Err(CAUSE) } else { Ok(four) }
}

fn read_csv(
    reader: Box<dyn BufRead>,
    column: Option<&str>,
    keys: &mut KeyTrace,
    failed: impl Fn(u64, String) -> Error,
) -> Result<Option<String>, Error> {
    let number = column.map_or(Some(1), |column| column.parse::<usize>().ok());
    let mut csv = csv::ReaderBuilder::new()
        .has_headers(number.is_none())
        .flexible(true)
        .from_reader(BufReader::new(reader));
    let at = match (number, column) {
        (Some(0), _) => return Err(Error::Usage("--column: the first column is 1".to_owned())),
        (Some(number), _) => number - 1,
        (None, title) => {
            let titles = csv.byte_headers().map_err(|error| failed(1, error.to_string()))?;
            let title = title.unwrap_or_default();
            titles
                .iter()
                .position(|other| other.trim_ascii() == title.as_bytes())
                .ok_or_else(|| failed(1, format!("no column has the title `{title}`")))?
        }
    };
    // The first line, until the second says whether it has titles.
    let mut first: Option<csv::ByteRecord> = None;
    let mut titles = None;
    let mut push = |record: &csv::ByteRecord, line| {
        let key = record.get(at).ok_or_else(|| failed(line, format!("no column {}", at + 1)))?;
        keys.push(key).map_err(|cause| failed(line, cause.to_owned()))
    };
    let mut record = csv::ByteRecord::new();
    for count in 0_u64.. {
        let line = csv.position().line();
        if !csv.read_byte_record(&mut record).map_err(|error| failed(line, error.to_string()))? {
            break;
        }
        let line = record.position().map_or(line, csv::Position::line);
        if count == 0 && number.is_some() {
            first = Some(record.clone());
            continue;
        }
        if let Some(first) = first.take() {
            if is_titles(&first, &record) {
                titles = Some(first.iter().map(String::from_utf8_lossy).collect::<Vec<_>>().join(","));
            } else {
                push(&first, 1)?;
            }
        }
        push(&record, line)?;
    }
    if let Some(only) = first {
        push(&only, 1)?;
    }
    Ok(titles)
}

/// Returns `true` if a column has a number in the second line and none in the first.
fn is_titles(first: &csv::ByteRecord, second: &csv::ByteRecord) -> bool {
    let is_number = |field: &[u8]| {
        str::from_utf8(field).is_ok_and(|text| text.trim().parse::<f64>().is_ok_and(f64::is_finite))
    };
    let all_words = first.iter().all(|field| !field.trim_ascii().is_empty() && !is_number(field));
    all_words && second.iter().any(is_number)
}

/// A trace that is nothing but keys.
struct KeyTrace {
    trace: Trace,
    ids: FxHashMap<Box<[u8]>, u32>,
}

impl KeyTrace {
    fn new(name: String) -> Self {
        Self { trace: Trace::new(name), ids: FxHashMap::default() }
    }

    fn push(&mut self, key: &[u8]) -> Result<(), &'static str> {
        let id = match self.ids.get(key) {
            Some(id) => *id,
            None => {
                let id = self.ids.len() as u32;
                self.ids.insert(key.into(), id);
                id
            }
        };
        self.trace.push(Access { key: id, fails: false, hit: false }, None, None);
        self.trace.obstacle().map_or(Ok(()), Err)
    }

    fn finish(mut self) -> Trace {
        self.trace.finish(Vec::new());
        self.trace
    }
}

/// The arguments for these logs, for tests.
#[cfg(test)]
pub(super) fn args(logs: &[&Path]) -> ReplayArgs {
    ReplayArgs {
        logs: logs.iter().map(|path| path.to_path_buf()).collect(),
        points: 12,
        ..ReplayArgs::default()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::{TraceFormat, args, load, seen_from};

    fn keys_of(name: &str, content: &str, column: Option<&str>) -> Result<Vec<u32>, String> {
        let dir = tempfile::tempdir().unwrap();
        let path: PathBuf = dir.path().join(name);
        fs::write(&path, content).unwrap();
        let args = super::ReplayArgs { column: column.map(str::to_owned), ..args(&[&path]) };
        let mut input =
            load(&args).map_err(|error| error.to_string().replace(path.to_str().unwrap(), name))?;
        assert_eq!(input.recordings.len(), 1);
        Ok(input.recordings.remove(0).trace.accesses().map(|access| access.key).collect())
    }

    #[test]
    fn the_format_is_seen_from_the_name_or_the_first_line() {
        let cases = [
            ("a.jsonl.zst", "", TraceFormat::Jsonl),
            ("-", "\n  {\"type\":", TraceFormat::Jsonl),
            ("a.csv", "1 2 3 4", TraceFormat::Csv),
            ("trace", "100 3 0 1\n", TraceFormat::Arc),
            ("OLTP.lis", "", TraceFormat::Arc),
            ("trace", "100\n", TraceFormat::Keys),
            ("trace", "a key with spaces\n", TraceFormat::Keys),
        ];
        for (name, start, format) in cases {
            assert_eq!(seen_from(name, start.as_bytes()), format, "{name} {start}");
        }
    }

    #[test]
    fn a_text_file_has_one_key_a_line() {
        assert_eq!(keys_of("t", "a b\n\n c\r\na b\nd", None), Ok(vec![0, 1, 0, 2]));
        assert_eq!(keys_of("t", "\u{feff}a\nb\na\n", None), Ok(vec![0, 1, 0]));
        assert_eq!(keys_of("t", "\u{feff}100 3 0 1\n", None), Ok(vec![0, 1, 2]));
    }

    #[test]
    fn a_line_of_the_arc_format_is_a_run_of_blocks() {
        assert_eq!(keys_of("t.lis", "10 3 0 1\n11 1 0 2\n9 2 0 3\n", None), Ok(vec![0, 1, 2, 1, 3, 0]));
        let cause = "not four numbers: start block, count, ignored, request number";
        assert_eq!(keys_of("t.lis", "10 3 0 1\n11 x 0 2\n", None), Err(format!("t.lis:2: {cause}")));
        let cause = "a request of 1000000000000 blocks; at most 1048576 are read";
        assert_eq!(keys_of("t.lis", "5 1000000000000 0 1\n", None), Err(format!("t.lis:1: {cause}")));
    }

    #[test]
    fn a_csv_file_has_the_key_in_a_column() {
        let content = "time,key\n1,\"a,b\"\n2,c\n3,\"a,b\"\n";
        assert_eq!(keys_of("t.csv", content, Some("key")), Ok(vec![0, 1, 0]));
        // Seen to be titles by the numbers below one of them.
        assert_eq!(keys_of("t.csv", content, Some("2")), Ok(vec![0, 1, 0]));
        assert_eq!(keys_of("t.csv", content, None), Ok(vec![0, 1, 2]));
        assert_eq!(keys_of("t.csv", "a,b\nc,d\n", Some("2")), Ok(vec![0, 1]));
        assert_eq!(keys_of("t.csv", "7,b\n7,d\n", None), Ok(vec![0, 0]));
        assert_eq!(keys_of("t.csv", "key\n", None), Ok(vec![0]));
        assert_eq!(
            keys_of("t.csv", content, Some("keys")),
            Err("t.csv:1: no column has the title `keys`".into())
        );
        assert_eq!(keys_of("t.csv", "a,b\nc\n", Some("2")), Err("t.csv:2: no column 2".into()));
    }
}
