//! All checks, one after the other.

use metallic::kernels::RunsAll;

use super::{
    check_add, check_gelu, check_gemm, check_kv_cache_write, check_layer_norm, check_memory, check_refusals,
    check_scaled_dot_product_attention, check_sharing, check_softmax,
};

/// Makes all checks, each over so many random cases for each type of element that the device supports.
///
/// # Panics
/// If one finds something wrong.
pub fn check_all<D: RunsAll>(device: &D, cases: usize) {
    check_memory(device, cases);
    check_gemm(device, cases);
    check_softmax(device, cases);
    check_scaled_dot_product_attention(device, cases);
    check_layer_norm(device, cases);
    check_gelu(device, cases);
    check_add(device, cases);
    check_kv_cache_write(device, cases);
    check_refusals(device);
    check_sharing(device);
}
