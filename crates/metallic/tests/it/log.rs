//! The log, against the lines of the specification.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use metallic::caching::{CacheRegistry, CacheableKernel, EvictionPolicy};
use metallic::error::MetalError;
use metallic_instrumentation::{
    CacheEviction, Event, EventKind, EventSink, JsonlExporter, JsonlReader, KindFilter, ResourceCacheSummary,
};

use crate::doubles::MpsGemm;

const SPEC_ACCESS: &str = r#"{"type":"ResourceCacheAccess","data":{"cache_key":"mps_gemm:MpsGemmKey{m:1024,n:1024,k:1024}","hit":true,"bytes":0}}"#;
const SPEC_SUMMARY: &str = r#"{"type":"ResourceCacheSummary","data":{"cache":"mps_gemm","hits":450,"misses":50,"hit_rate":90.0,"size":87}}"#;
const SPEC_EVICTION: &str = r#"{"type":"CacheEviction","data":{"cache":"mps_gemm","strategy":"size_limited_lru","count":5,"reason":"size_limit_exceeded_max_1000","size_after":1000}}"#;

/// A log without times, and what a cache writes to it.
fn logged(name: &str, kinds: &[EventKind], action: impl FnOnce(&Arc<dyn EventSink>)) -> String {
    let path: PathBuf = [env!("CARGO_TARGET_TMPDIR"), name].iter().collect();
    let log = Arc::new(JsonlExporter::builder().timestamps(false).header(false).create(&path).unwrap());
    let sink: Arc<dyn EventSink> = Arc::new(KindFilter::new(log.clone(), kinds.iter().copied()));
    action(&sink);
    log.flush().unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let events = JsonlReader::open(&path).unwrap().count();
    assert_eq!(events, text.lines().count(), "every line can be read back");
    text
}

fn gemm(registry: &mut CacheRegistry, m: usize) {
    registry.get_or_create::<MpsGemm>(&(m, 1024, 1024), None).unwrap();
}

#[test]
fn an_access_is_logged_as_the_specification_writes_it() {
    let text = logged("access.jsonl", &[EventKind::ResourceCacheAccess], |sink| {
        let mut registry = CacheRegistry::new().with_sink(sink.clone());
        gemm(&mut registry, 1024);
        gemm(&mut registry, 1024);
    });
    assert_eq!(text.lines().nth(1), Some(SPEC_ACCESS));
    assert_eq!(text.lines().next().unwrap(), SPEC_ACCESS.replace("true", "false"));
}

#[test]
fn a_summary_is_logged_as_the_specification_writes_it() {
    // Fifty misses cannot leave 87 entries; all else is as in the specification.
    let text = logged("summary.jsonl", &[EventKind::ResourceCacheSummary], |sink| {
        let mut registry = CacheRegistry::new().with_sink(sink.clone());
        for operation in 0..500 {
            gemm(&mut registry, operation % 50);
        }
        let summary = ResourceCacheSummary {
            cache: "mps_gemm".into(),
            hits: 450,
            misses: 50,
            hit_rate: 90.0,
            size: 87,
        };
        sink.record(&Event::new(summary));
    });
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 6);
    assert_eq!(lines[4], SPEC_SUMMARY.replace("87", "50"));
    assert_eq!(lines[5], SPEC_SUMMARY);
}

#[test]
fn an_eviction_is_logged_as_the_specification_writes_it() {
    // The specification counts the newcomer; `size_after` is the size before it is there.
    let text = logged("eviction.jsonl", &[EventKind::CacheEviction], |sink| {
        let mut registry = CacheRegistry::new().with_sink(sink.clone());
        (0..1004).for_each(|m| gemm(&mut registry, m));
        registry.set_eviction_policy::<MpsGemm>(EvictionPolicy::size_limited_lru(1000));
        gemm(&mut registry, 5000);
        let eviction = CacheEviction {
            cache: "mps_gemm".into(),
            strategy: "size_limited_lru".into(),
            count: 5,
            reason: "size_limit_exceeded_max_1000".into(),
            size_after: 1000,
        };
        sink.record(&Event::new(eviction));
    });
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(
        lines,
        [SPEC_EVICTION.replace(r#""size_after":1000"#, r#""size_after":999"#).as_str(), SPEC_EVICTION]
    );
}

#[test]
fn spaces_in_the_literals_of_a_key_stay_in_the_log() {
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    struct NamedKey {
        name: String,
        shape: [usize; 2],
    }
    struct Named;
    impl CacheableKernel for Named {
        type Key = NamedKey;
        type CachedResource = ();
        type Params = &'static str;
        const CACHE_NAME: &'static str = "named";
        fn create_cache_key(name: &&'static str) -> NamedKey {
            NamedKey { name: (*name).to_owned(), shape: [2, 3] }
        }
        fn create_cached_resource(_: &NamedKey, _: Option<&metallic::Device>) -> Result<(), MetalError> {
            Ok(())
        }
    }
    let text = logged("literals.jsonl", &[EventKind::ResourceCacheAccess], |sink| {
        let mut registry = CacheRegistry::new().with_sink(sink.clone());
        registry.get_or_create::<Named>(&r#"two "words", more"#, None).unwrap();
    });
    let expected = r#"named:NamedKey{name:"two \"words\", more",shape:[2,3]}"#;
    let line: serde_json::Value = serde_json::from_str(text.trim_end()).unwrap();
    assert_eq!(line["data"]["cache_key"], expected);
}
