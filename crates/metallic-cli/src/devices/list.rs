//! The devices of this machine, and what they support.

use serde::Serialize;

use super::backends::wgpu::Adapter;
use super::backends::{host, wgpu};
use super::choice::Choice;
use super::wanted::Wanted;
use crate::error::Error;

/// All devices, and which of them `--device auto` takes: the schema of `metallic devices --json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Devices {
    /// The device that `--device auto` takes.
    pub auto: String,
    /// `host` or `wgpu`: what kind of device that is.
    pub auto_kind: &'static str,
    /// Why.
    pub why: String,
    /// The processor.
    pub host: Host,
    /// The adapters of wgpu; `--device wgpu:NUMBER` counts from 0.
    pub adapters: Vec<Adapter>,
}

/// The processor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Host {
    /// Its name, where the system tells it.
    pub name: Option<String>,
    /// Threads that it runs at once.
    pub threads: usize,
    /// Extensions that matrix products profit from.
    pub extensions: Vec<&'static str>,
    /// `true` if tensors can have 16-bit floats.
    pub f16: bool,
}

impl Devices {
    /// Lists what this machine has.
    ///
    /// # Errors
    /// The device that `auto` takes cannot be opened.
    pub fn list() -> Result<Self, Error> {
        let choice = Choice::make(&Wanted::Auto, None, 0)?;
        Ok(Self {
            auto: choice.name,
            auto_kind: choice.device.kind(),
            why: choice.why,
            host: host::describe(),
            adapters: wgpu::adapters(),
        })
    }
}
