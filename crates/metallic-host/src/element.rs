//! The types of elements that the host computes with. All sums and functions are of `f32`, whatever the storage.

use half::f16;
use half::slice::HalfFloatSliceExt;
use metallic::tensor::Dtype;

use crate::tensor::{Elements, HostTensor};
use crate::tile::Tile;

/// A type of element. One that is `f32` already is worked on where it lies; another goes through a scratch.
pub(crate) trait Element: Copy + Send + Sync + 'static {
    /// `true` if [`widen`](Self::widen) and [`narrow`](Self::narrow) need a scratch.
    const WIDENS: bool;

    /// The elements of a tensor of this type.
    fn of(tensor: &HostTensor) -> &[Self];

    /// The same, to be written.
    fn of_mut(tensor: &mut HostTensor) -> &mut [Self];

    /// The number.
    fn to_f32(self) -> f32;

    /// The elements as `f32`, in `scratch` if they are of another type; it is then at least as long.
    fn widen<'a>(elements: &'a [Self], scratch: &'a mut [f32]) -> &'a [f32];

    /// Has `work` write `f32` to all elements, having read them if `read`, and through `scratch` if they are of another
    /// type; it is then at least as long.
    fn narrow(elements: &mut [Self], read: bool, scratch: &mut [f32], work: impl FnOnce(&mut [f32]));

    /// Rows that begin `stride` apart, as `f32`, and how far apart they begin then; in `scratch`, side by side, if they are of
    /// another type.
    fn widen_rows<'a>(
        elements: &'a [Self],
        stride: usize,
        size: [usize; 2],
        scratch: &'a mut [f32],
    ) -> (&'a [f32], usize);

    /// As [`narrow`](Self::narrow), of a tile.
    fn narrow_tile(
        tile: &mut Tile<'_, Self>,
        read: bool,
        scratch: &mut [f32],
        work: impl FnOnce(&mut Tile<'_, f32>),
    );
}

const CHECKED: &str = "the call's check has compared the types";

impl Element for f32 {
    const WIDENS: bool = false;

    fn of(tensor: &HostTensor) -> &[Self] {
        match tensor.elements_ref() {
            Elements::F32(elements) => elements,
            Elements::F16(_) => unreachable!("{CHECKED}"),
        }
    }

    fn of_mut(tensor: &mut HostTensor) -> &mut [Self] {
        match tensor.elements_mut() {
            Elements::F32(elements) => elements,
            Elements::F16(_) => unreachable!("{CHECKED}"),
        }
    }

    fn to_f32(self) -> f32 {
        self
    }

    fn widen<'a>(elements: &'a [Self], _: &'a mut [f32]) -> &'a [f32] {
        elements
    }

    fn narrow(elements: &mut [Self], _: bool, _: &mut [f32], work: impl FnOnce(&mut [f32])) {
        work(elements);
    }

    fn widen_rows<'a>(
        elements: &'a [Self],
        stride: usize,
        _: [usize; 2],
        _: &'a mut [f32],
    ) -> (&'a [f32], usize) {
        (elements, stride)
    }

    fn narrow_tile(tile: &mut Tile<'_, Self>, _: bool, _: &mut [f32], work: impl FnOnce(&mut Tile<'_, f32>)) {
        work(tile);
    }
}

impl Element for f16 {
    const WIDENS: bool = true;

    fn of(tensor: &HostTensor) -> &[Self] {
        match tensor.elements_ref() {
            Elements::F16(elements) => elements,
            Elements::F32(_) => unreachable!("{CHECKED}"),
        }
    }

    fn of_mut(tensor: &mut HostTensor) -> &mut [Self] {
        match tensor.elements_mut() {
            Elements::F16(elements) => elements,
            Elements::F32(_) => unreachable!("{CHECKED}"),
        }
    }

    fn to_f32(self) -> f32 {
        f16::to_f32(self)
    }

    fn widen<'a>(elements: &'a [Self], scratch: &'a mut [f32]) -> &'a [f32] {
        let scratch = &mut scratch[..elements.len()];
        elements.convert_to_f32_slice(scratch);
        scratch
    }

    fn narrow(elements: &mut [Self], read: bool, scratch: &mut [f32], work: impl FnOnce(&mut [f32])) {
        let scratch = &mut scratch[..elements.len()];
        if read {
            elements.convert_to_f32_slice(scratch);
        }
        work(scratch);
        elements.convert_from_f32_slice(scratch);
    }

    fn widen_rows<'a>(
        elements: &'a [Self],
        stride: usize,
        [rows, columns]: [usize; 2],
        scratch: &'a mut [f32],
    ) -> (&'a [f32], usize) {
        let scratch = &mut scratch[..rows * columns];
        for (row, to) in scratch.chunks_mut(columns.max(1)).enumerate() {
            elements[row * stride..][..columns].convert_to_f32_slice(to);
        }
        (scratch, columns)
    }

    fn narrow_tile(
        tile: &mut Tile<'_, Self>,
        read: bool,
        scratch: &mut [f32],
        work: impl FnOnce(&mut Tile<'_, f32>),
    ) {
        let (rows, columns) = (tile.rows(), tile.columns());
        let scratch = &mut scratch[..rows * columns];
        if read {
            for (row, to) in scratch.chunks_mut(columns.max(1)).enumerate() {
                tile.row(row).convert_to_f32_slice(to);
            }
        }
        work(&mut Tile::of(scratch, columns, rows, columns));
        for (row, from) in scratch.chunks(columns.max(1)).enumerate() {
            tile.row(row).convert_from_f32_slice(from);
        }
    }
}

/// Calls a function of one type parameter, an [`Element`], with the type that a `Dtype` names. Keys with another were
/// refused when their plan was made.
macro_rules! with_element {
    ($dtype:expr, $($function:ident)::+($($argument:expr),* $(,)?)) => {
        match $dtype {
            metallic::Dtype::F16 => $($function)::+::<half::f16>($($argument),*),
            _ => $($function)::+::<f32>($($argument),*),
        }
    };
}
pub(crate) use with_element;

/// Returns `true` if there is an [`Element`] for this type.
pub(super) const fn is_element(dtype: Dtype) -> bool {
    matches!(dtype, Dtype::F32 | Dtype::F16)
}
