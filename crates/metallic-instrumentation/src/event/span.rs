//! Steps of the program.

use std::borrow::Cow;

/// A step of the program ended: a token, a frame, a request. Its event's time is when it began, and creations on its thread
/// meanwhile are what it waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SpanEnded {
    /// The kind of step, the same for all of a kind.
    pub name: Cow<'static, str>,
    /// The text that tells this step from others of its kind.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub label: Option<String>,
    /// The name of the thread, if it has one.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub thread: Option<String>,
    /// Time from its begin to its end, in nanoseconds.
    pub duration_ns: u64,
}
