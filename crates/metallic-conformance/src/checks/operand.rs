//! Matrices on the device and their values on this side.

use metallic::device::ComputeDevice;
use metallic::tensor::{Dtype, MatrixLayout, MatrixMut, MatrixRef};
use proptest::prelude::*;

use super::cases::{Outcome, done};
use super::deviation::{Deviations, check_untouched};

/// How matrices lie in their tensor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    offset: usize,
    row_gap: usize,
    matrix_gap: usize,
    /// `true` if all matrices are one.
    shared: bool,
    tail: usize,
}

/// Dense, or with gaps; for what is only read, now and then one matrix for all.
pub(crate) fn spread(read: bool) -> impl Strategy<Value = Spread> {
    let gaps = (0..9_usize, 0..6_usize, 0..7_usize, 0..4_usize, prop::bool::weighted(0.3));
    let gaps = gaps.prop_map(move |(offset, row_gap, matrix_gap, tail, shared)| Spread {
        offset,
        row_gap,
        matrix_gap,
        shared: read && shared,
        tail,
    });
    prop_oneof![Just(Spread::DENSE), gaps]
}

impl Spread {
    /// Matrices one after the other, and nothing else.
    pub(crate) const DENSE: Self = Self::with_tail(0);

    /// The same, with some elements behind the last.
    pub(crate) const fn with_tail(tail: usize) -> Self {
        Self { offset: 0, row_gap: 0, matrix_gap: 0, shared: false, tail }
    }

    fn layout(&self, rows: usize, columns: usize) -> MatrixLayout {
        let row_stride = columns + self.row_gap;
        let batch_stride = if self.shared { 0 } else { rows * row_stride + self.matrix_gap };
        MatrixLayout { offset: self.offset, row_stride, batch_stride }
    }

    /// How many elements a tensor has, with some behind the last matrix.
    pub(crate) fn elements(&self, [batch, rows, columns]: [usize; 3]) -> usize {
        let extent = self.layout(rows, columns).extent(batch, rows, columns);
        extent.expect("small matrices fit") + self.tail
    }
}

/// Matrices in their own tensor.
pub(crate) struct Matrices<T> {
    pub(crate) tensor: T,
    pub(crate) layout: MatrixLayout,
    shape: [usize; 3],
    /// All elements of the tensor, as they are stored.
    values: Vec<f32>,
}

impl<T> Matrices<T> {
    /// Uploads values, of which there are as many as [`Spread::elements`] says.
    pub(crate) fn upload<D: ComputeDevice<Tensor = T>>(
        device: &D,
        dtype: Dtype,
        spread: &Spread,
        shape: [usize; 3],
        values: &[f32],
    ) -> Result<Self, String> {
        let tensor = done("upload", device.upload(values, dtype))?;
        let values = done("read", device.read(&tensor, 0..values.len()))?;
        Ok(Self { tensor, layout: spread.layout(shape[1], shape[2]), shape, values })
    }

    pub(crate) fn as_ref(&self) -> MatrixRef<'_, T> {
        MatrixRef { tensor: &self.tensor, layout: self.layout }
    }

    pub(crate) fn as_mut(&mut self) -> MatrixMut<'_, T> {
        MatrixMut { tensor: &mut self.tensor, layout: self.layout }
    }

    fn place(&self, matrix: usize, row: usize, column: usize) -> usize {
        let MatrixLayout { offset, row_stride, batch_stride } = self.layout;
        offset + matrix * batch_stride + row * row_stride + column
    }

    /// One of the matrices, dense.
    pub(crate) fn matrix(&self, matrix: usize) -> Vec<f64> {
        let [_, rows, columns] = self.shape;
        let places = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
        places.map(|(row, column)| f64::from(self.values[self.place(matrix, row, column)])).collect()
    }

    /// One of the matrices, dense, with rows for columns.
    pub(crate) fn transposed(&self, matrix: usize) -> Vec<f64> {
        let [_, rows, columns] = self.shape;
        let places = (0..columns).flat_map(|column| (0..rows).map(move |row| (row, column)));
        places.map(|(row, column)| f64::from(self.values[self.place(matrix, row, column)])).collect()
    }

    /// Compares what the tensor holds now with what it should: for each matrix, a value and its allowed deviation for each
    /// element, and all else as it was.
    pub(crate) fn compare<D: ComputeDevice<Tensor = T>>(
        &self,
        device: &D,
        dtype: Dtype,
        wanted: &[Vec<(f64, f64)>],
    ) -> Outcome {
        let after = done("read", device.read(&self.tensor, 0..self.values.len()))?;
        let [_, _, columns] = self.shape;
        let mut inside = vec![false; after.len()];
        let mut deviations = Deviations::new(dtype);
        for (matrix, wanted) in wanted.iter().enumerate() {
            for (index, (wanted, allowed)) in wanted.iter().enumerate() {
                let (row, column) = (index / columns, index % columns);
                let at = self.place(matrix, row, column);
                inside[at] = true;
                let place = || format!("element ({row}, {column}) of result {matrix}");
                deviations.take(place, after[at], *wanted, *allowed);
            }
        }
        deviations.outcome()?;
        for at in (0..after.len()).filter(|at| !inside[*at]) {
            check_untouched("the output", at, self.values[at], after[at])?;
        }
        Ok(())
    }
}
