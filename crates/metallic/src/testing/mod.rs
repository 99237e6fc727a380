//! For tests of engines: a device that does as it is told, and questions to the events of a run.
//!
//! The clock that is moved by hand is [`ManualClock`](crate::caching::ManualClock), in the caches themselves.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use metallic::caching::SharedRegistry;
//! use metallic::testing::{Events, ScriptedDevice, ScriptedKernel};
//!
//! let device = ScriptedDevice::new();
//! device.set_cost(7, Duration::from_millis(20));
//! device.fail(8, 1);
//! let events = Events::new();
//! let registry = SharedRegistry::with_clock(Some(device.clone()), device.clock().clone());
//! registry.set_sink(Some(events.sink()));
//!
//! assert!(registry.get_or_create::<ScriptedKernel>(&7, None).is_ok());
//! assert!(registry.get_or_create::<ScriptedKernel>(&8, None).is_err());
//! assert!(registry.get_or_create::<ScriptedKernel>(&8, None).is_ok());
//! assert_eq!(device.creations(), 3);
//! events.assert_created_once("scripted:7");
//! assert_eq!(events.creations_of("scripted:7")[0].duration_ns, 20_000_000);
//! ```

mod events;
mod scripted;

pub use events::Events;
pub use scripted::{ScriptedDevice, ScriptedFault, ScriptedKernel, ScriptedResource};
