//! Answers of a look-up that does not wait.

use std::sync::Arc;

use crate::caching::shared::Node;

/// A resource, or what takes its place until it is created: see
/// [`SharedRegistry::get_or_fallback`](super::SharedRegistry::get_or_fallback).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<R> {
    /// The caller's fallback. The resource is being created, or cannot be.
    Fallback(R),
    /// The resource itself.
    Resource {
        /// The resource.
        resource: R,
        /// Tells it from those that the key had before and will have later: a larger one was inserted later. What an engine
        /// derives from the resource, such as a recorded bundle, is good for as long as the generation is the same.
        generation: u64,
    },
}

impl<R> Answer<R> {
    /// The fallback, or the resource.
    pub fn get(&self) -> &R {
        match self {
            Self::Fallback(resource) | Self::Resource { resource, .. } => resource,
        }
    }

    /// The fallback, or the resource, by value.
    pub fn into_inner(self) -> R {
        match self {
            Self::Fallback(resource) | Self::Resource { resource, .. } => resource,
        }
    }

    /// Returns `true` if it is the fallback.
    pub fn is_fallback(&self) -> bool {
        matches!(self, Self::Fallback(_))
    }

    /// The generation of the resource, from 1; 0 for the fallback.
    pub fn generation(&self) -> u64 {
        match self {
            Self::Fallback(_) => 0,
            Self::Resource { generation, .. } => *generation,
        }
    }
}

impl<R: Clone> Answer<R> {
    pub(super) fn of(node: Arc<Node<R>>) -> Self {
        let generation = node.generation();
        Self::Resource { resource: Node::cloned(node), generation }
    }
}
