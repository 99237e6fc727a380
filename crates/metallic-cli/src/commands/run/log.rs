//! The log of a run.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use metallic_instrumentation::{EnvLog, EventSink, JsonlExporter, from_env, is_log};

use crate::args::{ContractArgs, LOG_VARIABLE, RunArgs, log_of_environment};
use crate::error::{Error, cause_chain};
use crate::overwrite;
use crate::units::{count, counted};
use metallic_transformer::model::FILES;

/// A log that is being written.
pub(super) struct Log {
    file: String,
    writer: Writer,
}

enum Writer {
    File(Arc<JsonlExporter>),
    /// As the variables of the environment say.
    Environment(Arc<EnvLog>),
}

impl Log {
    /// Begins this file anew: what it held is gone. Without one, opens the log that the environment asks for, if it asks for one.
    pub(super) fn open(path: Option<&Path>) -> Result<Option<Self>, Error> {
        let Some(path) = path else {
            let opened = from_env().map_err(|error| Error::Usage(cause_chain(&error)))?;
            let file = log_of_environment().unwrap_or_default().display().to_string();
            return Ok(opened.map(|log| Self { file, writer: Writer::Environment(log) }));
        };
        let file = path.display().to_string();
        match JsonlExporter::create(path) {
            Ok(exporter) => Ok(Some(Self { file, writer: Writer::File(Arc::new(exporter)) })),
            Err(error) => Err(Error::file(file, error)),
        }
    }

    /// The sink of the log.
    pub(super) fn sink(&self) -> Arc<dyn EventSink> {
        match &self.writer {
            Writer::File(exporter) => Arc::clone(exporter) as Arc<dyn EventSink>,
            Writer::Environment(log) => Arc::clone(log) as Arc<dyn EventSink>,
        }
    }

    /// Makes sure that all of it is in the file.
    ///
    /// # Errors
    /// The file, how many events are lost, and why.
    pub(super) fn finish(self) -> Result<(), Error> {
        let (flushed, stats) = match &self.writer {
            Writer::File(exporter) => (exporter.flush(), exporter.stats()),
            Writer::Environment(log) => (log.flush(), log.stats()),
        };
        let lost = format!(
            "{} of {} lost",
            count(stats.dropped),
            counted(stats.recorded, "event of the log is", "events of the log are")
        );
        match flushed {
            Ok(()) if stats.dropped == 0 => Ok(()),
            Ok(()) => Err(Error::content(self.file, lost)),
            Err(error) => Err(Error::content(self.file, format!("{error}: {lost}"))),
        }
    }
}

/// Refuses a log, a recording or a ready file in the place of a file that the run reads, or of each other, and a log in the place
/// of a file that is not one.
///
/// # Errors
/// [`Error::Usage`] with both of their names, or [`Error::Content`].
pub(super) fn refuse_inputs(args: &RunArgs) -> Result<(), Error> {
    let folder = args.model.iter().flat_map(|folder| FILES.iter().map(|file| folder.join(file)));
    let given = args.input.clone().into_iter().chain(args.ids.as_ref().map(PathBuf::from));
    let mut taken: Vec<PathBuf> = given.chain(folder).collect();
    let ContractArgs { record, warm, ready_file, .. } = &args.contract;
    if args.events.as_deref().is_some_and(|path| path.as_os_str() == "-") {
        let cause = "--events -: standard output has the results; a file, or /dev/stderr, takes the log";
        return Err(Error::Usage(cause.to_owned()));
    }
    let (flag, events) = match &args.events {
        Some(path) => ("--events", Some(path.clone())),
        None => (LOG_VARIABLE, log_of_environment()),
    };
    // A manifest that is warmed up from may be recorded to, which adds to it.
    let outputs =
        [("--record", record, "recording"), (flag, &events, "log"), ("--ready-file", ready_file, "word")];
    for (flag, output, what) in outputs {
        if what == "log" {
            taken.extend(warm.clone());
        }
        if let Some(output) = output {
            overwrite::refuse(flag, output, what, &taken)?;
            if what == "log" {
                overwrite::refuse_foreign(flag, output, "a log", |path| is_log(path).unwrap_or(false))?;
            }
            taken.push(output.clone());
        }
    }
    Ok(())
}
