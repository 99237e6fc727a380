//! Conditions on the figures of a report, with which a build fails when keys explode.

use std::marker::PhantomData;
use std::str::FromStr;

use super::figures::{CacheFigures, Report};
use super::violations::ViolationFigures;
use crate::error::Error;

/// Figures of caches that conditions can be put on.
pub trait Subject {
    /// The names of the figures.
    const FIGURES: &[&str];
    /// The beginning of the message about a cache that is not there.
    const MISSING: &str;
    /// Why a figure is not a number, in words.
    const UNKNOWN: &str;

    /// A figure of this cache, or of all for [`TOTAL`]; NaN if it is not known, `None` if there is no such cache.
    fn figure(&self, cache: &str, figure: &str) -> Option<f64>;
}

/// A condition: a figure of one cache, or of `total` for all of them, an operator and a number.
#[derive(Clone, Debug)]
pub struct Check<S> {
    text: String,
    cache: String,
    figure: &'static str,
    operator: Operator,
    limit: f64,
    subject: PhantomData<fn(&S)>,
}

/// The name that stands for the sum of all caches.
pub const TOTAL: &str = "total";

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

/// A figure and how it is read off.
type Figure = (&'static str, fn(&CacheFigures) -> f64);

/// All of these can be added up over caches; `hit_rate` and `max_creation_seconds`, which cannot, are told apart by name.
const OF_REPORT: [Figure; 16] = [
    ("hits", |cache| cache.hits as f64),
    ("misses", |cache| cache.misses as f64),
    (HIT_RATE, |cache| cache.hit_rate.unwrap_or(f64::NAN)),
    ("entries", |cache| cache.entries.unwrap_or(0) as f64),
    ("peak_entries", |cache| cache.peak_entries as f64),
    ("evictions", |cache| cache.evictions as f64),
    ("removals", |cache| cache.removals as f64),
    ("creations", |cache| cache.creations as f64),
    ("failed", |cache| cache.failed as f64),
    ("loads", |cache| cache.loads as f64),
    ("load_seconds", |cache| seconds(cache.load_ns)),
    ("creation_seconds", |cache| seconds(cache.creation_ns.sum)),
    (MAX, |cache| seconds(cache.creation_ns.max)),
    ("created_bytes", |cache| cache.created_bytes as f64),
    ("rebuilt", |cache| cache.rebuilt as f64),
    ("rebuilt_seconds", |cache| seconds(cache.rebuilt_ns)),
];
/// A figure of creations in armed scopes.
type OfViolations = (&'static str, fn(&ViolationFigures) -> u64);

/// Also of caches that the log has nothing else of.
const OF_VIOLATIONS: [OfViolations; 3] = [
    ("violations", ViolationFigures::all),
    ("refused", |figures| figures.refused),
    ("warned", |figures| figures.warned),
];
const HIT_RATE: &str = "hit_rate";
const MAX: &str = "max_creation_seconds";

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

impl<S: Subject> FromStr for Check<S> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form =
            || format!("`{text}` is not of the form CACHE.FIGURE OPERATOR NUMBER, as in `gemm.rebuilt == 0`");
        let found = OPERATORS.iter().find_map(|(sign, operator)| Some((text.split_once(sign)?, *operator)));
        let ((left, right), operator) = found.ok_or_else(form)?;
        let (cache, name) = left.trim().rsplit_once('.').ok_or_else(form)?;
        let figure = S::FIGURES
            .iter()
            .find(|figure| **figure == name)
            .ok_or_else(|| format!("`{name}` is not a figure; there are: {}", S::FIGURES.join(", ")))?;
        let limit = right.trim().parse().map_err(|_| format!("`{}` is not a number", right.trim()))?;
        Ok(Self {
            text: text.to_owned(),
            cache: cache.to_owned(),
            figure,
            operator,
            limit,
            subject: PhantomData,
        })
    }
}

impl<S: Subject> Check<S> {
    /// Returns why the condition does not hold, in one line; `None` if it does. A cache that is not in the log breaks it: a
    /// condition on a misspelt name would hold for ever.
    pub fn broken(&self, subject: &S) -> Option<String> {
        let Self { text, cache, figure, operator, limit, .. } = self;
        let Some(value) = subject.figure(cache, figure) else {
            return Some(format!("check {text}: {} `{cache}`", S::MISSING));
        };
        if value.is_nan() {
            return Some(format!("check {text}: {}", S::UNKNOWN));
        }
        let holds = match operator {
            Operator::Equal => value == *limit,
            Operator::Unequal => value != *limit,
            Operator::AtMost => value <= *limit,
            Operator::AtLeast => value >= *limit,
            Operator::Below => value < *limit,
            Operator::Above => value > *limit,
        };
        (!holds).then(|| format!("check {text}: it is {value}"))
    }

    /// The lines of all conditions that do not hold, as an error.
    ///
    /// # Errors
    /// [`Error::Checks`] if there are any.
    pub fn all(checks: &[Self], subject: &S) -> Result<(), Error> {
        let broken: Vec<String> = checks.iter().filter_map(|check| check.broken(subject)).collect();
        if broken.is_empty() { Ok(()) } else { Err(Error::Checks(broken)) }
    }
}

impl Subject for Report {
    const FIGURES: &[&str] = &{
        let mut names = [""; OF_REPORT.len() + OF_VIOLATIONS.len()];
        let mut at = 0;
        while at < names.len() {
            names[at] = match at.checked_sub(OF_REPORT.len()) {
                None => OF_REPORT[at].0,
                Some(at) => OF_VIOLATIONS[at].0,
            };
            at += 1;
        }
        names
    };
    const MISSING: &str = "the log has no cache";
    const UNKNOWN: &str = "there were no look-ups";

    fn figure(&self, cache: &str, figure: &str) -> Option<f64> {
        let caches = &self.caches;
        if let Some((_, of)) = OF_VIOLATIONS.into_iter().find(|(name, _)| *name == figure) {
            let is_meant = |name: &str| cache == TOTAL || cache == name;
            let known = is_meant(TOTAL) || caches.iter().any(|other| other.cache == cache);
            let mut values = self.violations.iter().filter(|all| is_meant(&all.cache)).map(of).peekable();
            return (known || values.peek().is_some()).then(|| values.map(|value| value as f64).sum());
        }
        let (name, of) = OF_REPORT.into_iter().find(|(name, _)| *name == figure)?;
        if cache != TOTAL {
            return caches.iter().find(|other| other.cache == cache).map(of);
        }
        let values = caches.iter().map(of);
        Some(match name {
            HIT_RATE => {
                let hits: f64 = caches.iter().map(|cache| cache.hits as f64).sum();
                hits / (hits + caches.iter().map(|cache| cache.misses as f64).sum::<f64>())
            }
            MAX => values.fold(0.0, f64::max),
            _ => values.sum(),
        })
    }
}
