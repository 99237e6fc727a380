//! Files that are not what was written: the driver is never given anything of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::kernels::{Code, Key, Kind, Machine, code};

/// The files of a store's entries.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for shard in fs::read_dir(folder.join("entries")).unwrap() {
        files.extend(fs::read_dir(shard.unwrap().path()).unwrap().map(|entry| entry.unwrap().path()));
    }
    files.sort();
    files
}

/// Creates in a new registry over the folder, as a process would that starts now. Returns whether it had to compile.
fn start(folder: &Path, key: &Key, what: &str) -> bool {
    let machine = Machine::new("build", "550");
    let registry = machine.registry(folder);
    assert_eq!(registry.get_or_create::<Code>(key, None).unwrap(), code(key), "{what}");
    assert_eq!(machine.given(), [code(key)], "{what}: the driver is given one thing, and that is right");
    machine.compilations() > 0
}

/// Damages each file of each kind of artifact: whatever is done to it, the next start has the right resource, and the one after
/// it loads again.
fn damage_each(damages: impl Fn(&[u8]) -> Vec<(String, Vec<u8>)>) {
    let mut counts = BTreeMap::new();
    for kind in Kind::ALL {
        let folder = tempfile::tempdir().unwrap();
        let key = Key::new(kind, 7);
        assert!(start(folder.path(), &key, "the first start"));
        let intact: Vec<_> =
            entries(folder.path()).into_iter().map(|file| (fs::read(&file).unwrap(), file)).collect();
        assert_eq!(intact.len(), if kind == Kind::Content { 2 } else { 1 });
        for (bytes, file) in &intact {
            for (what, damaged) in damages(bytes) {
                fs::write(file, damaged).unwrap();
                let compiled = start(folder.path(), &key, &format!("{kind:?}: {what}"));
                // A damaged link is found by its content, and needs no compiler.
                assert!(compiled || kind == Kind::Content, "{kind:?}: {what}: a damaged file was used");
                assert!(!start(folder.path(), &key, "it healed"), "{kind:?}: {what}: it did not heal");
                *counts.entry(format!("{kind:?}")).or_insert(0) += 1;
            }
        }
    }
    println!("damaged files, by kind of artifact: {counts:?}");
}

#[test]
fn every_flipped_byte_is_a_miss_and_then_the_right_resource() {
    damage_each(|bytes| {
        let flip = |at: usize| {
            let mut flipped = bytes.to_vec();
            flipped[at] ^= 0x41;
            (format!("byte {at}"), flipped)
        };
        (0..bytes.len()).map(flip).collect()
    });
}

#[test]
fn every_truncation_is_a_miss_and_then_the_right_resource() {
    damage_each(|bytes| {
        (0..bytes.len()).map(|len| (format!("{len} bytes"), bytes[..len].to_vec())).collect()
    });
}

#[test]
fn every_pair_of_swapped_artifacts_is_a_miss_and_then_the_right_resource() {
    let folder = tempfile::tempdir().unwrap();
    let keys: Vec<_> = Kind::ALL.iter().flat_map(|kind| [Key::new(*kind, 7), Key::new(*kind, 100)]).collect();
    for key in &keys {
        assert!(start(folder.path(), key, "the first start"));
    }
    let files = entries(folder.path());
    let intact: Vec<_> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    let mut pairs = 0;
    for (here, file) in files.iter().enumerate() {
        for (there, other) in intact.iter().enumerate().filter(|(there, _)| *there != here) {
            fs::write(file, other).unwrap();
            for key in &keys {
                start(folder.path(), key, &format!("{there} in the place of {here}"));
            }
            fs::write(file, &intact[here]).unwrap();
            pairs += 1;
        }
    }
    println!("{pairs} swapped pairs");
}
