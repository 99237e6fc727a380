//! The operations on the host, compared with references.

use std::num::NonZeroUsize;

use metallic_host::HostDevice;

fn host(threads: usize) -> HostDevice {
    HostDevice::with_threads(NonZeroUsize::new(threads).expect("a device has a thread"))
}

#[test]
fn all_operations_agree_with_their_references_on_one_thread() {
    metallic_conformance::check_all(&host(1), 100);
}

#[test]
fn all_operations_agree_with_their_references_on_three_threads() {
    metallic_conformance::check_all(&host(3), 100);
}
