//! `metallic devices`: what there is to run on.

use std::io::{self, Write};

use metallic::Dtype;
use metallic::device::{ComputeDevice, HostDevice};

use crate::args::DevicesArgs;
use crate::devices::{self, Adapter, Choice, Devices, Host, Wanted};
use crate::error::Error;
use crate::units::bytes;

/// Runs the command.
///
/// # Errors
/// The output cannot be written.
pub fn run(args: &DevicesArgs, out: &mut dyn Write) -> Result<(), Error> {
    let devices = collect()?;
    if args.json {
        serde_json::to_writer(&mut *out, &devices)?;
        return Ok(writeln!(out)?);
    }
    Ok(write(&devices, out)?)
}

/// What there is.
///
/// # Errors
/// There is none.
pub fn collect() -> Result<Devices, Error> {
    let host = HostDevice::new();
    let choice = Choice::make(&Wanted::Auto, None, 0)?;
    Ok(Devices {
        schema: 1,
        auto: choice.name,
        auto_kind: choice.device.kind(),
        why: choice.why,
        host: Host {
            name: devices::processor::name(),
            threads: host.threads().get(),
            extensions: devices::processor::extensions(),
            f16: host.supports(Dtype::F16),
        },
        adapters: adapters(),
    })
}

#[cfg(feature = "wgpu")]
fn adapters() -> Vec<Adapter> {
    devices::adapters::all()
}

#[cfg(not(feature = "wgpu"))]
fn adapters() -> Vec<Adapter> {
    Vec::new()
}

fn write(devices: &Devices, out: &mut dyn Write) -> io::Result<()> {
    let host = &devices.host;
    let name = host.name.as_deref().unwrap_or("the processor");
    let f16 = if host.f16 { "f32, f16" } else { "f32" };
    writeln!(out, "host    {name}: {} threads, {f16}; {}", host.threads, host.extensions.join(", "))?;
    for (number, adapter) in devices.adapters.iter().enumerate() {
        let driver = if adapter.driver.is_empty() { "" } else { ", " };
        writeln!(
            out,
            "wgpu:{number:<2} {} ({}, {}{driver}{})",
            adapter.name, adapter.kind, adapter.backend, adapter.driver
        )?;
        let features = adapter.features();
        let features = if features.is_empty() { "nothing optional".to_owned() } else { features.join(", ") };
        writeln!(out, "        supports {features}")?;
        writeln!(
            out,
            "        tensors up to {}; workgroups of up to {} invocations with {}{}",
            bytes(adapter.max_tensor_bytes),
            adapter.max_workgroup_invocations,
            bytes(adapter.max_workgroup_bytes.into()),
            if adapter.compiles_lazily { "; compiles at the first dispatch" } else { "" }
        )?;
    }
    writeln!(out, "\n--device auto takes {}; {}", devices.auto, devices.why)
}
