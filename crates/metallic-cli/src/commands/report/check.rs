//! Conditions on the figures of a report, with which a build fails when keys explode.

use std::str::FromStr;

use super::figures::{CacheFigures, Report};

/// A condition: a figure of one cache, or of `total` for all of them, an operator and a number.
#[derive(Clone, Debug)]
pub struct Check {
    text: String,
    cache: String,
    figure: Figure,
    operator: Operator,
    limit: f64,
}

#[derive(Clone, Copy, Debug)]
struct Figure {
    name: &'static str,
    of: fn(&CacheFigures) -> f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    Unequal,
    AtMost,
    AtLeast,
    Below,
    Above,
}

/// The longer ones first: `<` begins `<=`.
const OPERATORS: [(&str, Operator); 6] = [
    ("==", Operator::Equal),
    ("!=", Operator::Unequal),
    ("<=", Operator::AtMost),
    (">=", Operator::AtLeast),
    ("<", Operator::Below),
    (">", Operator::Above),
];

/// All of these can be added up over caches; `hit_rate` and `max_creation_seconds`, which cannot, are told apart by name.
const FIGURES: [Figure; 15] = [
    Figure { name: "hits", of: |cache| cache.hits as f64 },
    Figure { name: "misses", of: |cache| cache.misses as f64 },
    Figure { name: HIT_RATE, of: |cache| cache.hit_rate.unwrap_or(f64::NAN) },
    Figure { name: "entries", of: |cache| cache.entries.unwrap_or(0) as f64 },
    Figure { name: "peak_entries", of: |cache| cache.peak_entries as f64 },
    Figure { name: "evictions", of: |cache| cache.evictions as f64 },
    Figure { name: "removals", of: |cache| cache.removals as f64 },
    Figure { name: "creations", of: |cache| cache.creations as f64 },
    Figure { name: "failed", of: |cache| cache.failed as f64 },
    Figure { name: "loads", of: |cache| cache.loads as f64 },
    Figure { name: "load_seconds", of: |cache| seconds(cache.load_ns) },
    Figure { name: "creation_seconds", of: |cache| seconds(cache.creation_ns.sum) },
    Figure { name: MAX, of: |cache| seconds(cache.creation_ns.max) },
    Figure { name: "rebuilt", of: |cache| cache.rebuilt as f64 },
    Figure { name: "rebuilt_seconds", of: |cache| seconds(cache.rebuilt_ns) },
];
const HIT_RATE: &str = "hit_rate";
const MAX: &str = "max_creation_seconds";
const TOTAL: &str = "total";

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

impl FromStr for Check {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form =
            || format!("`{text}` is not of the form CACHE.FIGURE OPERATOR NUMBER, as in `gemm.rebuilt == 0`");
        let found = OPERATORS.iter().find_map(|(sign, operator)| Some((text.split_once(sign)?, *operator)));
        let ((left, right), operator) = found.ok_or_else(form)?;
        let (cache, name) = left.trim().rsplit_once('.').ok_or_else(form)?;
        let figure = FIGURES.into_iter().find(|figure| figure.name == name).ok_or_else(|| {
            let names: Vec<&str> = FIGURES.iter().map(|figure| figure.name).collect();
            format!("`{name}` is not a figure; there are: {}", names.join(", "))
        })?;
        let limit = right.trim().parse().map_err(|_| format!("`{}` is not a number", right.trim()))?;
        Ok(Self { text: text.to_owned(), cache: cache.to_owned(), figure, operator, limit })
    }
}

impl Check {
    /// Returns why the condition does not hold, in one line; `None` if it does. A cache that is not in the log breaks it: a
    /// condition on a misspelt name would hold for ever.
    pub fn broken(&self, report: &Report) -> Option<String> {
        let caches = &report.caches;
        let value = if self.cache == TOTAL {
            total(self.figure, caches)
        } else {
            match caches.iter().find(|cache| cache.cache == self.cache) {
                Some(cache) => (self.figure.of)(cache),
                None => return Some(format!("check {}: the log has no cache `{}`", self.text, self.cache)),
            }
        };
        if value.is_nan() {
            return Some(format!("check {}: there were no look-ups", self.text));
        }
        let holds = match self.operator {
            Operator::Equal => value == self.limit,
            Operator::Unequal => value != self.limit,
            Operator::AtMost => value <= self.limit,
            Operator::AtLeast => value >= self.limit,
            Operator::Below => value < self.limit,
            Operator::Above => value > self.limit,
        };
        (!holds).then(|| format!("check {}: it is {value}", self.text))
    }
}

fn total(figure: Figure, caches: &[CacheFigures]) -> f64 {
    let values = caches.iter().map(figure.of);
    match figure.name {
        HIT_RATE => {
            let hits: f64 = caches.iter().map(|cache| cache.hits as f64).sum();
            hits / (hits + caches.iter().map(|cache| cache.misses as f64).sum::<f64>())
        }
        MAX => values.fold(0.0, f64::max),
        _ => values.sum(),
    }
}
