//! One pass over the log: finds the key, follows its life, and remembers which keys could be near it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use metallic_instrumentation::{Event, EventData, KeyForm, NearestKey};
use rustc_hash::FxHashSet;

use super::life::Life;
use crate::input::{Registries, RegistryId};
use crate::label::CacheNames;

/// A search for one key. Memory grows with the distinct keys of the log, not with its length.
#[derive(Debug)]
pub struct Search {
    asked: String,
    names: CacheNames,
    /// By cache: its keys, in the order of first appearance.
    keys: BTreeMap<Box<str>, Keys>,
    /// The life of the key, once it was met.
    life: Option<Life>,
    /// The nearest of the keys that came before the first miss.
    nearest: Option<NearestKey>,
    also_in: Vec<String>,
    cache: Option<String>,
    registries: Registries,
    /// The registry whose key is followed: the one that has it first.
    registry: Option<RegistryId>,
    other_registries: BTreeSet<RegistryId>,
}

#[derive(Debug, Default)]
struct Keys {
    known: FxHashSet<Arc<str>>,
    in_order: Vec<Arc<str>>,
}

/// The result of a search.
#[derive(Debug)]
pub struct Found {
    /// The key's cache; if the key was not found, that of the nearest.
    pub cache: Option<String>,
    /// The key as it is in the log, or as it was asked for.
    pub key: String,
    /// Its life; `None` if the log does not know the key.
    pub life: Option<Life>,
    /// The nearest of those keys that came before the first miss; of all, if the key was not found.
    pub nearest: Option<NearestKey>,
    /// Other caches that have a key like this.
    pub also_in: Vec<String>,
    /// Keys in the log.
    pub keys: usize,
    /// Keys that contain what was asked for, if it is not a key.
    pub containing: usize,
    /// The number of the registry whose key this is; the log has it there first.
    pub registry: Option<u32>,
    /// Other registries that have this key.
    pub other_registries: usize,
}

impl Search {
    /// Looks for this key, with or without its cache's name.
    pub fn new(asked: &str) -> Self {
        Self {
            asked: without_spaces(asked),
            names: CacheNames::default(),
            keys: BTreeMap::new(),
            life: None,
            nearest: None,
            also_in: Vec::new(),
            cache: None,
            registries: Registries::default(),
            registry: None,
            other_registries: BTreeSet::new(),
        }
    }

    /// Takes the next event of the log, which is in this line.
    pub fn take(&mut self, event: &Event, line: u64) {
        let registry = self.registries.registry_of(event);
        let (label, cache) = match &event.data {
            EventData::ResourceCacheAccess(access) => (Some(&access.cache_key), None),
            EventData::ResourceCreated(created) => (Some(&created.cache_key), Some(&*created.cache)),
            EventData::EntryRemoved(removed) => (Some(&removed.cache_key), Some(&*removed.cache)),
            EventData::CreationViolation(violation) => (Some(&violation.cache_key), Some(&*violation.cache)),
            EventData::CacheEviction(eviction) => (None, Some(&*eviction.cache)),
            _ => return,
        };
        if let Some(cache) = cache {
            self.names.learn(cache);
        }
        let name = match (cache, label) {
            (Some(cache), _) => cache,
            (None, Some(label)) => self.names.split(label).0,
            (None, None) => return,
        };
        if let Some(label) = label {
            if !self.keys.contains_key(name) {
                self.keys.insert(name.into(), Keys::default());
            }
            if let Some(keys) = self.keys.get_mut(name)
                && !keys.known.contains(label)
            {
                keys.known.insert(label.clone());
                let key = label.get(name.len() + 1..).unwrap_or(label);
                if **label == *self.asked || key == self.asked {
                    if self.life.is_none() {
                        self.nearest = NearestKey::among(&keys.in_order, name, key);
                        self.life = Some(Life::new(label.clone(), name.to_owned()));
                        self.cache = Some(name.to_owned());
                        self.registry = Some(registry);
                    } else {
                        self.also_in.push(name.to_owned());
                    }
                }
                keys.in_order.push(label.clone());
            }
        }
        let Some(life) = &mut self.life else { return };
        if self.registry == Some(registry) {
            life.take(event, line, name);
        } else if label.is_some_and(|label| life.is_of(label)) {
            self.other_registries.insert(registry);
        }
    }

    /// The result over the whole log.
    pub fn finish(mut self) -> Found {
        let key = match (&self.cache, &self.life) {
            (Some(cache), Some(_)) if !self.asked.starts_with(&format!("{cache}:")) => {
                format!("{cache}:{}", self.asked)
            }
            _ => self.asked.clone(),
        };
        if self.life.is_none() {
            let (name, asked) = self.names.split(&self.asked);
            let of_one = self.keys.get_key_value(name).map(|(name, keys)| (asked, vec![(name, keys)]));
            let is_named = of_one.is_some();
            let (asked, caches) = of_one.unwrap_or_else(|| (&self.asked, self.keys.iter().collect()));
            let form = KeyForm::parse(asked);
            let is_near = |name: &str, nearest: &NearestKey| {
                is_named
                    || form
                        .shares_with(&KeyForm::parse(nearest.key.get(name.len() + 1..).unwrap_or_default()))
            };
            let best = caches
                .into_iter()
                .filter_map(|(name, keys)| Some((name, NearestKey::among(&keys.in_order, name, asked)?)))
                .filter(|(name, nearest)| is_near(name, nearest))
                .min_by_key(|(_, nearest)| nearest.differences.len());
            if let Some((name, nearest)) = best {
                self.cache = Some(name.to_string());
                self.nearest = Some(nearest);
            }
        }
        let containing = match &self.life {
            Some(_) => 0,
            None => {
                let all = self.keys.values().flat_map(|keys| &keys.in_order);
                all.filter(|label| label.contains(&*self.asked)).count()
            }
        };
        let keys = self.keys.values().map(|keys| keys.in_order.len()).sum();
        let Self { life, nearest, also_in, cache, registry, other_registries, .. } = self;
        let (registry, other_registries) = (registry.and_then(|id| id.number), other_registries.len());
        Found { cache, key, life, nearest, also_in, keys, containing, registry, other_registries }
    }
}

/// A key as labels have it: without the spaces outside string and character literals.
pub(super) fn without_spaces(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut quote = None;
    let mut chars = text.trim().chars();
    while let Some(c) = chars.next() {
        if c != ' ' || quote.is_some() {
            kept.push(c);
        }
        match c {
            '\\' if quote.is_some() => kept.extend(chars.next()),
            '"' if quote.is_none() => quote = Some(c),
            '\'' if quote.is_none() && chars.as_str().chars().nth(1) == Some('\'') => quote = Some(c),
            _ if Some(c) == quote => quote = None,
            _ => {}
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::without_spaces;

    #[test]
    fn spaces_outside_literals_do_not_matter() {
        let cases = [
            ("gemm: Key { m: 1, s: \"a b\" }", "gemm:Key{m:1,s:\"a b\"}"),
            ("Key { q: ' ', s: \"a \\\" b\", t: 1 }", "Key{q:' ',s:\"a \\\" b\",t:1}"),
            ("Key<'a, 'b> { m: 1 }", "Key<'a,'b>{m:1}"),
        ];
        for (text, kept) in cases {
            assert_eq!(without_spaces(text), kept);
        }
    }
}
