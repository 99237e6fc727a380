//! All keys there is room for, to search through.

use super::contents::Contents;
use super::markup::{Table, count};
use crate::units::duration;

pub(super) fn keys(contents: &Contents) -> String {
    let keys = &contents.keys;
    if keys.is_empty() {
        return String::new();
    }
    let titles = ["key", "creation time", "created", "failed", "hits", "misses", "evicted", "rebuilding"];
    let mut table = Table::new("Keys", &titles);
    for key in keys {
        let [created, failed, hits, misses, evicted] =
            [key.created, key.failed, key.hits, key.misses, key.evicted].map(count);
        let rebuilt = duration(key.rebuilt_ns);
        table.key_row(&key.key, [duration(key.creation_ns), created, failed, hits, misses, evicted, rebuilt]);
    }
    let known = contents.report.keys.tracked.saturating_add(contents.report.keys.forgotten);
    let shown = keys.len() as u64;
    let sentence = match shown < known {
        true => format!(
            "The {} that cost most; <code>metallic explain --like TEXT</code> searches through all.",
            count(shown)
        ),
        false => format!("All {}, the dearest first.", count(shown)),
    };
    format!(
        "<section id=\"keys\"><h2>Keys</h2><p>{sentence}</p>\
         <p class=\"script\" hidden><label>Search <input type=\"search\" spellcheck=\"false\" autocomplete=\"off\" \
         placeholder=\"gemm m:4096\"></label> <output></output></p>\
         <details><summary>The keys</summary>\n{}</details></section>\n",
        table.finish()
    )
}
