//! The report as one page that needs nothing else: no script, no network, plots as SVG within.
//!
//! ```text
//! Report --> sections (title, a sentence, plots, table) --> page
//!               plots: chart (axes) or bars --> ink (colours) --> SVG, once wide and once narrow
//! ```

mod bars;
mod chart;
mod figure;
mod idle;
mod ink;
mod legend;
mod markup;
mod over_time;
mod overview;
mod page;
mod rankings;
mod ticks;
mod timeline;

pub use page::{Page, page};
