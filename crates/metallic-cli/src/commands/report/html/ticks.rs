//! Round numbers for axes.

/// At most `most` steps of a round number from 0 to at least `max`: the ticks, the last of which is the end of the axis.
pub(super) fn round_ticks(max: f64, most: usize) -> Vec<f64> {
    let max = if max.is_finite() && max > 0.0 { max } else { 1.0 };
    let raw = max / most.max(1) as f64;
    let magnitude = 10f64.powf(raw.log10().floor());
    let step =
        [1.0, 2.0, 2.5, 5.0, 10.0].map(|n| n * magnitude).into_iter().find(|step| *step >= raw * 0.999_999);
    steps(step.unwrap_or(raw), max)
}

/// As [`round_ticks`], of whole numbers.
pub(super) fn whole_ticks(max: u64, most: usize) -> Vec<f64> {
    if max <= most as u64 { steps(1.0, max.max(1) as f64) } else { round_ticks(max as f64, most) }
}

/// As [`round_ticks`], of nanoseconds in steps that people use. The last tick may lie before `max`.
pub(super) fn time_ticks(max_ns: f64, most: usize) -> Vec<f64> {
    const MIN: f64 = 60e9;
    const H: f64 = 60.0 * MIN;
    const D: f64 = 24.0 * H;
    #[rustfmt::skip]
    const STEPS: [f64; 24] = [
        1e9, 2e9, 5e9, 10e9, 20e9, 30e9, MIN, 2.0 * MIN, 5.0 * MIN, 10.0 * MIN, 20.0 * MIN, 30.0 * MIN,
        H, 2.0 * H, 3.0 * H, 6.0 * H, 12.0 * H, D, 2.0 * D, 5.0 * D, 10.0 * D, 20.0 * D, 50.0 * D, 100.0 * D,
    ];
    let raw = max_ns / most.max(1) as f64;
    let mut ticks = match STEPS.iter().find(|step| **step >= raw) {
        Some(step) if raw > 0.5e9 => steps(*step, max_ns),
        _ => round_ticks(max_ns, most),
    };
    ticks.retain(|tick| *tick <= max_ns);
    ticks
}

fn steps(step: f64, max: f64) -> Vec<f64> {
    let count = (max / step - 1e-9).ceil().max(1.0) as usize;
    (0..=count).map(|n| n as f64 * step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_reach_the_end() {
        assert_eq!(round_ticks(87.0, 5), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        assert_eq!(round_ticks(1.0, 4), [0.0, 0.25, 0.5, 0.75, 1.0]);
        assert_eq!(round_ticks(0.0, 4).last(), Some(&1.0));
    }

    #[test]
    fn counts_have_no_fractions() {
        assert_eq!(whole_ticks(3, 5), [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(whole_ticks(0, 5), [0.0, 1.0]);
    }

    #[test]
    fn times_are_in_steps_of_the_clock() {
        assert_eq!(time_ticks(100e9, 5), [0.0, 20e9, 40e9, 60e9, 80e9, 100e9]);
        assert_eq!(time_ticks(7.0 * 60e9, 4), [0.0, 120e9, 240e9, 360e9]);
        assert_eq!(time_ticks(3e6, 3), [0.0, 1e6, 2e6, 3e6]);
        assert!(time_ticks(1e19, 6).len() > 1);
    }
}
