use std::path::Path;
use std::time::{Duration, SystemTime};

use super::Inner;
use super::file_system::{Access, FileSystem, read_full};
use super::ledger::Ledger;
use crate::format::{HEAD, MAGIC};
use crate::{EntryId, SaveError, StoreAction, profit};

/// An entry as eviction sees it: by its file and the cost in its header, which is not verified for this.
struct Candidate {
    id: EntryId,
    bytes: u64,
    profit: f64,
}

impl Ledger<'_> {
    /// Makes room for `bytes`: counts first, in case the total is too high, and then evicts what is worth least.
    ///
    /// Eviction looks at every entry, and so it goes on to seven eighths of the bound, for the next writes not to do it again.
    pub(super) fn make_room(&mut self, inner: &Inner, bytes: u64) -> Result<(), SaveError> {
        let limit = inner.limit.checked_sub(bytes).ok_or(SaveError::TooLong { bytes, limit: inner.limit })?;
        if self.total() <= limit {
            return Ok(());
        }
        self.count()?;
        if self.total() > limit {
            self.evict_to(inner, limit.min(inner.limit / 8 * 7));
        }
        // A count is stored with whatever is added or subtracted next.
        if self.total() <= limit { Ok(()) } else { Err(SaveError::Full(bytes)) }
    }

    /// Evicts what is worth least until at most `target` bytes are left, and returns the bytes that were evicted.
    pub(super) fn evict_to(&mut self, inner: &Inner, target: u64) -> u64 {
        let now = SystemTime::now();
        let ids = inner.entries(None).unwrap_or_default();
        let mut candidates: Vec<_> = ids.into_iter().filter_map(|id| candidate(inner, id, now)).collect();
        candidates.sort_by(|a, b| a.profit.total_cmp(&b.profit).then(a.id.cmp(&b.id)));
        let mut evicted = 0;
        for Candidate { id, bytes, .. } in candidates {
            if self.total() <= target {
                break;
            }
            if inner.journal.absorb("evict", inner.files.remove_file(&inner.layout.entry(&id))).is_some() {
                self.subtract(bytes);
                evicted += bytes;
                inner.journal.record(StoreAction::Evicted { id, bytes });
            }
        }
        evicted
    }
}

/// The time between two moments. What is from the future was not used just now: a clock went back, and it would never be evicted.
pub(super) fn distance(now: SystemTime, then: SystemTime) -> Duration {
    now.duration_since(then).unwrap_or_else(|ahead| ahead.duration())
}

fn candidate(inner: &Inner, id: EntryId, now: SystemTime) -> Option<Candidate> {
    let path = inner.layout.entry(&id);
    let stat = inner.files.stat(&path).ok()?;
    let age = stat.modified.map(|used| distance(now, used)).unwrap_or_default();
    // What cannot be read is worth nothing.
    let profit = cost(&*inner.files, &path).map_or(0.0, |cost| profit(cost, stat.len, age));
    Some(Candidate { id, bytes: stat.len, profit })
}

/// Reads the creation cost, the first field after the fixed part.
fn cost(files: &dyn FileSystem, path: &Path) -> Option<Duration> {
    let mut file = files.open(path, Access::Read).ok()?;
    let mut bytes = [0; HEAD + 8];
    let read = read_full(&mut *file, &mut bytes).ok()?;
    let cost = u64::from_le_bytes(bytes[HEAD..].try_into().ok()?);
    (read == bytes.len() && bytes.starts_with(&MAGIC)).then(|| Duration::from_nanos(cost))
}
