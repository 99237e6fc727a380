//! Which policies the caches of a report have.

use std::io::{self, Write};

use super::figures::Report;
use crate::paragraph::write_wrapped;
use crate::units::printable;

/// Columns of a policy that has the names of its caches in the same line.
const SHORT: usize = 40;

/// Writes each policy once and in full, with the names of the caches that have it.
///
/// # Errors
/// The writer's.
pub(super) fn write_policies(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut policies = Vec::<(&str, Vec<String>)>::new();
    for cache in &report.caches {
        let policy = cache.policy.as_deref().unwrap_or("not in the log");
        let name = printable(&cache.cache, SHORT);
        match policies.iter_mut().find(|(known, _)| *known == policy) {
            Some((_, names)) => names.push(name),
            None => policies.push((policy, vec![name])),
        }
    }
    for (policy, names) in policies {
        let head = format!("  {}: ", printable(policy, usize::MAX));
        if head.chars().count() <= SHORT {
            write_wrapped(out, &head, &names.join(", "))?;
        } else {
            write_wrapped(out, "  ", head.trim())?;
            write_wrapped(out, "    ", &names.join(", "))?;
        }
    }
    Ok(())
}
