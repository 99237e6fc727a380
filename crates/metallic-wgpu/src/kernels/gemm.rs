//! Matrix products.

use metallic::caching::Composition;
use metallic::error::MetalError;
use metallic::kernels::Runs;
use metallic::kernels::gemm::{GemmCall, GemmKernel, GemmKey};

use super::grid;
use super::matrix_product::{PlannedProduct, Product, ProductCall, Vectors};
use crate::device::WgpuDevice;
use crate::tensor::WgpuTensor;

/// A matrix product and its pipeline. On a GPU, products of up to 8 rows read each element of B once, and larger ones go
/// through tiles in memory that a workgroup shares; see [`Tuning`](crate::Tuning). If `k` is a multiple of four, operands
/// whose rows lie along k are loaded as vectors. A call whose offsets or strides are not multiples of four takes another
/// pipeline out of the device's registry, which compiles it at the first such call.
#[derive(Clone, Debug)]
pub struct GemmPlan {
    product: PlannedProduct,
}

impl Runs<GemmKernel> for WgpuDevice {
    type Plan = GemmPlan;

    fn plan(&self, key: &GemmKey) -> Result<GemmPlan, MetalError> {
        let &GemmKey { m, n, k, transpose_a, transpose_b, bias, dtype, .. } = key;
        grid::check_type(self, dtype)?;
        let whole_vectors = k.is_multiple_of(4);
        let rows = m.max();
        let (a, b, c) = (dtype, dtype, dtype);
        let product = Product { rows, transpose_a, transpose_b, bias, whole_vectors, a, b, c };
        Ok(GemmPlan {
            product: product.plan(
                self,
                Vectors {
                    a: whole_vectors,
                    b: if transpose_b { whole_vectors } else { n.is_multiple_of(4) },
                },
            )?,
        })
    }

    fn run(&self, plan: &GemmPlan, key: &GemmKey, call: GemmCall<'_, WgpuTensor>) -> Result<(), MetalError> {
        let GemmCall { batch, m, alpha, beta, a, b, bias, c } = call;
        let shape = [m, key.n, key.k];
        plan.product.run(self, ProductCall { batch, sharing: 1, shape, alpha, beta, a, b, bias, c })
    }

    fn plan_composition(plan: &GemmPlan) -> Option<Composition> {
        Some(plan.product.composition())
    }
}
