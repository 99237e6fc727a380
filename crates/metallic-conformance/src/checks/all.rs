//! All checks, one after the other.

use metallic::for_each_operation;
use metallic::kernels::RunsAll;

use super::{check, check_memory};

/// Makes all checks, those with random cases over this number of them for each type of element that the device supports.
///
/// # Panics
/// If one finds something wrong.
pub fn check_all<D: RunsAll>(device: &D, cases: usize) {
    macro_rules! check_each {
        ($($operation:ty),+) => { $(check::<$operation, D>(device, cases);)+ };
    }
    check_memory(device, cases);
    for_each_operation!(check_each);
}
