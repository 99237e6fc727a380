//! Matrix products on the host: which way a product goes.

use super::{GemmCall, GemmKernel, GemmKey, host_grid, host_row};
use crate::device::host::element::with_element;
use crate::device::{HostDevice, HostTensor};
use crate::error::MetalError;
use crate::kernels::Runs;

/// The way of a product, by the number of its rows.
#[derive(Clone, Copy, Debug)]
pub struct GemmPlan(Path);

#[derive(Clone, Copy, Debug)]
enum Path {
    /// One row, or a few.
    Row(host_row::Plan),
    /// More rows: tiles of the result.
    Grid(host_grid::Plan),
}

impl Runs<GemmKernel> for HostDevice {
    type Plan = GemmPlan;

    fn plan(&self, key: &GemmKey) -> Result<GemmPlan, MetalError> {
        Ok(GemmPlan(if host_row::Plan::is_for(key) {
            Path::Row(host_row::Plan::new(self, key)?)
        } else {
            Path::Grid(host_grid::Plan::new(self, key)?)
        }))
    }

    fn run(&self, plan: &GemmPlan, key: &GemmKey, call: GemmCall<'_, HostTensor>) -> Result<(), MetalError> {
        let dtype = key.dtype;
        match plan.0 {
            Path::Row(plan) => with_element!(dtype, host_row::run(self, plan, key, call)),
            Path::Grid(plan) => with_element!(dtype, host_grid::run(self, plan, key, call)),
        }
    }
}
