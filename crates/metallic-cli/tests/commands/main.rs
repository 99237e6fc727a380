//! The binary as a process: exit codes, streams, files.

mod help;
mod keys;
mod logs;
mod program;
mod replay;
mod report;
