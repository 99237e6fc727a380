//! Keeps away complaints of other libraries that a user can do nothing about.

use crate::args::Args;

/// Restarts the program with a variable that keeps libwayland quiet, if the command looks for adapters and the variable is not
/// set. Returns if there is nothing to do, or if the program cannot be restarted.
///
/// Mesa's Vulkan layer asks Wayland which GPU shows the desktop, and libwayland writes `error: XDG_RUNTIME_DIR is invalid or not
/// set` before it finds that there is no desktop. wgpu always enables the extension that makes the layer ask, and the layer can
/// be told not to by its environment alone. To change the environment of a running process is unsafe, and to hold back standard
/// error for a while would hide other errors. A new image of the same process costs a few milliseconds. A folder that does not
/// exist leads the layer to the same answer, and leaves its own variables (`MESA_VK_DEVICE_SELECT`, `DRI_PRIME`) working.
#[cfg(all(feature = "wgpu", target_os = "linux"))]
pub fn restart(args: &Args) {
    use std::os::unix::process::CommandExt;
    use std::path::Path;
    use std::{env, process};

    use crate::args::Command;

    const VARIABLE: &str = "XDG_RUNTIME_DIR";
    let looks_for_adapters = matches!(args.command, None | Some(Command::Run(_) | Command::Devices(_)));
    // What libwayland takes for valid, and so true after the restart.
    let is_quiet = env::var_os(VARIABLE).is_some_and(|folder| Path::new(&folder).is_absolute());
    if !looks_for_adapters || is_quiet {
        return;
    }
    let Ok(program) = env::current_exe() else { return };
    let mut command = process::Command::new(program);
    let mut arguments = env::args_os();
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    // Returns only if it failed: the noise is harmless then.
    let _ = command.args(arguments).env(VARIABLE, "/nonexistent").exec();
}

/// Does nothing: only Mesa's layer on Linux has something to say.
#[cfg(not(all(feature = "wgpu", target_os = "linux")))]
pub fn restart(_args: &Args) {}
