use std::fmt;

use crate::{Digest, limits};

/// Everything besides the key that decides whether an artifact is still right, as named layers in a fixed order.
///
/// Usual layers, from what changes most often to what changes least: `build` (the program), `compiler` (version,
/// options, headers), `driver`, `os`, `device`. An artifact matches only if all layers do; a miss names the first that
/// differs. Artifacts of several fingerprints exist side by side under one key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    layers: Vec<Layer>,
}

/// One named part of a [`Fingerprint`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Layer {
    name: String,
    digest: Digest,
    value: String,
}

/// A layer that an artifact was stored under with another value than the one asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LayerChange {
    /// The layer's name.
    pub name: String,
    /// The readable value of the stored artifact, empty if it has no such layer.
    pub stored: String,
    /// The readable value that was asked for, empty if the request has no such layer.
    pub wanted: String,
}

impl Fingerprint {
    /// The layer of the program's own build. [Content keys](crate::ArtifactKey::with_content) omit it.
    pub const BUILD: &'static str = "build";

    /// A fingerprint without layers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a layer with its readable value. A layer of the same name is replaced where it is.
    ///
    /// The digest is that of the whole value; the readable value is cut after 1024 bytes.
    ///
    /// # Panics
    ///
    /// If the name is empty or longer than 64 bytes, or there would be more than 32 layers: both are mistakes in a
    /// program, never data.
    pub fn with_layer(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let value = value.into();
        let digest = Digest::of(value.as_bytes());
        self.with_digest(name, digest, value)
    }

    /// Adds a layer by a digest of what it stands for (headers, a compiler's binary) and a readable value, which is not
    /// compared.
    ///
    /// # Panics
    ///
    /// As [`Fingerprint::with_layer`].
    pub fn with_digest(mut self, name: impl Into<String>, digest: Digest, value: impl Into<String>) -> Self {
        let (name, mut value) = (name.into(), value.into());
        assert!(!name.is_empty() && name.len() <= limits::NAME, "a layer's name has 1 to 64 bytes: `{name}`");
        cut(&mut value, limits::VALUE);
        let layer = Layer { name, digest, value };
        match self.layers.iter_mut().find(|present| present.name == layer.name) {
            Some(present) => *present = layer,
            None => self.layers.push(layer),
        }
        assert!(self.layers.len() <= limits::LAYERS, "a fingerprint has at most 32 layers");
        self
    }

    /// The layers, in the order in which they were added.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The layer called `name`.
    pub fn layer(&self, name: &str) -> Option<&Layer> {
        self.layers.iter().find(|layer| layer.name == name)
    }

    /// The same fingerprint without one layer.
    pub fn without(&self, name: &str) -> Self {
        Self { layers: self.layers.iter().filter(|layer| layer.name != name).cloned().collect() }
    }

    /// The layers in which a stored fingerprint differs from this one, in this one's order.
    pub fn changes_from(&self, stored: &Self) -> Vec<LayerChange> {
        let change = |name: &str, stored: Option<&Layer>, wanted: Option<&Layer>| LayerChange {
            name: name.to_owned(),
            stored: stored.map_or(String::new(), |layer| layer.value.clone()),
            wanted: wanted.map_or(String::new(), |layer| layer.value.clone()),
        };
        let mut changes = Vec::new();
        for wanted in &self.layers {
            let stored = stored.layer(&wanted.name);
            if stored.map(|layer| layer.digest) != Some(wanted.digest) {
                changes.push(change(&wanted.name, stored, Some(wanted)));
            }
        }
        for stored in stored.layers.iter().filter(|layer| self.layer(&layer.name).is_none()) {
            changes.push(change(&stored.name, Some(stored), None));
        }
        changes
    }

    /// Rebuilds a fingerprint from a decoded file, whose limits the decoder has checked.
    pub(crate) fn from_layers(layers: Vec<Layer>) -> Self {
        Self { layers }
    }
}

impl Layer {
    pub(crate) fn new(name: String, digest: Digest, value: String) -> Self {
        Self { name, digest, value }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The digest that is compared.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The value for people to read.
    pub fn value(&self) -> &str {
        &self.value
    }
}

impl fmt::Display for LayerChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, stored, wanted } = self;
        match (stored.as_str(), wanted.as_str()) {
            ("", "") => write!(f, "{name} differs"),
            ("", wanted) => write!(f, "{name} is `{wanted}`, stored without"),
            (stored, "") => write!(f, "{name} is absent, stored with `{stored}`"),
            (stored, wanted) if stored == wanted => write!(f, "{name} `{wanted}` has another content"),
            (stored, wanted) => write!(f, "{name} is `{wanted}`, stored with `{stored}`"),
        }
    }
}

/// Cuts `text` to at most `limit` bytes, at a character's boundary.
pub(crate) fn cut(text: &mut String, limit: usize) {
    if text.len() > limit {
        let end = (0..=limit).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
        text.truncate(end);
    }
}
