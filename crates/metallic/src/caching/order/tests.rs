//! Orders that are told of uses and those that ask for them, against each other, and numbering anew against not doing it.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::{EntryId, Order, Uses, all_told};
use crate::caching::policy::EvictionPolicy;

/// A step, and the entry that it is done to, among those that are there.
type Step = (u8, prop::sample::Index);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    vec((0..12_u8, any::<prop::sample::Index>()), 0..if cfg!(miri) { 30 } else { 300 })
}

fn policies() -> impl Strategy<Value = EvictionPolicy> {
    prop_oneof![
        Just(EvictionPolicy::size_limited_lru(40)),
        Just(EvictionPolicy::fifo().with_max_entries(40)),
        Just(EvictionPolicy::s3_fifo(20)),
        Just(EvictionPolicy::sieve(40)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 2 } else { 300 }, failure_persistence: None, ..ProptestConfig::default() })]

    /// Uses that an order learns of when it looks, or by chance before, lead to the victims of one that is told of each.
    #[test]
    fn an_order_that_learns_of_uses_late_is_exact(steps in steps(), policy in policies()) {
        let (mut told, mut shared) = (Order::new(), Order::new_shared());
        // Ids stay the same on both sides, since places are taken and vacated alike.
        let mut counted: BTreeMap<EntryId, Uses> = BTreeMap::new();
        told.set_policy(&policy);
        shared.set_policy(&policy);
        for (now, (step, index)) in (1_u64..).zip(steps) {
            let ids = told.by_creation();
            let id = (!ids.is_empty()).then(|| *index.get(&ids));
            match (step, id) {
                (0..=3, _) => {
                    let [id, other] = [&mut told, &mut shared].map(|order| order.insert(now, 0, now, 100, || ()));
                    prop_assert_eq!(id, other);
                    counted.insert(id, Uses { last_used: now, reuse_count: 0, removals: 0 });
                }
                (4..=7, Some(id)) => {
                    told.touch(id, now);
                    let reuse_count = told.reuse_count(id);
                    counted.insert(id, Uses { last_used: now, reuse_count, removals: 0 });
                }
                (8, Some(id)) => shared.record_uses(id, counted[&id]),
                (9, Some(id)) => {
                    told.remove(id);
                    shared.remove(id);
                },
                (10, _) if policy.needs_recency() => {
                    let least = told.least_recent(&mut all_told);
                    prop_assert_eq!(shared.least_recent(&mut |id, ()| Some(counted[&id])), least);
                }
                _ => {
                    let victim = told.next_victim(&mut all_told);
                    prop_assert_eq!(shared.next_victim(&mut |id, ()| Some(counted[&id])), victim);
                    prop_assert_eq!(told.is_mid_eviction(), shared.is_mid_eviction());
                    victim.into_iter().for_each(|id| {
                    told.remove(id);
                    shared.remove(id);
                });
                }
            }
            told.validate();
            shared.validate();
        }
    }

    /// A renumbered order evicts what it would have evicted, with the same histories, in either form.
    #[test]
    fn numbering_anew_changes_nothing_but_numbers(
        steps in steps(),
        kept in 0..15_usize,
        policy in policies(),
        is_shared in any::<bool>(),
    ) {
        let mut orders = if is_shared { [Order::new_shared(), Order::new_shared()] } else { [Order::new(), Order::new()] };
        for order in &mut orders {
            order.set_policy(&policy);
            for now in 0..200 {
                order.insert(now, now, now, 1000, || ());
            }
            for (now, (step, index)) in (200..).zip(&steps) {
                let id = *index.get(&order.by_creation());
                if *step < 10 { order.touch(id, now); } else if order.len() > 15 { order.remove(id) }
            }
            while order.len() > kept {
                let victim = order.next_victim(&mut all_told);
                order.remove(victim.expect("there are entries"));
            }
        }
        let [plain, compacted] = &mut orders;
        prop_assert!(compacted.is_sparse(), "few of 200 places are in use");
        let renumbering = compacted.compact();
        prop_assert!(!compacted.is_sparse());
        compacted.validate();
        prop_assert_eq!(renumbering.moves().count(), kept);
        prop_assert!(renumbering.moves().all(|(old, new)| new <= old && renumbering.new_id(old) == Some(new)));
        let followed: Vec<_> = plain.by_creation().into_iter().map(|id| renumbering.new_id(id)).collect();
        prop_assert_eq!(followed, compacted.by_creation().into_iter().map(Some).collect::<Vec<_>>());
        while let Some(id) = plain.next_victim(&mut all_told) {
            let victim = compacted.next_victim(&mut all_told);
            prop_assert_eq!(renumbering.new_id(id), victim);
            let victim = victim.expect("it is the other's");
            prop_assert_eq!(plain.history(id), compacted.history(victim));
            plain.remove(id);
            compacted.remove(victim);
        }
        prop_assert_eq!(compacted.len(), 0);
    }
}

#[test]
fn a_use_after_a_removal_is_later_than_one_before_it_whatever_the_clock_says() {
    let mut order = Order::new_shared();
    order.set_policy(&EvictionPolicy::size_limited_lru(10));
    let ids: Vec<_> = (0..4).map(|hash| order.insert(100, 0, hash, 10, || ())).collect();
    order.touch(ids[1], 110);
    order.remove(ids[3]);
    order.set_removals(1);
    // By a clock that is behind.
    let used = |id| (id == ids[0]).then_some(Uses { last_used: 105, reuse_count: 1, removals: 1 });
    let mut by_recency = Vec::new();
    while let Some(id) = order.next_victim(&mut |id, ()| used(id)) {
        by_recency.push(id);
        order.remove(id);
        order.validate();
    }
    assert_eq!(by_recency, [ids[2], ids[1], ids[0]]);
}

/// A shared order of this many entries, which hits that it was told of have used in order, after lists were made in vain.
fn order_of_short_lists(entries: u64) -> (Order<()>, Vec<EntryId>) {
    let mut order = Order::new_shared();
    order.set_policy(&EvictionPolicy::size_limited_lru(entries as usize));
    let ids: Vec<_> = (0..entries).map(|hash| order.insert(0, 0, hash, entries as usize, || ())).collect();
    for now in 1..10 {
        assert!(order.least_recent(&mut all_told).is_some());
        ids.iter().for_each(|id| _ = order.touch(*id, now));
    }
    (order, ids)
}

#[test]
fn what_others_used_since_is_spared_while_there_is_an_entry_that_they_did_not_use() {
    let entries = if cfg!(miri) { 600 } else { 5000 };
    let (mut order, ids) = order_of_short_lists(entries);
    let unused = &ids[ids.len() * 9 / 10..];
    let mut uses = |id: EntryId, (): &()| {
        let (last_used, reuse_count) = if id < unused[0] { (20, 10) } else { (9, 9) };
        Some(Uses { last_used, reuse_count, removals: 0 })
    };
    for expected in unused {
        let victim = order.next_victim(&mut uses);
        assert_eq!(victim, Some(*expected));
        order.remove(*expected);
    }
    order.validate();
}

#[test]
fn others_that_use_every_entry_all_the_time_do_not_keep_an_eviction_going() {
    let entries = if cfg!(miri) { 600 } else { 5000 };
    let (mut order, ids) = order_of_short_lists(entries);
    for _ in 0..3 {
        let mut asked = 0;
        let mut uses = |_: EntryId, (): &()| {
            asked += 1;
            Some(Uses { last_used: 20 + asked, reuse_count: 20 + asked, removals: 0 })
        };
        let victim = order.next_victim(&mut uses).expect("there are entries");
        assert!(ids.contains(&victim) && asked <= 4 * entries, "{asked} of {entries} were asked");
        order.remove(victim);
        order.validate();
    }
}

#[test]
fn a_use_that_is_learned_of_is_later_than_a_hundred_thousand_before_it() {
    let mut order = Order::new_shared();
    order.set_policy(&EvictionPolicy::size_limited_lru(10));
    let [told, other] = [1, 2].map(|hash| order.insert(100, 0, hash, 10, || ()));
    for _ in 0..1 << 17 {
        order.touch(told, 100);
    }
    let used = |id| (id == other).then_some(Uses { last_used: 200, reuse_count: 1, removals: 0 });
    assert_eq!(order.next_victim(&mut |id, ()| used(id)), Some(told));
}
