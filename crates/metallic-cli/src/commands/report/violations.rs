//! Creations in armed scopes: the figures of each cache.

use std::collections::BTreeMap;

use metallic_instrumentation::{CreationViolation, ViolationMode};
use serde::{Deserialize, Serialize};

use crate::table::Table;
use crate::units::{count, duration, printable};

/// The creations of one cache in scopes that were armed against them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViolationFigures {
    /// Its name.
    pub cache: String,
    /// Those that were refused.
    pub refused: u64,
    /// Those that went on and were warned of.
    pub warned: u64,
    /// Those that went on and were counted.
    pub counted: u64,
    /// The time that those took which went on.
    pub creation_ns: u64,
    /// Their number for each reason why the resource was not in its cache, by the reason's name in the log.
    pub verdicts: BTreeMap<String, u64>,
}

impl ViolationFigures {
    /// All of them, whatever became of the creation.
    pub fn all(&self) -> u64 {
        self.refused.saturating_add(self.warned).saturating_add(self.counted)
    }
}

/// Collects them.
#[derive(Debug, Default)]
pub(super) struct Violations(Vec<ViolationFigures>);

impl Violations {
    /// Counts one. Memory is bounded: those of caches beyond `most` are counted as one cache's, `others`.
    pub(super) fn add(&mut self, violation: &CreationViolation, most: usize, others: &'static str) {
        let is_full = self.0.len() >= most;
        let place = |name: &str| self.0.iter().position(|figures| figures.cache == name);
        let (name, place) = match place(&violation.cache) {
            None if is_full => (others, place(others)),
            place => (&*violation.cache, place),
        };
        let place = place.unwrap_or_else(|| {
            self.0.push(ViolationFigures { cache: name.to_owned(), ..ViolationFigures::default() });
            self.0.len() - 1
        });
        let figures = &mut self.0[place];
        match violation.mode {
            ViolationMode::Refuse => figures.refused += 1,
            ViolationMode::Warn => figures.warned += 1,
            _ => figures.counted += 1,
        }
        figures.creation_ns = figures.creation_ns.saturating_add(violation.duration_ns);
        *figures.verdicts.entry(violation.verdict.name().to_owned()).or_default() += 1;
    }

    /// By cache.
    pub(super) fn finish(mut self) -> Vec<ViolationFigures> {
        self.0.sort_by(|a, b| a.cache.cmp(&b.cache));
        self.0
    }
}

/// A row for each cache.
pub(super) fn violations(all: &[ViolationFigures]) -> Table {
    let mut table = Table::new(["cache", "refused", "warned", "counted", "creation", "reasons"])
        .ending_in_text()
        .may_lack(["creation"]);
    for figures in all {
        let verdicts = figures.verdicts.iter();
        let verdicts: Vec<_> =
            verdicts.map(|(verdict, n)| format!("{} {}", count(*n), verdict.replace('_', " "))).collect();
        table.row([
            printable(&figures.cache, 40),
            count(figures.refused),
            count(figures.warned),
            count(figures.counted),
            duration(figures.creation_ns),
            printable(&verdicts.join(", "), 200),
        ]);
    }
    table
}
