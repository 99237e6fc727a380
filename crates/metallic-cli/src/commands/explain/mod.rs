//! `metallic explain`: the life of one key, and for a miss the nearest key.

mod command;
mod key_list;
mod life;
mod search;
mod text;

pub use command::{run, search};
pub use key_list::{KeyList, KeyRow};
pub use life::{Life, LifeEvent, LifeEventKind, Totals};
pub use search::{Found, Search};
