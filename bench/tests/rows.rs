//! The rows measure what they say.

use metallic_bench::scenario::groups;

#[test]
fn every_row_hits_misses_or_expires_as_its_table_says() {
    for group in groups() {
        let workload = (group.workload)(group.sizes[0]);
        for row in &group.rows {
            let mut subject = row.build(&workload);
            for _ in 0..2 {
                subject.renew();
                subject.run(); // Panics if it does not.
            }
        }
    }
}
