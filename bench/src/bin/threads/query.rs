//! Hits by a key of two strings and a list.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::hint::black_box;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use metallic::caching::{Equivalent, LocalSharedCache, Query, SharedCache, SharedRegistry};
use metallic::error::Error;
use metallic_bench::table;
use metallic_bench::workload::{Pipeline, Workload};

use crate::Settings;
use crate::readers::{compared, interleaved};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PipelineKey {
    source: String,
    entry: String,
    layout: Vec<u32>,
}

#[derive(Clone, Copy, Hash)]
pub struct PipelineQuery<'a> {
    source: &'a str,
    entry: &'a str,
    layout: &'a [u32],
}

impl Equivalent<PipelineKey> for PipelineQuery<'_> {
    #[inline]
    fn equivalent(&self, key: &PipelineKey) -> bool {
        self.source == key.source && self.entry == key.entry && self.layout == key.layout
    }
}

impl Query<PipelineKey> for PipelineQuery<'_> {
    fn to_key(&self) -> PipelineKey {
        PipelineKey {
            source: self.source.to_owned(),
            entry: self.entry.to_owned(),
            layout: self.layout.to_owned(),
        }
    }
}

/// The caller's parameters: 100 pipelines.
pub struct Pipelines {
    known: Vec<PipelineKey>,
    sequence: Vec<u32>,
}

impl Pipelines {
    pub fn new() -> Self {
        let known = (0..100_u32).map(|i| PipelineKey {
            source: format!("shaders/{}/kernel_{i}.wgsl", ["gemm", "softmax", "norm"][i as usize % 3]),
            entry: ["main", "main_vec4", "reduce"][i as usize % 3].to_owned(),
            layout: vec![i % 4, 1, 2, i % 7],
        });
        Self { known: known.collect(), sequence: Workload::hits(100).sequence.clone() }
    }

    pub fn len(&self) -> usize {
        self.sequence.len()
    }
}

/// Looks all of the sequence up.
#[inline(never)]
pub fn look_up<F>(pipelines: &Pipelines, mut found: impl FnMut(&PipelineQuery<'_>) -> F) {
    for &index in &pipelines.sequence {
        let PipelineKey { source, entry, layout } = &pipelines.known[index as usize];
        black_box(found(black_box(&PipelineQuery { source, entry, layout })));
    }
}

pub fn make() -> Result<Arc<Pipeline>, Error> {
    Ok(Arc::new(Pipeline { handle: 1 }))
}

pub fn cache() -> SharedCache<PipelineKey, Arc<Pipeline>> {
    SharedRegistry::new().cache("pipeline").expect("the first cache of the registry")
}

pub fn find_clone(
    cache: &SharedCache<PipelineKey, Arc<Pipeline>>,
    query: &PipelineQuery<'_>,
) -> Arc<Pipeline> {
    cache.get_or_create_with(query, make).expect("it never fails")
}

pub fn find_local<'a>(
    local: &'a mut LocalSharedCache<PipelineKey, Arc<Pipeline>>,
    query: &PipelineQuery<'_>,
) -> &'a Arc<Pipeline> {
    local.get_or_create_with(query, make).expect("it never fails")
}

/// As engines do it: the key is built, and the map is read behind a lock.
fn find_locked<S: BuildHasher>(
    map: &RwLock<HashMap<PipelineKey, Arc<Pipeline>, S>>,
    query: &PipelineQuery<'_>,
) -> Arc<Pipeline> {
    let key = query.to_key();
    if let Some(found) = map.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
        return found.clone();
    }
    let mut map = map.write().unwrap_or_else(PoisonError::into_inner);
    map.entry(key).or_insert_with(|| make().expect("it never fails")).clone()
}

pub fn print(settings: &Settings) {
    let pipelines = Pipelines::new();
    let cache = cache();
    let mut local = cache.local();
    let std_map = RwLock::new(HashMap::<_, _>::new());
    let fx_map = RwLock::new(rustc_hash::FxHashMap::default());
    let names = [
        "RwLock<HashMap>, cloned key",
        "RwLock<FxHashMap>, cloned key",
        "SharedCache, borrowed query",
        "LocalSharedCache, borrowed query",
    ];
    let mut run = |row: usize| match row {
        0 => look_up(&pipelines, |query| find_locked(&std_map, query)),
        1 => look_up(&pipelines, |query| find_locked(&fx_map, query)),
        2 => look_up(&pipelines, |query| find_clone(&cache, query)),
        _ => look_up(&pipelines, |query| {
            black_box(find_local(&mut local, query));
        }),
    };
    let figures = interleaved(names.len(), settings.rounds, |row| {
        run(row); // Into the processor's caches what the others drove out.
        let begin = Instant::now();
        run(row);
        begin.elapsed().as_nanos() as f64 / pipelines.len() as f64
    });
    let cells = names.iter().zip(&figures).map(|(name, times)| {
        let (ns, ratio) = compared(times, &figures[0]);
        vec![(*name).to_owned(), format!("{ns:.1}"), format!("{ratio:.2}")]
    });
    let title = format!(
        "A hit on one thread, key of two strings and a list, of 100: medians of {} rounds",
        settings.rounds
    );
    let header = ["", "ns", "ratio"].map(str::to_owned);
    table::print(&title, &header, &cells.collect::<Vec<_>>());
}
