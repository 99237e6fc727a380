//! Conditions on a comparison.

use super::figures::{CacheChange, Diff, Figures, KeyCounts};
use crate::commands::report::{Subject, TOTAL};

impl Subject for Diff {
    const FIGURES: &[&str] = &[
        "new",
        "gone",
        "more",
        "fewer",
        "dearer",
        "cheaper",
        "hits",
        "misses",
        "hit_rate",
        "evictions",
        "creations",
        "failed",
        "creation_seconds",
        "created_bytes",
        "rebuilt",
        "rebuilt_seconds",
        "violations",
        "refused",
    ];
    const MISSING: &str = "there is no cache";
    const UNKNOWN: &str =
        "that is not known: there were no look-ups, or a report does not name all of its keys";

    fn figure(&self, cache: &str, figure: &str) -> Option<f64> {
        let change = match cache {
            TOTAL => &self.total,
            name => self.caches.iter().find(|change| change.cache == name)?,
        };
        let CacheChange { keys: KeyCounts { new, gone, more, fewer, dearer, cheaper }, .. } = change;
        let known = |is_known: bool, count: &u64| if is_known { *count as f64 } else { f64::NAN };
        let up = |of: fn(&Figures) -> f64| {
            let value = |figures: Option<Figures>| of(&figures.unwrap_or_default());
            value(change.after) - value(change.before)
        };
        Some(match figure {
            "new" => known(self.new_known, new),
            "gone" => known(self.gone_known, gone),
            "more" => *more as f64,
            "fewer" => *fewer as f64,
            "dearer" => *dearer as f64,
            "cheaper" => *cheaper as f64,
            "hits" => up(|figures| figures.hits as f64),
            "misses" => up(|figures| figures.misses as f64),
            "hit_rate" => up(|figures| figures.hit_rate.unwrap_or(f64::NAN)),
            "evictions" => up(|figures| figures.evictions as f64),
            "creations" => up(|figures| figures.creations as f64),
            "failed" => up(|figures| figures.failed as f64),
            "creation_seconds" => up(|figures| figures.creation_ns as f64 / 1e9),
            "created_bytes" => up(|figures| figures.created_bytes as f64),
            "rebuilt" => up(|figures| figures.rebuilt as f64),
            "rebuilt_seconds" => up(|figures| figures.rebuilt_ns as f64 / 1e9),
            "violations" => up(|figures| figures.violations as f64),
            "refused" => up(|figures| figures.refused as f64),
            _ => return None,
        })
    }
}
