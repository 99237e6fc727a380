//! Keys that mean the same in another process.

use metallic::kernels::gemm::{GemmKernel, GemmKey, GemmParams};
use metallic::kernels::{Operation, RowBucket, RunsAll, SeqKBucket};
use metallic::{Dtype, PortableKernel};
use proptest::prelude::*;

/// Compiles, which says it of every device.
#[expect(dead_code, reason = "it is there to be compiled")]
fn schemas<D: RunsAll>() -> [u32; 7] {
    macro_rules! schemas {
        ($($operation:ty),+) => { [$(<$operation as PortableKernel<D>>::SCHEMA),+] };
    }
    metallic::for_each_operation!(schemas)
}

#[test]
fn operations_are_portable_on_every_device() {
    macro_rules! schemas_without_device {
        ($($operation:ty),+) => { [$(<$operation as Operation>::SCHEMA),+] };
    }
    assert_eq!(metallic::for_each_operation!(schemas_without_device), [1; 7]);
}

#[test]
fn a_key_is_written_by_the_names_of_its_fields() {
    let params = GemmParams {
        m: 5,
        n: 64,
        k: 32,
        transpose_a: false,
        transpose_b: true,
        bias: true,
        dtype: Dtype::F16,
    };
    let json = serde_json::to_string(&GemmKernel::key(&params)).unwrap();
    assert_eq!(
        json,
        r#"{"m":8,"n":64,"k":32,"transpose_a":false,"transpose_b":true,"bias":true,"dtype":"f16"}"#
    );
    assert_eq!(serde_json::from_str::<GemmKey>(&json).unwrap(), GemmKernel::key(&params));
}

#[test]
fn a_number_that_is_no_buckets_size_is_refused() {
    assert!(serde_json::from_str::<RowBucket>("3").is_err());
    assert!(serde_json::from_str::<SeqKBucket>("257").is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_bucket_is_read_back_as_it_was(length in any::<usize>()) {
        let (rows, keys) = (RowBucket::of(length), SeqKBucket::of(length));
        let json = serde_json::to_string(&(rows, keys)).unwrap();
        prop_assert_eq!(serde_json::from_str::<(RowBucket, SeqKBucket)>(&json).unwrap(), (rows, keys));
    }
}
