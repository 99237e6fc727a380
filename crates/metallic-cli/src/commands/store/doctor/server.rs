use std::time::{Duration, SystemTime};

use metallic_store::{ArtifactStore, EntryId, FormatError, MissCause, RemoteStore};

use super::finding::{Examined, Finding, Verdict};
use super::probe::{Probe, Trip};
use crate::units::nanoseconds;

/// Knowledge of a server besides its answers.
#[derive(Clone, Debug)]
pub struct Clues {
    /// The URL, without a password.
    pub place: String,
    /// `true` if a secret is set.
    pub has_secret: bool,
    /// Entries that the folder has, of which the server should have some.
    pub local: Vec<EntryId>,
}

/// Examines a server.
pub fn examine_server(store: &RemoteStore, clues: &Clues) -> Examined {
    let mut findings = vec![trust(store, clues.has_secret)];
    if findings[0].verdict != Verdict::Failure {
        findings.extend(round_trip(store, clues.has_secret));
        findings.push(hits(store, &clues.local));
    }
    findings.extend(clock(store, clues.place.starts_with("s3://")));
    Examined { level: "server", place: clues.place.clone(), findings }
}

fn trust(store: &RemoteStore, has_secret: bool) -> Finding {
    const CHECK: &str = "trust";
    let nothing = Probe::new().map(|probe| store.read(&probe.id()));
    match nothing {
        Ok(Err(MissCause::Untrusted)) => Finding::failure(
            CHECK,
            "nothing is ever read from it: there is no secret, and no word of trust",
            "Set METALLIC_STORE_SECRET for all programs, or say --trust-remote if only friends can write to it.",
        ),
        Err(error) => Finding::failure(CHECK, error.to_string(), ""),
        Ok(_) if has_secret => Finding::ok(CHECK, "entries are authenticated by the secret"),
        Ok(_) => Finding::ok(
            CHECK,
            "entries are taken without a secret: anyone who can write to it can run code here",
        ),
    }
}

fn round_trip(store: &RemoteStore, has_secret: bool) -> Vec<Finding> {
    const CHECK: &str = "round trip";
    let probe = match Probe::new() {
        Ok(probe) => probe,
        Err(error) => return vec![Finding::failure(CHECK, error.to_string(), "")],
    };
    let signed = if has_secret { "signed, written, read and verified" } else { "written, read and verified" };
    let finding = match probe.travel(store) {
        Trip::Whole { write, read } => {
            let slow = write.max(read) > Duration::from_millis(500);
            let (write, read) = (nanoseconds(write.as_nanos() as f64), nanoseconds(read.as_nanos() as f64));
            let detail = format!("{signed}: 64 KiB written in {write}, read in {read}");
            let advice = "A process stops asking once look-ups have cost it 2 s more than they saved.";
            if slow { Finding::warning(CHECK, detail, advice) } else { Finding::ok(CHECK, detail) }
        }
        Trip::NotWritten(cause) => {
            // Given up means that it was not reached. Otherwise it has said no.
            return vec![match store.given_up() {
                Some(_) => {
                    Finding::failure(CHECK, cause.to_string(), "Is the server up, and is the URL right?")
                }
                None => Finding::warning(
                    CHECK,
                    format!("it can only be read: {cause}"),
                    "Nothing made here reaches others. Right for most machines, if one of them may write.",
                ),
            }];
        }
        Trip::NotRead(MissCause::Absent) => Finding::failure(
            CHECK,
            "it takes artifacts and does not keep them: there is never a hit",
            "Is its memory limit zero, its disk full, or a proxy in between?",
        ),
        Trip::NotRead(cause) => {
            let advice = "Something on the way changes or refuses what is read.";
            Finding::failure(CHECK, format!("what was written cannot be read: {cause}"), advice)
        }
        Trip::Changed => Finding::failure(CHECK, "another artifact was read than was written", ""),
    };
    let mut findings = vec![finding];
    if let Err(cause) = store.remove(&probe.id()) {
        let detail = format!("an artifact cannot be removed, and the doctor's own is still there: {cause}");
        findings.push(Finding::warning(
            "removal",
            detail,
            "What a driver rejects stays, and is made anew by each process.",
        ));
    }
    findings
}

/// As many are asked for as answer soon.
const SAMPLE: usize = 8;

/// Asks for what is here, which the server should have too.
fn hits(store: &RemoteStore, local: &[EntryId]) -> Finding {
    const CHECK: &str = "hits";
    let (mut found, mut refused, mut asked, mut failed) = (0, 0, 0, None);
    for id in local.iter().take(SAMPLE) {
        match store.read(id) {
            Ok(_) => found += 1,
            Err(MissCause::Absent) => {}
            Err(MissCause::Damaged(FormatError::MacMismatch | FormatError::MacMissing)) => refused += 1,
            Err(cause) => {
                failed = Some(cause);
                break;
            }
        }
        asked += 1;
    }
    match (asked, found, refused) {
        _ if let Some(cause) = failed => Finding::warning(CHECK, format!("it cannot be asked: {cause}"), ""),
        (0, ..) => Finding::ok(CHECK, "not known: there is nothing here that it could have"),
        (_, _, 1..) => Finding::failure(
            CHECK,
            format!(
                "of {asked} entries that are here it has {} under another secret, or without one",
                refused
            ),
            "Is METALLIC_STORE_SECRET that of the other programs?",
        ),
        (_, 0, _) => Finding::warning(
            CHECK,
            format!("of {asked} entries that are here it has none: there may never be a hit"),
            "Do the programs write to this URL, with this path, prefix or database? Were these made before it was set?",
        ),
        _ => Finding::ok(CHECK, format!("of {asked} entries that are here it has {found}")),
    }
}

/// The 15 minutes that S3 allows between its clock and that of a signature.
const REFUSED: Duration = Duration::from_secs(15 * 60);
const SKEW: Duration = Duration::from_secs(60);

fn clock(store: &RemoteStore, is_signed: bool) -> Option<Finding> {
    const CHECK: &str = "clock";
    let Some(there) = store.server_time().ok()? else {
        let detail =
            "not compared: the protocol does not tell the time, and nothing there is signed or expires by it";
        return Some(Finding::ok(CHECK, detail));
    };
    let here = SystemTime::now();
    let ahead = there.duration_since(here);
    let difference = ahead.as_ref().map_or_else(|behind| behind.duration(), |ahead| *ahead);
    if difference <= SKEW {
        return Some(Finding::ok(CHECK, "the server's clock is this machine's"));
    }
    let direction = if ahead.is_ok() { "ahead of" } else { "behind" };
    let detail = format!(
        "the server's clock is {} {direction} this machine's",
        nanoseconds(difference.as_nanos() as f64)
    );
    Some(if is_signed && difference > REFUSED {
        Finding::failure(CHECK, detail, "S3 refuses what is signed by a clock 15 minutes off: set the clock.")
    } else {
        Finding::warning(CHECK, detail, "Let both keep their time by NTP.")
    })
}
