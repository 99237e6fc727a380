//! A model as Hugging Face's libraries save it: a folder with `config.json`, `model.safetensors` and, for text, `tokenizer.json`.

use std::fs;
use std::io;
use std::path::Path;

use serde::Deserialize;

use super::bert::Bert;
use super::builtin;
use super::config::Config;
use super::gpt2::Gpt2;
use super::parts::Block;
use super::tokens::Tokens;
use super::weights::{Weight, WeightFile};
use crate::error::Error;

/// The files that are read from a folder, those that it has.
pub const FILES: &[&str] = &[CONFIG, WEIGHTS, TOKENIZER, POOLING, SENTENCES];

const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.safetensors";
const TOKENIZER: &str = "tokenizer.json";
const POOLING: &str = "1_Pooling/config.json";
const SENTENCES: &str = "sentence_bert_config.json";

/// A model with its weights on the host.
#[derive(Debug)]
pub enum Model {
    /// A model that writes text.
    Gpt2(Gpt2),
    /// One that turns texts into vectors.
    Bert(Bert),
}

/// A model, and what it takes.
#[derive(Debug)]
pub struct Loaded {
    /// The folder, or what else it comes from.
    pub source: String,
    /// The model.
    pub model: Model,
    /// The tokenizer; `None` if the folder has no `tokenizer.json`.
    pub tokens: Option<Tokens>,
    /// The longest text in tokens: what the model was trained on, where the folder says so, or else its positions.
    pub limit: usize,
}

#[derive(Deserialize)]
struct SentenceLimit {
    max_seq_length: Option<usize>,
}

/// The fields of `1_Pooling/config.json` in its older form; in the newer one, `pooling_mode` names the mode.
#[derive(Deserialize)]
struct Pooling {
    pooling_mode: Option<String>,
    pooling_mode_mean_tokens: Option<bool>,
}

impl Loaded {
    /// The built-in model.
    pub fn builtin(seed: u64) -> Self {
        let model = Gpt2::from_seed(builtin::SHAPE, seed);
        Self {
            source: format!("built in, seed {seed}"),
            limit: model.config.shape.positions,
            model: Model::Gpt2(model),
            tokens: Some(Tokens::Bytes),
        }
    }

    /// Reads the folder. The `tokenizer.json` is read if there is one and there are `texts` that need it.
    ///
    /// # Errors
    /// A file is missing, damaged, or describes what there is no code for. Each is named with the folder.
    pub fn read(folder: &Path, texts: bool) -> Result<Self, Error> {
        if !folder.is_dir() {
            let kind = if folder.exists() { io::ErrorKind::NotADirectory } else { io::ErrorKind::NotFound };
            let cause =
                if kind == io::ErrorKind::NotFound { "there is no such folder" } else { "not a folder" };
            return Err(Error::file(folder.display().to_string(), io::Error::new(kind, cause)));
        }
        let config = Config::read(&folder.join(CONFIG))?;
        let positions = config.shape().positions;
        let limit = match config {
            Config::Gpt2(_) => positions,
            Config::Bert(_) => sentence_limit(folder, positions)?,
        };
        let tokens = folder.join(TOKENIZER);
        let tokens = (texts && tokens.exists()).then(|| Tokens::read(&tokens, limit)).transpose()?;
        let file = WeightFile::read(&folder.join(WEIGHTS))?;
        let model = match config {
            Config::Gpt2(config) => Model::Gpt2(Gpt2::load(config, &file)?),
            Config::Bert(config) => Model::Bert(Bert::load(config, &file)?),
        };
        Ok(Self { source: folder.display().to_string(), model, tokens, limit })
    }
}

impl Model {
    /// Returns `true` if the model writes text.
    pub fn is_decoder(&self) -> bool {
        matches!(self, Self::Gpt2(_))
    }

    /// The number of parameters.
    pub fn parameters(&self) -> usize {
        match self {
            Self::Gpt2(model) => model.parameters(),
            Self::Bert(model) => model.parameters(),
        }
    }

    /// The first tensor with an element that is infinite or not a number.
    pub fn not_finite(&self) -> Option<&Weight> {
        let weights = match self {
            Self::Gpt2(model) => model.weights(),
            Self::Bert(model) => model.weights(),
        };
        weights.into_iter().find(|weight| weight.data().iter().any(|number| !number.is_finite()))
    }

    /// The elements of the largest tensor that a device has to hold for it: of all that stays there, not of what comes and
    /// goes with a prompt.
    pub fn largest_tensor(&self) -> usize {
        let blocks = match self {
            Self::Gpt2(model) => &model.blocks,
            Self::Bert(model) => &model.blocks,
        };
        // An encoder looks its embeddings up on the host.
        let head = match self {
            Self::Gpt2(model) => Some(model.head()),
            Self::Bert(_) => None,
        };
        let weights = blocks.iter().flat_map(Block::weights).chain(head);
        weights.map(|weight| weight.data().len()).max().unwrap_or(0)
    }

    /// The model's numbers.
    pub fn shape(&self) -> &super::config::Shape {
        match self {
            Self::Gpt2(model) => &model.config.shape,
            Self::Bert(model) => &model.config.shape,
        }
    }
}

/// The length that sentence-transformers cuts texts to, which may be less than the model has positions: 256 of 512 in
/// all-MiniLM-L6-v2.
fn sentence_limit(folder: &Path, positions: usize) -> Result<usize, Error> {
    if let Some((file, pooling)) = optional::<Pooling>(&folder.join(POOLING))? {
        let is_mean = match (&pooling.pooling_mode, pooling.pooling_mode_mean_tokens) {
            (Some(mode), _) => mode == "mean",
            (None, mean) => mean != Some(false),
        };
        if !is_mean {
            return Err(Error::content(
                file,
                "sentences are not the mean of their tokens, which is all there is code for",
            ));
        }
    }
    match optional::<SentenceLimit>(&folder.join(SENTENCES))? {
        Some((file, SentenceLimit { max_seq_length: Some(limit) })) if limit == 0 || limit > positions => {
            let cause = format!("max_seq_length is {limit}, and the model has {positions} positions");
            Err(Error::content(file, cause))
        }
        Some((_, SentenceLimit { max_seq_length: Some(limit) })) => Ok(limit),
        _ => Ok(positions),
    }
}

/// A JSON file that a folder may lack.
fn optional<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<Option<(String, T)>, Error> {
    let file = path.display().to_string();
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::file(file, error)),
        Ok(bytes) => match serde_json::from_slice(&bytes) {
            Ok(value) => Ok(Some((file, value))),
            Err(error) => Err(Error::content(file, error.to_string())),
        },
    }
}
