//! After the first pass over a bucket of lengths nothing is created any more.

use std::sync::Barrier;
use std::thread;

use metallic::Dtype;
use metallic::caching::{ResourceCache, SharedRegistry};
use metallic::error::MetalError;
use metallic::slots::KvCacheState;
use metallic_host::{HostDevice, HostTensor};
use metallic_transformer::engine::{Decoder, Encoder};
use metallic_transformer::model::{Loaded, Model};

use crate::checkpoints::fixture;

/// The misses of every cache, the prepared weights included, and how often the KV cache grew.
fn misses(cache: &ResourceCache<HostDevice>) -> Vec<(String, u64)> {
    let caches = cache.registry().metrics_by_name();
    let growths = cache.registry().slot::<KvCacheState<HostTensor>>().map(|kv| kv.metrics().growths);
    let caches = caches.map(|(name, metrics)| (name.to_owned(), metrics.misses));
    caches.chain(growths.map(|growths| ("kv_cache".to_owned(), growths))).collect()
}

#[test]
fn decoding_creates_nothing_after_the_first_pass_over_a_bucket() {
    let loaded = Loaded::read(&fixture("gpt2-tiny"), false).expect("the fixture is whole");
    let Model::Gpt2(model) = &loaded.model else { panic!("it is a decoder") };
    let device = HostDevice::new();
    let cache = ResourceCache::with_device(device.clone());
    let mut decoder = Decoder::new(model, device, cache, Dtype::F32);
    let mut pass = |prompt: &[u32], tokens: usize| {
        decoder.restart();
        decoder.feed(prompt).expect("the prompt fits");
        for token in 0..tokens as u32 {
            decoder.feed(&[token]).expect("the token fits");
        }
        misses(decoder.cache())
    };
    // Prompts of one bucket, and lengths up to the last bucket.
    let first = pass(&[1, 2, 3, 4, 5], 59);
    assert!(first.iter().all(|(_, misses)| *misses > 0), "{first:?}");
    let seventh = pass(&[9, 8, 7, 6, 5, 4, 3], 57);
    assert_eq!(seventh, first, "another prompt of the same bucket");
    assert_eq!(pass(&[1, 2, 3, 4, 5, 6], 58), first);
    // A prompt of another bucket needs plans of its own, once.
    let second = pass(&[1, 2], 60);
    assert_ne!(second, first);
    assert_eq!(pass(&[3, 1], 60), second);
}

#[test]
fn encoding_creates_nothing_after_the_first_text_of_a_bucket() {
    let loaded = Loaded::read(&fixture("bert-tiny"), false).expect("the fixture is whole");
    let Model::Bert(model) = &loaded.model else { panic!("it is an encoder") };
    let device = HostDevice::new();
    let cache = ResourceCache::with_device(device.clone());
    let mut encoder = Encoder::new(model, device, cache, Dtype::F32);
    let mut after = |ids: &[u32]| {
        encoder.embed(ids).expect("the text fits");
        misses(encoder.cache())
    };
    let first = after(&[1; 5]);
    for length in [8, 6, 7, 5] {
        assert_eq!(after(&vec![2; length]), first);
    }
    assert_ne!(after(&[1; 9]), first);
}

#[test]
fn a_step_beyond_the_last_position_is_refused_and_changes_nothing() {
    let loaded = Loaded::read(&fixture("gpt2-tiny"), false).expect("the fixture is whole");
    let Model::Gpt2(model) = &loaded.model else { panic!("it is a decoder") };
    let device = HostDevice::new();
    let mut decoder = Decoder::new(model, device.clone(), ResourceCache::with_device(device), Dtype::F32);
    decoder.feed(&[1; 63]).expect("the prompt fits");
    let error = decoder.feed(&[2, 3]).expect_err("there is one position left");
    assert!(matches!(error, MetalError::KvCacheFull { positions: 65, max_positions: 64, .. }), "{error}");
    assert_eq!(decoder.positions(), 63);
    let last = decoder.feed(&[2]).expect("the token fits");
    let mut again = vec![1; 63];
    again.push(2);
    decoder.restart();
    let at_once = decoder.feed(&again).expect("the prompt fits");
    let worst = last.iter().zip(&at_once).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < 1e-4, "{worst}");
}

#[test]
fn decoders_of_several_threads_share_plans_and_weights_and_have_their_own_keys_and_values() {
    let loaded = Loaded::read(&fixture("gpt2-tiny"), false).expect("the fixture is whole");
    let Model::Gpt2(model) = &loaded.model else { panic!("it is a decoder") };
    let device = HostDevice::new();
    let prompts: Vec<Vec<u32>> = (0..8).map(|n| (n..n + 5).collect()).collect();
    let alone = ResourceCache::with_device(device.clone());
    let mut alone = Decoder::new(model, device.clone(), alone, Dtype::F32);
    let expected: Vec<_> = prompts
        .iter()
        .map(|prompt| {
            alone.restart();
            alone.feed(prompt).expect("the prompt fits")
        })
        .collect();

    let registry = SharedRegistry::with_device(device.clone());
    let begin = Barrier::new(4);
    thread::scope(|scope| {
        for first in 0..4 {
            let (registry, device, prompts, expected, begin) =
                (&registry, device.clone(), &prompts, &expected, &begin);
            scope.spawn(move || {
                let cache = ResourceCache::from(registry.local());
                let mut decoder = Decoder::new(model, device, cache, Dtype::F32);
                begin.wait();
                for number in (0..prompts.len()).map(|n| (n + 2 * first) % prompts.len()) {
                    decoder.restart();
                    let logits = decoder.feed(&prompts[number]).expect("the prompt fits");
                    assert_eq!(logits, expected[number]);
                    assert_eq!(decoder.positions(), 5);
                }
            });
        }
    });
    let shared =
        registry.metrics_by_name().map(|(name, metrics)| (name.to_string(), metrics.misses, metrics.bytes));
    let alone = alone.cache().registry().metrics_by_name();
    let alone = alone.map(|(name, metrics)| (name.to_owned(), metrics.misses, metrics.bytes));
    assert_eq!(shared.collect::<Vec<_>>(), alone.collect::<Vec<_>>());
}
