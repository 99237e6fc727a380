//! Where the elements of matrices lie in a buffer.

use crate::error::MetalError;
use crate::tensor::Dtype;

/// The layout of one or more matrices of one size in a buffer: row after row, and matrix after matrix.
///
/// The rules are those of [`MPSMatrixDescriptor`]: `row_bytes` is a multiple of the size of an element and spans at least
/// one row; `matrix_bytes` is a multiple of `row_bytes` and, where there are several matrices, spans at least one. Rows may
/// be padded: `MpsMatrixDescriptor::recommended_row_bytes` says how wide the device likes them.
///
/// [`MPSMatrixDescriptor`]: https://developer.apple.com/documentation/metalperformanceshaders/mpsmatrixdescriptor
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MpsMatrixLayout {
    /// The rows of one matrix.
    pub rows: usize,
    /// The columns of one matrix, in elements.
    pub columns: usize,
    /// The number of matrices.
    pub matrices: usize,
    /// From the start of a row to that of the next, in bytes.
    pub row_bytes: usize,
    /// From the start of a matrix to that of the next, in bytes.
    pub matrix_bytes: usize,
    /// The type of the elements.
    pub dtype: Dtype,
}

impl MpsMatrixLayout {
    /// One matrix without padding. A size beyond the address space is refused where the layout is used.
    pub const fn packed(rows: usize, columns: usize, dtype: Dtype) -> Self {
        let row_bytes = columns.saturating_mul(dtype.size_bytes());
        Self { rows, columns, matrices: 1, row_bytes, matrix_bytes: rows.saturating_mul(row_bytes), dtype }
    }

    /// The same with rows `row_bytes` apart, and matrices without padding between them.
    pub const fn with_row_bytes(self, row_bytes: usize) -> Self {
        Self { row_bytes, matrix_bytes: self.rows.saturating_mul(row_bytes), ..self }
    }

    /// The same for a number of matrices.
    pub const fn with_matrices(self, matrices: usize) -> Self {
        Self { matrices, ..self }
    }

    /// The bytes that a buffer must have from the first element on. The padding after the last row and the last matrix need
    /// not be there ([`MPSMatrix.init(buffer:descriptor:)`]).
    ///
    /// # Errors
    /// [`MetalError::InvalidParams`] if the layout breaks a rule, or does not fit into the address space.
    ///
    /// [`MPSMatrix.init(buffer:descriptor:)`]: https://developer.apple.com/documentation/metalperformanceshaders/mpsmatrix/init(buffer:descriptor:)
    pub fn buffer_bytes(&self) -> Result<usize, MetalError> {
        let Self { rows, columns, matrices, row_bytes, matrix_bytes, dtype } = *self;
        let reason = if rows == 0 || columns == 0 || matrices == 0 {
            "a matrix without elements"
        } else if !row_bytes.is_multiple_of(dtype.size_bytes()) {
            "rows that are no whole number of elements apart"
        } else if columns.checked_mul(dtype.size_bytes()).is_none_or(|row| row_bytes < row) {
            "rows that overlap"
        } else if !matrix_bytes.is_multiple_of(row_bytes) {
            "matrices that are no whole number of rows apart"
        } else if matrices > 1 && rows.checked_mul(row_bytes).is_none_or(|matrix| matrix_bytes < matrix) {
            "matrices that overlap"
        } else {
            return self
                .end()
                .ok_or_else(|| MetalError::invalid_params("matrices larger than the address space"));
        };
        Err(MetalError::invalid_params(reason))
    }

    fn end(&self) -> Option<usize> {
        let before_last_matrix = (self.matrices - 1).checked_mul(self.matrix_bytes)?;
        let before_last_row = (self.rows - 1).checked_mul(self.row_bytes)?;
        let last_row = self.columns.checked_mul(self.dtype.size_bytes())?;
        before_last_matrix.checked_add(before_last_row)?.checked_add(last_row)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reason(layout: MpsMatrixLayout) -> String {
        layout.buffer_bytes().expect_err("the layout is wrong").to_string()
    }

    #[test]
    fn padding_after_the_last_row_is_not_asked_for() {
        let layout = MpsMatrixLayout::packed(3, 5, Dtype::F16);
        assert_eq!(layout.buffer_bytes().unwrap(), 30);
        assert_eq!(layout.with_row_bytes(16).buffer_bytes().unwrap(), 2 * 16 + 10);
        assert_eq!(layout.with_row_bytes(16).with_matrices(4).buffer_bytes().unwrap(), 3 * 48 + 2 * 16 + 10);
    }

    #[test]
    fn every_rule_has_its_own_refusal() {
        let layout = MpsMatrixLayout::packed(3, 5, Dtype::F32);
        assert!(reason(MpsMatrixLayout::packed(0, 5, Dtype::F32)).contains("without elements"));
        assert!(reason(layout.with_matrices(0)).contains("without elements"));
        assert!(reason(layout.with_row_bytes(22)).contains("whole number of elements"));
        assert!(reason(layout.with_row_bytes(16)).contains("rows that overlap"));
        assert!(reason(layout.with_row_bytes(0)).contains("rows that overlap"));
        assert!(reason(MpsMatrixLayout { matrix_bytes: 64, ..layout }).contains("whole number of rows"));
        let overlapping = MpsMatrixLayout { matrix_bytes: 40, ..layout };
        assert!(overlapping.buffer_bytes().is_ok(), "one matrix overlaps with none");
        assert!(reason(overlapping.with_matrices(2)).contains("matrices that overlap"));
    }

    #[test]
    fn sizes_beyond_the_address_space_are_refused() {
        for layout in [
            MpsMatrixLayout::packed(1, usize::MAX, Dtype::F32),
            MpsMatrixLayout::packed(usize::MAX, 4, Dtype::F32),
            MpsMatrixLayout::packed(4, 4, Dtype::F32).with_matrices(usize::MAX),
        ] {
            assert!(layout.buffer_bytes().is_err(), "{layout:?}");
        }
    }

    proptest! {
        #[test]
        fn a_layout_asks_for_the_byte_after_its_last_element(
            rows in 1..40_usize, columns in 1..40_usize, matrices in 1..5_usize, padding in 0..9_usize,
        ) {
            let layout = MpsMatrixLayout::packed(rows, columns, Dtype::F32)
                .with_row_bytes((columns + padding) * 4)
                .with_matrices(matrices);
            let offsets = (0..matrices).flat_map(|matrix| (0..rows).map(move |row| (matrix, row)));
            let end = offsets.map(|(matrix, row)| matrix * layout.matrix_bytes + row * layout.row_bytes + columns * 4);
            prop_assert_eq!(layout.buffer_bytes().unwrap(), end.max().unwrap());
        }
    }
}
