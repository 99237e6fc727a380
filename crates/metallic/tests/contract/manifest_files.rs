//! Files that are torn, damaged, foreign or of another version.

use std::fs;
use std::io::Write;

use metallic::manifest::{Manifest, ManifestError, ManifestWriter};
use metallic::testing::ScriptedDevice;

use crate::tiles::{MS, Tile, recorded, shared};

fn text_of(manifest: &Manifest) -> Vec<u8> {
    let mut text = Vec::new();
    manifest.write(&mut text).unwrap();
    text
}

#[test]
fn a_manifest_that_is_cut_at_any_byte_loses_at_most_its_last_record() {
    let device = ScriptedDevice::new();
    device.set_default_cost(3 * MS);
    let whole = recorded(&device, 1..=6);
    let text = text_of(&whole);
    for cut in 0..=text.len() {
        let read = Manifest::read(&text[..cut]).unwrap();
        // The header is the first line. A record is whole with or without the end of its line.
        let lines = text[..cut].iter().filter(|byte| **byte == b'\n').count();
        let before = lines.saturating_sub(1);
        assert!(read.len() == before || read.len() == before + 1, "cut at {cut}: {} records", read.len());
        assert!(read.records().eq(whole.records().take(read.len())), "cut at {cut}");
        assert!(read.skipped().values().sum::<u64>() <= 1, "cut at {cut}: {:?}", read.skipped());
    }
}

#[test]
fn a_writer_goes_on_after_a_cut_at_any_byte() {
    let device = ScriptedDevice::new();
    let text = text_of(&recorded(&device, 1..=2));
    let more = recorded(&device, [9]);
    let nine = more.records().next().unwrap();
    for cut in 0..=text.len() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), &text[..cut]).unwrap();
        ManifestWriter::append_to(file.path()).unwrap().append(nine).unwrap();
        let read = Manifest::open(file.path()).unwrap();
        assert!(read.contains(nine), "cut at {cut}");
        let before = Manifest::read(&text[..cut]).unwrap();
        assert!(before.records().all(|record| read.contains(record)), "cut at {cut}");
    }
}

#[test]
fn a_flipped_byte_costs_at_most_its_line() {
    let text = text_of(&recorded(&ScriptedDevice::new(), 1..=4));
    let header = text.iter().position(|byte| *byte == b'\n').unwrap();
    for at in header + 1..text.len() {
        let mut flipped = text.clone();
        flipped[at] ^= 0x10;
        let read = Manifest::read(&flipped[..]).unwrap();
        // The end of a line that is gone takes the next line with it.
        assert!(read.len() >= if text[at] == b'\n' { 2 } else { 3 }, "byte {at}");
    }
}

#[test]
fn lines_of_another_version_and_damaged_lines_are_counted_and_named() {
    let text = text_of(&recorded(&ScriptedDevice::new(), 1..=2));
    let later = String::from_utf8(text.clone())
        .unwrap()
        .replace("\"metallic_manifest\":1", "\"metallic_manifest\":2");
    let mut file = text.clone();
    file.extend(b"\n   \nnot json\n{\"cache\":\"tile\"}\n\xff\xfe\n");
    file.extend(later.as_bytes());
    file.extend(vec![b'x'; 3 << 20]);
    file.push(b'\n');
    file.extend(&text);
    file.extend(b"{\"cache\":");
    let read = Manifest::read(&file[..]).unwrap();
    assert_eq!(read.len(), 2);
    let skipped: Vec<_> = read.skipped().iter().map(|(reason, count)| (&**reason, *count)).collect();
    assert_eq!(
        skipped,
        [
            ("damaged lines", 3),
            ("lines of more than a mebibyte", 1),
            ("lines of version 2", 2),
            ("torn last lines", 1)
        ]
    );
    // A key that is there twice was created twice.
    assert!(read.records().all(|record| record.count == 2));
}

#[test]
fn a_file_that_is_no_manifest_is_an_error_and_an_empty_one_is_none() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    assert!(Manifest::open(file.path()).unwrap().is_empty());
    writeln!(file, "{{\"type\":\"LogOpened\"}}").unwrap();
    let error = Manifest::open(file.path()).unwrap_err();
    assert!(matches!(error, ManifestError::NotAManifest { lines: 1, .. }), "{error}");
    assert!(error.to_string().ends_with("is not a manifest: its only line is not a record"), "{error}");
    let missing = Manifest::open(file.path().with_extension("none")).unwrap_err();
    assert!(missing.to_string().starts_with("cannot open the manifest "), "{missing}");
}

#[test]
fn no_path_and_no_handle_is_in_a_manifest() {
    let manifest = recorded(&ScriptedDevice::new(), [1]);
    let text = String::from_utf8(text_of(&manifest)).unwrap();
    assert_eq!(
        text,
        "{\"metallic_manifest\":1}\n\
         {\"cache\":\"tile\",\"schema\":3,\"key\":{\"m\":1,\"n\":1},\"label\":\"tile:TileKey{m:1,n:1}\",\
         \"cost_ns\":0,\"bytes\":0,\"count\":1,\"order\":0}\n"
    );
}

#[test]
fn a_recording_goes_on_in_the_manifest_of_the_last_one() {
    let device = ScriptedDevice::new();
    let file = tempfile::NamedTempFile::new().unwrap();
    for m in [1, 2, 1] {
        let (registry, _) = shared(&device);
        registry.record(ManifestWriter::append_to(file.path()).unwrap());
        registry.get_or_create::<Tile>(&(m, 1), None).unwrap();
    }
    let counts: Vec<_> = Manifest::open(file.path()).unwrap().records().map(|record| record.count).collect();
    assert_eq!(counts, [2, 1]);
}

#[test]
fn a_recording_does_not_go_on_in_a_file_of_something_else_and_does_in_a_cut_manifest() {
    let file = tempfile::NamedTempFile::new().unwrap();
    for (content, lines) in [("notes", 1), ("{\"type\":\"LogOpened\",\"data\":{}}\n{}\n\n", 2), ("{}\n", 1)] {
        fs::write(file.path(), content).unwrap();
        let error = ManifestWriter::append_to(file.path()).unwrap_err();
        assert!(
            matches!(error, ManifestError::NotAManifest { lines: found, .. } if found == lines),
            "{content:?}: {error}"
        );
        assert_eq!(fs::read_to_string(file.path()).unwrap(), content);
    }
    let text = text_of(&recorded(&ScriptedDevice::new(), 1..=2));
    for end in 0..=text.len() {
        fs::write(file.path(), &text[..end]).unwrap();
        ManifestWriter::append_to(file.path()).unwrap_or_else(|error| panic!("cut at {end}: {error}"));
    }
    // A blank file holds nothing that could be lost.
    fs::write(file.path(), "\n \n").unwrap();
    ManifestWriter::append_to(file.path()).unwrap();
}

#[cfg(unix)]
#[test]
fn a_manifest_is_saved_through_a_link_and_into_a_pipe() {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};

    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let manifest = recorded(&ScriptedDevice::new(), 1..=2);
    fs::write(at("old"), "old").unwrap();
    fs::set_permissions(at("old"), fs::Permissions::from_mode(0o640)).unwrap();
    symlink("old", at("link")).unwrap();
    symlink(at("link"), at("second link")).unwrap();
    symlink("new", at("dangling")).unwrap();
    for (link, target) in [("second link", "old"), ("dangling", "new")] {
        manifest.save(at(link)).unwrap();
        assert!(fs::symlink_metadata(at(link)).unwrap().is_symlink(), "{link} stays a link");
        assert_eq!(fs::read(at(target)).unwrap(), text_of(&manifest));
    }
    assert_eq!(fs::metadata(at("old")).unwrap().permissions().mode() & 0o777, 0o640);
    symlink("circle", at("circle")).unwrap();
    assert!(manifest.save(at("circle")).is_err());

    let pipe = at("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::read(pipe).unwrap()
    });
    manifest.save(&pipe).unwrap();
    assert_eq!(reader.join().unwrap(), text_of(&manifest));
    assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo(), "it stays a pipe");
    // Nothing else was left in the folder.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 7);
}

#[cfg(unix)]
#[test]
fn pipes_and_devices_are_not_gone_on_with_and_devices_are_not_read() {
    use std::error::Error;

    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for path in [&*pipe, "/dev/zero".as_ref(), "/dev/null".as_ref()] {
        for opened in [ManifestWriter::append_to(path), ManifestWriter::create(path)] {
            let error = opened.unwrap_err();
            assert_eq!(error.to_string(), format!("cannot open the manifest {}", path.display()));
            assert_eq!(error.source().unwrap().to_string(), "it is not a regular file");
        }
    }
    let error = Manifest::open("/dev/zero").unwrap_err();
    assert_eq!(error.to_string(), "cannot read the manifest /dev/zero");
    assert_eq!(error.source().unwrap().to_string(), "it is a device");
    let manifest = recorded(&ScriptedDevice::new(), [1]);
    let writer = std::thread::spawn({
        let (pipe, text) = (pipe.clone(), text_of(&manifest));
        move || fs::write(pipe, text).unwrap()
    });
    assert_eq!(Manifest::open(&pipe).unwrap().len(), 1);
    writer.join().unwrap();
}
