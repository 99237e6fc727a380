//! `metallic top`: a log as it grows.
//!
//! ```text
//! log --Tail--> lines --> events --Live--> figures of the last minutes --view--> terminal --keys--> Screen
//! ```

mod columns;
mod command;
mod help;
mod keys;
mod live;
mod tail;
mod view;
mod window;

pub use command::run;
pub use keys::{Screen, Sort};
pub use live::Live;
pub use tail::{LogState, Tail};
pub use view::draw;
