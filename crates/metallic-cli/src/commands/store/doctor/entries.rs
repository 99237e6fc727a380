use std::time::{Duration, SystemTime, UNIX_EPOCH};

use metallic_store::{ArtifactStore, DiskStore, EntryInfo, FormatError, MissCause};

use super::finding::Finding;
use crate::units::counted;

/// Findings in the headers of a store's entries, and in the payloads of some.
#[derive(Default)]
pub(super) struct Entries {
    pub(super) readable: Vec<EntryInfo>,
    /// Those of them that were read to the end, and are whole.
    whole: usize,
    other_secret: usize,
    no_secret: usize,
    damaged: usize,
    first_cause: Option<MissCause>,
}

/// Clocks that differ by less are taken to agree.
const SKEW: Duration = Duration::from_secs(60);

/// The most entries, and bytes of them, that are read to the end: a fraction of a second.
const SAMPLE: usize = 256;
const SAMPLE_BYTES: u64 = 32 << 20;

impl Entries {
    pub(super) fn of(store: &DiskStore) -> Result<Self, MissCause> {
        let mut entries = Self::default();
        for id in store.ids(None)? {
            match store.info(&id) {
                Ok(info) => entries.readable.push(info),
                Err(MissCause::Absent) => {}
                Err(MissCause::Damaged(FormatError::MacMismatch)) => entries.other_secret += 1,
                Err(MissCause::Damaged(FormatError::MacMissing)) => entries.no_secret += 1,
                Err(cause) => entries.is_damaged(cause),
            }
        }
        entries.read_sample(store);
        Ok(entries)
    }

    /// Reads entries to the end: in the order of their names, which are digests, and so of all kinds.
    fn read_sample(&mut self, store: &DiskStore) {
        let mut readable = std::mem::take(&mut self.readable);
        readable.sort_by_key(|info| info.id.identity());
        let (mut number, mut left) = (0, SAMPLE_BYTES);
        readable.retain(|info| {
            if number == SAMPLE || info.bytes > left {
                return true;
            }
            number += 1;
            left -= info.bytes;
            match store.verify(&info.id) {
                Ok(_) => self.whole += 1,
                Err(MissCause::Absent) => {}
                Err(cause) => {
                    self.is_damaged(cause);
                    return false;
                }
            }
            true
        });
        self.readable = readable;
    }

    fn is_damaged(&mut self, cause: MissCause) {
        self.damaged += 1;
        self.first_cause.get_or_insert(cause);
    }

    fn all(&self) -> usize {
        self.readable.len() + self.other_secret + self.no_secret + self.damaged
    }

    /// Finds out whether the secret is that of the entries.
    pub(super) fn secret(&self, has_secret: bool) -> Finding {
        const CHECK: &str = "secret";
        let all = self.all();
        let refused = self.other_secret + self.no_secret;
        let authenticated = self.readable.iter().filter(|info| info.is_authenticated).count();
        if !has_secret {
            return match authenticated {
                0 => Finding::ok(CHECK, "none is set: digests protect from accidents, not from an attacker"),
                _ => Finding::warning(
                    CHECK,
                    format!(
                        "none is set, and {authenticated} of {all} entries were written with one: they are not authenticated"
                    ),
                    "Set METALLIC_STORE_SECRET to what the writers have.",
                ),
            };
        }
        if refused == 0 {
            return Finding::ok(CHECK, format!("all {all} entries are authenticated by it"));
        }
        let detail = format!(
            "{refused} of {all} entries are refused: {} by another secret, {} without one",
            self.other_secret, self.no_secret
        );
        let advice =
            "Is METALLIC_STORE_SECRET that of the other programs? Entries of an old one are evicted in time.";
        match self.readable.len() {
            0 => Finding::failure(CHECK, detail, advice),
            _ => Finding::warning(CHECK, detail, advice),
        }
    }

    /// Finds out whether the headers are those of entries, and the payloads theirs.
    pub(super) fn damage(&self) -> Finding {
        match &self.first_cause {
            None if self.whole == self.all() => {
                let detail = match self.whole {
                    1 => "the only one is whole".to_owned(),
                    whole => format!("all {whole} are whole"),
                };
                Finding::ok("entries", detail)
            }
            None => Finding::ok(
                "entries",
                format!(
                    "{} headers are right, and the {} entries that were read to the end are whole; `metallic store verify` reads all",
                    self.all(),
                    self.whole
                ),
            ),
            Some(cause) => Finding::warning(
                "entries",
                format!("{} of {} cannot be used, the first: {cause}", self.damaged, self.all()),
                "They are made again when needed; `metallic store verify` lists them.",
            ),
        }
    }

    /// Finds out whether any entry is from the future.
    pub(super) fn clock(&self, now: SystemTime) -> Finding {
        let limit = now + SKEW;
        let is_ahead = |info: &EntryInfo| {
            let written = UNIX_EPOCH.checked_add(Duration::from_secs(info.written));
            written.is_none_or(|written| written > limit) || info.used.is_some_and(|used| used > limit)
        };
        match self.readable.iter().filter(|info| is_ahead(info)).count() {
            0 => Finding::ok("clock", "no entry is from the future"),
            ahead => Finding::warning(
                "clock",
                format!(
                    "{} from the future: this clock went back, or another machine's is ahead. To eviction \
                     they are as old as they are ahead",
                    counted(ahead as u64, "entry is", "entries are")
                ),
                "Let the machines keep their time by NTP.",
            ),
        }
    }
}
