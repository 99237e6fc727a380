//! Matrix products on the host: which way a product goes.

mod grid;
mod row;

use metallic::caching::Composition;
use metallic::error::MetalError;
use metallic::kernels::Runs;
use metallic::kernels::gemm::{GemmCall, GemmKernel, GemmKey};

use super::composition;
use crate::device::HostDevice;
use crate::element::with_element;
use crate::tensor::HostTensor;

/// The way of a product, by the number of its rows.
#[derive(Clone, Copy, Debug)]
pub struct GemmPlan(Path);

#[derive(Clone, Copy, Debug)]
enum Path {
    /// One row, or a few.
    Row(row::Plan),
    /// More rows: tiles of the result.
    Grid(grid::Plan),
}

impl Runs<GemmKernel> for HostDevice {
    type Plan = GemmPlan;

    fn plan(&self, key: &GemmKey) -> Result<GemmPlan, MetalError> {
        Ok(GemmPlan(if row::Plan::is_for(key) {
            Path::Row(row::Plan::new(self, key)?)
        } else {
            Path::Grid(grid::Plan::new(self, key)?)
        }))
    }

    fn run(&self, plan: &GemmPlan, key: &GemmKey, call: GemmCall<'_, HostTensor>) -> Result<(), MetalError> {
        let dtype = key.dtype;
        match plan.0 {
            Path::Row(plan) => with_element!(dtype, row::run(self, plan, key, call)),
            Path::Grid(plan) => with_element!(dtype, grid::run(self, plan, key, call)),
        }
    }

    fn plan_composition(plan: &GemmPlan) -> Option<Composition> {
        composition(plan)
    }
}
