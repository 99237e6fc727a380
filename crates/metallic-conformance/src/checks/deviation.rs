//! Compares how far a result is from the reference with how far it may be.

use metallic::tensor::Dtype;

use super::cases::Outcome;

/// The unit of rounding of `f32`.
pub(crate) const U: f64 = 1.0 / (1_u64 << 24) as f64;

/// The worst element so far.
pub(crate) struct Deviations {
    dtype: Dtype,
    worst: Option<Worst>,
}

struct Worst {
    /// The deviation over what is allowed.
    share: f64,
    text: String,
}

impl Deviations {
    pub(crate) fn new(dtype: Dtype) -> Self {
        Self { dtype, worst: None }
    }

    /// Takes in one element of a result, which may be `allowed` away from `wanted` for what was computed in `f32`.
    pub(crate) fn take(&mut self, place: impl FnOnce() -> String, got: f32, wanted: f64, allowed: f64) {
        // What is below the least normal number may become 0.
        let allowed = match self.dtype {
            Dtype::F16 => allowed + wanted.abs() / f64::from(1 << 11) * 1.001 + f64::from(f32::EPSILON),
            _ => allowed + f64::from(f32::MIN_POSITIVE),
        };
        let deviation = (f64::from(got) - wanted).abs();
        let share = if deviation.is_nan() { f64::INFINITY } else { deviation / allowed };
        if self.worst.as_ref().is_none_or(|worst| share > worst.share) {
            let text = format!(
                "{} is {got:e}, where {wanted:e} is right: {deviation:.3e} apart, {allowed:.3e} allowed",
                place()
            );
            self.worst = Some(Worst { share, text });
        }
    }

    /// Returns `true` if all were near enough.
    pub(crate) fn outcome(self) -> Outcome {
        match self.worst {
            Some(worst) if worst.share > 1.0 => Err(worst.text),
            _ => Ok(()),
        }
    }
}

/// Checks that an element that is not part of a result is unchanged.
pub(crate) fn check_untouched(name: &str, at: usize, before: f32, after: f32) -> Outcome {
    if before.to_bits() == after.to_bits() || before.is_nan() && after.is_nan() {
        return Ok(());
    }
    Err(format!(
        "element {at} of {name} lies outside the result, and was changed from {before:e} to {after:e}"
    ))
}
