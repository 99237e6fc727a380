//! A resource on its way into a cache: from the miss to the inserted entry, or to nothing.

use std::sync::Arc;

use metallic_instrumentation::CreationOutcome;

use super::{KeyedCache, nothing_newer};
use crate::caching::cache::{Course, Departures, Elapsed, Reservation};
use crate::caching::clock::TimeSource;
use crate::caching::drops::Foreign;
use crate::caching::entries::Entry;
use crate::caching::gate::Passage;
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
    course: Course,
    /// Is told how it ends.
    passage: Option<Box<dyn Passage>>,
}

impl<'a, H: ?Sized, Key, R, F> Arrival<'a, H, Key, R, F>
where
    F: Fn(&mut H) -> &mut KeyedCache<Key, R>,
{
    /// An arrival for a look-up that began at `now` and found nothing. [`begin`](Self::begin) is to be called next.
    #[inline(always)]
    pub(in crate::caching) fn new(
        holder: &'a mut H,
        reach: F,
        key: Key,
        hash: u64,
        now: u64,
        passage: Option<Box<dyn Passage>>,
    ) -> Self {
        let (key, course) = (Some(key), Course::default());
        Self { holder, reach, key, reservation: None, hash, begun: now, course, passage }
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

    /// Notes what the creation was like.
    #[inline]
    pub(in crate::caching) fn set_course(&mut self, course: Course) {
        self.course = course;
    }

    /// Ends the arrival: inserts the resource, which holds `bytes` bytes. Returns its entry, and the ticks that all of it took.
    #[inline(always)]
    pub(in crate::caching) fn commit(&mut self, resource: R, bytes: u64) -> (EntryId, u64) {
        // A clock may panic, and so may the `Drop` of what is evicted.
        let resource = Foreign::new(resource);
        let (cache, elapsed) = over(self.holder, &self.reach, self.begun, self.course, TimeSource::stamp);
        let resource = resource.into_inner();
        let reservation = self.reservation.take().expect("an arrival begins before it ends");
        let key = self.key.take().expect("an arrival ends once");
        let (passage, began) = (self.passage.take(), reservation.began);
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
        if let Some(passage) = passage {
            cache.tell(passage, ended(began, elapsed, CreationOutcome::Created, bytes));
        }
        (id, elapsed.ticks)
    }

    /// Ends the arrival because the creation failed. Returns the label of the key, and the ticks that all of it took.
    pub(in crate::caching) fn fail(&mut self, error: &str) -> (Arc<str>, u64) {
        let failed = self.abandon(CreationOutcome::Failed, Some(error), TimeSource::stamp);
        failed.expect("an arrival begins before it ends, once")
    }

    #[cold]
    fn abandon(
        &mut self,
        outcome: CreationOutcome,
        error: Option<&str>,
        stamp: impl Fn(&TimeSource) -> u64,
    ) -> Option<(Arc<str>, u64)> {
        let (cache, elapsed) = over(self.holder, &self.reach, self.begun, self.course, stamp);
        let reservation = self.reservation.take()?;
        let key = Foreign::new(self.key.take()?);
        let passage = self.passage.take();
        let began = reservation.began;
        // Whatever was loaded, no resource was made of it.
        let elapsed = Elapsed { loaded: false, ..elapsed };
        cache.cache.abandon(reservation, elapsed);
        let label = cache.format_label(&key);
        cache.report_failed(&label, ended(began, elapsed, outcome, 0), error);
        cache.failed = Some(label.clone());
        cache.refresh_fast_path();
        if let Some(passage) = passage {
            cache.tell(passage, ended(began, elapsed, outcome, 0));
        }
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
            let begun = self.begun;
            self.abandon(CreationOutcome::Panicked, None, |time| time.stamp_or(begun));
        }
    }
}

/// The cache, and how long a creation took that is over now. To be asked for before the arrival ends, since a clock may panic.
#[inline(always)]
fn over<'h, H: ?Sized, Key, R, F>(
    holder: &'h mut H,
    reach: &F,
    begun: u64,
    course: Course,
    stamp: impl Fn(&TimeSource) -> u64,
) -> (&'h mut KeyedCache<Key, R>, Elapsed)
where
    F: Fn(&mut H) -> &mut KeyedCache<Key, R>,
{
    let cache = reach(holder);
    let done = stamp(cache.cache.time());
    (cache, course.lasted(begun, done))
}

fn ended(began: u64, elapsed: Elapsed, outcome: CreationOutcome, bytes: u64) -> Ended {
    let Elapsed { done, ticks, own_ticks, loaded } = elapsed;
    Ended { began, done, ticks, own_ticks, loaded, outcome, bytes }
}
