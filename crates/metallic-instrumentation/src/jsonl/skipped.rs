//! What a reader passed over, and why.

use std::collections::BTreeMap;
use std::fmt;

/// The lines a [`JsonlReader`](super::JsonlReader) passed over so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Skipped {
    /// Last lines without an end, as a crash or a full disk leaves them. At most 1.
    pub torn: u64,
    /// Lines that are not events: not JSON, not an object with `type`, or `data` that does not fit the type.
    pub malformed: u64,
    /// Lines that are not UTF-8.
    pub invalid_utf8: u64,
    /// Lines longer than [`JsonlReader::MAX_LINE`](super::JsonlReader::MAX_LINE).
    pub too_long: u64,
    /// Lines without text.
    pub blank: u64,
    /// Events of types this version does not know.
    pub unknown_type: u64,
    /// How many there were of each of those types, for the first [`Skipped::DETAILS`] of them.
    pub unknown_types: BTreeMap<String, u64>,
    /// The first [`Skipped::DETAILS`] lines, blank ones not among them.
    pub first: Vec<SkippedLine>,
}

/// A line that was passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SkippedLine {
    /// Its number; the first line is 1.
    pub line: u64,
    /// Why.
    pub reason: SkipReason,
    /// The parser's message or the name of the type, shortened; empty if there is nothing to add.
    pub detail: String,
}

/// Why a line was passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SkipReason {
    /// [`Skipped::torn`].
    Torn,
    /// [`Skipped::malformed`].
    Malformed,
    /// [`Skipped::invalid_utf8`].
    InvalidUtf8,
    /// [`Skipped::too_long`].
    TooLong,
    /// [`Skipped::blank`].
    Blank,
    /// [`Skipped::unknown_type`].
    UnknownType,
}

impl Skipped {
    /// How many lines and types are described in full: a log of nothing but foreign lines must not fill the memory.
    pub const DETAILS: usize = 16;

    /// Longest detail and longest type name kept, in bytes.
    const DETAIL_LEN: usize = 200;

    /// All the lines passed over, whatever the reason.
    pub fn total(&self) -> u64 {
        self.torn + self.malformed + self.invalid_utf8 + self.too_long + self.blank + self.unknown_type
    }

    pub(super) fn add(&mut self, line: u64, reason: SkipReason, detail: impl fmt::Display) {
        *match reason {
            SkipReason::Torn => &mut self.torn,
            SkipReason::Malformed => &mut self.malformed,
            SkipReason::InvalidUtf8 => &mut self.invalid_utf8,
            SkipReason::TooLong => &mut self.too_long,
            SkipReason::Blank => &mut self.blank,
            SkipReason::UnknownType => &mut self.unknown_type,
        } += 1;
        if reason != SkipReason::Blank && self.first.len() < Self::DETAILS {
            self.first.push(SkippedLine { line, reason, detail: shortened(&detail.to_string()).to_owned() });
        }
    }

    pub(super) fn add_unknown(&mut self, line: u64, name: &str) {
        self.add(line, SkipReason::UnknownType, name);
        let name = shortened(name);
        if let Some(count) = self.unknown_types.get_mut(name) {
            *count += 1;
        } else if self.unknown_types.len() < Self::DETAILS {
            self.unknown_types.insert(name.to_owned(), 1);
        }
    }
}

fn shortened(text: &str) -> &str {
    let most = text.len().min(Skipped::DETAIL_LEN);
    let end = (0..=most).rev().find(|at| text.is_char_boundary(*at));
    &text[..end.unwrap_or(0)]
}

impl fmt::Display for SkippedLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)?;
        if self.detail.is_empty() { Ok(()) } else { write!(f, ": {}", self.detail) }
    }
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Torn => "torn",
            Self::Malformed => "not an event",
            Self::InvalidUtf8 => "not UTF-8",
            Self::TooLong => "too long",
            Self::Blank => "blank",
            Self::UnknownType => "unknown type",
        })
    }
}
