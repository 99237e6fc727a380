//! The log of a run.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use metallic_instrumentation::{EventSink, JsonlExporter};

use crate::args::{ContractArgs, RunArgs};
use crate::error::Error;
use crate::overwrite;
use crate::units::count;
use metallic_transformer::model::FILES;

/// A log that is being written.
pub(super) struct Log {
    file: String,
    exporter: Arc<JsonlExporter>,
}

impl Log {
    /// Begins the file anew: what it held is gone.
    pub(super) fn create(path: &Path) -> Result<Self, Error> {
        let file = path.display().to_string();
        match JsonlExporter::create(path) {
            Ok(exporter) => Ok(Self { file, exporter: Arc::new(exporter) }),
            Err(error) => Err(Error::file(file, error)),
        }
    }

    /// The sink of the log.
    pub(super) fn sink(&self) -> Arc<dyn EventSink> {
        Arc::clone(&self.exporter) as Arc<dyn EventSink>
    }

    /// Makes sure that all of it is in the file.
    ///
    /// # Errors
    /// The file, how many events are lost, and why.
    pub(super) fn finish(self) -> Result<(), Error> {
        let flushed = self.exporter.flush();
        let stats = self.exporter.stats();
        let lost =
            format!("{} of {} events of the log are lost", count(stats.dropped), count(stats.recorded));
        match flushed {
            Ok(()) if stats.dropped == 0 => Ok(()),
            Ok(()) => Err(Error::content(self.file, lost)),
            Err(error) => Err(Error::content(self.file, format!("{error}: {lost}"))),
        }
    }
}

/// Refuses a log, a recording or a ready file in the place of a file that the run reads, or of each other.
///
/// # Errors
/// [`Error::Usage`] with both of their names.
pub(super) fn refuse_inputs(args: &RunArgs) -> Result<(), Error> {
    let folder = args.model.iter().flat_map(|folder| FILES.iter().map(|file| folder.join(file)));
    let given = args.input.clone().into_iter().chain(args.ids.as_ref().map(PathBuf::from));
    let mut taken: Vec<PathBuf> = given.chain(folder).collect();
    let ContractArgs { record, warm, ready_file, .. } = &args.contract;
    // A manifest that is warmed up from may be recorded to, which adds to it.
    let outputs = [
        ("--record", record, "recording"),
        ("--events", &args.events, "log"),
        ("--ready-file", ready_file, "word"),
    ];
    for (flag, output, what) in outputs {
        if flag == "--events" {
            taken.extend(warm.clone());
        }
        if let Some(output) = output {
            overwrite::refuse(flag, output, what, &taken)?;
            taken.push(output.clone());
        }
    }
    Ok(())
}
