//! The counts of the exporter.

/// The counts of a [`JsonlExporter`](super::JsonlExporter), taken in one instant.
///
/// `recorded` is `written` plus `dropped` plus the events still on their way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct JsonlStats {
    /// Events given to the exporter.
    pub recorded: u64,
    /// Events of them that are in the log, as whole lines.
    pub written: u64,
    /// Events of them that are lost: the queue was full, a write failed, the line was too long, or the writer thread ended.
    pub dropped: u64,
    /// Writes and flushes of the output that failed.
    pub write_errors: u64,
    /// Bytes of whole lines written, those of `EventsDropped` lines among them.
    pub bytes_written: u64,
    /// Rotations done.
    pub rotations: u64,
    /// Rotations that failed; the log went on in the file it was in.
    pub rotation_errors: u64,
    /// The latest failure of a write, a rotation or the writer thread.
    pub last_error: Option<String>,
}
