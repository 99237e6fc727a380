//! A plot on the page: its title, a sentence on what it says, the plot, and its figures as a table.

use super::ink::Size;
use super::markup::escaped;

/// The size of a plot on a screen that is wide enough, and on a telephone's.
pub(super) const SIZES: [(&str, Size); 2] =
    [("wide", Size { width: 620, height: 270 }), ("narrow", Size { width: 350, height: 230 })];

/// The parts of a plot on the page; all but the title and the sentence are markup.
pub(super) struct Figure {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) sentence: String,
    pub(super) plots: String,
    pub(super) table: String,
}

impl Figure {
    pub(super) fn html(&self) -> String {
        let Self { id, title, sentence, plots, table } = self;
        format!(
            "<figure id=\"{id}\"><figcaption><h2>{}</h2><p>{}</p></figcaption>\n<div class=\"plot\">{plots}</div>\n\
             <details><summary>The figures</summary>\n{table}</details></figure>\n",
            escaped(title),
            escaped(sentence),
        )
    }
}
