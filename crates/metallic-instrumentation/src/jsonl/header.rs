//! The first line of a file.

use std::env;
use std::path::Path;
use std::process;
use std::time::{SystemTime, UNIX_EPOCH};

use super::line::push_json;
use crate::event::{Event, LogOpened};

/// The program, as the header describes it.
#[derive(Clone, Debug)]
pub(super) struct Header {
    pub(super) program: String,
    pub(super) version: Option<String>,
    pub(super) devices: Vec<String>,
}

impl Default for Header {
    fn default() -> Self {
        let program = env::current_exe().ok();
        let program = program.as_deref().and_then(Path::file_stem);
        let program = program.map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        Self { program, version: None, devices: Vec::new() }
    }
}

impl Header {
    /// The line for a file that is begun now, after `rotations` others.
    pub(super) fn line(&self, rotations: u64) -> Vec<u8> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let opened = LogOpened {
            program: self.program.clone(),
            version: self.version.clone(),
            library: env!("CARGO_PKG_VERSION").into(),
            process_id: process::id(),
            opened_unix_ns: u64::try_from(now.as_nanos()).unwrap_or(u64::MAX),
            rotations,
            devices: self.devices.clone(),
        };
        let mut line = Vec::new();
        push_json(&mut line, &Event::new(opened));
        line.push(b'\n');
        line
    }
}
