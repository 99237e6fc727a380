//! The one operation that evicts k of n entries because they were idle.

use std::rc::Rc;
use std::time::Duration;

use metallic::caching::{EvictionPolicy, ManualClock};

use crate::contender::{Contender, Subject, look_up};
use crate::ours::{Gemm, Registry};
use crate::workload::Workload;

/// The first run hits; then k entries become too old, and the second run hits and expires them.
pub fn expiry(workload: &Rc<Workload>, k: usize) -> Subject {
    const IDLE: Duration = Duration::from_secs(10);
    let clock = ManualClock::new();
    let mut registry = Registry::with_device(workload.forge.clone()).with_clock(clock.clone());
    registry.set_eviction_policy::<Gemm<0>>(EvictionPolicy::idle_timeout(IDLE));
    let (old, young) = workload.first.split_at(k);
    look_up(&mut registry, &workload.params.borrow(), old);
    clock.advance(Duration::from_secs(1));
    look_up(&mut registry, &workload.params.borrow(), young);

    let workload = workload.clone();
    let left = workload.first.len() - k;
    let last = *workload.params.borrow().last().expect("there are entries");
    let mut runs = 0;
    Subject::with_loop(1, move || {
        if runs == 1 {
            clock.advance(IDLE - Duration::from_millis(500));
        }
        Contender::get_or_create(&mut registry, &last);
        runs += 1;
        // If all left, the one asked for was made again.
        let len = registry.cache::<Gemm<0>>().map_or(0, |cache| cache.len());
        assert_eq!(len, if runs == 1 { left + k } else { left.max(1) }, "k entries left");
    })
}
