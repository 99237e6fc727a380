//! A line of a manifest.

use serde::de::{Deserialize, Deserializer};
use serde::ser::{Error as _, Serialize, Serializer};
use serde_json::value::RawValue;

/// The version of the lines that are written.
pub(super) const VERSION: u32 = 1;

/// The first line.
#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct Header {
    pub(super) metallic_manifest: u32,
}

/// One key, and what is known of its creation.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct Record {
    /// The cache's name.
    pub cache: String,
    /// The schema of its kernel: see [`PortableKernel::SCHEMA`](crate::PortableKernel::SCHEMA).
    pub schema: u32,
    /// The key's JSON form.
    pub(super) key: Json,
    /// The key as events show it, with the cache's name before it.
    pub label: String,
    /// The time that its creation took, in nanoseconds, creations inside of it included; 0 if it is not known.
    #[serde(default)]
    pub cost_ns: u64,
    /// The bytes that the resource holds.
    #[serde(default)]
    pub bytes: u64,
    /// The number of its creations; 0 if it was listed, and never created.
    #[serde(default)]
    pub count: u64,
    /// The phase of the program in which it was first created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// Its place among the first creations of the program.
    #[serde(default)]
    pub order: u64,
}

impl Record {
    pub(super) fn new(cache: &str, schema: u32, key: String, label: &str) -> Self {
        Self {
            cache: cache.to_owned(),
            schema,
            key: Json(key),
            label: label.to_owned(),
            cost_ns: 0,
            bytes: 0,
            count: 0,
            phase: None,
            order: 0,
        }
    }

    /// The key's JSON form.
    pub fn key(&self) -> &str {
        &self.key.0
    }

    /// The identity of a record: cache, schema and key.
    pub fn identity(&self) -> (&str, u32, &str) {
        (&self.cache, self.schema, &self.key.0)
    }

    /// The line, with its end.
    pub(super) fn line(&self) -> Result<String, serde_json::Error> {
        let mut line = serde_json::to_string(self)?;
        line.push('\n');
        Ok(line)
    }
}

/// A value that is kept as its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Json(String);

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::from_str::<&RawValue>(&self.0).map_err(S::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(|raw| Self(raw.get().to_owned()))
    }
}
