//! Lengths that neither an encoder exceeds nor a decoder accepts more of.

/// Names of caches, layers and payloads, in bytes.
pub const NAME: usize = 64;
/// Readable values of layers, and labels, in bytes.
pub const VALUE: usize = 1024;
/// Encoded keys, in bytes.
pub const KEY: usize = 65_536;
/// Layers of a fingerprint.
pub const LAYERS: usize = 32;
/// Payloads of an artifact.
pub const PAYLOADS: usize = 16;
/// The variable part of a header, in bytes: more than all fields at their limits take.
pub const HEADER: usize = 131_072;
/// An entry with its header, in bytes.
pub const ENTRY: u64 = 1 << 30;
