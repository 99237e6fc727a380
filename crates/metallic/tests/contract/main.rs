//! Never while serving: record, warm up, arm.
#![allow(clippy::unwrap_used, reason = "tests throughout; clippy knows only those in functions marked so")]

mod arming;
mod coverage;
mod manifest_algebra;
mod manifest_files;
mod portable_keys;
mod recording;
mod tiles;
mod warm_up;
mod warm_up_faults;
