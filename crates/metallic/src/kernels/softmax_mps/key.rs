//! Key and parameters of a softmax.

use crate::error::MetalError;
use crate::kernels::SeqKBucket;
use crate::kernels::matmul_mps::MpsMatrixLayout;
use crate::tensor::Dtype;

/// A softmax over rows of attention scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SoftmaxMpsParams {
    /// The length of a row: how many keys each query attends to.
    pub seq_k: usize,
    /// The type of the elements: [`Dtype::F32`] or [`Dtype::F16`].
    pub dtype: Dtype,
}

/// The bucket of the row length, and the type. The exact length and the number of rows are given when work is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SoftmaxMpsKey {
    /// The lengths that share the object.
    pub seq_k: SeqKBucket,
    /// The type of the elements.
    pub dtype: Dtype,
}

impl From<&SoftmaxMpsParams> for SoftmaxMpsKey {
    fn from(params: &SoftmaxMpsParams) -> Self {
        Self { seq_k: SeqKBucket::of(params.seq_k), dtype: params.dtype }
    }
}

impl SoftmaxMpsKey {
    /// Checks that there are rows to normalise, in a type that can be.
    pub(super) fn check(&self) -> Result<(), MetalError> {
        if self.seq_k.max() == 0 {
            return Err(MetalError::invalid_params("a softmax over no elements"));
        }
        if !matches!(self.dtype, Dtype::F32 | Dtype::F16) {
            return Err(MetalError::invalid_params(format!("softmax of {} is not offered", self.dtype)));
        }
        Ok(())
    }

    /// Checks that `rows` rows of `columns` elements can be read from `input` and written to `result` by this object.
    pub(super) fn check_operands(
        &self,
        input: &MpsMatrixLayout,
        result: &MpsMatrixLayout,
        rows: usize,
        columns: usize,
    ) -> Result<(), MetalError> {
        if rows == 0 || !self.seq_k.holds(columns) {
            return Err(MetalError::invalid_params(format!(
                "a softmax over {rows} rows of {columns} elements, where rows have 1 to {}",
                self.seq_k.max()
            )));
        }
        for (name, layout) in [("input", input), ("result", result)] {
            if layout.rows < rows || layout.columns < columns {
                return Err(MetalError::invalid_params(format!(
                    "the {name} matrix is {}x{}, but the softmax needs {rows}x{columns}",
                    layout.rows, layout.columns
                )));
            }
            if layout.dtype != self.dtype {
                return Err(MetalError::invalid_params(format!(
                    "the {name} matrix is of {}, but the softmax of {}",
                    layout.dtype, self.dtype
                )));
            }
        }
        if input.matrices != result.matrices {
            return Err(MetalError::invalid_params(format!(
                "the input has {} matrices, but the result {}",
                input.matrices, result.matrices
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seq_k: usize) -> SoftmaxMpsKey {
        SoftmaxMpsKey::from(&SoftmaxMpsParams { seq_k, dtype: Dtype::F32 })
    }

    fn packed(rows: usize, columns: usize) -> MpsMatrixLayout {
        MpsMatrixLayout::packed(rows, columns, Dtype::F32)
    }

    #[test]
    fn a_growing_sequence_meets_a_new_key_only_at_bucket_edges() {
        let keys: std::collections::HashSet<_> = (257..=1024).map(key).collect();
        assert_eq!(keys.len(), 3);
        assert_ne!(key(256), key(257));
    }

    #[test]
    fn rows_without_elements_and_other_types_are_refused() {
        assert!(key(1).check().is_ok());
        assert!(key(0).check().is_err());
        assert!(SoftmaxMpsKey::from(&SoftmaxMpsParams { seq_k: 8, dtype: Dtype::BF16 }).check().is_err());
    }

    #[test]
    fn operands_must_hold_the_rows_that_are_asked_for() {
        let key = key(300);
        assert!(key.check_operands(&packed(4, 512), &packed(4, 300), 4, 300).is_ok());
        assert!(key.check_operands(&packed(4, 512), &packed(4, 512), 4, 513).is_err(), "beyond the bucket");
        assert!(key.check_operands(&packed(4, 300), &packed(4, 300), 0, 300).is_err(), "no rows");
        assert!(key.check_operands(&packed(3, 300), &packed(4, 300), 4, 300).is_err(), "input too small");
        assert!(key.check_operands(&packed(4, 300), &packed(4, 299), 4, 300).is_err(), "result too small");
        let half = MpsMatrixLayout::packed(4, 300, Dtype::F16);
        assert!(key.check_operands(&packed(4, 300), &half, 4, 300).is_err(), "another type");
        let two = packed(4, 300).with_matrices(2);
        assert!(key.check_operands(&two, &packed(4, 300), 4, 300).is_err(), "another number");
    }
}
