//! Values in, out and from tensor to tensor.

use metallic::Dtype;
use metallic::device::ComputeDevice;
use metallic::error::MetalError;
use metallic::tensor::Tensor;

use crate::software::{device, open};

fn count(elements: usize) -> Vec<f32> {
    (0..elements).map(|i| i as f32 - 3.0).collect()
}

#[test]
fn what_is_written_is_read_back_from_any_place() {
    let Some(device) = device() else { return };
    for dtype in [Dtype::F32, Dtype::F16] {
        if !device.supports(dtype) {
            eprintln!("skipped: {dtype} on {}", device.adapter());
            continue;
        }
        let values = count(13);
        let mut tensor = device.upload(&values, dtype).unwrap();
        assert_eq!((tensor.elements(), tensor.dtype(), tensor.bytes() % 16), (13, dtype, 0));
        let mut expected = values.clone();
        // Halves come two to a word: every beginning and end has a test.
        for (offset, length) in [(0, 1), (1, 1), (1, 2), (2, 3), (3, 10), (12, 1), (5, 0), (13, 0), (0, 13)] {
            let new: Vec<_> = (0..length).map(|i| 100.0 + (offset * 16 + i) as f32).collect();
            device.write(&mut tensor, offset, &new).unwrap();
            expected[offset..offset + length].copy_from_slice(&new);
            assert_eq!(device.read(&tensor, 0..13).unwrap(), expected, "{dtype}, {length} at {offset}");
            assert_eq!(device.read(&tensor, offset..offset + length).unwrap(), new);
        }
    }
}

#[test]
fn values_are_rounded_to_halves_and_tensors_begin_as_zeros() {
    let Some(device) = device() else { return };
    assert_eq!(device.read(&device.zeros(5, Dtype::F32).unwrap(), 0..5).unwrap(), [0.0; 5]);
    assert!(device.read(&device.zeros(0, Dtype::F32).unwrap(), 0..0).unwrap().is_empty());
    if device.supports(Dtype::F16) {
        let tensor = device.upload(&[1.0 / 3.0, 65504.0, 1e9], Dtype::F16).unwrap();
        assert_eq!(device.read(&tensor, 0..3).unwrap(), [0.333_251_95, 65504.0, f32::INFINITY]);
    }
}

#[test]
fn copies_come_after_what_was_written_before_them() {
    let Some(device) = device() else { return };
    for dtype in [Dtype::F32, Dtype::F16] {
        if !device.supports(dtype) {
            continue;
        }
        let mut from = device.upload(&count(9), dtype).unwrap();
        let mut to = device.zeros(9, dtype).unwrap();
        device.copy(&from, 2, &mut to, 1, 5).unwrap();
        device.write(&mut from, 0, &[7.0; 9]).unwrap();
        device.copy(&from, 0, &mut to, 7, 1).unwrap();
        let expected = [0.0, -1.0, 0.0, 1.0, 2.0, 3.0, 0.0, 7.0, 0.0];
        assert_eq!(device.read(&to, 0..9).unwrap(), expected, "{dtype}");
    }
}

#[test]
fn ranges_beyond_a_tensor_and_tensors_of_other_devices_are_refused() {
    let Some(device) = device() else { return };
    let mut tensor = device.upload(&count(4), Dtype::F32).unwrap();
    let mut other = device.zeros(8, Dtype::F32).unwrap();
    let refused = |result: Result<(), MetalError>| {
        assert!(matches!(result, Err(MetalError::InvalidParams { .. })), "{result:?}");
    };
    refused(device.write(&mut tensor, 2, &[0.0; 3]));
    refused(device.write(&mut tensor, usize::MAX, &[0.0; 3]));
    refused(device.read(&tensor, 0..5).map(drop));
    #[expect(clippy::reversed_empty_ranges, reason = "that is the point")]
    refused(device.read(&tensor, 3..2).map(drop));
    refused(device.copy(&tensor, 0, &mut other, 0, 5));
    refused(device.copy(&tensor, 0, &mut other, 5, 4));
    refused(device.zeros(4, Dtype::U32).map(drop));
    if device.supports(Dtype::F16) {
        let mut halves = device.zeros(8, Dtype::F16).unwrap();
        refused(device.copy(&tensor, 0, &mut halves, 0, 1));
    }
    if let Some(stranger) = open() {
        refused(stranger.read(&tensor, 0..1).map(drop));
    }
    assert_eq!(device.read(&tensor, 0..4).unwrap(), count(4), "nothing was done");
}

#[test]
fn many_uploads_wait_for_one_another() {
    let Some(device) = device() else { return };
    let values = count(3 << 20);
    let tensors: Vec<_> = (0..8).map(|_| device.upload(&values, Dtype::F32).unwrap()).collect();
    for tensor in &tensors {
        assert_eq!(device.read(tensor, 0..4).unwrap(), values[..4]);
    }
}
