//! The metrics of artifacts, of violations and of incomplete keys.
//!
//! Their events are rare, next to what they report, so that each asks the recorder for its handles.

use std::time::Duration;

use metrics::{Unit, counter, histogram};

use crate::event::EventData;

pub(super) fn describe() {
    use metrics::{describe_counter, describe_histogram};
    let count = |name: &'static str, text: &'static str| describe_counter!(name, Unit::Count, text);
    let bytes = |name: &'static str, text: &'static str| describe_counter!(name, Unit::Bytes, text);
    let seconds = |name: &'static str, text: &'static str| describe_histogram!(name, Unit::Seconds, text);
    count("metallic_artifacts_found_total", "Artifacts read from a store");
    bytes("metallic_artifact_found_bytes_total", "Bytes of artifacts read from a store");
    seconds("metallic_artifact_load_seconds", "Time to find, read and verify an artifact");
    count("metallic_artifacts_missed_total", "Artifacts that no store had");
    count("metallic_artifacts_written_total", "Artifacts written to a store");
    bytes("metallic_artifact_written_bytes_total", "Bytes of artifacts written to a store");
    seconds("metallic_artifact_write_seconds", "Time to write an artifact");
    count("metallic_artifacts_not_written_total", "Artifacts that a store, or a level of one, did not keep");
    count("metallic_artifacts_rejected_total", "Artifacts found and not used");
    count("metallic_artifacts_evicted_total", "Artifacts removed to keep a store within its bound");
    bytes("metallic_artifact_evicted_bytes_total", "Bytes of artifacts removed for the bound");
    count("metallic_remote_failures_total", "Operations on remote stores that failed");
    count("metallic_creation_violations_total", "Creations in a scope that is armed against them");
    count("metallic_incomplete_keys_total", "Resources that came out different when they were created again");
}

pub(super) fn count(data: &EventData) {
    let seconds = |ns| Duration::from_nanos(ns).as_secs_f64();
    match data {
        EventData::ArtifactFound(e) => {
            let labels = [("cache", e.cache.to_string()), ("level", e.level.to_string())];
            counter!("metallic_artifacts_found_total", &labels).increment(1);
            counter!("metallic_artifact_found_bytes_total", &labels).increment(e.bytes);
            histogram!("metallic_artifact_load_seconds", &labels).record(seconds(e.duration_ns));
        }
        EventData::ArtifactMissed(e) => {
            let labels = [("cache", e.cache.to_string()), ("cause", e.cause.to_string())];
            counter!("metallic_artifacts_missed_total", &labels).increment(1);
        }
        EventData::ArtifactWritten(e) => {
            let labels = [("cache", e.cache.to_string())];
            counter!("metallic_artifacts_written_total", &labels).increment(1);
            counter!("metallic_artifact_written_bytes_total", &labels).increment(e.bytes);
            histogram!("metallic_artifact_write_seconds", &labels).record(seconds(e.duration_ns));
        }
        EventData::ArtifactNotWritten(e) => {
            let cache = e.cache.as_ref().map(ToString::to_string).unwrap_or_default();
            let labels = [("cache", cache), ("level", e.level.to_string()), ("cause", e.cause.to_string())];
            counter!("metallic_artifacts_not_written_total", &labels).increment(1);
        }
        EventData::ArtifactRejected(e) => {
            let labels = [
                ("cache", e.cache.to_string()),
                ("level", e.level.to_string()),
                ("cause", e.cause.to_string()),
            ];
            counter!("metallic_artifacts_rejected_total", &labels).increment(1);
        }
        EventData::ArtifactEvicted(e) => {
            counter!("metallic_artifacts_evicted_total").increment(e.count);
            counter!("metallic_artifact_evicted_bytes_total").increment(e.bytes);
        }
        EventData::RemoteFailed(e) => {
            let labels = [("level", e.level.to_string()), ("operation", e.operation.to_string())];
            counter!("metallic_remote_failures_total", &labels).increment(1);
        }
        EventData::CreationViolation(e) => {
            let labels = [
                ("cache", e.cache.to_string()),
                ("scope", e.scope.to_string()),
                ("mode", e.mode.to_string()),
                ("verdict", e.verdict.to_string()),
            ];
            counter!("metallic_creation_violations_total", &labels).increment(1);
        }
        EventData::IncompleteKey(e) => {
            let labels = [("cache", e.cache.to_string())];
            counter!("metallic_incomplete_keys_total", &labels).increment(1);
        }
        _ => {}
    }
}
