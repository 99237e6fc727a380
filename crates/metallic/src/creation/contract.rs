//! The contract: the answer to creations that should not be.

use std::fmt;
use std::sync::Arc;

use metallic_instrumentation::{CreationViolation, ViolationMode};

use super::scope::Scope;
use super::supervisor::Supervisor;
use crate::error::violation_text;

/// The treatment of creations in an armed scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Contract {
    /// They go on, and are counted.
    Count,
    /// They go on, and are warned of: the event has the mode `warn`.
    Warn,
    /// They are refused with [`Error::CreationRefused`](crate::Error::CreationRefused). What cannot be refused, because the error
    /// of its closure is of a type that has no place for it, is warned of.
    Refuse,
}

impl From<Contract> for ViolationMode {
    fn from(contract: Contract) -> Self {
        match contract {
            Contract::Count => Self::Count,
            Contract::Warn => Self::Warn,
            Contract::Refuse => Self::Refuse,
        }
    }
}

/// Keeps a scope armed until it is dropped.
#[must_use = "the scope is armed for as long as this is kept"]
pub struct Armed {
    supervisor: Supervisor,
    scope: Arc<Scope>,
}

impl Armed {
    pub(super) fn new(supervisor: Supervisor, scope: Arc<Scope>) -> Self {
        Self { supervisor, scope }
    }

    /// The name of the scope.
    pub fn scope(&self) -> &str {
        &self.scope.name
    }

    /// Allows so many violations in any hour: until then, creations that would be refused go on and are warned of. Under
    /// [`Contract::Warn`], so many are warned of, and the others are counted.
    pub fn with_budget(self, violations_per_hour: usize) -> Self {
        self.scope.set_budget(violations_per_hour);
        self
    }

    /// The number of creations since the scope was armed, refused ones included. One that goes on counts when it is over.
    pub fn violations(&self) -> u64 {
        self.scope.violations()
    }

    /// The first violations, at most 64. Of those that follow, refused ones alone name the nearest key: it is not looked for at
    /// the cost of creations that go on.
    pub fn first_violations(&self) -> Vec<CreationViolation> {
        self.scope.first_violations()
    }

    /// # Panics
    /// If there was a violation, or is one.
    #[track_caller]
    pub(super) fn assert_none(&self) {
        if let (violations, Some(first)) = self.scope.begun() {
            let creations = match violations {
                1 => "1 creation where there was to be none".to_owned(),
                _ => format!("{violations} creations where there were to be none"),
            };
            panic!("{creations}; the first: {}", violation_text(&first));
        }
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        self.supervisor.disarm(&self.scope);
    }
}

impl fmt::Debug for Armed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Armed")
            .field("scope", &self.scope.name)
            .field("contract", &self.scope.contract)
            .field("violations", &self.violations())
            .finish_non_exhaustive()
    }
}
