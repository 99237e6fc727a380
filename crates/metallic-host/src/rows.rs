//! Rows of matrices in a slice, as they are read and as they are shared out to be written.

use metallic::tensor::MatrixLayout;

/// A row of matrices that a call's check has found inside their tensor.
pub(crate) fn row<'a, E>(
    elements: &'a [E],
    layout: &MatrixLayout,
    matrix: usize,
    row: usize,
    columns: usize,
) -> &'a [E] {
    &elements[layout.offset + matrix * layout.batch_stride + row * layout.row_stride..][..columns]
}

/// Some rows of one matrix, one below the other.
pub(crate) struct RowBlock<'a, E> {
    /// The matrix.
    pub(crate) matrix: usize,
    /// The first row.
    pub(crate) first: usize,
    /// From the first element of the first row to the last of the last.
    pub(crate) elements: &'a mut [E],
    /// From the beginning of a row to that of the next; above 0.
    pub(crate) row_stride: usize,
    columns: usize,
}

impl<E> RowBlock<'_, E> {
    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.elements.len().div_ceil(self.row_stride)
    }

    /// The rows, each with its number in the matrix.
    pub(crate) fn rows(&mut self) -> impl Iterator<Item = (usize, &mut [E])> {
        let columns = self.columns;
        (self.first..).zip(self.elements.chunks_mut(self.row_stride).map(move |row| &mut row[..columns]))
    }
}

/// The rows of `batch` matrices in blocks of `height` rows, the last of a matrix being shorter as a rule. The call's check has
/// found them inside their tensor and apart from each other.
pub(crate) fn row_blocks<'a, E>(
    elements: &'a mut [E],
    layout: &MatrixLayout,
    [batch, rows, columns]: [usize; 3],
    height: usize,
) -> impl Iterator<Item = RowBlock<'a, E>> + use<'a, E> {
    let end = layout.extent(batch, rows, columns).expect("the call's check has found room for the rows");
    let begin = layout.offset.min(end);
    // Where there is only one row or matrix, the distance to the next may be anything.
    let row_stride = if rows > 1 { layout.row_stride } else { columns.max(1) };
    let matrix_stride = if batch > 1 { layout.batch_stride } else { end - begin };
    let extent = rows.saturating_sub(1) * row_stride + columns;
    let begin = if end == 0 { 0 } else { begin };
    elements[begin..end].chunks_mut(matrix_stride.max(1)).enumerate().flat_map(move |(matrix, elements)| {
        let blocks = elements[..extent].chunks_mut(height.saturating_mul(row_stride)).enumerate();
        blocks.map(move |(index, elements)| {
            let last = (elements.len() - columns) / row_stride * row_stride;
            let elements = &mut elements[..last + columns];
            RowBlock { matrix, first: index * height, elements, row_stride, columns }
        })
    })
}
