//! Model folders in which something is wrong, and those in which something may be otherwise.

use std::fs;
use std::path::Path;

use metallic::Dtype::F32;
use metallic::caching::ResourceCache;
use metallic_host::HostDevice;
use metallic_transformer::engine::{Decoder, Encoder};
use metallic_transformer::model::{Loaded, Model};
use safetensors::Dtype;

use crate::checkpoints::{copy, set_config};
use crate::tensors::change_tensors;

/// Checks that the folder is refused in one line that has all of `parts` in it.
fn assert_refused(folder: &Path, parts: &[&str]) {
    let message = Loaded::read(folder, true).expect_err("the folder is damaged").to_string();
    assert_eq!(message.lines().count(), 1, "{message}");
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
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
fn a_pointer_of_git_lfs_is_named_as_such() {
    let folder = copy("gpt2-tiny");
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 548105171\n";
    fs::write(folder.path().join("model.safetensors"), pointer).expect("it can be written");
    assert_refused(folder.path(), &["model.safetensors: a pointer of git-lfs"]);
}

#[test]
fn a_size_that_is_0_is_named() {
    for (field, size) in [("n_head", "number of heads"), ("n_positions", "number of positions")] {
        let folder = copy("gpt2-tiny");
        set_config(folder.path(), field, 0);
        assert_refused(folder.path(), &["config.json: the ", size, " is 0"]);
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

/// The logits or the vector of a text on the host.
fn result(folder: &Path) -> Vec<f32> {
    let loaded = Loaded::read(folder, true).expect("the folder is whole");
    let tokens = loaded.tokens.as_ref().expect("it has a tokenizer");
    let ids = tokens.encode("a cache is a promise", loaded.limit).expect("it has the tokens").ids;
    let device = HostDevice::new();
    let cache = ResourceCache::with_device(device.clone());
    match &loaded.model {
        Model::Gpt2(model) => Decoder::new(model, device, cache, F32).feed(&ids),
        Model::Bert(model) => Encoder::new(model, device, cache, F32).embed(&ids),
    }
    .expect("the host computes it")
}

#[test]
fn weights_of_other_types_and_names_give_the_results_of_their_own_values() {
    let plain = copy("gpt2-tiny");
    let bare = copy("gpt2-tiny");
    change_tensors(bare.path(), |mut stored| {
        stored.name = stored.name.trim_start_matches("transformer.").to_owned();
        Some(stored)
    });
    assert_eq!(result(plain.path()), result(bare.path()));

    let plain = copy("bert-tiny");
    let part = copy("bert-tiny");
    change_tensors(part.path(), |mut stored| {
        stored.name.insert_str(0, "bert.");
        Some(stored)
    });
    assert_eq!(result(plain.path()), result(part.path()));

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
    assert_eq!(result(short.path()), result(long.path()));
    assert_ne!(result(short.path()), result(plain.path()));
}
