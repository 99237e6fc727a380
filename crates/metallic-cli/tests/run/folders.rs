//! Model folders in which something is wrong, and those in which something may be otherwise.

use std::fs;
use std::path::Path;

use safetensors::Dtype;

use crate::checkpoints::{change_tensors, copy, set_config};
use crate::program::{assert_fails, json, text};

fn assert_refused(folder: &Path, parts: &[&str]) {
    assert_fails(&["run", "--device", "host", "--model", text(folder)], "", 1, parts);
}

#[test]
fn a_folder_that_is_missing_or_incomplete_is_named() {
    assert_refused(Path::new("/no/such/model"), &["/no/such/model: there is no such folder"]);
    let folder = copy("gpt2-tiny");
    fs::remove_file(folder.path().join("model.safetensors")).expect("it was there");
    assert_refused(folder.path(), &["model.safetensors: No such file"]);
    fs::write(folder.path().join("model.safetensors.index.json"), "{}").expect("it can be written");
    assert_refused(folder.path(), &["in several files"]);
    fs::remove_file(folder.path().join("config.json")).expect("it was there");
    assert_refused(folder.path(), &["config.json: No such file"]);
}

#[test]
fn a_truncated_weight_file_is_named_as_such() {
    let folder = copy("gpt2-tiny");
    let path = folder.path().join("model.safetensors");
    let bytes = fs::read(&path).expect("it can be read");
    for length in [0, 7, 100, bytes.len() - 1] {
        fs::write(&path, &bytes[..length]).expect("it can be written");
        assert_refused(folder.path(), &["model.safetensors: ", "truncated"]);
    }
}

#[test]
fn another_architecture_is_named() {
    let folder = copy("gpt2-tiny");
    set_config(folder.path(), "model_type", "llama");
    assert_refused(folder.path(), &["config.json: the model type is `llama`", "gpt2 and bert"]);
    let folder = copy("gpt2-tiny");
    set_config(folder.path(), "activation_function", "relu");
    assert_refused(folder.path(), &["config.json: activation_function is `relu`"]);
    let folder = copy("gpt2-tiny");
    set_config(folder.path(), "layer_norm_epsilon", 0);
    assert_refused(folder.path(), &["config.json: the epsilon of layer norm is 0"]);
    let folder = copy("bert-tiny");
    set_config(folder.path(), "position_embedding_type", "relative_key");
    assert_refused(folder.path(), &["`relative_key`"]);
}

#[test]
fn a_tensor_that_is_missing_or_of_another_shape_or_type_is_named() {
    let folder = copy("gpt2-tiny");
    change_tensors(folder.path(), |stored| (!stored.name.ends_with("h.1.ln_2.bias")).then_some(stored));
    assert_refused(folder.path(), &["model.safetensors: there is no tensor `transformer.h.1.ln_2.bias`"]);

    let folder = copy("gpt2-tiny");
    set_config(folder.path(), "n_positions", 65);
    assert_refused(folder.path(), &["`transformer.wpe.weight` has shape [64, 24], not [65, 24]"]);

    let folder = copy("bert-tiny");
    change_tensors(folder.path(), |mut stored| {
        if stored.name == "embeddings.LayerNorm.bias" {
            stored.dtype = Dtype::I32;
        }
        Some(stored)
    });
    assert_refused(folder.path(), &["`embeddings.LayerNorm.bias` is of I32"]);
}

#[test]
fn a_folder_without_a_tokenizer_takes_token_ids() {
    let folder = copy("gpt2-tiny");
    fs::remove_file(folder.path().join("tokenizer.json")).expect("it was there");
    let args = ["run", "--device", "host", "--model", text(folder.path())];
    assert_fails(&args, "", 1, &["tokenizer.json: there is no such file", "--ids"]);
    let run = json(&[&args[..], &["--ids", "64, 1,2", "--tokens", "2"]].concat(), "");
    assert_eq!(run["prompts"][0]["input_ids"], serde_json::json!([64, 1, 2]));
    assert!(run["prompts"][0]["generated_text"].is_null());
    // A prompt a line.
    let run = json(&[&args[..], &["--ids", "-", "--tokens", "2"]].concat(), "64,1\n\n5\n");
    assert_eq!(run["prompts"].as_array().map(Vec::len), Some(2));
    assert_eq!([&run["prompts"][0]["line"], &run["prompts"][1]["line"]], [1, 3]);
    assert_fails(&[&args[..], &["--ids", "-"]].concat(), "64\n1,x\n", 1, &["-:2: `x` is not a token id"]);
}

#[test]
fn a_damaged_tokenizer_is_named() {
    let folder = copy("bert-tiny");
    fs::write(folder.path().join("tokenizer.json"), "{}").expect("it can be written");
    assert_refused(folder.path(), &["tokenizer.json: no tokenizer: "]);
}

#[test]
fn pooling_that_is_no_mean_is_refused() {
    let folder = copy("bert-tiny");
    fs::create_dir(folder.path().join("1_Pooling")).expect("it can be made");
    let pooling = folder.path().join("1_Pooling/config.json");
    fs::write(&pooling, r#"{"pooling_mode_cls_token":true,"pooling_mode_mean_tokens":false}"#)
        .expect("it can be");
    assert_refused(folder.path(), &["1_Pooling/config.json: sentences are not the mean"]);
}

#[test]
fn weights_of_other_types_and_names_give_the_results_of_their_own_values() {
    let result = |folder: &Path, args: &[&str]| {
        let args = [&["run", "--device", "host", "--model", text(folder), "--verify"], args].concat();
        json(&args, "a cache is a promise\n")["prompts"][0].clone()
    };
    let decode = ["--input", "-", "--logits", "--tokens", "2"];
    let plain = copy("gpt2-tiny");
    let bare = copy("gpt2-tiny");
    change_tensors(bare.path(), |mut stored| {
        stored.name = stored.name.trim_start_matches("transformer.").to_owned();
        Some(stored)
    });
    assert_eq!(result(plain.path(), &decode)["logits"], result(bare.path(), &decode)["logits"]);

    let plain = copy("bert-tiny");
    let part = copy("bert-tiny");
    change_tensors(part.path(), |mut stored| {
        stored.name.insert_str(0, "bert.");
        Some(stored)
    });
    let encode = ["--input", "-"];
    assert_eq!(result(plain.path(), &encode)["embedding"], result(part.path(), &encode)["embedding"]);

    // The upper half of an f32 is a bf16: what is cut off is cut off in the reference too.
    let (short, long) = (copy("bert-tiny"), copy("bert-tiny"));
    change_tensors(short.path(), |mut stored| {
        stored.data = stored.data.chunks_exact(4).flat_map(|number| [number[2], number[3]]).collect();
        stored.dtype = Dtype::BF16;
        Some(stored)
    });
    change_tensors(long.path(), |mut stored| {
        stored.data.chunks_exact_mut(4).for_each(|number| number[..2].fill(0));
        Some(stored)
    });
    assert_eq!(result(short.path(), &encode)["embedding"], result(long.path(), &encode)["embedding"]);
}
