//! The contents of a recording.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use metallic::PortableKernel;
use metallic::caching::{CacheableKernel, EvictionPolicy};
use metallic::error::MetalError;
use metallic::manifest::{Manifest, ManifestError, ManifestWriter, WarmOptions};
use metallic::testing::{ScriptedDevice, ScriptedKernel, ScriptedResource};
use serde::{Deserialize, Serialize, Serializer};

use crate::tiles::{MS, Tile, private, shared};

#[test]
fn a_record_has_cost_bytes_count_phase_and_order() {
    let device = ScriptedDevice::new();
    device.set_cost(1, 20 * MS);
    device.set_bytes(1, 640);
    let file = tempfile::NamedTempFile::new().unwrap();
    let (registry, _) = shared(&device);
    registry.set_eviction_policy::<Tile>(EvictionPolicy::lru().with_max_entries(1));
    registry.record(ManifestWriter::create(file.path()).unwrap());
    registry.supervisor().set_phase("load");
    for m in [2, 1, 2] {
        registry.get_or_create::<Tile>(&(m, 1), None).unwrap();
        registry.supervisor().set_phase("serve");
    }
    let report = registry.supervisor().stop_recording().unwrap();
    assert_eq!((report.keys, report.lost), (2, 0));
    let manifest = Manifest::open(file.path()).unwrap();
    let records: Vec<_> = manifest.records().collect();
    let [two, one] = records[..] else { panic!("{records:?}") };
    assert_eq!((two.cache.as_str(), two.schema, two.key()), ("tile", 3, r#"{"m":2,"n":1}"#));
    assert_eq!(two.label, "tile:TileKey{m:2,n:1}");
    // The second creation of it was after an eviction.
    assert_eq!((two.count, two.order, two.phase.as_deref()), (2, 0, Some("load")));
    assert_eq!((one.cost_ns, one.bytes, one.count, one.order), (20_000_000, 640, 1, 1));
    assert_eq!(one.phase.as_deref(), Some("serve"));
}

#[test]
fn a_thread_may_be_in_a_phase_of_its_own_and_a_manifest_is_warmed_phase_by_phase() {
    let device = ScriptedDevice::new();
    let file = tempfile::NamedTempFile::new().unwrap();
    let (registry, _) = shared(&device);
    let make = |m| {
        registry.get_or_create::<Tile>(&(m, 1), None).unwrap();
    };
    let supervisor = registry.supervisor();
    registry.record(ManifestWriter::create(file.path()).unwrap());
    make(0);
    supervisor.set_phase("load");
    make(1);
    let prefill = supervisor.enter_phase("prefill");
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            let _decode = supervisor.enter_phase("decode");
            make(2);
        });
        other.join().unwrap();
    });
    let inner = supervisor.enter_phase("verify");
    make(3);
    drop(prefill);
    make(4);
    drop(inner);
    supervisor.set_phase("serve");
    make(5);
    supervisor.stop_recording().unwrap();

    let manifest = Manifest::open(file.path()).unwrap();
    let phases: Vec<_> = manifest.records().map(|record| record.phase.as_deref()).collect();
    let verify = Some("verify");
    assert_eq!(phases, [None, Some("load"), Some("decode"), verify, verify, Some("serve")]);
    assert_eq!(manifest.phases(), [None, Some("load"), Some("decode"), verify, Some("serve")]);
    let (fresh, _) = shared(&ScriptedDevice::new());
    for (phase, wanted) in [(verify, 2), (Some("load"), 1), (None, 1), (Some("other"), 0)] {
        assert_eq!(fresh.warm(&manifest.of_phase(phase), &WarmOptions::default()).created, wanted);
    }
}

#[test]
fn what_is_warmed_up_and_recorded_again_stays_in_its_phase() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let (first, _) = shared(&ScriptedDevice::new());
    first.record(ManifestWriter::create(file.path()).unwrap());
    for (m, phase) in [(1, "prefill"), (2, "decode"), (3, "prefill")] {
        first.supervisor().set_phase(phase);
        first.get_or_create::<Tile>(&(m, 1), None).unwrap();
    }
    first.supervisor().stop_recording().unwrap();

    let recorded = Manifest::open(file.path()).unwrap();
    let (second, _) = shared(&ScriptedDevice::new());
    second.supervisor().set_phase("loading");
    second.record(ManifestWriter::append_to(file.path()).unwrap());
    second.warm(&recorded, &WarmOptions::default());
    second.get_or_create::<Tile>(&(4, 1), None).unwrap();
    second.supervisor().stop_recording().unwrap();

    let both = Manifest::open(file.path()).unwrap();
    let keys_of = |phase| both.of_phase(Some(phase)).len();
    assert_eq!([keys_of("prefill"), keys_of("decode"), keys_of("loading")], [2, 1, 1]);
}

#[test]
fn what_failed_is_not_recorded() {
    let device = ScriptedDevice::new();
    device.fail(1, 1);
    let file = tempfile::NamedTempFile::new().unwrap();
    let (mut registry, _) = private(&device);
    registry.record(ManifestWriter::create(file.path()).unwrap());
    registry.get_or_create::<Tile>(&(1, 1), None).unwrap_err();
    assert!(Manifest::open(file.path()).unwrap().is_empty());
}

/// A kernel whose key has the number of a buffer. That it cannot be registered is checked by the compiler:
///
/// ```compile_fail
/// registry.register::<Bound>();
/// ```
enum Bound {}

impl CacheableKernel<ScriptedDevice> for Bound {
    type Key = u64;
    type CachedResource = ScriptedResource;
    type Params = u64;
    const CACHE_NAME: &'static str = "bound";
    fn create_cache_key(buffer: &u64) -> u64 {
        *buffer
    }
    fn create_cached_resource(
        _: &u64,
        device: Option<&ScriptedDevice>,
    ) -> Result<ScriptedResource, MetalError> {
        device.ok_or(MetalError::DeviceNotAvailable)?.create(0)
    }
}

#[test]
fn creations_of_kernels_that_are_not_registered_are_counted_and_not_recorded() {
    let device = ScriptedDevice::new();
    let file = tempfile::NamedTempFile::new().unwrap();
    let (registry, _) = shared(&device);
    registry.record(ManifestWriter::create(file.path()).unwrap());
    registry.get_or_create::<Bound>(&7, None).unwrap();
    registry.get_or_create::<ScriptedKernel>(&7, None).unwrap();
    registry.get_or_create::<Tile>(&(7, 1), None).unwrap();
    let report = registry.supervisor().stop_recording().unwrap();
    assert_eq!(report.keys, 1);
    assert_eq!(
        report.not_portable.into_iter().collect::<Vec<_>>(),
        [("bound".into(), 1), ("scripted".into(), 1)]
    );
}

#[test]
fn a_process_has_one_writer_of_a_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let first = ManifestWriter::create(file.path()).unwrap();
    let second = ManifestWriter::append_to(file.path()).unwrap_err();
    assert!(matches!(second, ManifestError::AlreadyOpen { .. }), "{second}");
    drop(first);
    ManifestWriter::append_to(file.path()).unwrap();
}

#[test]
fn a_destination_that_fails_costs_records_and_no_creation() {
    struct Full(usize);
    impl std::io::Write for Full {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(std::io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let (registry, _) = shared(&ScriptedDevice::new());
    registry.record(ManifestWriter::new(Full(64)).unwrap());
    registry.get_or_create::<Tile>(&(1, 1), None).unwrap();
    let report = registry.supervisor().stop_recording().unwrap();
    assert_eq!(report.lost, 1);
    assert!(report.error.is_some());
}

#[test]
fn creations_of_many_threads_are_each_recorded_once() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let (registry, _) = shared(&ScriptedDevice::new());
    registry.record(ManifestWriter::create(file.path()).unwrap());
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let registry = &registry;
            scope.spawn(move || {
                for m in 0..50 {
                    registry.get_or_create::<Tile>(&(m, thread % 2), None).unwrap();
                }
            });
        }
    });
    registry.supervisor().stop_recording().unwrap();
    let manifest = Manifest::open(file.path()).unwrap();
    assert_eq!(manifest.len(), 100);
    assert!(manifest.records().all(|record| record.count == 1));
    assert!(manifest.skipped().is_empty());
}

/// A destination that is full while a test says so.
#[derive(Clone, Default)]
struct Disk {
    is_full: Arc<AtomicBool>,
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl io::Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_full.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.bytes.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_key_that_found_the_disk_full_is_written_when_it_is_created_again_or_at_the_end() {
    let disk = Disk::default();
    let (registry, _) = shared(&ScriptedDevice::new());
    registry.record(ManifestWriter::new(disk.clone()).unwrap());
    disk.is_full.store(true, Ordering::Relaxed);
    for m in [1, 2] {
        registry.get_or_create::<Tile>(&(m, 1), None).unwrap();
    }
    disk.is_full.store(false, Ordering::Relaxed);
    registry.clear();
    registry.get_or_create::<Tile>(&(1, 1), None).unwrap();
    let written = || {
        let manifest = Manifest::read(&disk.bytes.lock().unwrap()[..]).unwrap();
        manifest.records().map(|record| (record.key().to_owned(), record.count)).collect::<Vec<_>>()
    };
    assert_eq!(written(), [(r#"{"m":1,"n":1}"#.to_owned(), 2)]);
    let report = registry.supervisor().stop_recording().unwrap();
    assert_eq!((report.keys, report.lost, report.error.is_some()), (2, 0, true));
    assert_eq!(written()[1], (r#"{"m":2,"n":1}"#.to_owned(), 1));
}

/// A key that cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
struct Unwritable;

impl Serialize for Unwritable {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        panic!("it cannot be written")
    }
}

enum UnwritableKernel {}

impl CacheableKernel<ScriptedDevice> for UnwritableKernel {
    type Key = Unwritable;
    type CachedResource = ();
    type Params = ();

    const CACHE_NAME: &'static str = "unwritable";

    fn create_cache_key((): &()) -> Unwritable {
        Unwritable
    }

    fn create_cached_resource(_: &Unwritable, _: Option<&ScriptedDevice>) -> Result<(), MetalError> {
        Ok(())
    }
}

impl PortableKernel<ScriptedDevice> for UnwritableKernel {
    const SCHEMA: u32 = 1;
}

#[test]
fn a_key_that_panics_when_it_is_written_is_not_portable_and_costs_no_creation() {
    let (registry, _) = shared(&ScriptedDevice::new());
    registry.register::<UnwritableKernel>();
    registry.record(ManifestWriter::new(io::sink()).unwrap());
    registry.get_or_create::<UnwritableKernel>(&(), None).unwrap();
    let report = registry.supervisor().stop_recording().unwrap();
    assert_eq!((report.keys, report.lost, report.not_portable["unwritable"]), (0, 0, 1));
}

#[test]
fn a_line_that_is_too_long_to_be_read_back_is_counted_as_lost() {
    let device = ScriptedDevice::new();
    let file = tempfile::NamedTempFile::new().unwrap();
    let (registry, _) = shared(&device);
    let supervisor = registry.supervisor();
    registry.record(ManifestWriter::create(file.path()).unwrap());
    for (m, phase) in [(1, "x".repeat(1 << 20)), (2, "y".repeat(1 << 19)), (3, "z".repeat(1 << 20))] {
        let _phase = supervisor.enter_phase(phase);
        registry.get_or_create::<Tile>(&(m, 1), None).unwrap();
    }
    let report = supervisor.stop_recording().unwrap();
    assert_eq!((report.keys, report.lost), (1, 2));
    assert!(report.error.unwrap().contains("more than a mebibyte"));
    let manifest = Manifest::open(file.path()).unwrap();
    assert_eq!((manifest.len(), manifest.skipped().len()), (1, 0));
}
