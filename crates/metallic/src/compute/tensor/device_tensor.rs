//! Tensors on a device, and the parts of them that an operation reads and writes.

use super::Dtype;
use crate::error::MetalError;

/// A flat run of elements in a device's memory. What shape they have is the business of whoever uses them.
pub trait Tensor: 'static {
    /// The type of the elements.
    fn dtype(&self) -> Dtype;

    /// The number of elements.
    fn elements(&self) -> usize;

    /// The device memory it holds.
    fn bytes(&self) -> u64 {
        self.elements() as u64 * self.dtype().size_bytes() as u64
    }
}

/// Where matrices lie in a tensor. All figures count elements. The elements of a row lie side by side; row `r` of matrix `b`
/// begins at `offset + b * batch_stride + r * row_stride`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MatrixLayout {
    /// Where the first row of the first matrix begins.
    pub offset: usize,
    /// From the beginning of a row to that of the next.
    pub row_stride: usize,
    /// From the beginning of a matrix to that of the next; 0 where all read the same one.
    pub batch_stride: usize,
}

impl MatrixLayout {
    /// Dense matrices, one after the other, from the tensor's beginning.
    pub const fn dense(rows: usize, columns: usize) -> Self {
        Self { offset: 0, row_stride: columns, batch_stride: rows.saturating_mul(columns) }
    }

    /// The same, beginning at another place.
    pub const fn at(self, offset: usize) -> Self {
        Self { offset, ..self }
    }

    /// The same, with another distance between matrices; 0 uses one matrix for all.
    pub const fn with_batch_stride(self, batch_stride: usize) -> Self {
        Self { batch_stride, ..self }
    }

    /// How many elements a tensor must have for `batch` such matrices of `rows` times `columns`; `None` if that is beyond
    /// all numbers, or rows overlap. No rows, columns or matrices need none.
    pub fn extent(&self, batch: usize, rows: usize, columns: usize) -> Option<usize> {
        if batch == 0 || rows == 0 || columns == 0 {
            return Some(0);
        }
        if rows > 1 && self.row_stride < columns {
            return None;
        }
        let last_matrix = (batch - 1).checked_mul(self.batch_stride)?;
        let last_row = (rows - 1).checked_mul(self.row_stride)?;
        self.offset.checked_add(last_matrix)?.checked_add(last_row)?.checked_add(columns)
    }

    /// Returns `true` if `batch` such matrices of `rows` times `columns` have no element in common.
    fn is_disjoint(&self, batch: usize, rows: usize, columns: usize) -> bool {
        let one = Self { offset: 0, ..*self };
        batch <= 1 || one.extent(1, rows, columns).is_some_and(|extent| extent <= self.batch_stride)
    }
}

/// Matrices that an operation reads.
#[derive(Debug)]
pub struct MatrixRef<'a, T> {
    /// The tensor they lie in.
    pub tensor: &'a T,
    /// Where in it.
    pub layout: MatrixLayout,
}

/// Matrices that an operation writes.
#[derive(Debug)]
pub struct MatrixMut<'a, T> {
    /// The tensor they lie in.
    pub tensor: &'a mut T,
    /// Where in it.
    pub layout: MatrixLayout,
}

impl<T> Clone for MatrixRef<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for MatrixRef<'_, T> {}

impl<'a, T> MatrixRef<'a, T> {
    /// Dense matrices from the beginning of `tensor`.
    pub fn dense(tensor: &'a T, rows: usize, columns: usize) -> Self {
        Self { tensor, layout: MatrixLayout::dense(rows, columns) }
    }
}

impl<'a, T> MatrixMut<'a, T> {
    /// Dense matrices from the beginning of `tensor`.
    pub fn dense(tensor: &'a mut T, rows: usize, columns: usize) -> Self {
        Self { tensor, layout: MatrixLayout::dense(rows, columns) }
    }
}

impl<T: Tensor> MatrixRef<'_, T> {
    /// Checks that the tensor has `batch` such matrices of `rows` times `columns`, of this type. `name` is theirs in the error.
    ///
    /// # Errors
    /// [`MetalError::InvalidParams`] if not.
    pub fn check(
        &self,
        name: &str,
        dtype: Dtype,
        [batch, rows, columns]: [usize; 3],
    ) -> Result<(), MetalError> {
        check_matrices(name, self.tensor, &self.layout, dtype, [batch, rows, columns])
    }
}

impl<T: Tensor> MatrixMut<'_, T> {
    /// Checks that the tensor has `batch` such matrices of `rows` times `columns`, of this type, none of which overlap. `name` is
    /// theirs in the error.
    ///
    /// # Errors
    /// [`MetalError::InvalidParams`] if not.
    pub fn check(
        &self,
        name: &str,
        dtype: Dtype,
        [batch, rows, columns]: [usize; 3],
    ) -> Result<(), MetalError> {
        check_matrices(name, &*self.tensor, &self.layout, dtype, [batch, rows, columns])?;
        if !self.layout.is_disjoint(batch, rows, columns) {
            return Err(MetalError::invalid_params(format!(
                "{name}: {batch} matrices of {rows}x{columns} overlap, with {:?}",
                self.layout
            )));
        }
        Ok(())
    }
}

fn check_matrices<T: Tensor>(
    name: &str,
    tensor: &T,
    layout: &MatrixLayout,
    dtype: Dtype,
    [batch, rows, columns]: [usize; 3],
) -> Result<(), MetalError> {
    let needed = layout.extent(batch, rows, columns).ok_or_else(|| {
        MetalError::invalid_params(format!("{name}: {batch} x {rows}x{columns} cannot lie at {layout:?}"))
    })?;
    check_tensor(name, tensor, dtype, needed)
}

/// Checks that `tensor` has at least this many elements of this type. `name` is its name in the error.
///
/// # Errors
/// [`MetalError::InvalidParams`] if not.
pub fn check_tensor<T: Tensor>(
    name: &str,
    tensor: &T,
    dtype: Dtype,
    elements: usize,
) -> Result<(), MetalError> {
    if tensor.dtype() != dtype {
        return Err(MetalError::invalid_params(format!("{name} is of {}, not of {dtype}", tensor.dtype())));
    }
    if tensor.elements() < elements {
        return Err(MetalError::invalid_params(format!(
            "{name} has {} elements, and {elements} are needed",
            tensor.elements()
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Flat(usize);

    impl Tensor for Flat {
        fn dtype(&self) -> Dtype {
            Dtype::F16
        }

        fn elements(&self) -> usize {
            self.0
        }
    }

    #[test]
    fn a_layout_ends_with_its_last_element() {
        let layout = MatrixLayout { offset: 5, row_stride: 10, batch_stride: 100 };
        assert_eq!(layout.extent(3, 4, 7), Some(5 + 200 + 30 + 7));
        assert_eq!(layout.extent(0, 4, 7), Some(0));
        assert_eq!(layout.extent(1, 2, 11), None, "rows overlap");
        assert_eq!(layout.extent(1, 1, 11), Some(16), "one row overlaps with none");
        assert_eq!(layout.extent(usize::MAX, 2, 2), None);
        assert_eq!(MatrixLayout::dense(3, 4).extent(2, 3, 4), Some(24));
    }

    #[test]
    fn matrices_must_lie_inside_their_tensor_and_apart_where_they_are_written() {
        let mut tensor = Flat(24);
        let dense = MatrixRef::dense(&tensor, 3, 4);
        assert!(dense.check("a", Dtype::F16, [2, 3, 4]).is_ok());
        assert!(dense.check("a", Dtype::F16, [3, 3, 4]).is_err(), "too many");
        assert!(dense.check("a", Dtype::F32, [2, 3, 4]).is_err(), "another type");
        let shared = MatrixRef { layout: dense.layout.with_batch_stride(0), ..dense };
        assert!(shared.check("a", Dtype::F16, [100, 3, 4]).is_ok());
        let layout = shared.layout;
        let written = MatrixMut { tensor: &mut tensor, layout };
        assert!(written.check("c", Dtype::F16, [1, 3, 4]).is_ok());
        assert!(written.check("c", Dtype::F16, [2, 3, 4]).is_err(), "both at one place");
    }

    #[test]
    fn bytes_follow_from_the_type() {
        assert_eq!(Flat(24).bytes(), 48);
    }
}
