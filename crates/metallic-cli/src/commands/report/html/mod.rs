//! The report as one page that needs nothing else: no network, plots as SVG within. Without its script it shows the same,
//! but for search, zoom and logarithmic scales.
//!
//! ```text
//! Contents --> sections (title, a sentence, plots, table) --> page
//!                 plots: chart (axes) --> ink (colours) --> SVG, once wide and once narrow; bars in HTML
//!                 data, script: the plots over time anew, for a stretch of it
//! ```

mod advice;
mod bars;
mod chart;
mod contents;
mod data;
mod figure;
mod idle;
mod ink;
mod keys;
mod legend;
mod markup;
mod over_time;
mod overview;
mod page;
mod quantities;
mod rankings;
mod script;
mod ticks;
mod timeline;
mod zones;

pub use contents::Contents;
pub use page::{Page, is_page, page};
