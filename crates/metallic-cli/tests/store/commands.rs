//! Listing, explaining, verifying and removing.

use std::fs;
use std::time::{Duration, SystemTime};

use metallic_store::ArtifactStore;

use crate::{Place, content, gemm, name, path, softmax};

#[test]
fn artifacts_are_listed_with_what_they_cost() {
    let place = Place::filled();
    let text = place.text(&["ls"]);
    for key in [gemm("550"), gemm("560"), softmax(), content()] {
        assert!(text.contains(&name(&key)), "{text}");
    }
    assert!(text.contains("3 artifacts, 1 link, 9.9 KiB; creating them took 1.71 s"), "{text}");
    let only = place.json(&["ls", "--cache", "gemm"]);
    assert_eq!(only["entries"].as_array().unwrap().len(), 2);
    assert_eq!(only["entries"][0]["layers"][1]["name"], "driver");
    assert_eq!(only["entries"][0]["payloads"][0]["bytes"], 3000);
}

#[test]
fn an_artifact_is_shown_by_its_name_its_beginning_or_its_label() {
    let place = Place::filled();
    let id = gemm("550").id().to_string();
    for key in [&name(&gemm("550")), &name(&gemm("550"))[..6], &id] {
        let text = place.text(&["show", key]);
        assert!(text.contains(&id[17..]) && text.contains("driver = 550"), "{text}");
        assert!(text.lines().last().unwrap().ends_with("whole"), "{text}");
    }
    for label in ["m64", "gemm:m64", "gemm: m64"] {
        assert_eq!(place.json(&["show", label])["entries"].as_array().unwrap().len(), 2);
    }
    // A link has the label of what it leads to, and is what a program asks for.
    assert_eq!(place.json(&["show", "softmax:row"])["entries"].as_array().unwrap().len(), 2);
    assert_eq!(place.json(&["why", "softmax:row"])["asked"]["id"], softmax().id().to_string());
    let link = place.json(&["show", &name(&softmax())]);
    assert_eq!(link["entries"][0]["target"], content().id().to_string());
    let missing = place.failure(&["show", "nothing"], 1);
    assert!(missing.contains("no entry is called `nothing`"), "{missing}");
}

#[test]
fn what_differs_between_artifacts_of_a_key_is_named() {
    let place = Place::filled();
    let text = place.text(&["why", &name(&gemm("550"))]);
    assert!(text.contains("driver is `550`, stored with `560`"), "{text}");
    let text = place.text(&["why", "gemm:m64", "--layer", "driver=570"]);
    assert!(text.contains("stored under another fingerprint: driver is `570`"), "{text}");
    let json = place.json(&["why", "gemm:m64", "--layer", "driver=550", "--layer", "compiler=12"]);
    assert_eq!((&json["found"], &json["cause"]), (&false.into(), &"changed".into()));
    assert_eq!(json["others"][0]["changes"][0]["layer"], "compiler");
    assert_eq!(json["others"].as_array().unwrap().len(), 2);
    let found = place.json(&["why", "gemm:m64", "--layer", "driver=560"]);
    assert_eq!((&found["found"], &found["cause"]), (&true.into(), &serde_json::Value::Null));
    assert!(place.text(&["why", &name(&softmax())]).contains("there is no other artifact of this key"));
}

#[test]
fn the_id_of_a_miss_leads_to_the_artifacts_of_its_key() {
    let place = Place::filled();
    let missed = place.failure(&["why", &gemm("580").id().to_string()], 1);
    assert!(missed.contains("its key has 2 under other layers"), "{missed}");
    fs::remove_file(place.file(&content().id())).unwrap();
    let dangling = place.text(&["why", &name(&softmax())]);
    assert!(dangling.contains("leads to an artifact that is gone"), "{dangling}");
}

#[test]
fn layers_and_sizes_that_cannot_be_meant_are_refused() {
    let place = Place::filled();
    for args in [
        vec!["why", "gemm:m64", "--layer", "driver"],
        vec!["why", "gemm:m64", "--layer", "=560"],
        vec!["prune", "--to", "many"],
        vec!["prune", "--to", "-1"],
        vec!["import", "file"],
        vec!["import", "file", "--signer", "abc"],
    ] {
        place.failure(&args, 2);
    }
    let many: Vec<_> = (0..40).map(|number| format!("--layer=layer{number}=x")).collect();
    let many: Vec<_> = ["why", "gemm:m64"].into_iter().chain(many.iter().map(String::as_str)).collect();
    assert!(place.failure(&many, 2).contains("at most 32 layers"));
    assert!(
        place
            .failure(&["why", "--layer", &format!("a={}", "x".repeat(5000)), "none"], 1)
            .contains("no entry")
    );
}

#[test]
fn damage_is_found_by_reading_and_is_an_exit_code() {
    let place = Place::filled();
    assert!(place.text(&["verify"]).contains("4 are whole"));
    let file = place.file(&gemm("550").id());
    let mut bytes = fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&file, bytes).unwrap();
    assert!(place.failure(&["verify"], 3).contains("1 of 4 entries are damaged"));
    let json = place.json(&["verify"]);
    assert_eq!(json["damaged"][0]["cause"], "payload_digest");
    assert_eq!(json["verified"], 3);
    assert!(place.text(&["show", &name(&gemm("550"))]).contains("the digest of its payloads is another"));
    let text = place.text(&["verify", "--remove"]);
    assert!(text.contains(&format!("removed  {}", name(&gemm("550")))), "{text}");
    assert!(!file.exists());
    assert!(place.text(&["verify"]).contains("3 are whole"));
}

#[test]
fn looking_changes_nothing_not_even_the_times_of_last_use() {
    let place = Place::filled();
    let old = SystemTime::now() - Duration::from_secs(100_000);
    for key in [gemm("550"), gemm("560"), softmax(), content()] {
        fs::File::open(place.file(&key.id())).unwrap().set_modified(old).unwrap();
    }
    let out = place.beside("out.bundle");
    for args in [
        vec!["ls"],
        vec!["show", "m64"],
        vec!["why", "gemm:m64"],
        vec!["verify"],
        vec!["export", "--out", out.to_str().unwrap()],
    ] {
        place.text(&args);
    }
    for key in [gemm("550"), softmax()] {
        let used = fs::metadata(place.file(&key.id())).unwrap().modified().unwrap();
        assert!(used < SystemTime::now() - Duration::from_secs(50_000));
    }
    assert!(!place.folder.join("leases").exists());
}

#[test]
fn pruning_says_what_it_evicted_and_leaves_what_is_worth_most() {
    let place = Place::filled();
    let json = place.json(&["prune", "--to", "7K"]);
    let removed = json["removed"].as_array().unwrap();
    // The content cost least, and the link to it leads nowhere then.
    let labels: Vec<_> = removed.iter().map(|entry| (&entry["label"], &entry["link"])).collect();
    assert_eq!(labels, [(&"row".into(), &false.into()), (&"row".into(), &true.into())], "{json}");
    let text = place.text(&["prune", "--to", "0"]);
    assert!(text.contains("removed 2 artifacts, 0 links"), "{text}");
    assert_eq!(place.store().ids(None), Ok(Vec::new()));
}

#[test]
fn clearing_removes_artifacts_and_nothing_else() {
    let place = Place::filled();
    let theirs = place.folder.join("entries").join("notes.txt");
    fs::write(&theirs, "mine").unwrap();
    // Empty, and so weightless: it goes all the same.
    fs::write(place.file(&gemm("550").id()), b"").unwrap();
    let text = place.text(&["clear"]);
    assert!(
        text.contains("removed 2 artifacts, 1 link") && text.contains("and 1 that could not be read"),
        "{text}"
    );
    assert!(text.contains("not the store's, and still there:") && text.contains("notes.txt"), "{text}");
    assert_eq!(fs::read_to_string(theirs).unwrap(), "mine");
    assert_eq!(place.store().ids(None), Ok(Vec::new()));
}

#[test]
fn where_there_is_no_store_none_is_made() {
    let place = Place::empty();
    for args in [vec!["ls"], vec!["verify"], vec!["prune", "--to", "0"], vec!["clear"]] {
        let line = place.failure(&args, 1);
        assert!(line.contains("there is no store in this place"), "{line}");
    }
    assert!(!place.folder.exists());
}

#[cfg(unix)]
#[test]
fn a_folder_that_others_can_write_to_is_refused_by_every_command() {
    use std::os::unix::fs::PermissionsExt;

    let place = Place::filled();
    fs::set_permissions(&place.folder, fs::Permissions::from_mode(0o777)).unwrap();
    for args in [vec!["ls"], vec!["verify"], vec!["prune", "--to", "0"], vec!["clear"]] {
        let line = place.failure(&args, 1);
        assert!(line.contains("can be written to by others"), "{line}");
    }
    fs::set_permissions(&place.folder, fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(place.store().ids(None).unwrap().len(), 4, "and nothing was removed");
}

#[test]
fn labels_cannot_steer_a_terminal() {
    let place = Place::filled();
    let store = metallic_store::DiskStore::open(&place.folder, metallic_store::DiskOptions::new());
    let artifact = metallic_store::Artifact::native(*b"x").with_label("\u{1b}[2Jhidden\nline");
    store.save(&gemm("999"), &artifact).unwrap();
    for args in [vec!["ls"], vec!["show", &name(&gemm("999"))], vec!["why", &name(&gemm("999"))]] {
        assert!(!place.text(&args).contains('\u{1b}'), "{args:?}");
    }
}

#[test]
fn a_folder_of_other_things_is_no_store_to_any_command_and_stays_as_it_is() {
    let place = Place::empty();
    fs::create_dir_all(place.folder.join("tmp")).unwrap();
    fs::write(place.folder.join("main.rs"), "mine").unwrap();
    let bundle = place.beside("new.bundle");
    let export = ["export", "--out", path(&bundle)];
    for args in [&["ls"][..], &["verify"], &["prune", "--to", "0"], &["clear"], &["why", "gemm"], &export] {
        let stderr = place.failure(args, 1);
        assert!(stderr.contains("this is no store: there are other things in it"), "{args:?}: {stderr}");
    }
    assert_eq!(fs::read_dir(&place.folder).unwrap().count(), 2, "not even a ledger was made");
    assert!(!bundle.exists());
}

#[test]
fn what_is_no_file_in_the_place_of_an_entry_is_removed_if_that_loses_nothing() {
    let place = Place::filled();
    let (link, folder) = (place.file(&gemm("550").id()), place.file(&gemm("560").id()));
    fs::remove_file(&link).unwrap();
    fs::remove_file(&folder).unwrap();
    let elsewhere = place.beside("elsewhere");
    fs::write(&elsewhere, "mine").unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(&elsewhere, &link).unwrap();
    fs::create_dir_all(folder.join("someone's")).unwrap();
    let stderr = place.failure(&["verify", "--remove"], 1);
    assert!(stderr.contains("cannot be removed"), "{stderr}");
    assert!(!link.is_symlink() && elsewhere.exists() && folder.join("someone's").exists());
}

#[test]
fn a_command_that_changes_a_store_waits_for_the_writes_of_others() {
    let place = Place::filled();
    let ledger = fs::File::open(place.folder.join("ledger")).unwrap();
    ledger.lock().unwrap();
    std::thread::scope(|scope| {
        let (send, ended) = std::sync::mpsc::channel();
        let place = &place;
        scope.spawn(move || send.send(place.run(&["clear"])).unwrap());
        // Longer than a program waits, which would then do without.
        let early = ended.recv_timeout(Duration::from_millis(900));
        assert!(early.is_err(), "it waits: {early:?}");
        drop(ledger);
        let (text, stderr) = crate::streams(&ended.recv().unwrap());
        assert!(text.contains("removed 3 artifacts, 1 link") && stderr.is_empty(), "{text}{stderr}");
    });
}
