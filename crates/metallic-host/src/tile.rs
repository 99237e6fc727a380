//! Parts of a matrix that several threads write at once, and products into them by the crate `gemm`.

#![expect(
    unsafe_code,
    reason = "threads write disjoint parts of one slice, and the crate gemm takes pointers"
)]

use std::marker::PhantomData;
use std::slice;

use metallic::tensor::MatrixLayout;

/// A rectangle of a matrix, which nothing else reads or writes while it lives.
pub(crate) struct Tile<'a, E> {
    first: *mut E,
    /// At least `columns`.
    row_stride: usize,
    rows: usize,
    columns: usize,
    borrowed: PhantomData<&'a mut [E]>,
}

// SAFETY: a tile is an exclusive borrow of its elements, as `&mut [E]` is.
unsafe impl<E: Send> Send for Tile<'_, E> {}

/// A factor of a product: element `(i, j)` stands at `i * row_stride + j * column_stride`.
#[derive(Clone, Copy)]
pub(crate) struct Factor<'a> {
    pub(crate) elements: &'a [f32],
    pub(crate) row_stride: usize,
    pub(crate) column_stride: usize,
}

impl Factor<'_> {
    /// Returns `true` if all elements of a matrix of this shape are there.
    fn holds(&self, rows: usize, columns: usize) -> bool {
        let last = || {
            let row = rows.checked_sub(1)?.checked_mul(self.row_stride)?;
            row.checked_add(columns.checked_sub(1)?.checked_mul(self.column_stride)?)
        };
        rows == 0 || columns == 0 || last().is_some_and(|last| last < self.elements.len())
    }
}

impl<'a, E> Tile<'a, E> {
    /// A matrix from the beginning of a slice, which must have all its elements.
    pub(crate) fn of(elements: &'a mut [E], row_stride: usize, rows: usize, columns: usize) -> Self {
        let layout = MatrixLayout { offset: 0, row_stride, batch_stride: 0 };
        let extent = layout.extent(1, rows, columns);
        assert!(extent.is_some_and(|extent| extent <= elements.len()), "a tile lies inside its slice");
        let row_stride = if rows > 1 { row_stride } else { columns };
        Self { first: elements.as_mut_ptr(), row_stride, rows, columns, borrowed: PhantomData }
    }

    /// How many rows it has.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// How many columns it has.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// A row.
    pub(crate) fn row(&mut self, row: usize) -> &mut [E] {
        assert!(row < self.rows, "a tile has the rows that are asked of it");
        // SAFETY: the row lies inside the slice that the tile was made of, by the check there and the one above, and the
        // tile is borrowed exclusively for as long as the row.
        unsafe { slice::from_raw_parts_mut(self.first.add(row * self.row_stride), self.columns) }
    }
}

impl Tile<'_, f32> {
    /// `self = alpha a b + beta self`, where `a` has `k` columns and `b` has `k` rows. With a `beta` of 0 it is only written.
    pub(crate) fn product(&mut self, alpha: f32, beta: f32, k: usize, a: Factor<'_>, b: Factor<'_>) {
        assert!(
            a.holds(self.rows, k),
            "the first factor has an element for each row of the tile and each of k"
        );
        assert!(b.holds(k, self.columns), "the second factor has an element for each of k and each column");
        let stride = |stride: usize| isize::try_from(stride).expect("a stride lies inside a slice");
        let stride_of = |rows: usize, by: usize| if rows > 1 { stride(by) } else { 1 };
        // SAFETY: all three pointers are valid for the elements that the extents and strides lead to: the tile by its
        // construction, the factors by the checks above. The tile is borrowed exclusively, so it overlaps neither
        // factor. Where an extent is 1, its stride is not used to reach an element.
        unsafe {
            gemm::gemm(
                self.rows,
                self.columns,
                k,
                self.first,
                1,
                stride(self.row_stride),
                beta != 0.0,
                a.elements.as_ptr(),
                stride_of(k, a.column_stride),
                stride_of(self.rows, a.row_stride),
                b.elements.as_ptr(),
                stride_of(self.columns, b.column_stride),
                stride_of(k, b.row_stride),
                beta,
                alpha,
                false,
                false,
                false,
                gemm::Parallelism::None,
            );
        }
    }
}

/// Where a tile lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The matrix.
    pub(crate) matrix: usize,
    /// Its first row in the matrix.
    pub(crate) row: usize,
    /// Its first column in the matrix.
    pub(crate) column: usize,
}

/// The tiles of all matrices in a slice, row of tiles by row of tiles.
pub(crate) struct Tiles<'a, E> {
    elements: *mut E,
    layout: MatrixLayout,
    shape: [usize; 3],
    size: [usize; 2],
    next: usize,
    count: usize,
    borrowed: PhantomData<&'a mut [E]>,
}

// SAFETY: it is an exclusive borrow of the elements that it has not given out yet.
unsafe impl<E: Send> Send for Tiles<'_, E> {}

/// Cuts `batch` matrices of `rows` times `columns` into tiles of a size, smaller at the edges.
pub(crate) fn tiles<'a, E>(
    elements: &'a mut [E],
    layout: &MatrixLayout,
    shape: [usize; 3],
    size: [usize; 2],
) -> Tiles<'a, E> {
    let [batch, rows, columns] = shape;
    let extent = layout.extent(batch, rows, columns);
    assert!(extent.is_some_and(|extent| extent <= elements.len()), "matrices lie inside their slice");
    let one = MatrixLayout { offset: 0, ..*layout }.extent(1, rows, columns);
    assert!(batch <= 1 || one.is_some_and(|one| one <= layout.batch_stride), "matrices do not overlap");
    assert!(size[0] > 0 && size[1] > 0, "tiles have elements");
    let count = batch * rows.div_ceil(size[0]) * columns.div_ceil(size[1]);
    // The distance from an only row to the next may be anything.
    let row_stride = if rows > 1 { layout.row_stride } else { columns };
    let layout = MatrixLayout { row_stride, ..*layout };
    Tiles { elements: elements.as_mut_ptr(), layout, shape, size, next: 0, count, borrowed: PhantomData }
}

impl<'a, E> Iterator for Tiles<'a, E> {
    type Item = (Place, Tile<'a, E>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.next == self.count {
            return None;
        }
        let [_, rows, columns] = self.shape;
        let (across, down) = (columns.div_ceil(self.size[1]), rows.div_ceil(self.size[0]));
        let place = Place {
            matrix: self.next / across / down,
            row: self.next / across % down * self.size[0],
            column: self.next % across * self.size[1],
        };
        self.next += 1;
        let layout = &self.layout;
        let first =
            layout.offset + place.matrix * layout.batch_stride + place.row * layout.row_stride + place.column;
        let tile = Tile {
            // SAFETY: the first element of a tile that is not empty lies inside the slice, by the check in `tiles`.
            first: unsafe { self.elements.add(first) },
            row_stride: layout.row_stride,
            rows: self.size[0].min(rows - place.row),
            columns: self.size[1].min(columns - place.column),
            // No other tile has its elements: matrices and rows do not overlap, by the checks in `tiles`, and every place
            // is given out once.
            borrowed: PhantomData,
        };
        Some((place, tile))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.count - self.next;
        (left, Some(left))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn tiles_cover_every_element_of_the_matrices_once_and_no_other(
            shape in [0..4_usize, 0..9_usize, 0..9_usize],
            size in [1..6_usize, 1..6_usize],
            gaps in [0..3_usize, 0..3_usize, 0..3_usize],
        ) {
            let [batch, rows, columns] = shape;
            let row_stride = columns + gaps[1];
            let layout = MatrixLayout { offset: gaps[0], row_stride, batch_stride: rows * row_stride + gaps[2] };
            let extent = layout.extent(batch, rows, columns).unwrap();
            let mut counts = vec![0; extent];
            for (place, mut tile) in tiles(&mut counts, &layout, shape, size) {
                prop_assert!(place.row + tile.rows() <= rows && place.column + tile.columns() <= columns);
                for row in 0..tile.rows() {
                    tile.row(row).iter_mut().for_each(|count| *count += 1);
                }
            }
            let mut wanted = vec![0; extent];
            for (matrix, row, column) in
                (0..batch).flat_map(|m| (0..rows).flat_map(move |r| (0..columns).map(move |c| (m, r, c))))
            {
                wanted[layout.offset + matrix * layout.batch_stride + row * row_stride + column] = 1;
            }
            prop_assert_eq!(counts, wanted);
        }
    }

    #[test]
    #[should_panic(expected = "matrices lie inside their slice")]
    fn tiles_beyond_the_slice_are_refused() {
        tiles(&mut [0.0; 11], &MatrixLayout::dense(3, 4), [1, 3, 4], [2, 2]);
    }

    #[test]
    #[should_panic(expected = "matrices do not overlap")]
    fn tiles_of_matrices_that_overlap_are_refused() {
        tiles(&mut [0.0; 24], &MatrixLayout::dense(3, 4).with_batch_stride(11), [2, 3, 4], [2, 2]);
    }

    #[test]
    #[should_panic(expected = "the second factor has an element")]
    fn a_product_with_a_factor_too_short_is_refused() {
        let factor = Factor { elements: &[0.0; 6], row_stride: 3, column_stride: 1 };
        Tile::of(&mut [0.0; 4], 2, 2, 2).product(
            1.0,
            0.0,
            3,
            factor,
            Factor { row_stride: 2, elements: &[0.0; 5], ..factor },
        );
    }

    #[test]
    fn a_product_writes_its_tile_alone() {
        let (a, b) = ([1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]);
        let factor = |elements| Factor { elements, row_stride: 2, column_stride: 1 };
        let mut c = [f32::NAN; 8];
        Tile::of(&mut c[1..], 4, 2, 2).product(1.0, 0.0, 2, factor(&a), factor(&b));
        assert_eq!((c[1..3].to_vec(), c[5..7].to_vec()), (vec![19.0, 22.0], vec![43.0, 50.0]));
        assert!([0, 3, 4, 7].iter().all(|at| c[*at].is_nan()));
        Tile::of(&mut c[1..], usize::MAX, 1, 2).product(2.0, -1.0, 2, factor(&a), factor(&b));
        assert_eq!(c[1..3], [19.0, 22.0], "one row, from which no other is reached");
    }
}
