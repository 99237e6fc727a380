//! Reads Rust files for what the compiler does not check: which files may know of which.

mod circles;
mod layout;
mod methods;
mod paths;
mod tokens;

pub(crate) use circles::circles;
pub(crate) use layout::Layout;
pub(crate) use tokens::Source;
