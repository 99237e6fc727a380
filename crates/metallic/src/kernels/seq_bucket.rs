//! Sequence lengths that share a resource.

use crate::error::MetalError;

/// The number of keys that a softmax runs over, rounded up: to a power of two up to 256, to a multiple of 256 beyond. So a
/// sequence that grows token by token meets a new resource every 256 tokens, and padding costs at most 255 of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "portable",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "usize", into = "usize")
)]
pub struct SeqKBucket(usize);

impl SeqKBucket {
    const STEP: usize = 256;

    /// The bucket of a length. No keys at all have their own bucket, of length zero.
    pub const fn of(length: usize) -> Self {
        Self(match length {
            0 => 0,
            1..=Self::STEP => length.next_power_of_two(),
            _ => match length.checked_next_multiple_of(Self::STEP) {
                Some(padded) => padded,
                None => usize::MAX,
            },
        })
    }

    /// The longest sequence of the bucket, in keys.
    pub const fn max(self) -> usize {
        self.0
    }

    /// Returns `true` if a sequence of this length fits, if need be with padding.
    pub const fn holds(self, length: usize) -> bool {
        length > 0 && length <= self.0
    }
}

/// Its size, as it is written in portable keys.
impl From<SeqKBucket> for usize {
    fn from(bucket: SeqKBucket) -> Self {
        bucket.0
    }
}

impl TryFrom<usize> for SeqKBucket {
    type Error = MetalError;

    /// The bucket of this size.
    ///
    /// # Errors
    /// [`MetalError::InvalidParams`] if no bucket has it.
    fn try_from(size: usize) -> Result<Self, MetalError> {
        let no_bucket =
            || MetalError::invalid_params(format!("`{size}` is not the size of a bucket of keys"));
        Some(Self::of(size)).filter(|bucket| bucket.0 == size).ok_or_else(no_bucket)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn buckets_are_powers_of_two_and_then_multiples_of_256() {
        let edges =
            [(0, 0), (1, 1), (3, 4), (4, 4), (129, 256), (256, 256), (257, 512), (4096, 4096), (4097, 4352)];
        for (length, padded) in edges {
            assert_eq!(SeqKBucket::of(length).max(), padded, "length {length}");
        }
        assert_eq!(SeqKBucket::of(usize::MAX).max(), usize::MAX);
    }

    proptest! {
        #[test]
        fn a_bucket_holds_its_length_wastes_little_and_is_its_own_bucket(length in 1..1_000_000_usize) {
            let bucket = SeqKBucket::of(length);
            prop_assert!(bucket.holds(length));
            prop_assert!(!bucket.holds(bucket.max() + 1));
            prop_assert!(bucket.max() - length < length.min(SeqKBucket::STEP));
            prop_assert_eq!(SeqKBucket::of(bucket.max()), bucket);
        }
    }
}
