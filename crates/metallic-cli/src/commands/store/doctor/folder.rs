use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, SystemTime};

use metallic_store::{
    ArtifactStore, Bundle, BundleError, BundleTrust, DiskOptions, DiskStore, Lease, SaveError, Secret,
};

use super::entries::Entries;
use super::finding::{Examined, Finding};
use super::probe::{Probe, Trip};
use crate::commands::store::folder::none_in;
use crate::units::{bytes, counted, nanoseconds};

/// The finding that there is no store in a folder that the user named. Nothing is changed.
pub fn no_store(folder: &Path) -> Option<Examined> {
    let advice = "Is the path right? `metallic run --store` and `metallic store import --store` make one.";
    let findings = vec![Finding::failure("folder", none_in(folder)?, advice)];
    Some(Examined { level: "folder", place: folder.display().to_string(), findings })
}

/// Examines the folder that is written to.
pub fn examine_folder(store: &DiskStore, has_secret: bool) -> Examined {
    let place = store.folder().display().to_string();
    if let Some(refusal) = store.refusal() {
        let findings = vec![refused(refusal)];
        return Examined { level: "folder", place, findings };
    }
    let mut findings = vec![Finding::ok("owner", "yours, and no one else can write to it")];
    let (trip, clock) = round_trip(store, has_secret);
    findings.push(trip);
    findings.extend(clock);
    findings.push(room(store));
    findings.push(leases(store));
    findings.extend(contents(store, has_secret));
    match store.foreign() {
        Ok(foreign) => findings.extend(foreign.first().map(|first| {
            let files = counted(foreign.len() as u64, "file is not", "files are not");
            let detail = format!("{files} a store's, such as {}", first.display());
            Finding::warning("foreign", detail, "They are never touched; give the store its own folder.")
        })),
        Err(error) => findings.push(Finding::failure("foreign", format!("it cannot be listed: {error}"), "")),
    }
    Examined { level: "folder", place, findings }
}

/// Examines a base: a folder that is only read, or a bundle.
pub fn examine_base(path: &Path, secret: Option<&Secret>) -> Examined {
    let place = path.display().to_string();
    let findings = if path.is_dir() { base_folder(path, secret) } else { base_bundle(path) };
    Examined { level: "base", place, findings }
}

fn base_folder(path: &Path, secret: Option<&Secret>) -> Vec<Finding> {
    let mut options = DiskOptions::new().read_only();
    if let Some(secret) = secret {
        options = options.with_secret(secret.clone());
    }
    let store = DiskStore::open(path, options);
    if let Some(refusal) = store.refusal() {
        return vec![refused(refusal)];
    }
    let mut findings = vec![Finding::ok("owner", "it is only read, and no one else can write to it")];
    findings.extend(contents(&store, secret.is_some()));
    if matches!(store.ids(None), Ok(ids) if ids.is_empty()) {
        findings.push(Finding::failure(
            "hits",
            "there is no entry in it",
            "Is this the folder that was shipped?",
        ));
    }
    findings
}

fn base_bundle(path: &Path) -> Vec<Finding> {
    const CHECK: &str = "bundle";
    // Asked for with no one to trust, a bundle says who signed it.
    let signer = match Bundle::open(path, BundleTrust::SignedBy(&[])) {
        Err(BundleError::UnknownSigner(key)) => Some(metallic_store::Digest(key)),
        _ => None,
    };
    match Bundle::open(path, BundleTrust::Anyone) {
        Err(error) => vec![Finding::failure(CHECK, error.to_string(), "No program can use it.")],
        Ok(bundle) if bundle.is_empty() => {
            vec![Finding::failure(CHECK, "there is no entry in it", "Is this the file that was shipped?")]
        }
        Ok(bundle) => {
            let entries = format!("{} whole", counted(bundle.len() as u64, "entry is", "entries are"));
            vec![match signer {
                Some(key) => Finding::ok(CHECK, format!("{entries}, signed by {key}")),
                None => {
                    let advice =
                        "Programs that trust signers refuse it: sign it by `metallic store export --sign`.";
                    Finding::warning(CHECK, format!("{entries}, and no one has signed them"), advice)
                }
            }]
        }
    }
}

fn refused(refusal: &str) -> Finding {
    // Most often it is another user's, who has put nothing there for this one.
    let advice = "A driver executes what is in it: name another folder, or make this one yours alone, if it is to be (chown it to \
                  yourself, chmod it to 700).";
    Finding::failure("owner", refusal, advice)
}

/// Writes, reads and removes an artifact, and compares the clock that the folder's file system has given it.
fn round_trip(store: &DiskStore, has_secret: bool) -> (Finding, Option<Finding>) {
    const CHECK: &str = "round trip";
    let probe = match Probe::new() {
        Ok(probe) => probe,
        Err(error) => return (Finding::failure(CHECK, error.to_string(), ""), None),
    };
    let signed = if has_secret { "signed, written, read and verified" } else { "written, read and verified" };
    let finding = match probe.travel(store) {
        Trip::Whole { write, read } => {
            let (write, read) = (nanoseconds(write.as_nanos() as f64), nanoseconds(read.as_nanos() as f64));
            Finding::ok(CHECK, format!("{signed}: 64 KiB written in {write}, read in {read}"))
        }
        Trip::NotWritten(cause) => return (not_written(CHECK, &cause), None),
        Trip::NotRead(cause) => {
            let advice = "The file system does not give back what it was given.";
            Finding::failure(CHECK, format!("what was written cannot be read: {cause}"), advice)
        }
        Trip::Changed => Finding::failure(CHECK, "another artifact was read than was written", ""),
    };
    let clock =
        store.info(&probe.id()).ok().and_then(|info| info.used).map(|used| clock(used, SystemTime::now()));
    match store.remove(&probe.id()) {
        Ok(_) => (finding, clock),
        Err(cause) => {
            let detail = format!("what was written cannot be removed: {cause}");
            (Finding::failure(CHECK, detail, "Eviction cannot make room either."), clock)
        }
    }
}

fn not_written(check: &'static str, cause: &SaveError) -> Finding {
    match cause {
        SaveError::Io(ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied) | SaveError::ReadOnly => {
            let advice = "Nothing is ever kept here: mount it to write, or name another folder by --store.";
            Finding::failure(check, format!("the folder can only be read: {cause}"), advice)
        }
        SaveError::Full(_)
        | SaveError::TooLong { .. }
        | SaveError::Io(ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
            let advice =
                "Nothing new is kept here: make room, `metallic store prune`, or name another folder.";
            Finding::failure(check, format!("there is no room: {cause}"), advice)
        }
        SaveError::Busy => {
            let advice =
                "Which process holds `ledger` locked? Writes wait half a second, and then do without.";
            Finding::failure(check, "another process has the ledger locked", advice)
        }
        cause => {
            Finding::failure(check, format!("nothing can be written: {cause}"), "Nothing is ever kept here.")
        }
    }
}

/// Clocks that differ by less are taken to agree: file systems have times of 2 s at worst.
const SKEW: Duration = Duration::from_secs(5);

fn clock(file_system: SystemTime, here: SystemTime) -> Finding {
    let ahead = file_system.duration_since(here);
    let difference = ahead.as_ref().map_or_else(|behind| behind.duration(), |ahead| *ahead);
    if difference <= SKEW {
        return Finding::ok("file times", "the file system's clock is this machine's");
    }
    let direction = if ahead.is_ok() { "ahead of" } else { "behind" };
    let difference = nanoseconds(difference.as_nanos() as f64);
    let detail = format!("the file system's clock is {difference} {direction} this machine's");
    Finding::warning(
        "file times",
        detail,
        "Eviction goes by the time of last use: let both keep their time by NTP.",
    )
}

/// Finds out whether there is room on the file system for what the bound allows.
fn room(store: &DiskStore) -> Finding {
    const CHECK: &str = "room";
    let usage = match store.usage() {
        Ok(usage) => usage,
        Err(cause) => return Finding::warning(CHECK, format!("it cannot be counted: {cause}"), ""),
    };
    let entries = counted(usage.entries, "entry", "entries");
    let text = format!("{entries}, {} of at most {}", bytes(usage.bytes), bytes(usage.limit));
    let Ok(Some(available)) = store.available() else { return Finding::ok(CHECK, text) };
    let (wanted, free) = (usage.limit.saturating_sub(usage.bytes), bytes(available));
    if available >= wanted {
        return Finding::ok(CHECK, format!("{text}; the file system has {free} more"));
    }
    let detail = format!(
        "{text}, and the file system has only {free} more: it is full before the store evicts anything"
    );
    Finding::warning(CHECK, detail, "Make room, or name another folder.")
}

fn leases(store: &DiskStore) -> Finding {
    const CHECK: &str = "leases";
    let advice = "Several processes may create the same artifact at the same time. Use a local file system.";
    match Probe::new().map(|probe| store.lease(&probe.id(), Duration::ZERO)) {
        Ok(Lease::Held(_)) => {
            Finding::ok(CHECK, "the file system has locks: one creation a key, in all processes")
        }
        Ok(Lease::Unsupported) => Finding::warning(CHECK, "there are no locks here", advice),
        Ok(Lease::TimedOut) => Finding::warning(CHECK, "a lease that no one has is taken", advice),
        Err(error) => Finding::failure(CHECK, error.to_string(), ""),
    }
}

fn contents(store: &DiskStore, has_secret: bool) -> Vec<Finding> {
    match Entries::of(store) {
        Ok(entries) => {
            vec![entries.secret(has_secret), entries.damage(), entries.clock(SystemTime::now())]
        }
        Err(cause) => vec![Finding::failure("entries", cause.to_string(), "")],
    }
}
