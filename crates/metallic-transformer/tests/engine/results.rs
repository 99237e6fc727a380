//! The results on the host are transformers', and those of the reference in f64.

use std::fs;
use std::path::Path;

use metallic::Dtype;
use metallic::caching::ResourceCache;
use metallic_host::HostDevice;
use metallic_transformer::engine::{Decoder, Encoder};
use metallic_transformer::model::{Bert, Gpt2, Loaded, Model, Shape, builtin};
use metallic_transformer::reference;
use serde_json::{Value, json};

use crate::checkpoints::{copy, fixture, set_config};

fn decoder<'m>(model: &'m Gpt2, dtype: Dtype) -> Decoder<'m, HostDevice> {
    let device = HostDevice::new();
    Decoder::new(model, device.clone(), ResourceCache::with_device(device), dtype)
}

fn encoder<'m>(model: &'m Bert, dtype: Dtype) -> Encoder<'m, HostDevice> {
    let device = HostDevice::new();
    Encoder::new(model, device.clone(), ResourceCache::with_device(device), dtype)
}

fn load(folder: &Path) -> Loaded {
    Loaded::read(folder, true).expect("the fixture is whole")
}

/// The cases of a fixture, with what transformers makes of them.
fn cases(name: &str) -> Vec<Value> {
    let text = fs::read_to_string(fixture(name).join("expected.json")).expect("the fixture is whole");
    serde_json::from_str(&text).expect("it is JSON")
}

fn ids(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).expect("they are token ids")
}

/// The largest difference from these numbers.
fn worst(ours: &[f32], theirs: &Value) -> f64 {
    let theirs: Vec<f64> = serde_json::from_value(theirs.clone()).expect("they are numbers");
    difference(ours, &theirs)
}

fn difference(ours: &[f32], theirs: &[f64]) -> f64 {
    assert_eq!(ours.len(), theirs.len());
    ours.iter().zip(theirs).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max)
}

fn likeliest(logits: &[f32]) -> u32 {
    let best = logits.iter().enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b));
    best.map_or(0, |(id, _)| id as u32)
}

#[test]
fn a_decoder_computes_and_generates_what_transformers_does() {
    let loaded = load(&fixture("gpt2-tiny"));
    let Model::Gpt2(model) = &loaded.model else { panic!("it is a decoder") };
    let tokens = loaded.tokens.as_ref().expect("it has a tokenizer");
    let mut decoder = decoder(model, Dtype::F32);
    for case in cases("gpt2-tiny") {
        let text = case["text"].as_str().expect("it is a text");
        let prompt = tokens.encode(text, loaded.limit).expect("it has the tokens").ids;
        assert_eq!(prompt, ids(&case["ids"]), "{text}");
        decoder.restart();
        let mut logits = decoder.feed(&prompt).expect("the prompt fits");
        assert!(worst(&logits, &case["logits"]) < 1e-3, "{text}");
        for expected in ids(&case["generated"]) {
            let token = likeliest(&logits);
            assert_eq!(token, expected, "{text}");
            if decoder.positions() < model.config.shape.positions {
                logits = decoder.feed(&[token]).expect("there is a position left");
            }
        }
    }
}

#[test]
fn an_encoder_computes_what_transformers_does() {
    let loaded = load(&fixture("bert-tiny"));
    let Model::Bert(model) = &loaded.model else { panic!("it is an encoder") };
    let tokens = loaded.tokens.as_ref().expect("it has a tokenizer");
    let mut encoder = encoder(model, Dtype::F32);
    for case in cases("bert-tiny") {
        let text = case["text"].as_str().expect("it is a text");
        let encoded = tokens.encode(text, loaded.limit).expect("it has the tokens");
        assert_eq!(encoded.ids, ids(&case["ids"]), "{text}");
        // Its tokenizer.json pads to 16 and cuts at 16, sentence_bert_config.json cuts at 24.
        assert_eq!(encoded.truncated, encoded.ids.len() == 24);
        assert!(
            worst(&encoder.embed(&encoded.ids).expect("the text fits"), &case["embedding"]) < 1e-5,
            "{text}"
        );
    }
}

#[test]
fn a_text_that_is_cut_to_the_positions_of_the_model_says_so() {
    let loaded = load(&fixture("gpt2-tiny"));
    let tokens = loaded.tokens.as_ref().expect("it has a tokenizer");
    let text = "nothing is made twice ".repeat(20);
    let all = tokens.encode(&text, usize::MAX).expect("it has the tokens");
    assert!(all.ids.len() > loaded.limit && !all.truncated);
    let cut = tokens.encode(&text, loaded.limit).expect("it has the tokens");
    assert!(cut.truncated);
    assert_eq!(cut.ids, all.ids[..loaded.limit]);
    let exact = tokens.encode(&text, all.ids.len()).expect("it has the tokens");
    assert_eq!((exact.ids, exact.truncated), (all.ids, false));
}

#[test]
fn every_step_of_a_decoder_has_the_logits_of_the_reference() {
    // Sizes that are no multiples of anything a processor likes.
    let shape =
        Shape { width: 30, heads: 5, layers: 3, inner: 50, vocabulary: 101, positions: 40, ..builtin::SHAPE };
    let model = Gpt2::from_seed(shape, 3);
    let ids: Vec<u32> = (0..40).map(|id| id * 7 % 101).collect();
    let reference = reference::logits(&model, &ids, 0);
    let mut decoder = decoder(&model, Dtype::F32);
    for prompt in [1, 2, 3, 17, 33] {
        decoder.restart();
        let logits = decoder.feed(&ids[..prompt]).expect("the prompt fits");
        assert!(difference(&logits, &reference[prompt - 1]) < 1e-4, "{prompt}");
        for at in prompt..ids.len() {
            let logits = decoder.feed(&ids[at..=at]).expect("the token fits");
            assert!(difference(&logits, &reference[at]) < 1e-4, "{prompt}, {at}");
        }
    }
}

#[test]
fn f16_is_as_near_to_the_reference_as_it_allows() {
    let ids = [1, 2, 3, 4, 5, 6, 7];
    let loaded = load(&fixture("gpt2-tiny"));
    let Model::Gpt2(model) = &loaded.model else { panic!("it is a decoder") };
    let logits = decoder(model, Dtype::F16).feed(&ids).expect("the prompt fits");
    let expected = &reference::logits(model, &ids, ids.len() - 1)[0];
    let largest = expected.iter().fold(1.0_f64, |largest, logit| largest.max(logit.abs()));
    assert!(difference(&logits, expected) < 5e-3 * largest);
    let loaded = load(&fixture("bert-tiny"));
    let Model::Bert(model) = &loaded.model else { panic!("it is an encoder") };
    let vector = encoder(model, Dtype::F16).embed(&ids).expect("the text fits");
    assert!(difference(&vector, &reference::embedding(model, &ids)) < 2e-3);
}

#[test]
fn every_number_of_a_config_changes_the_result_as_it_changes_the_reference() {
    let ids = [64, 3, 8, 21, 34];
    let run = |folder: &Path| {
        let loaded = load(folder);
        let Model::Gpt2(model) = &loaded.model else { panic!("it is a decoder") };
        let logits = decoder(model, Dtype::F32).feed(&ids).expect("the prompt fits");
        assert!(difference(&logits, &reference::logits(model, &ids, ids.len() - 1)[0]) < 1e-3);
        logits
    };
    let plain: Vec<f64> = run(&fixture("gpt2-tiny")).into_iter().map(f64::from).collect();
    for (field, value) in [
        ("activation_function", json!("gelu")),
        ("layer_norm_epsilon", json!(0.1)),
        ("scale_attn_by_inverse_layer_idx", json!(true)),
        ("scale_attn_weights", json!(false)),
    ] {
        let folder = copy("gpt2-tiny");
        set_config(folder.path(), field, value);
        assert!(difference(&run(folder.path()), &plain) > 1e-5, "{field}");
    }
}
