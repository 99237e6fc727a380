//! From text to token ids and back.

use std::path::Path;

use tokenizers::{PostProcessor, Tokenizer, TruncationDirection};

use crate::error::Error;

/// A tokenizer.
#[derive(Debug)]
pub enum Tokens {
    /// Each byte is its own id.
    Bytes,
    /// A `tokenizer.json`.
    File {
        /// The file, for errors.
        file: String,
        /// The tokenizer in it.
        tokenizer: Box<Tokenizer>,
    },
}

/// A text as token ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The ids, with those that the model wants at its ends.
    pub ids: Vec<u32>,
    /// `true` if the text has more tokens than the model takes.
    pub truncated: bool,
}

impl Tokens {
    /// Reads a `tokenizer.json`. Its own padding and truncation are not those of the model, and are left aside: texts are not
    /// padded, and have at most `limit` tokens.
    ///
    /// # Errors
    /// It cannot be read, or describes no tokenizer.
    pub fn read(path: &Path, limit: usize) -> Result<Self, Error> {
        let file = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|error| Error::file(&file, error))?;
        let content = |cause: String| Error::content(&file, format!("no tokenizer: {cause}"));
        let mut tokenizer = Tokenizer::from_bytes(bytes).map_err(|error| content(error.to_string()))?;
        let at_the_ends = tokenizer.get_post_processor().map_or(0, |ends| ends.added_tokens(false));
        if at_the_ends >= limit {
            return Err(content(format!("it adds {at_the_ends} tokens to texts of at most {limit}")));
        }
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|error| content(error.to_string()))?;
        Ok(Self::File { file, tokenizer: Box::new(tokenizer) })
    }

    /// The ids of a text, at most `limit`.
    ///
    /// # Errors
    /// The tokenizer has no token for a part of it.
    pub fn encode(&self, text: &str, limit: usize) -> Result<Encoded, Error> {
        match self {
            Self::Bytes => Ok(Encoded {
                ids: text.bytes().take(limit).map(u32::from).collect(),
                truncated: text.len() > limit,
            }),
            Self::File { file, tokenizer } => {
                let failed = |error| Error::content(file, format!("cannot encode a text: {error}"));
                let whole = tokenizer.encode(text, true).map_err(failed)?;
                if whole.get_ids().len() <= limit {
                    return Ok(Encoded { ids: whole.get_ids().to_vec(), truncated: false });
                }
                // Cut here and not by the tokenizer, which does not say so behind every post-processor.
                let at_the_ends = tokenizer.get_post_processor().map_or(0, |ends| ends.added_tokens(false));
                let mut cut = tokenizer.encode(text, false).map_err(failed)?;
                cut.truncate(limit.saturating_sub(at_the_ends), 0, TruncationDirection::Right);
                let cut = tokenizer.post_process(cut, None, true).map_err(failed)?;
                Ok(Encoded { ids: cut.get_ids().to_vec(), truncated: true })
            }
        }
    }

    /// The text of these ids.
    ///
    /// # Errors
    /// The tokenizer cannot put its tokens together.
    pub fn decode(&self, ids: &[u32]) -> Result<String, Error> {
        match self {
            Self::Bytes => {
                let bytes: Vec<u8> = ids.iter().map(|id| *id as u8).collect();
                Ok(String::from_utf8_lossy(&bytes).into_owned())
            }
            Self::File { file, tokenizer } => tokenizer
                .decode(ids, true)
                .map_err(|error| Error::content(file, format!("cannot decode tokens: {error}"))),
        }
    }
}
