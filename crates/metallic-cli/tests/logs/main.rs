//! Logs that live registries write, and what the tools make of them.

mod made;
mod page;
mod replay_advice;
mod several_registries;
