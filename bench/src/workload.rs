//! The look-ups, their order, and the resources made on a miss.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use metallic::Dtype;

/// The caller's parameters: a matrix product.
#[derive(Clone, Copy, Debug)]
pub struct Params {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub dtype: Dtype,
    pub transpose_a: bool,
    pub transpose_b: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    m: usize,
    n: usize,
    k: usize,
    dtype: Dtype,
    transpose_a: bool,
    transpose_b: bool,
}

impl Key {
    #[inline]
    pub fn new(params: &Params) -> Self {
        let &Params { m, n, k, dtype, transpose_a, transpose_b } = params;
        Self { m, n, k, dtype, transpose_a, transpose_b }
    }
}

/// Stands for a driver's object.
#[derive(Debug)]
pub struct Pipeline {
    pub handle: u64,
}

#[derive(Clone, Debug)]
pub struct Resource {
    pub pipeline: Arc<Pipeline>,
    pub threads: u32,
    pub rows: u32,
    pub columns: u32,
}

/// Makes resources at next to no cost, and counts them. For metallic it is the device.
#[derive(Clone)]
pub struct Forge {
    pipeline: Arc<Pipeline>,
    made: Rc<Cell<u64>>,
}

impl Forge {
    fn new() -> Self {
        Self { pipeline: Arc::new(Pipeline { handle: 1 }), made: Rc::default() }
    }

    #[inline]
    pub fn make(&self, key: &Key) -> Resource {
        self.made.set(self.made.get() + 1);
        Resource {
            pipeline: self.pipeline.clone(),
            threads: key.k as u32,
            rows: key.m as u32,
            columns: key.n as u32,
        }
    }

    /// Resources made so far, by this forge and its clones.
    pub fn made(&self) -> u64 {
        self.made.get()
    }
}

/// One sequence of look-ups, and the cache it is meant for.
pub struct Workload {
    /// Entries that the cache may hold.
    pub capacity: usize,
    pub params: RefCell<Vec<Params>>,
    /// Looked up once before anything is measured: indices into `params`.
    pub first: Vec<u32>,
    /// The look-ups that are measured: indices into `params`.
    pub sequence: Vec<u32>,
    /// `true` if each look-up of the sequence misses; else each hits.
    pub misses: bool,
    pub forge: Forge,
}

impl Workload {
    /// `keys` resident keys, looked up 65536 times as Zipf's law with exponent 1 has it.
    pub fn hits(keys: usize) -> Rc<Self> {
        Self::new(keys, keys, zipf(keys, 1 << 16), false)
    }

    /// `keys` resident keys, and no more look-ups than it takes to get them in.
    pub fn resident(keys: usize) -> Rc<Self> {
        Self::new(keys, keys, Vec::new(), false)
    }

    /// Keys that never return: a cache that keeps what returned once would hit now and then.
    pub fn misses(capacity: usize) -> Rc<Self> {
        let keys = 100_000.max(2 * capacity);
        Self::new(capacity, keys, (0..keys as u32).collect(), true)
    }

    fn new(capacity: usize, keys: usize, sequence: Vec<u32>, misses: bool) -> Rc<Self> {
        let params = RefCell::new((0..keys).map(params).collect());
        let first = (0..keys as u32).collect();
        Rc::new(Self { capacity, params, first, sequence, misses, forge: Forge::new() })
    }

    /// Makes all keys new ones, if they are to miss.
    pub fn renew(&self) {
        if self.misses {
            let mut params = self.params.borrow_mut();
            let used = 1 + params.len() / 256;
            params.iter_mut().for_each(|params| params.m += used);
        }
    }
}

/// The `i`th of as many different products as one likes.
pub fn params(i: usize) -> Params {
    const DTYPES: [Dtype; 3] = [Dtype::F32, Dtype::F16, Dtype::BF16];
    Params {
        m: 1 + i / 256,
        n: 128 * (1 + i % 16),
        k: 128 * (1 + i / 16 % 16),
        dtype: DTYPES[i % 3],
        transpose_a: i & 1 != 0,
        transpose_b: i & 2 != 0,
    }
}

/// `len` indices below `keys`, the one of rank r as often as 1 / r; which index has which rank is shuffled.
fn zipf(keys: usize, len: usize) -> Vec<u32> {
    let mut random = SplitMix(0x5eed);
    let mut by_rank: Vec<u32> = (0..keys as u32).collect();
    for i in (1..keys).rev() {
        by_rank.swap(i, random.next() as usize % (i + 1));
    }
    let mut sum = 0.0;
    let cumulative: Vec<f64> = (1..=keys)
        .map(|rank| {
            sum += 1.0 / rank as f64;
            sum
        })
        .collect();
    (0..len)
        .map(|_| {
            let point = (random.next() >> 11) as f64 / (1u64 << 53) as f64 * sum;
            by_rank[cumulative.partition_point(|&up_to| up_to < point).min(keys - 1)]
        })
        .collect()
}

/// Steele, Lea and Flood's generator: small, and good enough to draw ranks.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
