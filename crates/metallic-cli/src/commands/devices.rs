//! `metallic devices`: what there is to run on.

use std::io::{self, Write};

use crate::args::DevicesArgs;
use crate::devices::Devices;
use crate::error::Error;
use crate::json;
use crate::paragraph::write_wrapped;
use crate::units::counted;

/// Runs the command.
///
/// # Errors
/// The output cannot be written.
pub fn run(args: &DevicesArgs, out: &mut dyn Write) -> Result<(), Error> {
    let devices = Devices::list()?;
    if args.json {
        return json::write(json::DEVICES, &devices, out);
    }
    Ok(write(&devices, out)?)
}

fn write(devices: &Devices, out: &mut dyn Write) -> io::Result<()> {
    let host = &devices.host;
    let name = host.name.as_deref().unwrap_or("the processor");
    let f16 = if host.f16 { "f32, f16" } else { "f32" };
    let text = format!(
        "{name}: {}, {f16}; {}",
        counted(host.threads as u64, "thread", "threads"),
        host.extensions.join(", ")
    );
    write_wrapped(out, "host    ", &text)?;
    let kept = "keeps nothing in a store (it compiles nothing), and `--store` is refused";
    write_wrapped(out, "        ", kept)?;
    for (number, adapter) in devices.adapters.iter().enumerate() {
        write_wrapped(out, &format!("wgpu:{number:<2} "), &adapter.to_string())?;
        for detail in adapter.details() {
            write_wrapped(out, "        ", &detail)?;
        }
    }
    writeln!(out)?;
    // A run says `auto` in its reason; here the line begins with it.
    let why = devices.why.strip_prefix("auto, ").unwrap_or(&devices.why);
    write_wrapped(out, "", &format!("--device auto takes {}, {why}", devices.auto))
}
