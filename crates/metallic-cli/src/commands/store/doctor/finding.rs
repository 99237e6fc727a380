use std::io::{self, Write};

use serde::Serialize;

use crate::paragraph::write_wrapped;
use crate::units::printable;

/// A level of the store, and what was found about it.
#[derive(Clone, Debug, Serialize)]
pub struct Examined {
    /// `folder`, `base` or `server`.
    pub level: &'static str,
    /// The path, or the URL without its password.
    pub place: String,
    /// The findings, in the order of the examination.
    pub findings: Vec<Finding>,
}

/// One thing that was examined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The name of the check.
    pub check: &'static str,
    /// The verdict.
    pub verdict: Verdict,
    /// The finding, in a sentence.
    pub detail: String,
    /// Advice; empty if there is nothing to do.
    pub advice: &'static str,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It works, and not as well as it could.
    Warning,
    /// Programs compile what they need not, and do not say so.
    Failure,
}

impl Finding {
    pub(super) fn ok(check: &'static str, detail: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Ok, detail: detail.into(), advice: "" }
    }

    pub(super) fn warning(check: &'static str, detail: impl Into<String>, advice: &'static str) -> Self {
        Self { check, verdict: Verdict::Warning, detail: detail.into(), advice }
    }

    pub(super) fn failure(check: &'static str, detail: impl Into<String>, advice: &'static str) -> Self {
        Self { check, verdict: Verdict::Failure, detail: detail.into(), advice }
    }
}

impl Examined {
    pub(super) fn failures(&self) -> impl Iterator<Item = String> {
        let failures = self.findings.iter().filter(|finding| finding.verdict == Verdict::Failure);
        failures
            .map(|finding| format!("{} {}: {}: {}", self.level, self.place, finding.check, finding.detail))
    }

    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{} {}", self.level, printable(&self.place, usize::MAX))?;
        for Finding { check, verdict, detail, advice } in &self.findings {
            let verdict = match verdict {
                Verdict::Ok => "ok",
                Verdict::Warning => "warning",
                Verdict::Failure => "FAILURE",
            };
            write_wrapped(out, &format!("  {verdict:<8}{check:<12}"), &printable(detail, usize::MAX))?;
            write_wrapped(out, &" ".repeat(INDENT), advice)?;
        }
        Ok(())
    }
}

const INDENT: usize = 22;
