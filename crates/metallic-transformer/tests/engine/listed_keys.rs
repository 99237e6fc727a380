//! A model lists the keys that it creates, and no others.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::{Arc, Mutex};

use metallic::Dtype;
use metallic::caching::{ResourceCache, SharedRegistry};
use metallic::manifest::{Manifest, ManifestWriter};
use metallic_host::HostDevice;
use metallic_transformer::engine::{Decoder, Encoder, Workload};
use metallic_transformer::model::{Loaded, Model};

use crate::checkpoints::fixture;

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no writer panics").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The labels of the keys in a manifest.
fn labels(manifest: &Manifest) -> BTreeSet<String> {
    manifest.records().map(|record| record.label.clone()).collect()
}

/// Records the creations of a rehearsal, and compares them with what is listed.
fn assert_listed(name: &str, lengths: &[usize], tokens: usize) {
    let loaded = Loaded::read(&fixture(name), false).expect("the fixture is whole");
    let device = HostDevice::new();
    let registry = SharedRegistry::with_device(device.clone());
    Workload::register(&registry);
    let file = Shared::default();
    registry.record(ManifestWriter::new(file.clone()).expect("memory takes it"));
    let (lengths, cache) = (lengths.iter().copied(), ResourceCache::from(registry.local()));
    match &loaded.model {
        Model::Gpt2(model) => {
            Decoder::new(model, device, cache, Dtype::F32).rehearse(lengths.clone(), tokens, || true)
        }
        Model::Bert(model) => {
            Encoder::new(model, device, cache, Dtype::F32).rehearse(lengths.clone(), || true)
        }
    }
    .expect("the host runs it");
    registry.supervisor().stop_recording();
    let recorded = Manifest::read(&file.0.lock().expect("no writer panics")[..]).expect("it is whole");

    let listed = Workload::of(&loaded.model, Dtype::F32, lengths, tokens).manifest::<HostDevice>();
    assert_eq!(labels(&listed.expect("its keys are portable")), labels(&recorded), "{name}");
    assert!(recorded.len() > 5);
}

#[test]
fn a_decoder_lists_exactly_the_keys_that_it_creates() {
    assert_listed("gpt2-tiny", &[1, 5, 30], 20);
    // More than there are positions.
    assert_listed("gpt2-tiny", &[60], usize::MAX);
}

#[test]
fn an_encoder_lists_exactly_the_keys_that_it_creates() {
    assert_listed("bert-tiny", &[0, 1, 7, 20], 0);
}
