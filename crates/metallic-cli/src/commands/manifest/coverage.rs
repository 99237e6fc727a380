//! Which keys of a manifest a run has used.

use std::collections::{HashMap, HashSet};
use std::io::{self, Write};
use std::sync::Arc;

use metallic::manifest::{CacheCoverage, Coverage, KeyCoverage, Manifest};
use metallic_instrumentation::{Event, EventData};

use crate::label::CacheNames;
use crate::table::Table;
use crate::units::{count, printable};

/// The uses of keys in a log, compared with a manifest. Only caches that the manifest has keys of are looked at: the keys of
/// others cannot be in it.
#[derive(Debug, Default)]
pub struct Uses {
    names: CacheNames,
    caches: HashSet<String>,
    warmed: HashSet<String>,
    /// By label.
    keys: HashMap<Arc<str>, KeyUse>,
    /// Events of the end of a warm-up.
    warm_ups: u64,
    /// Without a manifest: when each key was first created, until a warm-up is over.
    created: Option<HashMap<Arc<str>, u64>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct KeyUse {
    /// Before the first warm-up was over; the creation by the warm-up itself is one of them.
    before: u64,
    after: u64,
}

impl Uses {
    /// No uses yet of a log whose manifest is not known: what was created in the time of its first warm-up is taken for
    /// warmed.
    pub fn without_manifest() -> Self {
        Self { created: Some(HashMap::new()), ..Self::default() }
    }

    /// No uses yet.
    pub fn of(manifest: &Manifest) -> Self {
        let mut names = CacheNames::default();
        manifest.records().for_each(|record| names.learn(&record.cache));
        Self {
            names,
            caches: manifest.records().map(|record| record.cache.clone()).collect(),
            warmed: manifest.records().map(|record| record.label.clone()).collect(),
            ..Self::default()
        }
    }

    /// Takes the next event of a log.
    pub fn take(&mut self, event: &Event) {
        match &event.data {
            EventData::WarmUpFinished(warm_up) => {
                self.warm_ups += 1;
                let began = event.timestamp.map(|end| end.saturating_sub(warm_up.duration_ns));
                if let (Some(created), Some(began)) = (self.created.take(), began) {
                    let warmed = created.into_iter().filter(|(_, at)| *at >= began);
                    self.warmed = warmed.map(|(label, _)| label.to_string()).collect();
                    self.caches =
                        self.warmed.iter().map(|label| self.names.split(label).0.to_owned()).collect();
                }
            }
            EventData::ResourceCreated(created) if self.created.is_some() => {
                self.names.learn(&created.cache);
                if let (Some(all), Some(at)) = (&mut self.created, event.timestamp) {
                    all.entry(created.cache_key.clone()).or_insert(at);
                }
            }
            EventData::ResourceCacheAccess(access)
                if self.created.is_some() || self.caches.contains(self.names.split(&access.cache_key).0) =>
            {
                let used = self.keys.entry(access.cache_key.clone()).or_default();
                let counter = if self.warm_ups == 0 { &mut used.before } else { &mut used.after };
                *counter += 1;
            }
            _ => {}
        }
    }

    /// Returns `true` if the key with this label was used, by more than its warm-up.
    pub fn has(&self, label: &str) -> bool {
        let warmed_up = u64::from(self.warm_ups > 0 && self.warmed.contains(label));
        self.keys.get(label).is_some_and(|used| used.after > 0 || used.before > warmed_up)
    }

    /// The result over the whole log.
    pub fn coverage(&self) -> Coverage {
        let has_warm_up = self.warm_ups > 0;
        let mut coverage = Coverage::new(has_warm_up);
        let used = self
            .keys
            .keys()
            .map(|label| &**label)
            .filter(|label| self.has(label) && self.caches.contains(self.names.split(label).0));
        let labels: HashSet<&str> = self.warmed.iter().map(|label| &**label).chain(used).collect();
        for label in labels {
            let is_warmed = self.warmed.contains(label);
            let before = self.keys.get(label).map_or(0, |used| used.before);
            let key = KeyCoverage {
                is_warmed,
                is_used: Some(self.has(label)),
                is_used_before_ready: has_warm_up && before > u64::from(is_warmed),
            };
            coverage.note(self.names.split(label).0, label, key);
        }
        coverage
    }
}

/// Labels of a kind in the text; JSON has all.
const LISTED: usize = 20;

/// Writes a coverage for a terminal.
///
/// # Errors
/// The writer's.
pub(in crate::commands) fn write(coverage: &Coverage, out: &mut dyn Write) -> io::Result<()> {
    let has_gone = coverage.total.gone > 0;
    // Without a warm-up, the keys of the manifest are no more than recorded.
    let [used, never, unused, missing] = if coverage.has_warm_up {
        ["warmed and used", "never warmed", "warmed and never used", "used and never warmed"]
    } else {
        ["recorded and used", "never recorded", "recorded and never used", "used and never recorded"]
    };
    let titles = ["cache", used, "never used", never, "used before ready", "gone"];
    let columns = if has_gone { 6 } else { 5 };
    let mut table = Table::new(titles.into_iter().take(columns));
    let total = ("total".to_owned(), &coverage.total);
    let caches = coverage.caches.iter().map(|(cache, figures)| (printable(cache, 40), figures));
    for (cache, figures) in caches.chain([total]) {
        let &CacheCoverage { warmed_and_used, never_used, never_warmed, used_before_ready, gone, .. } =
            figures;
        let figures = [warmed_and_used, never_used, never_warmed, used_before_ready, gone].map(count);
        table.row([cache].into_iter().chain(figures).take(columns));
    }
    table.write(out, 0)?;
    if !coverage.has_warm_up {
        writeln!(out, "\nno warm-up ends in the log: nothing was warmed up, or the log ends before")?;
    }
    for (title, labels) in [
        (unused, &coverage.never_used),
        (missing, &coverage.never_warmed),
        ("used before warm-up was over", &coverage.used_before_ready),
    ] {
        if labels.is_empty() {
            continue;
        }
        writeln!(out, "\n{title}:")?;
        for label in labels.iter().take(LISTED) {
            writeln!(out, "  {}", printable(label, usize::MAX))?;
        }
        if let Some(more) = labels.len().checked_sub(LISTED).filter(|more| *more > 0) {
            writeln!(out, "  and {} more; --json has all", count(more as u64))?;
        }
    }
    Ok(())
}
