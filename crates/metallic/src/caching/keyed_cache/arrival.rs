//! A resource on its way into a cache: from the miss to the inserted entry, or to nothing.

use std::sync::Arc;

use metallic_instrumentation::CreationOutcome;

use super::{KeyedCache, nothing_newer};
use crate::caching::cache::{Course, Elapsed, Reservation};
use crate::caching::entries::Entry;
use crate::caching::gate::Passage;
use crate::caching::order::EntryId;
use crate::caching::reporting::Ended;

/// A place that is reserved while its resource is created. Between [`begin`](Self::begin) and its end the cache is not
/// borrowed: `reach` finds it again in what holds it, so that the creation may use the holder. Dropped before it ended, as by
/// a panic, it gives the place up, and the creation counts as one that panicked.
pub(in crate::caching) struct Arrival<'a, H: ?Sized, Key, R, F>
where
    F: Fn(&mut H) -> &mut KeyedCache<Key, R>,
{
    holder: &'a mut H,
    reach: F,
    /// `None` once it ended.
    open: Option<(Reservation, Key)>,
    hash: u64,
    begun: u64,
    course: Course,
    /// Is told how it ends.
    passage: Option<Box<dyn Passage>>,
}

impl<'a, H: ?Sized, Key, R, F> Arrival<'a, H, Key, R, F>
where
    F: Fn(&mut H) -> &mut KeyedCache<Key, R>,
{
    /// Counts the miss of a look-up that began at `now`, and makes room: what is evicted is dropped here, before anything is
    /// created.
    #[inline(always)]
    pub(in crate::caching) fn begin(holder: &'a mut H, reach: F, key: Key, hash: u64, now: u64) -> Self {
        let cache = reach(holder);
        let (reservation, departures) = cache.cache.reserve(now, nothing_newer);
        if !departures.is_empty() {
            cache.depart(&departures);
        }
        let open = Some((reservation, key));
        let mut arrival =
            Self { holder, reach, open, hash, begun: now, course: Course::default(), passage: None };
        // Inside of the arrival: should a `Drop` panic, the miss is one that failed.
        drop(departures);
        arrival.begun = (arrival.reach)(arrival.holder).cache.time().stamp();
        arrival
    }

    /// The holder of the cache, and the key.
    #[inline]
    pub(in crate::caching) fn parts(&mut self) -> (&mut H, &Key) {
        let (_, key) = self.open.as_ref().expect("an arrival ends by value");
        (self.holder, key)
    }

    /// Notes what the creation was like.
    #[inline]
    pub(in crate::caching) fn set_course(&mut self, course: Course) {
        self.course = course;
    }

    /// Tells `passage` how it ends.
    #[inline]
    pub(in crate::caching) fn with_passage(self, passage: Option<Box<dyn Passage>>) -> Self {
        let mut arrival = self;
        arrival.passage = passage;
        arrival
    }

    /// Inserts the resource, which holds `bytes` bytes. Returns its entry, and the ticks that all of it took.
    #[inline(always)]
    pub(in crate::caching) fn commit(mut self, resource: R, bytes: u64) -> (EntryId, u64) {
        let (reservation, key) = self.open.take().expect("an arrival ends by value");
        let (hash, began) = (self.hash, reservation.began);
        let passage = self.passage.take();
        let (cache, elapsed) = self.over();
        let (id, departures) =
            cache.cache.commit(reservation, hash, Entry { key, resource }, bytes, elapsed, nothing_newer);
        if !departures.is_empty() {
            cache.depart(&departures);
        }
        if cache.reporting.is_some() {
            cache.report_created(id, ended(began, elapsed, CreationOutcome::Created, bytes));
            cache.refresh_fast_path();
        } else if cache.cache.policy().limits_idleness() {
            cache.refresh_fast_path();
        }
        if let Some(passage) = passage {
            cache.tell(passage, ended(began, elapsed, CreationOutcome::Created, bytes));
        }
        (id, elapsed.ticks)
    }

    /// Gives the place up because the creation failed. Returns the label of the key, and the ticks that all of it took.
    pub(in crate::caching) fn fail(mut self, error: &str) -> (Arc<str>, u64) {
        self.abandon(CreationOutcome::Failed, Some(error))
    }

    #[cold]
    fn abandon(&mut self, outcome: CreationOutcome, error: Option<&str>) -> (Arc<str>, u64) {
        let (reservation, key) = self.open.take().expect("an arrival ends by value, or is dropped");
        let began = reservation.began;
        let passage = self.passage.take();
        let (cache, elapsed) = self.over();
        cache.cache.abandon(reservation, elapsed);
        let label = cache.format_label(&key);
        cache.report_failed(&label, ended(began, elapsed, outcome, 0), error);
        cache.failed = Some(label.clone());
        cache.refresh_fast_path();
        if let Some(passage) = passage {
            cache.tell(passage, ended(began, elapsed, outcome, 0));
        }
        (label, elapsed.ticks)
    }

    #[inline(always)]
    fn over(&mut self) -> (&mut KeyedCache<Key, R>, Elapsed) {
        let (begun, course) = (self.begun, self.course);
        let cache = (self.reach)(self.holder);
        let elapsed = course.lasted(begun, cache.cache.time().stamp());
        (cache, elapsed)
    }
}

impl<H: ?Sized, Key, R, F> Drop for Arrival<'_, H, Key, R, F>
where
    F: Fn(&mut H) -> &mut KeyedCache<Key, R>,
{
    #[inline(always)]
    fn drop(&mut self) {
        if self.open.is_some() {
            self.abandon(CreationOutcome::Panicked, None);
        }
    }
}

fn ended(began: u64, elapsed: Elapsed, outcome: CreationOutcome, bytes: u64) -> Ended {
    let Elapsed { done, ticks, own_ticks, loaded } = elapsed;
    Ended { began, done, ticks, own_ticks, loaded, outcome, bytes }
}
