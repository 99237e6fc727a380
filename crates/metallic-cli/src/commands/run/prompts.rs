//! The prompts.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use crate::args::RunArgs;
use crate::error::Error;
use crate::units::bytes;
use metallic_transformer::model::{Loaded, Model};

/// The prompts that come with the program.
const BUILTIN: &str = include_str!("prompts.txt");

/// The longest prompt, in bytes: a tokenizer takes a hundred times as much memory, and all but the begin is cut.
const MAX_PROMPT: usize = 1 << 20;

/// One text, or one sequence of tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// Its line in the file, counted from 1; `None` if no file was given.
    pub line: Option<u64>,
    /// The text; `None` if the tokens were given.
    pub text: Option<String>,
    /// The tokens, with those that the model wants at the ends of a text.
    pub ids: Vec<u32>,
    /// `true` if the text has more tokens than the model takes, and lost the rest.
    pub truncated: bool,
}

/// The prompts that the arguments name.
///
/// # Errors
/// A file cannot be read or has no prompt, a number is not a token of the model, a prompt has more tokens than the model has
/// positions, or there is text and no tokenizer.
pub fn prompts(args: &RunArgs, loaded: &Loaded) -> Result<Vec<Prompt>, Error> {
    if let Some(ids) = &args.ids {
        return from_ids(ids, &loaded.model);
    }
    let (source, text) = match &args.input {
        Some(path) => (path.display().to_string(), read(path)?),
        None => (String::new(), BUILTIN.to_owned()),
    };
    let Some(tokens) = &loaded.tokens else {
        let file = format!("{}/tokenizer.json", loaded.source);
        return Err(Error::content(file, "there is no such file, so that tokens must be given: --ids"));
    };
    let mut prompts = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() {
            continue;
        }
        if line.len() > MAX_PROMPT {
            let cause = format!(
                "a prompt of {}; at most {} are taken",
                bytes(line.len() as u64),
                bytes(MAX_PROMPT as u64)
            );
            return Err(Error::Line { file: source, line: number, cause });
        }
        let encoded = tokens.encode(line, loaded.limit)?;
        if encoded.ids.is_empty() {
            return Err(Error::Line {
                file: source,
                line: number,
                cause: "the text has no tokens".to_owned(),
            });
        }
        check(&encoded.ids, &loaded.model).map_err(|cause| Error::Line {
            file: source.clone(),
            line: number,
            cause: format!("the tokenizer is not the model's: {cause}"),
        })?;
        prompts.push(Prompt {
            line: args.input.as_ref().map(|_| number),
            text: Some(line.to_owned()),
            ids: encoded.ids,
            truncated: encoded.truncated,
        });
    }
    if prompts.is_empty() {
        return Err(Error::NotFound(format!("{source}: there is no prompt in it")));
    }
    Ok(prompts)
}

fn from_ids(given: &str, model: &Model) -> Result<Vec<Prompt>, Error> {
    let is_list = given.chars().all(|c| c.is_ascii_digit() || c == ',' || c.is_whitespace());
    if is_list {
        let ids = numbers(given).map_err(|cause| Error::Usage(format!("--ids `{given}`: {cause}")))?;
        check(&ids, model).map_err(|cause| Error::Usage(format!("--ids: {cause}")))?;
        return Ok(vec![Prompt { line: None, text: None, ids, truncated: false }]);
    }
    let mut prompts = Vec::new();
    let text = match read(Path::new(given)) {
        Err(Error::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            return Err(Error::Usage(format!("--ids {given}: neither a list of token ids nor a file")));
        }
        text => text?,
    };
    for (line, text) in (1..).zip(text.lines()) {
        if text.trim().is_empty() {
            continue;
        }
        let ids = numbers(text).and_then(|ids| check(&ids, model).map(|()| ids));
        let ids = ids.map_err(|cause| Error::Line { file: given.to_owned(), line, cause })?;
        prompts.push(Prompt { line: Some(line), text: None, ids, truncated: false });
    }
    if prompts.is_empty() {
        return Err(Error::NotFound(format!("{given}: there is no prompt in it")));
    }
    Ok(prompts)
}

fn numbers(text: &str) -> Result<Vec<u32>, String> {
    if !text.contains(|c: char| c.is_ascii_alphanumeric()) {
        return Err("there is no token id".to_owned());
    }
    let mut ids = Vec::new();
    for part in text.split(',') {
        let words = part.split_whitespace();
        let before = ids.len();
        for word in words {
            ids.push(word.parse().map_err(|_| format!("`{word}` is not a token id"))?);
        }
        if ids.len() == before {
            return Err("a comma has no token id on one side".to_owned());
        }
    }
    Ok(ids)
}

/// Checks that these are tokens of the model, and not too many.
fn check(ids: &[u32], model: &Model) -> Result<(), String> {
    let shape = model.shape();
    if let Some(id) = ids.iter().find(|id| **id as usize >= shape.vocabulary) {
        return Err(format!("{id} is not a token of the model, which has {}", shape.vocabulary));
    }
    if ids.len() > shape.positions {
        return Err(format!("{} tokens, and the model has {} positions", ids.len(), shape.positions));
    }
    Ok(())
}

/// The text of a file, without the mark of its byte order.
fn read(path: &Path) -> Result<String, Error> {
    let file = path.display().to_string();
    let mut content = Vec::new();
    let result = if path == Path::new("-") {
        io::stdin().read_to_end(&mut content)
    } else {
        fs::File::open(path).and_then(|mut file| file.read_to_end(&mut content))
    };
    result.map_err(|error| Error::file(&*file, error))?;
    let text = String::from_utf8(content).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count() as u64;
        Error::Line { file, line, cause: "the text is not UTF-8".to_owned() }
    })?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prompts_that_come_with_the_program_are_of_many_lengths_and_within_the_model() {
        let loaded = Loaded::builtin(1);
        let prompts = prompts(&RunArgs::default(), &loaded).expect("they are in order");
        let buckets: Vec<usize> = prompts.iter().map(|prompt| prompt.ids.len().next_power_of_two()).collect();
        assert!(
            buckets.is_sorted() && buckets.first() == Some(&8) && buckets.last() == Some(&512),
            "{buckets:?}"
        );
        assert!(prompts.iter().all(|prompt| !prompt.truncated));
    }

    #[test]
    fn ids_are_separated_by_commas_or_space() {
        assert_eq!(numbers("1, 2,3 4\n"), Ok(vec![1, 2, 3, 4]));
        for text in ["1,,2", ",1", "1, ,2", "1,"] {
            assert_eq!(numbers(text), Err("a comma has no token id on one side".to_owned()), "{text}");
        }
        assert!(numbers(" , ").is_err() && numbers("1,-2").is_err() && numbers("4294967296").is_err());
    }
}
