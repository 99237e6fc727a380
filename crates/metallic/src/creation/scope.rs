//! A scope that is armed.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metallic_instrumentation::CreationViolation;

use super::contract::Contract;

/// The most violations that a scope keeps.
const KEPT: usize = 64;
const HOUR_NS: u64 = 3_600_000_000_000;

pub(super) struct Scope {
    pub(super) name: Cow<'static, str>,
    pub(super) contract: Contract,
    /// `true` if only keys that can be in a manifest are meant.
    pub(super) portable_only: bool,
    violations: AtomicU64,
    noted: Mutex<Noted>,
}

#[derive(Default)]
struct Noted {
    first: Vec<CreationViolation>,
    /// Of creations that are not over.
    under_way: Vec<Arc<CreationViolation>>,
    budget: Option<usize>,
    /// When the budget was spent within the last hour, in nanoseconds of the caches' clock.
    spent: VecDeque<u64>,
}

impl Scope {
    pub(super) fn new(name: Cow<'static, str>, contract: Contract, portable_only: bool) -> Self {
        Self { name, contract, portable_only, violations: AtomicU64::new(0), noted: Mutex::default() }
    }

    pub(super) fn set_budget(&self, violations_per_hour: usize) {
        self.noted().budget = Some(violations_per_hour);
    }

    pub(super) fn violations(&self) -> u64 {
        self.violations.load(Ordering::Relaxed)
    }

    pub(super) fn first_violations(&self) -> Vec<CreationViolation> {
        self.noted().first.clone()
    }

    /// Decides on a creation at this moment, and spends of the budget.
    pub(super) fn judge(&self, now_ns: u64) -> Contract {
        let mut noted = self.noted();
        let Some(budget) = noted.budget else { return self.contract };
        while noted.spent.front().is_some_and(|at| now_ns.saturating_sub(*at) >= HOUR_NS) {
            noted.spent.pop_front();
        }
        let is_within = noted.spent.len() < budget;
        if is_within {
            noted.spent.push_back(now_ns);
        }
        match self.contract {
            Contract::Refuse if is_within => Contract::Warn,
            Contract::Warn if !is_within => Contract::Count,
            contract => contract,
        }
    }

    /// Returns `true` if the next violation is one of the first, which are kept.
    pub(super) fn keeps_more(&self) -> bool {
        let noted = self.noted();
        noted.first.len() + noted.under_way.len() < KEPT
    }

    /// The number of violations and the first of them, those included whose creations are not over.
    pub(super) fn begun(&self) -> (u64, Option<CreationViolation>) {
        let noted = self.noted();
        let first = noted.first.first().or(noted.under_way.first().map(|violation| &**violation));
        (self.violations() + noted.under_way.len() as u64, first.cloned())
    }

    /// Keeps in mind that a creation goes on, until it is [forgotten](Self::forget).
    pub(super) fn begin(&self, violation: &Arc<CreationViolation>) {
        self.noted().under_way.push(violation.clone());
    }

    pub(super) fn forget(&self, violation: &Arc<CreationViolation>) {
        self.noted().under_way.retain(|other| !Arc::ptr_eq(other, violation));
    }

    pub(super) fn note(&self, violation: &CreationViolation) {
        self.violations.fetch_add(1, Ordering::Relaxed);
        let mut noted = self.noted();
        if noted.first.len() < KEPT {
            noted.first.push(violation.clone());
        }
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
