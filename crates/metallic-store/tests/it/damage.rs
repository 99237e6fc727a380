//! Files that are not what was written: each is a named miss, and nothing of it is returned.

use std::collections::BTreeMap;
use std::path::PathBuf;

use metallic_store::conformance::{artifact, key};
use metallic_store::{
    Artifact, ArtifactKey, ArtifactStore, Body, Content, DiskOptions, DiskStore, Entry, MissCause, Secret,
};

/// Counts misses by name.
#[derive(Debug, Default)]
struct Causes(BTreeMap<&'static str, u64>);

impl Causes {
    fn add(&mut self, cause: &MissCause) {
        *self.0.entry(cause.name()).or_default() += 1;
    }

    fn total(&self) -> u64 {
        self.0.values().sum()
    }
}

struct Stored {
    store: DiskStore,
    key: ArtifactKey,
    artifact: Artifact,
    /// The file whose bytes are damaged.
    path: PathBuf,
    intact: Vec<u8>,
}

/// One store for each kind of file: an artifact of two payloads, one with a MAC, one found through a link, and the link.
fn one_of_each_kind(folder: &std::path::Path) -> Vec<(&'static str, Stored)> {
    let kinds = ["artifact", "authenticated", "content", "link"];
    let stored = kinds.map(|kind| {
        let mut options = DiskOptions::new();
        if kind == "authenticated" {
            options = options.with_secret(Secret::new(b"a secret of the damage tests").unwrap());
        }
        let store = DiskStore::open(folder.join(kind), options);
        let (key, artifact) = (key(7, "550"), artifact(7, 300));
        let mut damaged = key.id();
        if matches!(kind, "content" | "link") {
            let content = key.with_content(&Content::new().with("source", "kernel"));
            store.save(&content, &artifact).unwrap();
            store.link(&key, &content).unwrap();
            if kind == "content" {
                damaged = content.id();
            }
        } else {
            store.save(&key, &artifact).unwrap();
        }
        let shard = damaged.to_string()[..2].to_owned();
        let path = store.folder().join("entries").join(shard).join(damaged.to_string());
        let intact = std::fs::read(&path).unwrap();
        (kind, Stored { store, key, artifact, path, intact })
    });
    stored.into()
}

impl Stored {
    /// Loads from a file of these bytes: a named miss. Then makes the artifact anew, and finds it.
    fn misses_with(&self, bytes: &[u8], what: &str) -> MissCause {
        std::fs::write(&self.path, bytes).unwrap();
        match self.store.load(&self.key) {
            Ok(artifact) => panic!("{what}: {artifact:?} was returned"),
            Err(cause) => cause,
        }
    }

    fn heals(&self) {
        self.store.save(&self.key, &self.artifact).unwrap();
        assert_eq!(self.store.load(&self.key).as_ref(), Ok(&self.artifact));
        std::fs::write(&self.path, &self.intact).unwrap();
        if !self.path.ends_with(self.key.id().to_string()) {
            // The artifact was saved under the cheap key: the link goes back in its place.
            let content = self.key.with_content(&Content::new().with("source", "kernel"));
            self.store.link(&self.key, &content).unwrap();
        }
        assert_eq!(self.store.load(&self.key).as_ref(), Ok(&self.artifact));
    }
}

#[test]
fn every_flipped_byte_is_a_named_miss_and_heals() {
    let folder = tempfile::tempdir().unwrap();
    for (kind, stored) in one_of_each_kind(folder.path()) {
        let mut causes = Causes::default();
        for at in 0..stored.intact.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut bytes = stored.intact.clone();
                bytes[at] ^= flip;
                causes.add(&stored.misses_with(&bytes, &format!("{kind}: byte {at} ^ {flip:#x}")));
            }
        }
        assert_eq!(causes.total(), 3 * stored.intact.len() as u64);
        assert!(!causes.0.contains_key("absent"), "{causes:?}");
        stored.heals();
        println!("{kind}: {} flips of {} bytes, {:?}", causes.total(), stored.intact.len(), causes.0);
    }
}

#[test]
fn every_truncation_and_extension_is_a_named_miss() {
    let folder = tempfile::tempdir().unwrap();
    for (kind, stored) in one_of_each_kind(folder.path()) {
        let mut causes = Causes::default();
        for len in 0..stored.intact.len() {
            causes.add(&stored.misses_with(&stored.intact[..len], &format!("{kind}: {len} bytes")));
        }
        for extra in [1, 2, 128, 4096] {
            let longer = [&stored.intact[..], &vec![0; extra]].concat();
            causes.add(&stored.misses_with(&longer, &format!("{kind}: {extra} bytes more")));
        }
        assert_eq!(causes.0["trailing_bytes"], 4);
        assert_eq!(causes.0["magic"], 1, "only the empty file is not recognisable");
        assert_eq!(causes.0["truncated"], stored.intact.len() as u64 - 1);
        stored.heals();
        println!("{kind}: {} lengths, {:?}", causes.total(), causes.0);
    }
}

#[test]
fn swapped_artifacts_are_named_misses() {
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open(folder.path().join("store"), DiskOptions::new());
    let keys: Vec<_> = (0..4).flat_map(|number| [key(number, "550"), key(number, "560")]).collect();
    let path = |key: &ArtifactKey| {
        let name = key.id().to_string();
        store.folder().join("entries").join(&name[..2]).join(name)
    };
    for (number, key) in keys.iter().enumerate() {
        store.save(key, &artifact(number as u64, 100)).unwrap();
    }
    let files: Vec<_> = keys.iter().map(|key| std::fs::read(path(key)).unwrap()).collect();
    let mut pairs = 0;
    for (here, key) in keys.iter().enumerate() {
        for (there, file) in files.iter().enumerate().filter(|(there, _)| *there != here) {
            std::fs::write(path(key), file).unwrap();
            assert_eq!(store.load(key).unwrap_err(), MissCause::OtherKey, "{there} in the place of {here}");
            pairs += 1;
        }
        std::fs::write(path(key), &files[here]).unwrap();
        assert_eq!(store.load(key), Ok(artifact(here as u64, 100)));
    }
    println!("{pairs} swapped pairs, each an other_key");
}

#[test]
fn files_of_other_formats_are_named_misses() {
    let folder = tempfile::tempdir().unwrap();
    let (_, stored) = one_of_each_kind(folder.path()).remove(0);
    let foreign: [(&str, &[u8]); 8] = [
        ("ELF", b"\x7fELF\x02\x01\x01"),
        ("PNG", b"\x89PNG\r\n\x1a\n"),
        ("gzip", b"\x1f\x8b\x08\x00"),
        ("zstd", b"\x28\xb5\x2f\xfd"),
        ("Metal library", b"MTLB\x01\x80"),
        ("text", b"not an artifact at all\n"),
        ("zeros", &[0; 4096]),
        ("empty", b""),
    ];
    for (name, head) in foreign {
        for len in [head.len(), 200, 5000] {
            let mut bytes = head.to_vec();
            bytes.resize(len.max(head.len()), 0x55);
            assert_eq!(stored.misses_with(&bytes, name).name(), "magic", "{name} of {len} bytes");
        }
    }
    let mut later = stored.intact.clone();
    later[8] = 2;
    assert_eq!(stored.misses_with(&later, "format 2").name(), "format_version");
    stored.heals();
}

#[test]
fn absurd_lengths_are_refused_before_anything_is_allocated() {
    let (key, artifact) = (key(1, "a"), artifact(1, 100));
    let intact =
        Entry { key, body: Body::Artifact(artifact) }.encode(None, std::time::SystemTime::now()).unwrap();
    for at in [16, 24] {
        for absurd in [u64::MAX, 1 << 62, 1 << 40, (1 << 30) + 1] {
            let mut bytes = intact.clone();
            bytes[at..at + 8].copy_from_slice(&absurd.to_le_bytes());
            let cause = MissCause::from(Entry::decode(bytes, None).unwrap_err());
            assert_eq!(cause.name(), "too_long", "{absurd} at {at}");
        }
    }
}

#[test]
fn without_the_secret_nothing_is_accepted_that_carries_it_not() {
    let folder = tempfile::tempdir().unwrap();
    let open = |secret: Option<&[u8]>| {
        let mut options = DiskOptions::new();
        if let Some(secret) = secret {
            options = options.with_secret(Secret::new(secret).unwrap());
        }
        DiskStore::open(folder.path().join("store"), options)
    };
    let (ours, theirs, none) =
        (open(Some(b"the secret that is ours")), open(Some(b"one of someone else")), open(None));
    let (key, artifact) = (key(1, "a"), artifact(1, 10));
    none.save(&key, &artifact).unwrap();
    assert_eq!(ours.load(&key).unwrap_err().name(), "mac_missing");
    theirs.save(&key, &artifact).unwrap();
    assert_eq!(ours.load(&key).unwrap_err().name(), "mac_mismatch");
    ours.save(&key, &artifact).unwrap();
    assert_eq!(ours.load(&key), Ok(artifact.clone()));
    assert_eq!(none.load(&key), Ok(artifact), "who has no secret reads it as any other");
}
