//! The results are transformers', and those of the reference in f64.

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;

use metallic::Dtype;
use metallic::caching::SharedRegistry;
use metallic_cli::Error;
use metallic_cli::args::RunArgs;
use metallic_cli::commands::run::{Answer, Continuation, Ended, Prompt, Session, prompts, verify};
use metallic_cli::progress::Progress;
use metallic_host::HostDevice;
use metallic_transformer::model::{Gpt2, Loaded, Model, Shape, builtin};
use serde_json::{Value, json};

use crate::checkpoints::{copy, fixture, set_config};
use crate::program::{self, stdout, text};

fn numbers(value: &Value) -> Vec<f64> {
    let numbers = value.as_array().expect("it is a list").iter();
    numbers.map(|number| number.as_f64().expect("it is a number")).collect()
}

fn worst(a: &Value, b: &Value) -> f64 {
    let (a, b) = (numbers(a), numbers(b));
    assert_eq!(a.len(), b.len());
    a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// The texts of a fixture, a line each, and what transformers makes of them.
fn expected(folder: &Path) -> (String, Vec<Value>) {
    let text = fs::read_to_string(folder.join("expected.json")).expect("the fixture is whole");
    let cases: Vec<Value> = serde_json::from_str(&text).expect("it is JSON");
    let texts: Vec<&str> = cases.iter().filter_map(|case| case["text"].as_str()).collect();
    (texts.join("\n"), cases)
}

/// Checks that a device has transformers' results for both fixtures.
pub(crate) fn assert_as_transformers(device: &[&str]) {
    let gpt2 = fixture("gpt2-tiny");
    let (input, cases) = expected(&gpt2);
    let args = ["run", "--model", text(&gpt2), "--input", "-", "--logits", "--tokens", "12", "--verify"];
    let run = program::json(&[&args[..], device].concat(), &input);
    for (case, prompt) in cases.iter().zip(run["prompts"].as_array().expect("there are prompts")) {
        assert_eq!(prompt["input_ids"], case["ids"], "{}", case["text"]);
        assert!(worst(&prompt["logits"], &case["logits"]) < 1e-3, "{}", case["text"]);
        assert_eq!(prompt["generated_ids"], case["generated"], "{}", case["text"]);
        assert_eq!(prompt["truncated"], false);
    }

    let bert = fixture("bert-tiny");
    let (input, cases) = expected(&bert);
    let args = ["run", "--model", text(&bert), "--input", "-", "--verify"];
    let run = program::json(&[&args[..], device].concat(), &input);
    for (case, prompt) in cases.iter().zip(run["prompts"].as_array().expect("there are prompts")) {
        assert_eq!(prompt["input_ids"], case["ids"], "{}", case["text"]);
        assert!(worst(&prompt["embedding"], &case["embedding"]) < 1e-5, "{}", case["text"]);
        // Its tokenizer.json pads to 16 and cuts at 16, sentence_bert_config.json cuts at 24.
        assert_eq!(prompt["truncated"], case["ids"].as_array().map(Vec::len) == Some(24));
    }
}

/// Checks that a device has the reference's results with 16-bit floats, as near as those allow.
pub(crate) fn assert_f16_as_the_reference(device: &[&str]) {
    for model in ["gpt2-tiny", "bert-tiny"] {
        let model = fixture(model);
        let args = ["run", "--model", text(&model), "--dtype", "f16", "--verify", "--input", "-"];
        let run = program::json(&[&args[..], device].concat(), "nothing is made twice\na\n");
        assert_eq!(run["model"]["dtype"], "f16");
        assert!(run["verification"]["compared"].as_u64() > Some(0));
    }
}

#[test]
fn the_host_computes_what_transformers_does() {
    assert_as_transformers(&["--device", "host"]);
    assert_as_transformers(&["--device", "host", "--threads", "1", "--repeat", "1"]);
}

#[test]
fn the_host_computes_in_f16_what_the_reference_does() {
    assert_f16_as_the_reference(&["--device", "host"]);
}

#[test]
fn a_prompt_of_all_positions_gets_one_token_more() {
    let model = fixture("gpt2-tiny");
    let ids = (0..64).map(|id| id.to_string()).collect::<Vec<_>>().join(",");
    let args = ["run", "--device", "host", "--model", text(&model), "--verify", "--ids"];
    let run = program::json(&[&args[..], &[&ids]].concat(), "");
    assert_eq!(run["prompts"][0]["generated_ids"].as_array().map(Vec::len), Some(1));
    let run = program::json(&[&args[..], &[ids.trim_end_matches(",62,63")]].concat(), "");
    assert_eq!(run["prompts"][0]["generated_ids"].as_array().map(Vec::len), Some(3));
}

#[test]
fn a_text_ends_with_the_token_that_the_config_names() {
    let folder = copy("gpt2-tiny");
    let args = ["run", "--device", "host", "--model", text(folder.path()), "--input", "-", "--tokens", "12"];
    let generated =
        || program::json(&args, "Twice: a cache \u{fc}ber alles\n")["prompts"][0]["generated_ids"].clone();
    let all = generated();
    set_config(folder.path(), "eos_token_id", all[4].clone());
    assert_eq!(generated().as_array().map(Vec::as_slice), all.as_array().map(|ids| &ids[..5]));
    set_config(folder.path(), "eos_token_id", json!([all[2]]));
    assert_eq!(generated().as_array().map(Vec::len), Some(3));
    set_config(folder.path(), "eos_token_id", json!([all[4], all[1]]));
    assert_eq!(generated().as_array().map(Vec::len), Some(2), "any of several ends the text");
}

#[test]
fn a_verified_run_says_so() {
    let model = fixture("gpt2-tiny");
    let args = ["run", "--device", "host", "--model", text(&model), "--input", "-", "--verify"];
    assert!(stdout(&args, "a cache\n").contains("verified: 8_960 numbers are those of f64"));
}

#[test]
fn a_model_from_a_seed_is_computed_as_the_reference_does() {
    // Sizes that are no multiples of anything a processor likes.
    let shape =
        Shape { width: 30, heads: 5, layers: 3, inner: 50, vocabulary: 101, positions: 40, ..builtin::SHAPE };
    let model = Model::Gpt2(Gpt2::from_seed(shape, 3));
    let prompt = |length: u32| Prompt {
        line: None,
        text: None,
        ids: (0..length).map(|id| id * 7 % 101).collect(),
        truncated: false,
    };
    let prompts: Vec<Prompt> = [1, 2, 3, 17, 33].map(prompt).into();
    for threads in [1, 2, 3].into_iter().filter_map(NonZeroUsize::new) {
        let device = HostDevice::with_threads(threads);
        let (registry, dtype) = (SharedRegistry::with_device(device.clone()), Dtype::F32);
        let (model, prompts, workers) = (&model, &*prompts, threads);
        let session = Session { model, prompts, tokens: 9, passes: 2, dtype, all_logits: true, workers };
        let Ended { outcome, failure, .. } = session.run(&device, &registry, &Progress::none());
        assert!(failure.is_none(), "the host computes");
        let found =
            verify(model, prompts, &outcome.answers, dtype, &Progress::none()).expect("it is near enough");
        assert_eq!(found.compared, (4 * 9 + 8) * 101, "the last prompt has room for eight tokens");
        assert!(found.worst < 1e-4, "{found:?}");
    }
}

#[test]
fn a_wrong_logit_or_vector_is_found_and_named() {
    let answers = |folder: &Path, spoil: fn(&mut Answer)| {
        let loaded = Loaded::read(folder, true).expect("the fixture is whole");
        let args = RunArgs { ids: Some("1,2,3".to_owned()), ..RunArgs::default() };
        let prompts = prompts(&args, &loaded).expect("they are tokens");
        let mut answer = match &loaded.model {
            Model::Gpt2(model) => {
                let logits = metallic_transformer::reference::logits(model, &[1, 2, 3, 4], 2);
                let logits = logits.iter().map(|row| row.iter().map(|x| *x as f32).collect()).collect();
                Answer::Continuation(Continuation { ids: vec![4, 5], logits })
            }
            Model::Bert(model) => {
                let vector = metallic_transformer::reference::embedding(model, &[1, 2, 3]);
                Answer::Embedding(vector.iter().map(|x| *x as f32).collect())
            }
        };
        spoil(&mut answer);
        verify(&loaded.model, &prompts, &[Some(answer)], Dtype::F32, &Progress::none())
    };
    let (gpt2, bert) = (fixture("gpt2-tiny"), fixture("bert-tiny"));
    assert_eq!(answers(&gpt2, |_| {}).expect("nothing is wrong").compared, 560);
    assert_eq!(answers(&bert, |_| {}).expect("nothing is wrong").compared, 24);
    let spoil_logit = |answer: &mut Answer| {
        let Answer::Continuation(continuation) = answer else { panic!("a decoder goes on") };
        continuation.logits[1][17] += 0.5;
    };
    let error = answers(&gpt2, spoil_logit).expect_err("a logit is wrong");
    assert!(matches!(error, Error::Deviation(_)) && error.exit_code() == 1);
    let message = error.to_string();
    assert!(message.contains("the logit of token 17 for the 2th token generated is off by 5.0"), "{message}");
    let spoil_vector = |answer: &mut Answer| {
        let Answer::Embedding(vector) = answer else { panic!("an encoder makes vectors") };
        vector[3] = f32::NAN;
    };
    let message = answers(&bert, spoil_vector).expect_err("an element is wrong").to_string();
    assert!(message.contains("element 3 of the vector is off by NaN"), "{message}");
}
