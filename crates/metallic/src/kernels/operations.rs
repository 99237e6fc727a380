//! Items derived from the list of the operations.

use super::operation::{Operation, Runs};
use crate::device::ComputeDevice;
use crate::for_each_operation;

macro_rules! declare {
    ($($operation:ty),+) => {
        /// The names of all operations of a transformer, in alphabetical order: those of their caches.
        pub const OPERATION_NAMES: &[&str] = &[$(<$operation as Operation>::NAME),+];

        /// A device that runs all operations of a transformer. Implemented for every device that does.
        pub trait RunsAll: ComputeDevice $(+ Runs<$operation>)+ {}

        impl<D> RunsAll for D where D: ComputeDevice $(+ Runs<$operation>)+ {}
    };
}

for_each_operation!(declare);
