//! Failures arrive as errors.

use std::error::Error;

use metallic::Dtype;
use metallic::device::ComputeDevice;
use metallic::error::MetalError;
use metallic::tensor::Tensor;
use metallic_wgpu::{Argument, AttentionPlan, DeviceLost, GemmPlan, WgpuDevice, WgpuTensor};

use crate::software::{device, open};

const FILL: &str = "
    struct Arguments { elements: u32, value: f32 }
    @group(0) @binding(0) var<uniform> args: Arguments;
    @group(0) @binding(1) var<storage, read_write> output: array<f32>;
    @compute @workgroup_size(64)
    fn main(@builtin(global_invocation_id) id: vec3<u32>) {
        if (id.x < args.elements) { output[id.x] = args.value; }
    }";

fn source(error: &MetalError) -> &(dyn Error + 'static) {
    error.source().unwrap_or_else(|| panic!("{error:?} has no source"))
}

#[test]
fn a_kernel_of_the_callers_own_is_compiled_once_and_runs() {
    let Some(device) = device() else { return };
    let pipeline = device.compile("fill", FILL, 0, 1).unwrap();
    let same = device.compile("fill", FILL, 0, 1).unwrap();
    assert_eq!(pipeline, same);
    let mut tensor = device.zeros(100, Dtype::F32).unwrap();
    let arguments = [Argument::Size(99), Argument::Factor(2.5)];
    device.dispatch(&pipeline, &[], &mut [&mut tensor], &arguments, [2, 1, 1]).unwrap();
    let mut expected = vec![2.5; 99];
    expected.push(0.0);
    assert_eq!(device.read(&tensor, 0..100).unwrap(), expected);
}

#[test]
fn a_shader_that_does_not_compile_is_an_error_with_the_compilers_message() {
    let Some(device) = device() else { return };
    let error = device.compile("broken", "fn main() { let x: f32 = 1u; }", 1, 1).unwrap_err();
    assert!(
        error.to_string().starts_with("cannot create `wgpu_pipeline:PipelineKey{name:\"broken\""),
        "{error}"
    );
    let error = error.into_root();
    assert_eq!(error.to_string(), "pipeline compilation failed");
    assert!(source(&error).is::<wgpu::Error>());
    assert!(source(&error).to_string().contains("f32"), "{}", source(&error));
    // A binding that the layout does not have.
    let error = device.compile("fill", FILL, 1, 0).unwrap_err();
    assert!(matches!(error.root(), MetalError::Device { .. }), "{error:?}");
    assert!(device.compile("fill", FILL, 0, 1).is_ok(), "the device goes on");
}

#[test]
fn a_dispatch_that_does_not_fit_its_kernel_is_refused_before_the_device_sees_it() {
    let Some(device) = device() else { return };
    let pipeline = device.compile("fill", FILL, 0, 1).unwrap();
    let (mut tensor, other) = (device.zeros(4, Dtype::F32).unwrap(), device.zeros(4, Dtype::F32).unwrap());
    let arguments = [Argument::Size(4), Argument::Factor(1.0)];
    let refused = |result: Result<(), MetalError>| {
        assert!(matches!(result, Err(MetalError::InvalidParams { .. })), "{result:?}");
    };
    refused(device.dispatch(&pipeline, &[&other], &mut [&mut tensor], &arguments, [1; 3]));
    refused(device.dispatch(&pipeline, &[], &mut [], &arguments, [1; 3]));
    refused(device.dispatch(&pipeline, &[], &mut [&mut tensor], &[Argument::Size(1 << 40)], [1; 3]));
    refused(device.dispatch(&pipeline, &[], &mut [&mut tensor], &[Argument::Size(1); 33], [1; 3]));
    refused(device.dispatch(&pipeline, &[], &mut [&mut tensor], &arguments, [usize::MAX, 1, 1]));
    refused(device.compile("many", FILL, 6, 1).map(drop));
    assert_eq!(device.read(&tensor, 0..4).unwrap(), [0.0; 4]);
}

#[test]
fn a_tensor_beyond_the_devices_limits_is_refused_before_the_device_sees_it() {
    let Some(device) = device() else { return };
    let most = device.adapter().max_tensor_bytes as usize;
    for elements in [most / 4 + 1, usize::MAX / 2, usize::MAX] {
        let error = device.zeros(elements, Dtype::F32).unwrap_err();
        assert!(matches!(error, MetalError::InvalidParams { .. }), "{error:?}");
        assert!(error.to_string().contains(&elements.to_string()), "{error}");
    }
    // What the device allows it need not have room for.
    match device.zeros(most / 4, Dtype::F32) {
        Ok(tensor) => assert_eq!(tensor.elements(), most / 4),
        Err(error) => {
            assert!(matches!(error, MetalError::Device { .. }), "{error:?}");
            println!("the largest tensor: {error:?}");
        }
    }
}

#[test]
fn a_lost_device_is_an_error_and_not_a_panic() {
    let Some(device) = open() else { return };
    let pipeline = device.compile("fill", FILL, 0, 1).unwrap();
    let mut tensor = device.upload(&[1.0; 4], Dtype::F32).unwrap();
    let mut other = device.zeros(4, Dtype::F32).unwrap();
    let arguments = [Argument::Size(4), Argument::Factor(1.0)];
    device.dispatch(&pipeline, &[], &mut [&mut tensor], &arguments, [1; 3]).unwrap();
    device.clone().destroy();
    for _ in 0..2 {
        let results = [
            device.read(&tensor, 0..4).map(drop),
            device.write(&mut tensor, 0, &[2.0]),
            device.copy(&tensor, 0, &mut other, 0, 4),
            device.zeros(4, Dtype::F32).map(drop),
            device.synchronize(),
            device.compile("fill", FILL, 0, 1).map(drop),
            device.compile("another", &FILL.replace("64", "32"), 0, 1).map(drop),
            device.dispatch(&pipeline, &[], &mut [&mut tensor], &arguments, [1; 3]),
        ];
        for (call, result) in results.into_iter().enumerate() {
            let error = result.expect_err("the device is lost");
            assert!(source(&error).is::<DeviceLost>(), "call {call}: {error:?}");
        }
    }
    device.destroy();
}

#[test]
fn an_error_outside_all_calls_is_returned_by_the_next_one_and_then_forgotten() {
    let Some(device) = open() else { return };
    let tensor = device.upload(&[1.0; 4], Dtype::F32).unwrap();
    device.synchronize().unwrap();
    // wgpu reports this on nobody's call of ours: the bytes go beyond the buffer's end.
    device.queue().write_buffer(tensor.buffer(), 1 << 20, &[0; 16]);
    let error = device.read(&tensor, 0..4).unwrap_err();
    assert!(source(&error).is::<wgpu::Error>(), "{error:?}");
    assert_eq!(device.read(&tensor, 0..4).unwrap(), [1.0; 4]);
}

#[test]
fn devices_tensors_and_plans_can_go_to_other_threads() {
    fn goes<T: Send + Sync>() {}
    goes::<WgpuDevice>();
    goes::<WgpuTensor>();
    goes::<GemmPlan>();
    goes::<AttentionPlan>();
}
