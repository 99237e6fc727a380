//! A resource on its way into a cache: from the miss to the inserted entry, or to nothing.

use std::sync::Arc;

use metallic_instrumentation::CreationOutcome;

use super::{KeyedCache, nothing_newer};
use crate::caching::cache::{Departures, Elapsed, Reservation};
use crate::caching::entries::Entry;
use crate::caching::order::EntryId;
use crate::caching::reporting::Ended;

/// A place that is reserved while its resource is created. Between [`begin`](Self::begin) and its end the cache is not
/// borrowed: `reach` finds it again in what holds it, so that the creation may use the holder. Dropped before it ended, as by
/// a panic, it gives the place up, and the creation counts as one that panicked.
///
/// It does its work in place, since it is made at every miss: to move it with its key costs as much as all that it writes.
pub(in crate::caching) struct Arrival<'a, H: ?Sized, Key, R, F>
where
    F: Fn(&mut H) -> &mut KeyedCache<Key, R>,
{
    holder: &'a mut H,
    reach: F,
    /// `None` once it ended.
    key: Option<Key>,
    /// `None` before it began.
    reservation: Option<Reservation>,
    hash: u64,
    /// When the look-up began that missed; once the arrival began, when its creation did.
    begun: u64,
    /// Ticks spent in other creations inside of this one.
    nested: u64,
}

impl<'a, H: ?Sized, Key, R, F> Arrival<'a, H, Key, R, F>
where
    F: Fn(&mut H) -> &mut KeyedCache<Key, R>,
{
    /// An arrival for a look-up that began at `now` and found nothing. [`begin`](Self::begin) is to be called next.
    #[inline(always)]
    pub(in crate::caching) fn new(holder: &'a mut H, reach: F, key: Key, hash: u64, now: u64) -> Self {
        Self { holder, reach, key: Some(key), reservation: None, hash, begun: now, nested: 0 }
    }

    /// Counts the miss, and makes room: what is evicted is dropped here, before anything is created.
    #[inline(always)]
    pub(in crate::caching) fn begin(&mut self) {
        let cache = (self.reach)(self.holder);
        let mut departures = Departures::none(self.begun);
        let reservation = cache.cache.reserve(self.begun, nothing_newer, &mut departures);
        self.reservation = Some(reservation);
        if !departures.is_empty() {
            cache.depart(&departures);
            // Should a `Drop` panic, the miss is one that failed.
            departures.let_go();
        }
        self.begun = (self.reach)(self.holder).cache.time().stamp();
    }

    /// The holder of the cache, and the key.
    #[inline]
    pub(in crate::caching) fn parts(&mut self) -> (&mut H, &Key) {
        (self.holder, self.key.as_ref().expect("an arrival has its key until it ends"))
    }

    /// Notes time that was spent in other creations inside of this one, in ticks.
    #[inline]
    pub(in crate::caching) fn add_nested(&mut self, ticks: u64) {
        self.nested = self.nested.saturating_add(ticks);
    }

    /// Ends the arrival: inserts the resource, which holds `bytes` bytes. Returns its entry, and the ticks that all of it took.
    #[inline(always)]
    pub(in crate::caching) fn commit(&mut self, resource: R, bytes: u64) -> (EntryId, u64) {
        let (cache, elapsed) = over(self.holder, &self.reach, self.begun, self.nested);
        let reservation = self.reservation.take().expect("an arrival begins before it ends");
        let key = self.key.take().expect("an arrival ends once");
        let began = reservation.began;
        // Dropped when all is whole.
        let _late =
            cache.cache.has_lost(&reservation).then(|| cache.make_room_again(&reservation, elapsed.done));
        let entry = Entry { key, resource };
        let id = cache.cache.commit(reservation, self.hash, entry, bytes, elapsed);
        if cache.reporting.is_some() {
            cache.report_created(id, ended(began, elapsed, CreationOutcome::Created, bytes));
            cache.refresh_fast_path();
        } else if cache.cache.expires() {
            cache.refresh_fast_path();
        }
        (id, elapsed.ticks)
    }

    /// Ends the arrival because the creation failed. Returns the label of the key, and the ticks that all of it took.
    pub(in crate::caching) fn fail(&mut self, error: &str) -> (Arc<str>, u64) {
        self.abandon(CreationOutcome::Failed, Some(error)).expect("an arrival begins before it ends, once")
    }

    #[cold]
    fn abandon(&mut self, outcome: CreationOutcome, error: Option<&str>) -> Option<(Arc<str>, u64)> {
        let (cache, elapsed) = over(self.holder, &self.reach, self.begun, self.nested);
        let reservation = self.reservation.take()?;
        let key = self.key.take()?;
        let began = reservation.began;
        cache.cache.abandon(reservation, elapsed);
        let label = cache.format_label(&key);
        cache.report_failed(&label, ended(began, elapsed, outcome, 0), error);
        cache.failed = Some(label.clone());
        cache.refresh_fast_path();
        Some((label, elapsed.ticks))
    }
}

impl<H: ?Sized, Key, R, F> Drop for Arrival<'_, H, Key, R, F>
where
    F: Fn(&mut H) -> &mut KeyedCache<Key, R>,
{
    #[inline(always)]
    fn drop(&mut self) {
        if self.reservation.is_some() {
            self.abandon(CreationOutcome::Panicked, None);
        }
    }
}

/// The cache, and how long a creation took that is over now.
#[inline(always)]
fn over<'h, H: ?Sized, Key, R, F>(
    holder: &'h mut H,
    reach: &F,
    begun: u64,
    nested: u64,
) -> (&'h mut KeyedCache<Key, R>, Elapsed)
where
    F: Fn(&mut H) -> &mut KeyedCache<Key, R>,
{
    let cache = reach(holder);
    let done = cache.cache.time().stamp();
    let ticks = done.saturating_sub(begun);
    (cache, Elapsed { done, ticks, own_ticks: ticks.saturating_sub(nested) })
}

fn ended(began: u64, elapsed: Elapsed, outcome: CreationOutcome, bytes: u64) -> Ended {
    let Elapsed { done, ticks, own_ticks } = elapsed;
    Ended { began, done, ticks, own_ticks, outcome, bytes }
}
