//! Creations that load artifacts from a store and keep them there, through the public face.
#![expect(clippy::unwrap_used, reason = "outside of test functions, too: what fails here fails the test")]

mod closures;
mod content;
mod damage;
mod events;
mod faults;
mod kernels;
mod processes;
mod reject;
mod sharing;
