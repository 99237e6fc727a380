//! Checks that all operations make of their keys and calls.

use crate::error::MetalError;
use crate::kernels::RowBucket;
use crate::tensor::Dtype;

/// Checks that `operation` supports elements of this type.
pub(crate) fn check_float(operation: &str, dtype: Dtype) -> Result<(), MetalError> {
    match dtype {
        Dtype::F32 | Dtype::F16 => Ok(()),
        _ => Err(MetalError::invalid_params(format!("{operation} of {dtype} is not offered"))),
    }
}

/// Checks that none of the named extents of `operation` is zero, and their product fits into the address space.
pub(crate) fn check_extents(operation: &str, extents: &[(&str, usize)]) -> Result<(), MetalError> {
    if let Some((name, _)) = extents.iter().find(|(_, extent)| *extent == 0) {
        return Err(MetalError::invalid_params(format!("{operation}: {name} is 0")));
    }
    let elements = extents.iter().try_fold(1_usize, |product, (_, extent)| product.checked_mul(*extent));
    if elements.is_none_or(|elements| elements > isize::MAX as usize / size_of::<f32>()) {
        let named: Vec<_> = extents.iter().map(|(name, extent)| format!("{name} {extent}")).collect();
        return Err(MetalError::invalid_params(format!(
            "{operation}: larger than the address space: {}",
            named.join(", ")
        )));
    }
    Ok(())
}

/// Checks that a plan for this bucket serves this many rows.
pub(crate) fn check_rows(operation: &str, bucket: RowBucket, rows: usize) -> Result<(), MetalError> {
    if bucket.holds(rows) {
        return Ok(());
    }
    Err(MetalError::invalid_params(format!(
        "{operation} of {rows} rows, where the plan is for 1 to {}",
        bucket.max()
    )))
}

/// Checks that a run-time factor is a number.
pub(crate) fn check_finite(operation: &str, name: &str, value: f32) -> Result<(), MetalError> {
    if value.is_finite() {
        return Ok(());
    }
    Err(MetalError::invalid_params(format!("{operation}: {name} is {value}")))
}
