//! The keys of a manifest by the phase of the program that first created them.

use std::io::{self, Write};

use metallic::manifest::Manifest;
use serde::Serialize;

use crate::table::Table;
use crate::units::{count, duration, printable};

/// The keys of one phase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct PhaseFigures {
    /// Its name; `None` for keys without one.
    pub(super) phase: Option<String>,
    /// Its keys.
    pub(super) keys: u64,
    /// The time that creating them took, in nanoseconds.
    pub(super) cost_ns: u64,
    /// The keys that a run has used, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) used: Option<u64>,
}

/// The phases of a manifest in the order of the program. `is_used` says of a key's label whether a run has used it.
pub(super) fn phases(manifest: &Manifest, is_used: Option<&dyn Fn(&str) -> bool>) -> Vec<PhaseFigures> {
    let figures = |phase: Option<&str>| {
        let records = || manifest.records().filter(|record| record.phase.as_deref() == phase);
        PhaseFigures {
            phase: phase.map(str::to_owned),
            keys: records().count() as u64,
            cost_ns: records().map(|record| record.cost_ns).fold(0, u64::saturating_add),
            used: is_used.map(|used| records().filter(|record| used(&record.label)).count() as u64),
        }
    };
    manifest.phases().into_iter().map(figures).collect()
}

/// Writes them as a table; nothing if no key has a phase.
///
/// # Errors
/// The writer's.
pub(super) fn write(phases: &[PhaseFigures], out: &mut dyn Write) -> io::Result<()> {
    if phases.iter().all(|figures| figures.phase.is_none()) {
        return Ok(());
    }
    let has_uses = phases.iter().any(|figures| figures.used.is_some());
    let uses = if has_uses { &["used", "never used"][..] } else { &[] };
    let mut table = Table::new(["phase", "keys", "to create"].iter().chain(uses).copied());
    for PhaseFigures { phase, keys, cost_ns, used } in phases {
        let uses = used.iter().flat_map(|used| [*used, keys - used]).map(count);
        let name = phase.as_deref().map_or("(none)".to_owned(), |phase| printable(phase, 40));
        table.row([name, count(*keys), duration(*cost_ns)].into_iter().chain(uses));
    }
    writeln!(out)?;
    table.write(out, 0)
}
