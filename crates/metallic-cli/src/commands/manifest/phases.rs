//! The keys of a manifest by the phase of the program that first created them.

use std::collections::BTreeMap;
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
    let none = |phase: Option<&str>| PhaseFigures {
        phase: phase.map(str::to_owned),
        keys: 0,
        cost_ns: 0,
        used: is_used.map(|_| 0),
    };
    // One pass, whatever number of phases a program has.
    let mut figures: BTreeMap<_, _> =
        manifest.phases().into_iter().map(|phase| (phase, none(phase))).collect();
    for record in manifest.records() {
        let Some(figures) = figures.get_mut(&record.phase.as_deref()) else { continue };
        figures.keys += 1;
        figures.cost_ns = figures.cost_ns.saturating_add(record.cost_ns);
        if let (Some(used), Some(is_used)) = (&mut figures.used, is_used) {
            *used += u64::from(is_used(&record.label));
        }
    }
    manifest.phases().iter().filter_map(|phase| figures.remove(phase)).collect()
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
