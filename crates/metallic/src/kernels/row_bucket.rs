//! Numbers of rows that share a plan.

use crate::error::MetalError;

/// A number of rows (usually tokens) rounded up to a power of two. One row has its own bucket, since generating token
/// by token deserves its own plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "portable",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "usize", into = "usize")
)]
pub struct RowBucket(usize);

impl RowBucket {
    /// The bucket of a number of rows. No rows at all have their own bucket.
    pub const fn of(rows: usize) -> Self {
        Self(match (rows, rows.checked_next_power_of_two()) {
            (0, _) => 0,
            (_, Some(rows)) => rows,
            (_, None) => usize::MAX,
        })
    }

    /// The largest number of rows in the bucket.
    pub const fn max(self) -> usize {
        self.0
    }

    /// Returns `true` if a plan for this bucket serves this many rows.
    pub const fn holds(self, rows: usize) -> bool {
        rows > 0 && rows <= self.0
    }
}

/// Its size, as it is written in portable keys.
impl From<RowBucket> for usize {
    fn from(bucket: RowBucket) -> Self {
        bucket.0
    }
}

impl TryFrom<usize> for RowBucket {
    type Error = MetalError;

    /// The bucket of this size.
    ///
    /// # Errors
    /// [`MetalError::InvalidParams`] if no bucket has it.
    fn try_from(size: usize) -> Result<Self, MetalError> {
        let no_bucket =
            || MetalError::invalid_params(format!("`{size}` is not the size of a bucket of rows"));
        Some(Self::of(size)).filter(|bucket| bucket.0 == size).ok_or_else(no_bucket)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn buckets_are_powers_of_two() {
        for (rows, most) in [(0, 0), (1, 1), (2, 2), (3, 4), (128, 128), (129, 256), (usize::MAX, usize::MAX)]
        {
            assert_eq!(RowBucket::of(rows).max(), most, "{rows} rows");
        }
    }

    proptest! {
        #[test]
        fn a_bucket_holds_its_rows_and_is_less_than_twice_as_large(rows in 1..1_000_000_usize) {
            let bucket = RowBucket::of(rows);
            prop_assert!(bucket.holds(rows) && !bucket.holds(0) && !bucket.holds(bucket.max() + 1));
            prop_assert!(bucket.max() < 2 * rows);
            prop_assert_eq!(RowBucket::of(bucket.max()), bucket);
        }
    }
}
