//! Export and import.

use std::fs;

use metallic_store::ArtifactStore;

use crate::{Place, content, gemm, name, path, softmax};

#[test]
fn what_is_exported_and_signed_is_imported_elsewhere() {
    let (from, to) = (Place::filled(), Place::empty());
    let (bundle, seed) = (from.beside("all.bundle"), from.beside("seed"));
    fs::write(&seed, "07".repeat(32)).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&seed, fs::Permissions::from_mode(0o644)).unwrap();
        let refused = from.failure(&["export", "--out", path(&bundle), "--sign", path(&seed)], 1);
        assert!(refused.contains("others can read the seed"), "{refused}");
        fs::set_permissions(&seed, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let json = from.json(&["export", "--out", path(&bundle), "--sign", path(&seed)]);
    assert_eq!(json["exported"], 4);
    let signer = json["signer"].as_str().unwrap();

    let stranger = "00".repeat(32);
    let line = to.failure(&["import", path(&bundle), "--signer", &stranger], 1);
    assert!(line.contains("which is not trusted") && !to.folder.exists(), "{line}");
    let text = to.text(&["import", path(&bundle), "--signer", signer]);
    assert!(text.contains("4 of 4 entries"), "{text}");
    assert_eq!(to.store().load(&softmax()), from.store().load(&softmax()));
    assert!(to.text(&["verify"]).contains("4 are whole"));
}

#[test]
fn a_link_is_exported_with_what_it_leads_to() {
    let (from, to) = (Place::filled(), Place::empty());
    let bundle = from.beside("one.bundle");
    let json = from.json(&["export", &name(&softmax()), "--out", path(&bundle)]);
    assert_eq!((&json["exported"], &json["signer"]), (&2.into(), &serde_json::Value::Null));
    to.text(&["import", path(&bundle), "--trust"]);
    assert!(to.store().load(&softmax()).is_ok() && to.store().load(&content()).is_ok());
    assert!(to.store().load(&gemm("550")).is_err());
}

#[test]
fn a_bundle_takes_the_place_of_a_bundle_and_of_nothing_else() {
    let place = Place::filled();
    let file = place.beside("file");
    for content in ["notes\n", "\u{1f}"] {
        fs::write(&file, content).unwrap();
        let line = place.failure(&["export", "--out", path(&file)], 1);
        assert!(line.contains("it is there, and not a bundle: --out would overwrite it"), "{line}");
        assert_eq!(fs::read_to_string(&file).unwrap(), content);
    }
    fs::write(&file, "").unwrap();
    place.text(&["export", "--out", path(&file)]);
    // Also of one that is damaged.
    let whole = fs::read(&file).unwrap();
    for damaged in [&whole[..whole.len() / 2], &whole[..100], &[&whole[..], b"more"].concat()] {
        fs::write(&file, damaged).unwrap();
        place.text(&["export", "--out", path(&file)]);
        assert_eq!(fs::read(&file).unwrap().len(), whole.len());
    }
}

#[test]
fn an_import_without_a_signer_is_told_of_both_ways_to_trust() {
    let place = Place::empty();
    let line = place.failure(&["import", path(&place.beside("file"))], 2);
    assert!(line.contains("--signer <KEY>") && line.contains("--trust"), "{line}");
}

#[test]
fn what_is_no_bundle_is_told_in_a_line_and_imports_nothing() {
    let place = Place::empty();
    let file = place.beside("file");
    for content in [&b""[..], b"not a bundle", &[0x8a; 4096], b"\x8ametbnd\n"] {
        fs::write(&file, content).unwrap();
        let line = place.failure(&["import", path(&file), "--trust"], 1);
        assert!(line.contains("the bundle is damaged"), "{line}");
    }
    place.failure(&["import", path(&place.beside("nothing")), "--trust"], 1);
    let line = place.failure(&["import", path(file.parent().unwrap()), "--trust"], 1);
    assert!(line.contains("cannot be read"), "{line}");
    assert!(!place.folder.exists());
}

#[test]
fn an_export_that_cannot_be_written_leaves_nothing() {
    let place = Place::filled();
    let folder = place.beside("target");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("inside"), "x").unwrap();
    place.failure(&["export", "--out", path(&folder)], 1);
    place.failure(&["export", "--out", path(&place.beside("no/such/folder"))], 1);
    place.failure(&["export", "--out", path(&place.beside("x.bundle")), "--cache", "unknown"], 1);
    let left: Vec<_> =
        fs::read_dir(folder.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[cfg(unix)]
#[test]
fn an_export_to_a_link_goes_where_the_link_leads() {
    let place = Place::filled();
    let link = place.beside("link.bundle");
    std::os::unix::fs::symlink("real.bundle", &link).unwrap();
    place.text(&["export", "--out", path(&link)]);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(fs::metadata(place.beside("real.bundle")).unwrap().is_file());
    place.text(&["export", "--out", "/dev/null"]);
}
