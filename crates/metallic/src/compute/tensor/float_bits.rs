//! Floating-point numbers as parts of a key.

use std::fmt;

/// An `f32` that compares and hashes by its bits, so that it can be in a key: `-0.0` is not `0.0`, and a NaN is itself.
/// Its `Debug` form is the number, and of a NaN also its bits, so that different keys have different labels.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "portable", derive(serde::Serialize, serde::Deserialize))]
pub struct F32Bits(u32);

impl F32Bits {
    /// The bits of `value`.
    pub const fn new(value: f32) -> Self {
        Self(value.to_bits())
    }

    /// The number that has these bits.
    pub const fn get(self) -> f32 {
        f32::from_bits(self.0)
    }
}

impl From<f32> for F32Bits {
    fn from(value: f32) -> Self {
        Self::new(value)
    }
}

impl fmt::Debug for F32Bits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.get() {
            number if number.is_nan() => write!(f, "NaN({:#010x})", self.0),
            number => number.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_told_apart_by_their_bits() {
        assert_eq!(F32Bits::from(f32::NAN), F32Bits::from(f32::NAN));
        assert_ne!(F32Bits::from(0.0), F32Bits::from(-0.0));
        assert_eq!(format!("{:?} {:?}", F32Bits::from(1.0), F32Bits::from(0.125)), "1.0 0.125");
        let nan = F32Bits::from(f32::from_bits(0x7fc0_0001));
        assert_eq!(format!("{nan:?}"), "NaN(0x7fc00001)");
    }
}
