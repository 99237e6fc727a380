//! Model folders, as the program takes them.

use std::fs;
use std::path::Path;

use crate::checkpoints::copy;
use crate::program::{assert_fails, json, text};

#[test]
fn a_folder_that_cannot_be_loaded_is_named_in_one_line() {
    let assert_refused = |folder: &Path, parts: &[&str]| {
        assert_fails(&["run", "--device", "host", "--model", text(folder)], "", 1, parts);
    };
    assert_refused(Path::new("/no/such/model"), &["/no/such/model: there is no such folder"]);
    let folder = copy("gpt2-tiny");
    fs::remove_file(folder.path().join("model.safetensors")).expect("it was there");
    assert_refused(folder.path(), &["model.safetensors: No such file"]);
    fs::write(folder.path().join("tokenizer.json"), "{}").expect("it can be written");
    assert_refused(folder.path(), &["tokenizer.json: no tokenizer: "]);
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
