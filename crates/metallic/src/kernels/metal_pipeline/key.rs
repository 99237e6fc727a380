//! Key and parameters of a compute pipeline.

#[cfg(feature = "portable")]
mod portable;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::tensor::F32Bits;

/// A compute function and the source it is in. Make it once and clone it: a clone shares the text, and the text is hashed when the
/// function is made and at no look-up.
///
/// Its `Debug` form, and so its part of a key's label, is `name@digest`: the digest is FNV-1a of 128 bits over name and source, in
/// 32 hexadecimal digits. So two sources have two labels unless they were built to collide, and a source has the same label in
/// every process.
#[derive(Clone)]
pub struct MetalFunction(Arc<Function>);

struct Function {
    source: Cow<'static, str>,
    name: Cow<'static, str>,
    digest: u128,
}

impl MetalFunction {
    /// The function `name` of `source`, a text in the Metal Shading Language.
    pub fn new(source: impl Into<Cow<'static, str>>, name: impl Into<Cow<'static, str>>) -> Self {
        let (source, name) = (source.into(), name.into());
        // A byte that is in no UTF-8 text keeps apart what would be one text if name and source were joined.
        let digest = fnv1a([name.as_bytes(), &[0xff], source.as_bytes()].into_iter().flatten());
        Self(Arc::new(Function { source, name, digest }))
    }

    /// The text.
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// The name of the function in the text.
    pub fn name(&self) -> &str {
        &self.0.name
    }
}

impl PartialEq for MetalFunction {
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (&*self.0, &*other.0);
        Arc::ptr_eq(&self.0, &other.0) || a.digest == b.digest && a.name == b.name && a.source == b.source
    }
}

impl Eq for MetalFunction {}

impl Hash for MetalFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Half of it is enough to choose a place in a table.
        state.write_u64(self.0.digest as u64);
    }
}

impl fmt::Debug for MetalFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{:032x}", self.0.name, self.0.digest)
    }
}

/// The hash of Fowler, Noll and Vo, variant 1a, of 128 bits ([draft-eastlake-fnv](https://datatracker.ietf.org/doc/draft-eastlake-fnv/)).
fn fnv1a<'a>(bytes: impl Iterator<Item = &'a u8>) -> u128 {
    const OFFSET_BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = (1 << 88) + 0x13b;
    bytes.fold(OFFSET_BASIS, |hash, byte| (hash ^ u128::from(*byte)).wrapping_mul(PRIME))
}

/// The value of a `[[function_constant(index)]]`, of the type that the source declares it with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "portable", derive(serde::Serialize, serde::Deserialize))]
pub enum FunctionConstant {
    /// `bool`.
    Bool(bool),
    /// `int`.
    I32(i32),
    /// `uint`.
    U32(u32),
    /// `float`.
    F32(F32Bits),
}

impl From<bool> for FunctionConstant {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i32> for FunctionConstant {
    fn from(value: i32) -> Self {
        Self::I32(value)
    }
}

impl From<u32> for FunctionConstant {
    fn from(value: u32) -> Self {
        Self::U32(value)
    }
}

impl From<f32> for FunctionConstant {
    fn from(value: f32) -> Self {
        Self::F32(value.into())
    }
}

/// A function and its constants: all that a pipeline is compiled from. Key and params in one; cloning it allocates nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MetalPipelineKey {
    function: MetalFunction,
    constants: Arc<[(u16, FunctionConstant)]>,
}

impl MetalPipelineKey {
    /// `function` without constants.
    pub fn new(function: MetalFunction) -> Self {
        Self::with_constants(function, [])
    }

    /// `function` with constants by index, 0 to 65535. Their order does not count; of two for one index the later does.
    pub fn with_constants(
        function: MetalFunction,
        constants: impl IntoIterator<Item = (u16, FunctionConstant)>,
    ) -> Self {
        let constants: BTreeMap<u16, FunctionConstant> = constants.into_iter().collect();
        Self { function, constants: constants.into_iter().collect() }
    }

    /// The function.
    pub fn function(&self) -> &MetalFunction {
        &self.function
    }

    /// The constants, in the order of their indices.
    pub fn constants(&self) -> &[(u16, FunctionConstant)] {
        &self.constants
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn function() -> MetalFunction {
        MetalFunction::new("kernel void scale() {}", "scale")
    }

    #[test]
    fn functions_are_equal_by_text_and_name() {
        assert_eq!(function(), MetalFunction::new(String::from("kernel void scale() {}"), "scale"));
        assert_ne!(function(), MetalFunction::new("kernel void scale() {}", "scal"));
        assert_ne!(function(), MetalFunction::new("kernel void scale() { }", "scale"));
    }

    #[test]
    fn constants_are_equal_in_any_order() {
        let (one, two) = ((1, 2.0.into()), (0, true.into()));
        let key = MetalPipelineKey::with_constants(function(), [one, two]);
        assert_eq!(key, MetalPipelineKey::with_constants(function(), [two, one]));
        assert_eq!(key, MetalPipelineKey::with_constants(function(), [(0, false.into()), one, two]));
        assert_ne!(key, MetalPipelineKey::with_constants(function(), [one]));
        assert_ne!(key, MetalPipelineKey::new(function()));
    }

    #[test]
    fn a_constants_type_counts_as_its_value_does() {
        let with = |constant| MetalPipelineKey::with_constants(function(), [(0, constant)]);
        assert_ne!(with(FunctionConstant::I32(1)), with(FunctionConstant::U32(1)));
        assert_ne!(with(0.0.into()), with((-0.0).into()));
        assert_eq!(with(f32::NAN.into()), with(f32::NAN.into()));
    }

    #[test]
    fn the_digest_is_fnv_1a_with_its_published_values() {
        assert_eq!(fnv1a(b"".iter()), 0x6c62272e07bb014262b821756295c58d);
        assert_eq!(fnv1a(b"a".iter()), 0xd228cb696f1a8caf78912b704e4a8964);
        assert_eq!(fnv1a(b"abc".iter()), 0xa68d622cec8b5822836dbc7977af7f3b);
    }

    #[test]
    fn two_sources_two_names_and_the_border_between_them_have_labels_that_differ() {
        let functions =
            [("a", "scale"), ("b", "scale"), ("a", "shift"), ("ab", "s"), ("b", "sa"), ("", "sab")];
        let labels: BTreeSet<_> = functions
            .map(|(source, name)| format!("{:?}", MetalPipelineKey::new(MetalFunction::new(source, name))))
            .into();
        assert_eq!(labels.len(), functions.len(), "{labels:?}");
    }

    #[test]
    fn the_event_log_shows_a_name_and_no_source() {
        let key = MetalPipelineKey::with_constants(function(), [(3, 256_u32.into())]);
        let label = format!("{key:?}");
        assert!(label.starts_with("MetalPipelineKey { function: scale@"), "{label}");
        assert!(label.ends_with(", constants: [(3, U32(256))] }"), "{label}");
        assert!(!label.contains("kernel void"), "{label}");
    }
}
