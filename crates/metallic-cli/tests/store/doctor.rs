//! Each misconfiguration is built, and found.

use std::fs;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use metallic_cli::commands::store::doctor::{
    Clues, Examined, Finding, Verdict, examine_base, examine_folder, examine_server, no_store,
};
use metallic_store::{
    ArtifactStore, Bundle, DiskOptions, DiskStore, MemoryStore, RemoteOptions, RemoteStore, Secret,
};

use crate::faulty::Faulty;
use crate::server::{self, Behaviour};
use crate::{Place, SECRET, gemm, path, streams};

fn finding(examined: &Examined, check: &str) -> Finding {
    let found = examined.findings.iter().find(|finding| finding.check == check);
    found.unwrap_or_else(|| panic!("no `{check}` in {examined:#?}")).clone()
}

#[track_caller]
fn assert_found(examined: &Examined, check: &str, verdict: Verdict, part: &str) {
    let found = finding(examined, check);
    assert_eq!(found.verdict, verdict, "{examined:#?}");
    assert!(found.detail.contains(part), "`{part}` is not in `{}`", found.detail);
    assert!(verdict == Verdict::Ok || !found.advice.is_empty(), "{found:?}");
}

fn faulty(place: &Place, faults: Faulty) -> Examined {
    let options = DiskOptions::new().with_limit(1 << 20).with_file_system(Arc::new(faults));
    examine_folder(&DiskStore::open(&place.folder, options), false)
}

fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes()).unwrap()
}

#[test]
fn a_store_as_it_should_be_has_no_finding_but_ok() {
    let place = Place::filled();
    let examined = faulty(&place, Faulty { available: Some(1 << 40), ..Faulty::default() });
    assert!(examined.findings.iter().all(|finding| finding.verdict == Verdict::Ok), "{examined:#?}");
    assert_eq!(place.store().ids(None).unwrap().len(), 4, "and the doctor leaves nothing behind");
    let output = place.run_with(&["doctor"], Some(SECRET));
    assert!(streams(&output).0.contains("signed, written, read and verified"));
}

#[test]
fn a_folder_that_is_only_read_or_full_is_a_failure() {
    for (kind, part) in [
        (ErrorKind::ReadOnlyFilesystem, "can only be read"),
        (ErrorKind::PermissionDenied, "can only be read"),
        (ErrorKind::StorageFull, "there is no room"),
        (ErrorKind::QuotaExceeded, "there is no room"),
        (ErrorKind::Other, "nothing can be written"),
    ] {
        let examined = faulty(&Place::filled(), Faulty { writes: Some(kind), ..Faulty::default() });
        assert_found(&examined, "round trip", Verdict::Failure, part);
    }
    let tiny = DiskStore::open(Place::filled().folder.join("x"), DiskOptions::new().with_limit(1000));
    assert_found(&examine_folder(&tiny, false), "round trip", Verdict::Failure, "there is no room");
}

#[test]
fn little_room_is_a_warning_before_it_is_none() {
    let examined = faulty(&Place::filled(), Faulty { available: Some(500_000), ..Faulty::default() });
    assert_found(&examined, "room", Verdict::Warning, "the file system has only 488 KiB more");
}

#[test]
fn a_folder_of_another_user_is_a_failure() {
    let examined = faulty(&Place::filled(), Faulty { owner: Some(12345), ..Faulty::default() });
    assert_found(&examined, "owner", Verdict::Failure, "belongs to the user with number 12345");
    assert_eq!(examined.findings.len(), 1, "nothing of it is used, and nothing else is looked at");
    let advice = &examined.findings[0].advice;
    let [other, own] = ["name another folder", "chown"].map(|part| advice.find(part));
    assert!(other.is_some() && other < own, "{advice}");
}

#[test]
fn a_file_system_without_locks_or_memory_is_found() {
    let examined = faulty(&Place::filled(), Faulty { without_locks: true, ..Faulty::default() });
    assert_found(&examined, "leases", Verdict::Warning, "no locks");
    let examined = faulty(&Place::empty(), Faulty { forgets: true, ..Faulty::default() });
    assert_found(&examined, "round trip", Verdict::Failure, "cannot be read");
}

#[test]
fn clocks_that_differ_are_found() {
    let examined = faulty(&Place::filled(), Faulty { ahead: Duration::from_secs(3600), ..Faulty::default() });
    assert_found(&examined, "file times", Verdict::Warning, "60.0 min ahead");
    assert_found(&examined, "clock", Verdict::Warning, "4 entries are from the future");
    let place = Place::filled();
    let file = fs::File::open(place.file(&gemm("550").id())).unwrap();
    file.set_modified(SystemTime::now() + Duration::from_secs(86_400)).unwrap();
    let examined = faulty(&place, Faulty::default());
    assert_found(&examined, "file times", Verdict::Ok, "");
    assert_found(&examined, "clock", Verdict::Warning, "1 entry is from the future");
}

#[test]
fn a_wrong_secret_is_found_where_the_entries_are() {
    let place = Place::filled_with(DiskOptions::new().with_secret(secret(SECRET)));
    let examine = |text: Option<&str>| {
        let options = text.map_or(DiskOptions::new(), |text| DiskOptions::new().with_secret(secret(text)));
        examine_folder(&DiskStore::open(&place.folder, options), text.is_some())
    };
    assert_found(&examine(Some(SECRET)), "secret", Verdict::Ok, "all 4 entries");
    assert_found(&examine(Some("another fleet's secret")), "secret", Verdict::Failure, "4 by another secret");
    assert_found(&examine(None), "secret", Verdict::Warning, "none is set, and 4 of 4");
    let without = Place::filled();
    let options = DiskOptions::new().with_secret(secret(SECRET));
    let examined = examine_folder(&DiskStore::open(&without.folder, options), true);
    assert_found(&examined, "secret", Verdict::Failure, "4 without one");
}

#[test]
fn what_is_damaged_or_not_the_stores_is_found() {
    let place = Place::filled();
    fs::write(place.file(&gemm("550").id()), "nonsense").unwrap();
    fs::write(place.folder.join("notes"), "mine").unwrap();
    let examined = faulty(&place, Faulty::default());
    assert_found(&examined, "entries", Verdict::Warning, "1 of 4 cannot be used");
    assert_found(&examined, "foreign", Verdict::Warning, "notes");
}

#[test]
fn a_place_that_is_no_store_is_said_to_be_none_and_left_alone() {
    let place = Place::empty();
    let stderr = place.failure(&["doctor"], 3);
    assert!(stderr.contains("there is no store in this place"), "{stderr}");
    assert!(!place.folder.exists(), "and none is made");
    let text = streams(&place.run(&["doctor"])).0.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("`metallic store import --store` make one"), "{text}");

    fs::create_dir_all(place.folder.join("entries")).unwrap();
    fs::write(place.folder.join("notes"), "mine").unwrap();
    assert!(no_store(&place.folder).is_none(), "a store with a file that is not its own");
    fs::remove_dir(place.folder.join("entries")).unwrap();
    let stderr = place.failure(&["doctor"], 3);
    assert!(stderr.contains("there are other things in it, such as `notes`"), "{stderr}");
    assert_eq!(fs::read_dir(&place.folder).unwrap().count(), 1);

    fs::remove_file(place.folder.join("notes")).unwrap();
    let json = place.json(&["doctor"]);
    assert_eq!(json["failures"], 0, "an empty folder is one to make a store in: {json}");
}

#[test]
fn a_platform_folder_that_is_not_there_is_made() {
    let home = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_metallic"));
    command.args(["store", "doctor"]).env_clear().env("HOME", home.path());
    let (text, stderr) = streams(&command.output().unwrap());
    assert!(text.contains("written, read and verified") && stderr.is_empty(), "{text}{stderr}");
}

#[test]
fn payloads_of_a_sample_are_read_without_counting_as_uses() {
    let place = Place::filled();
    assert_found(&faulty(&place, Faulty::default()), "entries", Verdict::Ok, "all 4 are whole");
    let damaged = place.file(&gemm("560").id());
    let mut bytes = fs::read(&damaged).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&damaged, bytes).unwrap();
    let long_ago = SystemTime::now() - Duration::from_secs(100_000);
    let used = fs::File::open(place.file(&gemm("550").id())).unwrap();
    used.set_modified(long_ago).unwrap();
    let examined = faulty(&place, Faulty::default());
    assert_found(
        &examined,
        "entries",
        Verdict::Warning,
        "1 of 4 cannot be used, the first: damaged: the digest of its payloads",
    );
    assert_eq!(used.metadata().unwrap().modified().unwrap(), long_ago);

    let many = Place::empty();
    let store = DiskStore::open(&many.folder, DiskOptions::new());
    for number in 0..300 {
        store.save(&gemm(&number.to_string()), &metallic_store::Artifact::native(*b"code")).unwrap();
    }
    let part = "300 headers are right, and the 256 entries";
    assert_found(&faulty(&many, Faulty::default()), "entries", Verdict::Ok, part);
}

#[test]
fn bases_are_examined_and_never_written_to() {
    let place = Place::filled();
    let examined = examine_base(&place.folder, None);
    assert!(examined.findings.iter().all(|finding| finding.verdict == Verdict::Ok), "{examined:#?}");
    let empty = tempfile::tempdir().unwrap();
    assert_found(&examine_base(empty.path(), None), "hits", Verdict::Failure, "no entry");
    assert_eq!(fs::read_dir(empty.path()).unwrap().count(), 0);

    let bundle = place.beside("shipped.bundle");
    place.text(&["export", "--out", path(&bundle)]);
    assert_found(&examine_base(&bundle, None), "bundle", Verdict::Warning, "no one has signed");
    fs::write(&bundle, "nonsense").unwrap();
    assert_found(&examine_base(&bundle, None), "bundle", Verdict::Failure, "damaged");
    let (nothing, _) = Bundle::export(&MemoryStore::new(), [], None).unwrap();
    fs::write(&bundle, nothing).unwrap();
    assert_found(&examine_base(&bundle, None), "bundle", Verdict::Failure, "no entry");
    assert_found(&examine_base(&place.beside("none"), None), "bundle", Verdict::Failure, "cannot be read");
}

/// A server, examined by a program that has one artifact it should have too.
fn served(behaviour: Behaviour, options: RemoteOptions, before: impl FnOnce(&str)) -> Examined {
    let url = server::start(behaviour);
    before(&url);
    let store = RemoteStore::at(&url, options).unwrap();
    let clues = Clues { place: url, has_secret: true, local: vec![gemm("550").id()] };
    examine_server(&store, &clues)
}

fn with_secret() -> RemoteOptions {
    RemoteOptions::new().with_secret(secret(SECRET))
}

fn save(url: &str, options: RemoteOptions) {
    let store = RemoteStore::at(url, options).unwrap();
    store.save(&gemm("550"), &metallic_store::Artifact::native(*b"code")).unwrap();
}

#[test]
fn a_server_that_works_and_is_hit_has_no_finding_but_ok() {
    let examined = served(Behaviour::Works, with_secret(), |url| save(url, with_secret()));
    assert!(examined.findings.iter().all(|finding| finding.verdict == Verdict::Ok), "{examined:#?}");
    assert_found(&examined, "hits", Verdict::Ok, "it has 1");
}

#[test]
fn a_server_that_can_never_be_hit_is_found() {
    let untrusted = served(Behaviour::Works, RemoteOptions::new(), |_| {});
    assert_found(&untrusted, "trust", Verdict::Failure, "nothing is ever read from it");
    let other = RemoteOptions::new().with_secret(secret("another fleet's secret"));
    let wrong = served(Behaviour::Works, with_secret(), |url| save(url, other));
    assert_found(&wrong, "hits", Verdict::Failure, "under another secret");
    let unsigned = served(Behaviour::Works, with_secret(), |url| save(url, RemoteOptions::new()));
    assert_found(&unsigned, "hits", Verdict::Failure, "or without one");
    let elsewhere = served(Behaviour::Works, with_secret(), |_| {});
    assert_found(&elsewhere, "hits", Verdict::Warning, "it has none");
    let forgets = served(Behaviour::Forgets, with_secret(), |_| {});
    assert_found(&forgets, "round trip", Verdict::Failure, "does not keep them");
    let damages = served(Behaviour::Damages, with_secret(), |_| {});
    assert_found(&damages, "round trip", Verdict::Failure, "cannot be read");
}

#[test]
fn a_server_that_refuses_or_does_not_answer_is_found() {
    let read_only = served(Behaviour::ReadOnly, with_secret(), |_| {});
    assert_found(&read_only, "round trip", Verdict::Warning, "it can only be read");
    let keeps = served(Behaviour::Keeps, with_secret(), |_| {});
    assert_found(&keeps, "removal", Verdict::Warning, "cannot be removed");
    let late = served(Behaviour::IsLate, with_secret(), |_| {});
    assert_found(&late, "clock", Verdict::Warning, "behind this machine's");
    // A port that no one listens on.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let store = RemoteStore::at(&format!("redis://{address}"), with_secret()).unwrap();
    let clues = Clues { place: "s3://bucket".to_owned(), has_secret: true, local: Vec::new() };
    assert_found(&examine_server(&store, &clues), "round trip", Verdict::Failure, "refused");
    let url = server::start(Behaviour::IsLate);
    let late = examine_server(&RemoteStore::at(&url, with_secret()).unwrap(), &clues);
    assert_found(&late, "clock", Verdict::Failure, "behind this machine's");
}

#[test]
fn the_program_prints_findings_in_80_columns_without_passwords_and_fails_with_3() {
    let place = Place::filled();
    let url = server::start(Behaviour::Works);
    let output = place.run(&["doctor", "--store-remote", &url]);
    let (text, stderr) = streams(&output);
    assert_eq!(output.status.code(), Some(3), "{text}{stderr}");
    assert!(stderr.contains("trust: nothing is ever read from it"), "{stderr}");
    assert!(text.contains("FAILURE trust"), "{text}");
    assert!(!text.contains("password") && !stderr.contains("password"), "{text}{stderr}");
    assert!(
        text.lines().all(|line| line.chars().count() <= 80 || line.contains(path(&place.folder))),
        "{text}"
    );
    let json = place.json(&["doctor", "--store-remote", &url, "--trust-remote"]);
    assert_eq!((&json["failures"], json["levels"].as_array().unwrap().len()), (&0.into(), 2), "{json}");
}

/// Real file systems, where this may mount some: as root on Linux.
#[cfg(target_os = "linux")]
#[test]
fn real_file_systems_that_are_full_or_only_read_and_real_foreign_folders_are_found() {
    use std::process::Command;

    struct Mounted<'a>(&'a std::path::Path);
    impl Drop for Mounted<'_> {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg(self.0).status();
        }
    }
    let mount = |options: &str, at: &std::path::Path| {
        let arguments = ["-t", "tmpfs", "-o", options, "tmpfs"];
        let mounted = Command::new("mount").args(arguments).arg(at).output();
        mounted.is_ok_and(|output| output.status.success())
    };

    let place = Place::empty();
    fs::create_dir(&place.folder).unwrap();
    if !mount("size=48k,mode=700", &place.folder) {
        println!("skipped: this user may not mount a tmpfs");
        return;
    }
    let mounted = Mounted(&place.folder);
    let (_, full) = streams(&place.run(&["doctor"]));
    assert!(full.contains("round trip: there is no room"), "{full}");
    drop(mounted);

    assert!(mount("ro,mode=700", &place.folder));
    let mounted = Mounted(&place.folder);
    let (_, read_only) = streams(&place.run(&["doctor"]));
    assert!(read_only.contains("round trip: the folder can only be read"), "{read_only}");
    drop(mounted);

    std::os::unix::fs::chown(&place.folder, Some(12345), None).unwrap();
    let (_, foreign) = streams(&place.run(&["doctor"]));
    assert!(foreign.contains("owner: ") && foreign.contains("number 12345"), "{foreign}");
}
