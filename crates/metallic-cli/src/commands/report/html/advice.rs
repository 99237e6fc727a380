//! Advice on what to change, cache by cache.

use std::fmt::Write as _;

use super::contents::Contents;
use super::markup::escaped;
use crate::commands::replay::Summary;
use crate::units::counted;

/// Caches with one and the same answer are one line; what saves something comes first.
pub(super) fn advice(contents: &Contents) -> String {
    let Some(lines) = &contents.advice else {
        let lookups = contents.report.caches.iter().any(|cache| cache.logged_accesses > 0);
        let text =
            "The log has too many accesses to replay them for a page; <code>metallic replay</code> does.";
        return if lookups { section(&format!("<p>{text}</p>")) } else { String::new() };
    };
    let mut html = String::new();
    for line in lines.iter().filter(|line| line.code.is_some()) {
        let _ = write!(
            html,
            "<li><b>{}</b>: set {}; saves {}<pre><code>{}</code></pre></li>",
            escaped(&line.cache),
            escaped(&line.advice),
            escaped(line.saves.as_deref().unwrap_or("nothing")),
            line.code.iter().flat_map(|code| code.lines()).map(escaped).collect::<Vec<_>>().join("\n"),
        );
    }
    let mut groups: Vec<(String, Vec<&Summary>)> = Vec::new();
    for line in lines.iter().filter(|line| line.code.is_none()) {
        let verdict = if line.reasons.len() == 1 && line.advice.starts_with("leave") {
            "leave"
        } else {
            "no advice for"
        };
        let answer = format!("{verdict}: {}", line.reasons.join("; "));
        match groups.iter_mut().find(|(other, _)| *other == answer) {
            Some((_, group)) => group.push(line),
            None => groups.push((answer, vec![line])),
        }
    }
    for (answer, group) in groups {
        let (verdict, reason) = answer.split_once(": ").unwrap_or((&answer, ""));
        let names: Vec<String> =
            group.iter().map(|line| format!("<b>{}</b>", escaped(&line.cache))).collect();
        let names = names.join(", ");
        let _ = match verdict {
            "leave" => write!(html, "<li>{names}: leave as it is: {}</li>", escaped(reason)),
            _ => write!(html, "<li>{names}: no advice: {}</li>", escaped(reason)),
        };
    }
    section(&format!("<ul>{html}</ul>"))
}

fn section(html: &str) -> String {
    format!("<section id=\"advice\"><h2>What to change</h2>{html}</section>\n")
}

/// Keys of a kind that are listed.
const LISTED: usize = 50;

/// The keys that a warm-up and a run do not share.
pub(super) fn coverage(contents: &Contents) -> String {
    let Some(coverage) = &contents.coverage else { return String::new() };
    let total = &coverage.total;
    let mut html = format!(
        "<p>Taken for warmed is what was created while the first warm-up ran; \
         <code>metallic manifest coverage</code> goes by the manifest. Warmed and used: {}.</p>",
        counted(total.warmed_and_used, "key", "keys"),
    );
    for (title, number, labels) in [
        ("warmed and never used", total.never_used, &coverage.never_used),
        ("used and never warmed", total.never_warmed, &coverage.never_warmed),
        ("used before warm-up was over", total.used_before_ready, &coverage.used_before_ready),
    ] {
        if labels.is_empty() {
            let _ = write!(html, "<p>No key was {title}.</p>");
            continue;
        }
        let _ = write!(html, "<details><summary>{}: {title}</summary><ul>", counted(number, "key", "keys"));
        for label in labels.iter().take(LISTED) {
            let _ = write!(html, "<li><code>{}</code></li>", escaped(label));
        }
        if let Some(more) = labels.len().checked_sub(LISTED).filter(|more| *more > 0) {
            let _ = write!(html, "<li>and {more} more</li>");
        }
        html += "</ul></details>";
    }
    format!("<section id=\"coverage\"><h2>Warm-up</h2>{html}</section>\n")
}
