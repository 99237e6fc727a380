//! The store through its public face.
#![expect(clippy::unwrap_used, reason = "what fails in a test's helper fails the test")]

mod bundles;
mod conforming;
mod damage;
mod folder;
mod golden;
mod layers;
mod links;
mod observing;
mod processes;
mod properties;
mod remote;
