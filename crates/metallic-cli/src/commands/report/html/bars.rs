//! Bars from left to right, each under its name: for names as long as keys are.

use std::fmt::Write as _;

use super::ink::Ink;
use super::markup::escaped;

/// A bar.
pub(super) struct Bar {
    pub(super) ink: Ink,
    pub(super) name: String,
    pub(super) length: f64,
    /// The length, as text.
    pub(super) figure: String,
    /// A command that tells more.
    pub(super) command: Option<String>,
}

/// Draws bars, the longest of which takes the whole width.
pub(super) fn bars(bars: &[Bar]) -> String {
    let longest = bars.iter().map(|bar| bar.length).fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    let mut html = "<ol class=\"bars\">".to_owned();
    for Bar { ink, name, length, figure, command } in bars {
        let (name, figure) = (escaped(name), escaped(figure));
        let row = format!("<code>{name}</code><span>{figure}</span>");
        let _ = match command {
            Some(command) => write!(
                html,
                "<li><details><summary>{row}</summary><code class=\"command\">{}</code></details>",
                escaped(command)
            ),
            None => write!(html, "<li><div>{row}</div>"),
        };
        let percent = (length / longest * 100.0).max(0.4);
        let _ = write!(html, "<i><i class=\"{}\" style=\"width:{percent:.1}%\"></i></i></li>", ink.class());
    }
    html + "</ol>"
}

/// The command that tells the life of a key of this log. There is none for a log that is standard input, nor for a key that the
/// report has cut or a shell would not take as it is.
pub(super) fn explain(log: Option<&str>, key: &str, is_whole: bool) -> Option<String> {
    let log = log.filter(|log| *log != "-" && is_whole)?;
    if [log, key].iter().any(|text| text.chars().any(char::is_control)) {
        return None;
    }
    let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    let log = if log.chars().all(is_plain) && !log.starts_with('-') { log.to_owned() } else { quoted(log) };
    Some(format!("metallic explain {log} {}", quoted(key)))
}

#[cfg(test)]
mod tests {
    use super::explain;

    #[test]
    fn a_command_can_be_pasted_into_a_shell() {
        let command = |log, key| explain(Some(log), key, true);
        assert_eq!(command("a/log.jsonl", "c:K{m:1}").unwrap(), "metallic explain a/log.jsonl 'c:K{m:1}'");
        assert_eq!(command("my log", "c:it's").unwrap(), r"metallic explain 'my log' 'c:it'\''s'");
        assert_eq!(command("-", "c:k"), None);
        assert_eq!(command("log", "c:\u{1b}"), None);
        assert_eq!(explain(Some("log"), "c:cut", false), None);
    }
}
