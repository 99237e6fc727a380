use proptest::prelude::*;

use crate::faulty::run;

proptest! {
    #[test]
    fn an_exporter_to_a_writer_that_fails_anywhere_tells_the_truth(
        bytes in prop::collection::vec(any::<u8>(), 2..300),
    ) {
        run(&bytes);
    }
}
