use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::Inner;
use super::file_system::{Access, FileSystem, read_full};
use super::ledger::Ledger;
use crate::format::{FLAG_LINK, HEAD, MAGIC};
use crate::{Body, EntryId, SaveError, StoreAction, profit};

/// An entry as eviction sees it: by its file and the cost in its header, which is not verified for this.
struct Candidate {
    id: EntryId,
    bytes: u64,
    profit: f64,
    /// The target of a link.
    leads_to: Option<EntryId>,
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

    /// Evicts what is worth least until at most `target` bytes are left, and returns the bytes that were evicted. Links that lead
    /// nowhere are worth nothing: they are evicted before anything else, and those that lead to what is evicted after it.
    ///
    /// Whoever links has saved what it links to, and no one writes while this has the ledger. A process that is killed in between
    /// leaves a link that leads nowhere, which is a named miss, and which the next eviction removes.
    pub(super) fn evict_to(&mut self, inner: &Inner, target: u64) -> u64 {
        let now = SystemTime::now();
        let ids = inner.entries(None).unwrap_or_default();
        let mut candidates: Vec<_> = ids.into_iter().filter_map(|id| candidate(inner, id, now)).collect();
        candidates.sort_by(|a, b| a.profit.total_cmp(&b.profit).then(a.id.cmp(&b.id)));
        let mut evicted = self.evict_where(inner, &mut candidates, |_, link| leads_nowhere(inner, link));
        evicted += self.evict_where(inner, &mut candidates, |ledger, _| ledger.total() > target);
        evicted + self.evict_where(inner, &mut candidates, |_, link| leads_nowhere(inner, link))
    }

    /// Evicts the candidates that `is_due` is true of, in their order.
    fn evict_where(
        &mut self,
        inner: &Inner,
        candidates: &mut Vec<Candidate>,
        is_due: impl Fn(&Self, &Candidate) -> bool,
    ) -> u64 {
        let mut evicted = 0;
        candidates.retain(|candidate| {
            if !is_due(self, candidate) {
                return true;
            }
            let (id, bytes) = (candidate.id, candidate.bytes);
            if inner.journal.absorb("evict", inner.files.remove_file(&inner.layout.entry(&id))).is_some() {
                self.subtract(bytes);
                evicted += bytes;
                inner.journal.record(StoreAction::Evicted { id, bytes });
            }
            false
        });
        evicted
    }
}

/// Returns `true` for a link to an entry that is certain not to be there.
fn leads_nowhere(inner: &Inner, candidate: &Candidate) -> bool {
    let Some(target) = candidate.leads_to else { return false };
    matches!(inner.files.stat(&inner.layout.entry(&target)), Err(error) if error.kind() == ErrorKind::NotFound)
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
    let cost_and_flags = cost_and_flags(&*inner.files, &path);
    let profit = cost_and_flags.map_or(0.0, |(cost, _)| profit(cost, stat.len, age));
    // One that cannot be verified, as without its secret, leads to nothing that is known.
    let is_link = cost_and_flags.is_some_and(|(_, flags)| flags & FLAG_LINK != 0);
    let entry = is_link.then(|| inner.verified(&id).ok()).flatten();
    let leads_to = entry.and_then(|(entry, ..)| match entry.body {
        Body::Link(target) => Some(target),
        Body::Artifact(_) => None,
    });
    Some(Candidate { id, bytes: stat.len, profit, leads_to })
}

/// Reads the creation cost, which is the first field after the fixed part, and the flags.
fn cost_and_flags(files: &dyn FileSystem, path: &Path) -> Option<(Duration, u32)> {
    let mut file = files.open(path, Access::Read).ok()?;
    let mut bytes = [0; HEAD + 8];
    let read = read_full(&mut *file, &mut bytes).ok()?;
    let flags = u32::from_le_bytes(bytes[12..16].try_into().ok()?);
    let cost = u64::from_le_bytes(bytes[HEAD..].try_into().ok()?);
    (read == bytes.len() && bytes.starts_with(&MAGIC)).then(|| (Duration::from_nanos(cost), flags))
}
