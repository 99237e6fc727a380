//! The keys of a log, searched and grouped: which values of a field miss?

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use metallic_instrumentation::{CreationOutcome, Event, EventData, KeyForm};
use rustc_hash::FxHashMap;
use serde::Serialize;

use super::search::without_spaces;
use crate::args::ExplainArgs;
use crate::label::CacheNames;
use crate::table::Table;
use crate::units::{count, duration, printable};

/// The figures of a key, or of the keys that share a value, of all registries together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct KeyRow {
    /// The key as it is in the log; of a group, the value of the field.
    pub key: String,
    /// Its cache.
    pub cache: String,
    /// Keys in the group; 1 for a key.
    pub keys: u64,
    /// Look-ups that found it.
    pub hits: u64,
    /// Look-ups that did not.
    pub misses: u64,
    /// Creations that went well.
    pub created: u64,
    /// The time of all its creations, in nanoseconds.
    pub creation_ns: u64,
    /// Creations in armed scopes, refused ones included.
    pub violations: u64,
}

/// Collects the keys that are asked for. Memory grows with the distinct keys of the log, not with its length.
#[derive(Debug)]
pub struct KeyList {
    cache: Option<String>,
    like: Option<String>,
    group_by: Option<String>,
    names: CacheNames,
    /// The names of all caches.
    caches: BTreeSet<Box<str>>,
    rows: FxHashMap<Box<str>, KeyRow>,
}

impl KeyList {
    /// The list that these arguments ask for; `None` if they ask for one key.
    pub fn wanted(args: &ExplainArgs) -> Option<Self> {
        if args.list.is_none() && args.like.is_none() && args.group_by.is_none() {
            return None;
        }
        Some(Self {
            cache: args.list.clone(),
            like: args.like.as_deref().map(without_spaces),
            group_by: args.group_by.clone(),
            names: CacheNames::default(),
            caches: BTreeSet::new(),
            rows: FxHashMap::default(),
        })
    }

    /// Takes the next event of the log.
    pub fn take(&mut self, event: &Event) {
        match &event.data {
            EventData::ResourceCacheAccess(access) => {
                if let Some(row) = self.row(&access.cache_key, None) {
                    row.hits += u64::from(access.hit);
                    row.misses += u64::from(!access.hit);
                }
            }
            EventData::ResourceCreated(created) => {
                self.names.learn(&created.cache);
                if let Some(row) = self.row(&created.cache_key, Some(&created.cache)) {
                    row.created += u64::from(created.outcome == CreationOutcome::Created);
                    row.creation_ns = row.creation_ns.saturating_add(created.duration_ns);
                }
            }
            EventData::CreationViolation(violation) => {
                self.names.learn(&violation.cache);
                if let Some(row) = self.row(&violation.cache_key, Some(&violation.cache)) {
                    row.violations += 1;
                }
            }
            _ => {}
        }
    }

    fn row(&mut self, label: &str, cache: Option<&str>) -> Option<&mut KeyRow> {
        let cache = cache.unwrap_or_else(|| self.names.split(label).0);
        if !self.caches.contains(cache) {
            self.caches.insert(cache.into());
        }
        let is_wanted = self.cache.as_deref().is_none_or(|wanted| wanted == cache)
            && self.like.as_deref().is_none_or(|text| label.contains(text));
        if !is_wanted {
            return None;
        }
        if !self.rows.contains_key(label) {
            let row = KeyRow { key: label.to_owned(), cache: cache.to_owned(), keys: 1, ..KeyRow::default() };
            self.rows.insert(label.into(), row);
        }
        self.rows.get_mut(label)
    }

    /// Says what of the question the log does not have, if the list is empty.
    pub fn lacking(&self) -> String {
        match (&self.cache, &self.like, &self.group_by) {
            (Some(cache), ..) if !self.caches.contains(&**cache) => {
                let caches: Vec<&str> = self.caches.iter().map(|cache| &**cache).collect();
                format!("no cache in it is called `{cache}`; there are: {}", caches.join(", "))
            }
            (_, Some(text), _) if self.rows.is_empty() => format!("no key in it contains `{text}`"),
            (.., Some(field)) if !self.rows.is_empty() => {
                format!("none of these keys has the field `{field}`")
            }
            _ => "it has no keys".to_owned(),
        }
    }

    /// The keys, or their groups, those that missed most first; of refused creations, there is no miss.
    pub fn finish(self) -> Vec<KeyRow> {
        let mut rows: Vec<KeyRow> = match &self.group_by {
            None => self.rows.into_values().collect(),
            Some(field) => grouped(self.rows.into_values(), field),
        };
        rows.sort_by(|a, b| {
            let rank = |row: &KeyRow| (row.misses, row.violations, row.creation_ns);
            rank(b).cmp(&rank(a)).then_with(|| (&a.cache, &a.key).cmp(&(&b.cache, &b.key)))
        });
        rows
    }
}

/// Keys without the field are not in any group.
fn grouped(keys: impl Iterator<Item = KeyRow>, field: &str) -> Vec<KeyRow> {
    let mut groups: BTreeMap<(String, String), KeyRow> = BTreeMap::new();
    for key in keys {
        let form = KeyForm::parse(key.key.get(key.cache.len() + 1..).unwrap_or(&key.key));
        let Some(value) = form.field(field) else { continue };
        let value = format!("{field}:{value}");
        let group = groups.entry((key.cache.clone(), value.clone())).or_insert_with(|| KeyRow {
            key: value,
            cache: key.cache.clone(),
            ..KeyRow::default()
        });
        group.keys += 1;
        group.hits += key.hits;
        group.misses += key.misses;
        group.created += key.created;
        group.creation_ns = group.creation_ns.saturating_add(key.creation_ns);
        group.violations += key.violations;
    }
    groups.into_values().collect()
}

/// The rows of a table, so that it can be looked through.
const ROWS: usize = 100;
/// Longest key in the table, in columns, however wide the terminal is.
const KEY: usize = 200;

/// Writes the rows as a table.
///
/// # Errors
/// The writer's.
pub(super) fn write(out: &mut dyn Write, rows: &[KeyRow], is_grouped: bool) -> io::Result<()> {
    let titles = ["keys", "hits", "misses", "created", "creation"];
    let has_violations = rows.iter().any(|row| row.violations > 0);
    let violations = has_violations.then_some("violations");
    let titles = titles.iter().skip(usize::from(!is_grouped)).copied().chain(violations);
    let mut table = Table::new(["key"].into_iter().chain(titles)).may_lack(["created", "hits"]);
    for row in rows.iter().take(ROWS) {
        let key = if is_grouped { format!("{} {}", row.cache, row.key) } else { row.key.clone() };
        let figures = [
            count(row.keys),
            count(row.hits),
            count(row.misses),
            count(row.created),
            duration(row.creation_ns),
        ];
        let violations = has_violations.then(|| count(row.violations));
        let figures = figures.into_iter().skip(usize::from(!is_grouped)).chain(violations);
        table.row([printable(&key, KEY)].into_iter().chain(figures));
    }
    table.write(out, 0)?;
    match rows.len().saturating_sub(ROWS) {
        0 => Ok(()),
        more => writeln!(out, "and {} more; --json has all", count(more as u64)),
    }
}
