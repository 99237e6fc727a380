//! Key and parameters of a matrix product.

use super::layout::MpsMatrixLayout;
use crate::error::MetalError;
use crate::tensor::{Dtype, F32Bits};

/// A product `C = op(A) op(B)`: its `m`, `n` and `k`, the type of all elements, and whether A and B are stored transposed.
/// C has `m` rows and `n` columns; `k` is the length of the sums.
pub type MpsGemmParams = (usize, usize, usize, Dtype, bool, bool);

/// A product `C = alpha op(A) op(B) + beta C`, where `op` transposes or does nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MpsScaledGemmParams {
    /// The product.
    pub product: MpsGemmParams,
    /// The factor of the product.
    pub alpha: f32,
    /// The factor of what C holds before.
    pub beta: f32,
}

/// Everything that an `MPSMatrixMultiplication` is made from. Nothing of it is bucketed: the sizes are fixed in the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MpsGemmKey {
    /// The rows of C.
    pub m: usize,
    /// The columns of C.
    pub n: usize,
    /// The columns of `op(A)`, which are the rows of `op(B)`.
    pub k: usize,
    /// The type of the elements of A, B and C: [`Dtype::F32`] or [`Dtype::F16`].
    pub dtype: Dtype,
    /// `true` if A is stored transposed, with `k` rows and `m` columns.
    pub transpose_left: bool,
    /// `true` if B is stored transposed, with `n` rows and `k` columns.
    pub transpose_right: bool,
    /// The factor of the product.
    pub alpha: F32Bits,
    /// The factor of what C holds before.
    pub beta: F32Bits,
}

impl From<&MpsGemmParams> for MpsGemmKey {
    fn from(&product: &MpsGemmParams) -> Self {
        Self::from(&MpsScaledGemmParams { product, alpha: 1.0, beta: 0.0 })
    }
}

impl From<&MpsScaledGemmParams> for MpsGemmKey {
    fn from(params: &MpsScaledGemmParams) -> Self {
        let (m, n, k, dtype, transpose_left, transpose_right) = params.product;
        let (alpha, beta) = (params.alpha.into(), params.beta.into());
        Self { m, n, k, dtype, transpose_left, transpose_right, alpha, beta }
    }
}

impl MpsGemmKey {
    /// Checks that there is something to multiply, in a type that can be.
    pub(super) fn check(&self) -> Result<(), MetalError> {
        if self.m == 0 || self.n == 0 || self.k == 0 {
            return Err(MetalError::invalid_params(format!(
                "a matrix product of {}x{} by {}x{} has no elements",
                self.m, self.k, self.k, self.n
            )));
        }
        if !matches!(self.dtype, Dtype::F32 | Dtype::F16) {
            return Err(MetalError::invalid_params(format!(
                "matrix products of {} are not offered",
                self.dtype
            )));
        }
        Ok(())
    }

    /// Checks that the operands hold what the product reads and writes. They may be larger: the upper left part is used.
    pub(super) fn check_operands(
        &self,
        left: &MpsMatrixLayout,
        right: &MpsMatrixLayout,
        result: &MpsMatrixLayout,
    ) -> Result<(), MetalError> {
        let stored = |rows, columns, transposed| if transposed { (columns, rows) } else { (rows, columns) };
        let operands = [
            ("left", left, stored(self.m, self.k, self.transpose_left)),
            ("right", right, stored(self.k, self.n, self.transpose_right)),
            ("result", result, (self.m, self.n)),
        ];
        for (name, layout, (rows, columns)) in operands {
            if layout.rows < rows || layout.columns < columns {
                return Err(MetalError::invalid_params(format!(
                    "the {name} matrix is {}x{}, but the product needs {rows}x{columns}",
                    layout.rows, layout.columns
                )));
            }
            if layout.dtype != self.dtype {
                return Err(MetalError::invalid_params(format!(
                    "the {name} matrix is of {}, but the product of {}",
                    layout.dtype, self.dtype
                )));
            }
            if layout.matrices != result.matrices {
                return Err(MetalError::invalid_params(format!(
                    "the {name} operand has {} matrices, but the result {}",
                    layout.matrices, result.matrices
                )));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRODUCT: MpsGemmParams = (2, 3, 4, Dtype::F32, false, false);

    fn packed(rows: usize, columns: usize) -> MpsMatrixLayout {
        MpsMatrixLayout::packed(rows, columns, Dtype::F32)
    }

    #[test]
    fn the_event_log_shows_the_sizes_first() {
        let label = format!("{:?}", MpsGemmKey::from(&(1024, 1024, 1024, Dtype::F16, false, true)));
        assert_eq!(
            label,
            "MpsGemmKey { m: 1024, n: 1024, k: 1024, dtype: F16, transpose_left: false, transpose_right: true, \
             alpha: 1.0, beta: 0.0 }"
        );
    }

    #[test]
    fn factors_are_part_of_the_key() {
        let scaled = |alpha, beta| MpsGemmKey::from(&MpsScaledGemmParams { product: PRODUCT, alpha, beta });
        assert_eq!(scaled(1.0, 0.0), MpsGemmKey::from(&PRODUCT));
        assert_ne!(scaled(1.0, 1.0), scaled(1.0, 0.0));
        assert_ne!(scaled(0.5, 0.0), scaled(1.0, 0.0));
        assert_eq!(scaled(f32::NAN, 0.0), scaled(f32::NAN, 0.0));
    }

    #[test]
    fn empty_products_and_other_types_are_refused() {
        assert!(MpsGemmKey::from(&PRODUCT).check().is_ok());
        for (m, n, k) in [(0, 1, 1), (1, 0, 1), (1, 1, 0)] {
            assert!(MpsGemmKey::from(&(m, n, k, Dtype::F32, false, false)).check().is_err());
        }
        for dtype in [Dtype::BF16, Dtype::U32, Dtype::I8, Dtype::U8] {
            assert!(MpsGemmKey::from(&(1, 1, 1, dtype, false, false)).check().is_err(), "{dtype}");
        }
    }

    #[test]
    fn operands_may_be_larger_but_not_smaller() {
        let key = MpsGemmKey::from(&PRODUCT);
        assert!(key.check_operands(&packed(2, 4), &packed(4, 3), &packed(2, 3)).is_ok());
        assert!(key.check_operands(&packed(9, 9), &packed(9, 9), &packed(9, 9)).is_ok());
        for (left, right, result, named) in [
            (packed(2, 3), packed(4, 3), packed(2, 3), "left matrix is 2x3, but the product needs 2x4"),
            (packed(2, 4), packed(3, 3), packed(2, 3), "right matrix is 3x3, but the product needs 4x3"),
            (packed(2, 4), packed(4, 3), packed(1, 3), "result matrix is 1x3, but the product needs 2x3"),
        ] {
            let error = key.check_operands(&left, &right, &result).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn transposed_operands_are_stored_the_other_way_round() {
        let key = MpsGemmKey::from(&(2, 3, 4, Dtype::F32, true, true));
        assert!(key.check_operands(&packed(4, 2), &packed(3, 4), &packed(2, 3)).is_ok());
        assert!(key.check_operands(&packed(2, 4), &packed(3, 4), &packed(2, 3)).is_err());
        assert!(key.check_operands(&packed(4, 2), &packed(4, 3), &packed(2, 3)).is_err());
    }

    #[test]
    fn operands_of_another_type_or_number_are_refused() {
        let key = MpsGemmKey::from(&PRODUCT);
        let half = MpsMatrixLayout::packed(4, 3, Dtype::F16);
        assert!(key.check_operands(&packed(2, 4), &half, &packed(2, 3)).is_err());
        assert!(key.check_operands(&packed(2, 4).with_matrices(2), &packed(4, 3), &packed(2, 3)).is_err());
    }
}
