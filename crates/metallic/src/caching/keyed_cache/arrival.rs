//! A resource on its way into a cache: from the miss to the inserted entry, or to nothing.

use std::any::Any;
use std::mem;
use std::panic::resume_unwind;
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

const BEGUN: &str = "an arrival begins before it ends";
const ONCE: &str = "an arrival ends once";

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
        // Most often it is one entry, and no one is told of it.
        let evicted = if cache.is_silent() { cache.cache.evict_one(nothing_newer) } else { None };
        if cache.cache.lacks_room(evicted.is_some()) {
            return self.begin_in_full(evicted);
        }
        self.reservation = Some(cache.cache.reserve_place(self.begun));
        // Should a `Drop` panic, the miss is one that failed.
        evicted.into_iter().for_each(Entry::discard);
        self.begun = cache.cache.time().stamp();
    }

    /// [`begin`](Self::begin) where there is more to do than to evict one entry.
    #[cold]
    #[inline(never)]
    fn begin_in_full(&mut self, evicted: Option<Entry<Key, R>>) {
        let cache = (self.reach)(self.holder);
        let mut departures = Departures::none(self.begun);
        let reservation = cache.cache.reserve(self.begun, nothing_newer, &mut departures);
        self.reservation = Some(reservation);
        if !departures.is_empty() {
            cache.depart(&departures);
        }
        evicted.into_iter().for_each(Entry::discard);
        departures.let_go();
        self.begun = cache.cache.time().stamp();
    }

    /// The holder of the cache, and the key.
    #[inline]
    pub(in crate::caching) fn parts(&mut self) -> (&mut H, &Key) {
        (self.holder, self.key.as_ref().expect(ONCE))
    }

    /// Notes what the creation was like.
    #[inline]
    pub(in crate::caching) fn set_course(&mut self, course: Course) {
        self.course = course;
    }

    /// Ends the arrival: inserts the resource, which holds `bytes` bytes. Returns its entry, and the ticks that all of it took.
    #[inline(always)]
    pub(in crate::caching) fn commit(&mut self, resource: R, bytes: u64) -> (EntryId, u64) {
        let mut resource = Some(resource);
        let cache = (self.reach)(self.holder);
        let done = match cache.cache.time().try_stamp() {
            Ok(done) => done,
            Err(panic) => give_up(resource.take(), panic),
        };
        let elapsed = self.course.lasted(self.begun, done);
        let reservation = self.reservation.take().expect(BEGUN);
        let began = reservation.began;
        // Dropped when all is whole.
        let _late =
            cache.cache.has_lost(&reservation).then(|| cache.make_room_again(&reservation, elapsed.done));
        let key = &mut self.key;
        let entry = || Entry {
            key: key.take().expect(ONCE),
            resource: resource.take().expect("it is inserted once"),
        };
        let id = cache.cache.commit(reservation, self.hash, entry, bytes, elapsed);
        if !cache.is_silent() {
            cache.attend_to_created(id, ended(began, elapsed, CreationOutcome::Created, bytes));
        }
        if let Some(passage) = self.passage.take() {
            cache.tell(passage, ended(began, elapsed, CreationOutcome::Created, bytes));
        }
        (id, elapsed.ticks)
    }

    /// Ends the arrival because the creation failed. Returns the label of the key, and the ticks that all of it took.
    pub(in crate::caching) fn fail(&mut self, error: &str) -> (Arc<str>, u64) {
        let failed = self.abandon(CreationOutcome::Failed, Some(error), TimeSource::stamp);
        failed.expect(ONCE)
    }

    /// To be called at last for one that ended: its fields, of which nothing is left to drop, are not asked one by one.
    #[inline(always)]
    pub(in crate::caching) fn close(self) {
        debug_assert!(self.key.is_none() && self.passage.is_none(), "{BEGUN}, {ONCE}");
        mem::forget(self);
    }

    #[cold]
    fn abandon(
        &mut self,
        outcome: CreationOutcome,
        error: Option<&str>,
        stamp: impl Fn(&TimeSource) -> u64,
    ) -> Option<(Arc<str>, u64)> {
        let cache = (self.reach)(self.holder);
        // First, since a clock may panic.
        let elapsed = self.course.lasted(self.begun, stamp(cache.cache.time()));
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

/// Ends with the panic of a clock, after the resource was dropped, whose `Drop` may panic as well.
#[cold]
#[inline(never)]
fn give_up<R>(resource: Option<R>, panic: Box<dyn Any + Send>) -> ! {
    let panic = Foreign::new(panic);
    drop(resource);
    resume_unwind(panic.into_inner())
}

fn ended(began: u64, elapsed: Elapsed, outcome: CreationOutcome, bytes: u64) -> Ended {
    let Elapsed { done, ticks, own_ticks, loaded } = elapsed;
    Ended { began, done, ticks, own_ticks, loaded, outcome, bytes }
}
