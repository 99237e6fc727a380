//! The subject: something that threads look resources up in, each through its own reader.

use std::hint::black_box;

use metallic_bench::workload::Params;

use crate::factory::Factory;

/// A cache or map for threads.
pub trait Contender: Sized + Send + Sync + 'static {
    type Reader<'a>: Reader
    where
        Self: 'a;

    /// With room for `capacity` entries, as far as it has a limit.
    fn new(capacity: usize, factory: &Factory) -> Self;

    /// One thread's access. Contenders that share nothing make a cache here.
    fn reader(&self) -> Self::Reader<'_>;
}

/// One thread's access to a contender.
pub trait Reader {
    type Found<'a>
    where
        Self: 'a;

    fn get_or_create(&mut self, params: &Params) -> Self::Found<'_>;
}

/// A contender of a forgotten type.
pub trait Shared: Send + Sync {
    fn reader(&self) -> Box<dyn Looks + '_>;
}

impl<C: Contender> Shared for C {
    fn reader(&self) -> Box<dyn Looks + '_> {
        Box::new(Contender::reader(self))
    }
}

/// A reader of a forgotten type.
pub trait Looks {
    /// The same loop for every contender.
    fn look_up(&mut self, params: &[Params], indices: &[u32]);
}

impl<R: Reader> Looks for R {
    #[inline(never)]
    fn look_up(&mut self, params: &[Params], indices: &[u32]) {
        for &index in indices {
            black_box(self.get_or_create(black_box(&params[index as usize])));
        }
    }
}

/// A row of a table.
pub struct Row {
    pub name: &'static str,
    pub build: fn(usize, &Factory) -> Box<dyn Shared>,
    /// `true` if there is one for all threads.
    pub is_shared: bool,
    /// `true` if it keeps to its capacity.
    pub evicts: bool,
}

impl Row {
    const fn new<C: Contender>(name: &'static str) -> Self {
        let build = |capacity, factory: &Factory| Box::new(C::new(capacity, factory)) as Box<dyn Shared>;
        Self { name, build, is_shared: true, evicts: true }
    }

    const fn own(self) -> Self {
        Self { is_shared: false, ..self }
    }

    const fn unbounded(self) -> Self {
        Self { evicts: false, ..self }
    }
}

/// The name of the row that rates are compared with.
pub const REFERENCE: &str = "CacheRegistry for each thread";

/// The name of the row that times of creations are compared with.
pub const SINGLE_FLIGHT: &str = "quick_cache";

/// All contenders.
pub fn rows() -> [Row; 13] {
    use crate::{ours, peers};
    [
        Row::new::<peers::OwnMap>("FxHashMap for each thread").own().unbounded(),
        Row::new::<ours::OwnRegistry>(REFERENCE).own(),
        Row::new::<ours::Locals>("LocalRegistry"),
        Row::new::<ours::Clones>("SharedRegistry"),
        Row::new::<ours::Divided>("64 caches, locals"),
        Row::new::<ours::DividedClones>("64 caches, clones"),
        Row::new::<peers::Quick>(SINGLE_FLIGHT),
        Row::new::<peers::Moka>("moka"),
        Row::new::<peers::Dash>("dashmap").unbounded(),
        Row::new::<peers::Papaya>("papaya, clones").unbounded(),
        Row::new::<peers::PapayaBorrows>("papaya, borrows").unbounded(),
        Row::new::<peers::Locked>("Mutex<FxHashMap>").unbounded(),
        Row::new::<peers::Reading>("RwLock<FxHashMap>").unbounded(),
    ]
}
