//! Keys that lack something, and keys that have too much.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use metallic::caching::{CacheRegistry, CacheableKernel, Composition, Creation, SharedRegistry};
use metallic::creation::{Contract, Sample};
use metallic::error::{Error, MetalError};
use metallic_instrumentation::{EventData, Recorder};

/// A compiler, and its option that no key has.
#[derive(Clone, Default)]
struct Compiler {
    level: Arc<AtomicU32>,
    compilations: Arc<AtomicU32>,
}

struct Source;

impl CacheableKernel<Compiler> for Source {
    type Key = u32;
    type CachedResource = u32;
    type Params = u32;
    const CACHE_NAME: &'static str = "source";

    fn create_cache_key(width: &u32) -> u32 {
        *width
    }

    fn create_cached_resource(width: &u32, _: Option<&Compiler>) -> Result<u32, MetalError> {
        Ok(*width)
    }
}

#[derive(Clone)]
struct Code {
    /// Widths of one vector share their code, although the key has each.
    vectors: u32,
    level: u32,
}

struct Shader;

impl CacheableKernel<Compiler> for Shader {
    type Key = u32;
    type CachedResource = Code;
    type Params = u32;
    const CACHE_NAME: &'static str = "shader";

    fn create_cache_key(width: &u32) -> u32 {
        *width
    }

    fn create_cached_resource(_: &u32, _: Option<&Compiler>) -> Result<Code, MetalError> {
        unreachable!("it needs its source")
    }

    fn create(width: &u32, cx: &mut Creation<'_, Self, Compiler>) -> Result<Code, MetalError> {
        let compiler = cx.device().ok_or(Error::DeviceNotAvailable)?;
        let width = cx.get_or_create::<Source>(width)?;
        compiler.compilations.fetch_add(1, Ordering::Relaxed);
        assert!(width != 13 || compiler.level.load(Ordering::Relaxed) < 3, "a compiler's fault");
        Ok(Code { vectors: width.div_ceil(4), level: compiler.level.load(Ordering::Relaxed) })
    }

    fn composition(code: &Code) -> Option<Composition> {
        Some(Composition::new().with("level", code.level).with_digest("code", code.vectors))
    }
}

#[test]
fn a_composition_is_written_part_by_part() {
    let composition = Composition::new().with("level", 3).with("width", 4).with("type", "f16");
    assert_eq!(composition.to_string(), "level `3`, width `4`, type `f16`");
    assert_eq!(Composition::new().with("level", 3).to_string(), "level `3`");
}

#[test]
fn a_resource_that_comes_out_different_is_told_with_what_differs() {
    let compiler = Compiler::default();
    let events = Arc::new(Recorder::default());
    let shared = SharedRegistry::with_device(compiler.clone());
    shared.set_sink(Some(events.clone()));
    let mut private = CacheRegistry::with_device(compiler.clone());
    for width in [4, 8, 13] {
        shared.get_or_create::<Shader>(&width, None).unwrap();
        private.get_or_create::<Shader>(&width, None).unwrap();
    }
    let armed = shared.arm("serving", Contract::Refuse);
    for report in [shared.verify::<Shader>(&Sample::all()), private.verify::<Shader>(&Sample::all())] {
        assert_eq!((report.same, report.is_clean()), (3, true), "{report}");
    }
    compiler.level.store(3, Ordering::Relaxed);
    events.take();
    let report = shared.verify::<Shader>(&Sample::all());
    assert_eq!(report, private.verify::<Shader>(&Sample::all()));
    assert_eq!((report.same, report.is_clean()), (0, false));
    let said = |width| (format!("shader:{width}").into(), vec!["level is `3`, was `0`".to_owned()]);
    assert_eq!(report.incomplete, [said(4), said(8)]);
    assert_eq!(report.failed, [("shader:13".into(), "the creation panicked".to_owned())]);
    assert!(report.to_string().contains("same key, different artifact: shader:4: level is `3`, was `0`"));
    // Two, and nothing else: no look-up, no creation, no violation.
    let told = events.take();
    for event in &told {
        let EventData::IncompleteKey(incomplete) = &event.data else { panic!("{event:?}") };
        assert_eq!(incomplete.differing_parts, ["level"]);
    }
    assert_eq!((told.len(), armed.violations()), (2, 0));
    let metrics = shared.metrics::<Shader>().unwrap();
    assert_eq!((metrics.size, metrics.hits, metrics.misses), (3, 0, 3));
}

#[test]
fn keys_that_lead_to_one_thing_are_told_as_too_specific() {
    let registry = SharedRegistry::with_device(Compiler::default());
    for width in [1, 2, 3, 5] {
        registry.get_or_create::<Shader>(&width, None).unwrap();
    }
    let report = registry.verify::<Shader>(&Sample::all());
    assert_eq!(report.over_specific, [["shader:1", "shader:2", "shader:3"].map(Into::into)]);
    assert!(report.is_clean(), "that costs room, and harms nothing");
}

#[test]
fn as_many_rounds_as_the_sample_is_small_have_each_key_once() {
    let compiler = Compiler::default();
    let registry = SharedRegistry::with_device(compiler.clone());
    for width in 20..120 {
        registry.get_or_create::<Shader>(&width, None).unwrap();
    }
    let n = NonZeroU64::new(7).unwrap();
    let rounds: Vec<u64> =
        (0..7).map(|round| registry.verify::<Shader>(&Sample::one_in(n, round)).same).collect();
    assert_eq!(rounds.iter().sum::<u64>(), 100);
    assert!(rounds.iter().all(|same| (1..50).contains(same)), "{rounds:?}");
    assert_eq!(compiler.compilations.load(Ordering::Relaxed), 200);
}

#[test]
fn a_kernel_that_does_not_say_what_its_resources_are_made_of_is_counted() {
    let registry = SharedRegistry::with_device(Compiler::default());
    registry.get_or_create::<Source>(&1, None).unwrap();
    let report = registry.verify::<Source>(&Sample::all());
    assert_eq!((report.unknown, report.same), (1, 0));
    assert_eq!(registry.verify::<Shader>(&Sample::all()), Default::default(), "it was never used");
}

/// How many resources there are at once, at most.
#[derive(Clone, Default)]
struct Peak(Arc<(AtomicU32, AtomicU32)>);

#[derive(Clone)]
struct Held {
    number: u32,
    counted: Arc<Counted>,
}

struct Counted(Peak);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Holder;

impl CacheableKernel<Peak> for Holder {
    type Key = u32;
    type CachedResource = Held;
    type Params = u32;
    const CACHE_NAME: &'static str = "holder";

    fn create_cache_key(number: &u32) -> u32 {
        *number
    }

    fn create_cached_resource(number: &u32, peak: Option<&Peak>) -> Result<Held, MetalError> {
        let peak = peak.ok_or(Error::DeviceNotAvailable)?.clone();
        let (alive, most) = &*peak.0;
        most.fetch_max(alive.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
        Ok(Held { number: *number, counted: Arc::new(Counted(peak)) })
    }

    fn composition(held: &Held) -> Option<Composition> {
        assert!(held.number != 7, "it does not say");
        assert!(Arc::strong_count(&held.counted) > 0);
        Some(Composition::new().with("number", held.number))
    }
}

#[test]
fn one_resource_at_a_time_is_created_again_and_one_that_panics_costs_no_report() {
    let peak = Peak::default();
    let shared = SharedRegistry::with_device(peak.clone());
    let mut private = CacheRegistry::with_device(peak.clone());
    for number in 0..10 {
        shared.get_or_create::<Holder>(&number, None).unwrap();
        private.get_or_create::<Holder>(&number, None).unwrap();
    }
    for report in [shared.verify::<Holder>(&Sample::all()), private.verify::<Holder>(&Sample::all())] {
        assert_eq!((report.same, report.failed.len(), report.is_clean()), (9, 1, false), "{report}");
        assert_eq!(&*report.failed[0].0, "holder:7");
        assert!(report.failed[0].1.contains("panicked"), "{report}");
    }
    assert_eq!(peak.0.1.load(Ordering::Relaxed), 21, "20 in the caches, and one");
}
