//! The JSON that `--json` prints: one object on one line, which begins with the name of its schema and the version of the program.
//!
//! Each schema is a file in `docs/schemas/`, named as here but for the number. Members may be added to a document; the number is
//! raised when one changes its meaning or is removed.

use std::io::Write;

use serde::Serialize;

use crate::error::Error;

/// Defines a constant for each schema, and the list of all of them.
macro_rules! schemas {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        $($(#[$doc])* pub const $name: &str = $text;)*

        /// Every schema.
        pub const SCHEMAS: &[&str] = &[$($name,)*];
    };
}

schemas! {
    /// `devices`.
    DEVICES = "metallic-devices-2",
    /// `diff`.
    DIFF = "metallic-diff-1",
    /// `explain` with a key.
    EXPLAIN = "metallic-explain-2",
    /// `explain` with `--list`, `--like` or `--group-by`.
    EXPLAIN_LIST = "metallic-explain-list-2",
    /// `manifest coverage`.
    MANIFEST_COVERAGE = "metallic-manifest-coverage-2",
    /// `manifest diff`.
    MANIFEST_DIFF = "metallic-manifest-diff-2",
    /// `manifest show`.
    MANIFEST_SHOW = "metallic-manifest-show-2",
    /// `replay`.
    REPLAY = "metallic-replay-3",
    /// `report`.
    REPORT = "metallic-report-2",
    /// `run`.
    RUN = "metallic-run-3",
    /// `store doctor`.
    STORE_DOCTOR = "metallic-store-doctor-2",
    /// `store export`.
    STORE_EXPORT = "metallic-store-export-2",
    /// `store import`.
    STORE_IMPORT = "metallic-store-import-2",
    /// `store ls`.
    STORE_LS = "metallic-store-ls-2",
    /// `store prune` and `store clear`.
    STORE_REMOVAL = "metallic-store-removal-2",
    /// `store show`.
    STORE_SHOW = "metallic-store-show-2",
    /// `store verify`.
    STORE_VERIFY = "metallic-store-verify-2",
    /// `store why`.
    STORE_WHY = "metallic-store-why-2",
}

#[derive(Serialize)]
struct Document<'a, T> {
    schema: &'static str,
    version: &'static str,
    #[serde(flatten)]
    body: &'a T,
}

/// Writes a document of this schema.
///
/// # Errors
/// The output cannot be written.
pub(crate) fn write(schema: &'static str, body: &impl Serialize, out: &mut dyn Write) -> Result<(), Error> {
    let document = Document { schema, version: env!("CARGO_PKG_VERSION"), body };
    serde_json::to_writer(&mut *out, &document)?;
    Ok(writeln!(out)?)
}
