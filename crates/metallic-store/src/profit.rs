use std::time::Duration;

/// Returns the value of keeping an artifact: seconds of creation saved, per byte and second since its last use.
///
/// `cost / (bytes * age)`. The least is evicted first. It is the profit of LNC-R with a reference history of one
/// (Scheuermann, Shim, Vingralek: WATCHMAN, VLDB 1996): the rate of references is estimated by the reciprocal of the time
/// since the last one. Cost, bytes and age are all in an entry's header and its file, so that processes agree on the order
/// without a common index. An artifact without a cost counts as a microsecond's, and ages under a second as a second.
pub fn profit(cost: Duration, bytes: u64, age: Duration) -> f64 {
    let cost = cost.max(Duration::from_micros(1)).as_secs_f64();
    cost / (bytes.max(1) as f64 * age.as_secs_f64().max(1.0))
}
