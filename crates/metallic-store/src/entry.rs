use std::time::{Duration, SystemTime};

use crate::{Artifact, ArtifactKey, EntryId};

/// A key, and what a store keeps under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The whole key.
    pub key: ArtifactKey,
    /// The artifact, or where it is.
    pub body: Body,
}

/// The content of an [`Entry`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// An artifact.
    Artifact(Artifact),
    /// The entry that has the artifact: a cheap key leads to a content key. Never another link.
    Link(EntryId),
}

impl Body {
    pub(crate) const LINK: &'static str = "link";

    /// Length of the payloads, in bytes.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Artifact(artifact) => artifact.bytes(),
            Self::Link(_) => EntryId::LEN as u64,
        }
    }

    /// The cost of losing the entry. For a link: the content is put together and digested again, about a millisecond.
    pub(crate) fn cost_ns(&self) -> u64 {
        match self {
            Self::Artifact(artifact) => artifact.cost().as_nanos().try_into().unwrap_or(u64::MAX),
            Self::Link(_) => 1_000_000,
        }
    }

    pub(crate) fn label(&self) -> &str {
        match self {
            Self::Artifact(artifact) => artifact.label(),
            Self::Link(_) => "",
        }
    }

    pub(crate) fn for_each_payload(&self, mut visit: impl FnMut(&str, &[u8])) {
        match self {
            Self::Artifact(artifact) => artifact.payloads().for_each(|(name, bytes)| visit(name, bytes)),
            Self::Link(target) => visit(Self::LINK, &target.to_bytes()),
        }
    }
}

/// The header of an [`Entry`], for listings.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EntryInfo {
    /// The entry's name in the store.
    pub id: EntryId,
    /// The whole key.
    pub key: ArtifactKey,
    /// `true` if it leads to another entry, which has the artifact.
    pub is_link: bool,
    /// `true` if it carries a MAC.
    pub is_authenticated: bool,
    /// The readable name that its artifact was given.
    pub label: String,
    /// The time that creation took.
    pub cost: Duration,
    /// When it was written, in seconds since 1970; 0 if the writer had no clock.
    pub written: u64,
    /// Names and lengths of the payloads.
    pub payloads: Vec<(String, u64)>,
    /// Length of the entry with its header, in bytes.
    pub bytes: u64,
    /// When it was last used, where the store keeps that.
    pub used: Option<SystemTime>,
}

impl EntryInfo {
    /// Describes an entry that is in memory and has no header.
    pub(crate) fn of_resident(entry: &Entry) -> Self {
        let mut payloads = Vec::new();
        entry.body.for_each_payload(|name, bytes| payloads.push((name.to_owned(), bytes.len() as u64)));
        Self {
            id: entry.key.id(),
            key: entry.key.clone(),
            is_link: matches!(entry.body, Body::Link(_)),
            is_authenticated: false,
            label: entry.body.label().to_owned(),
            cost: Duration::from_nanos(entry.body.cost_ns()),
            written: 0,
            payloads,
            bytes: entry.body.bytes(),
            used: None,
        }
    }
}
