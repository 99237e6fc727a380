//! The treatment of a tensor.

use crate::tensor::Dtype;

/// The form that an operation wants a tensor in: how its elements are arranged, and their type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PreparedForm {
    /// How the elements are arranged.
    pub layout: PreparedLayout,
    /// The type of the elements.
    pub dtype: Dtype,
}

/// How the elements of a prepared tensor are arranged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PreparedLayout {
    /// As they were: the tensor was uploaded, or converted to another type.
    AsIs,
    /// Rows became columns.
    Transposed,
    /// In panels of this many rows and columns, as a matrix product reads them.
    Packed {
        /// Rows of a panel.
        rows: u32,
        /// Columns of a panel.
        columns: u32,
    },
    /// In a custom way, which the name alone stands for.
    Named(&'static str),
}

impl PreparedForm {
    /// The elements as they were, of this type.
    pub const fn as_is(dtype: Dtype) -> Self {
        Self { layout: PreparedLayout::AsIs, dtype }
    }

    /// Rows became columns.
    pub const fn transposed(dtype: Dtype) -> Self {
        Self { layout: PreparedLayout::Transposed, dtype }
    }

    /// In panels of this many rows and columns.
    pub const fn packed(rows: u32, columns: u32, dtype: Dtype) -> Self {
        Self { layout: PreparedLayout::Packed { rows, columns }, dtype }
    }

    /// In a custom way.
    pub const fn named(name: &'static str, dtype: Dtype) -> Self {
        Self { layout: PreparedLayout::Named(name), dtype }
    }
}
