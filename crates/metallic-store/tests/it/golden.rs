//! Files that earlier versions wrote. They are never written again: a version that cannot read one has changed the format.

use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use metallic_store::{Artifact, ArtifactKey, Body, Content, Entry, Fingerprint, Secret};
use serde::Serialize;

#[derive(Serialize)]
struct GemmKey {
    m: u32,
    n: u32,
    k: u64,
    transposed: bool,
    dtype: Dtype,
    scale: f32,
}

#[derive(Serialize)]
enum Dtype {
    #[expect(dead_code, reason = "it gives the other one its number")]
    F32,
    F16,
}

fn typed_key() -> ArtifactKey {
    let key = GemmKey { m: 64, n: 300, k: 1 << 40, transposed: true, dtype: Dtype::F16, scale: 0.5 };
    let fingerprint = Fingerprint::new()
        .with_layer(Fingerprint::BUILD, "0.1.0+abc123")
        .with_layer("compiler", "NVRTC 12.4 -O3")
        .with_layer("driver", "550.54.15")
        .with_layer("os", "Linux 6.8")
        .with_layer("device", "NVIDIA H100");
    ArtifactKey::of("gemm", 3, &key, fingerprint).unwrap()
}

fn content_key() -> ArtifactKey {
    typed_key().with_content(&Content::new().with("source", "__global__ void f() {}").with("options", "-O3"))
}

fn artifact() -> Artifact {
    Artifact::native(*b"\x7fELF cubin")
        .with_payload(Artifact::PORTABLE, b".version 8.4")
        .with_cost(Duration::from_nanos(105_000_123))
        .with_label("gemm:GemmKey{m:64,n:300}")
}

/// Each golden file: name, entry, whether the secret authenticates it.
fn golden() -> [(&'static str, Entry, bool); 4] {
    [
        ("v1-artifact", Entry { key: typed_key(), body: Body::Artifact(artifact()) }, false),
        ("v1-artifact-mac", Entry { key: typed_key(), body: Body::Artifact(artifact()) }, true),
        ("v1-content", Entry { key: content_key(), body: Body::Artifact(artifact()) }, false),
        ("v1-link", Entry { key: typed_key(), body: Body::Link(content_key().id()) }, false),
    ]
}

fn secret() -> Secret {
    Secret::new(b"the golden files' secret").unwrap()
}

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

#[test]
fn golden_files_are_read_as_what_they_were_written_from() {
    for (name, expected, authenticated) in golden() {
        let bytes = std::fs::read(path(name)).unwrap();
        let secret = authenticated.then(secret);
        assert_eq!(Entry::decode(bytes, secret.as_ref()), Ok(expected), "{name}");
    }
}

#[test]
fn this_version_writes_the_golden_files_to_the_byte() {
    // Set to write the files of a format that is new; those of older formats stay.
    let writes = std::env::var_os("METALLIC_STORE_WRITE_GOLDEN").is_some();
    for (name, entry, authenticated) in golden() {
        let secret = authenticated.then(secret);
        let written = entry.encode(secret.as_ref(), UNIX_EPOCH + Duration::from_secs(1_790_000_000)).unwrap();
        if writes {
            std::fs::write(path(name), &written).unwrap();
        }
        assert!(std::fs::read(path(name)).unwrap() == written, "{name} is written otherwise");
    }
}

#[test]
fn names_of_entries_stay_what_they_were() {
    let expected = std::fs::read_to_string(path("v1-names")).unwrap();
    let names = format!("typed {}\ncontent {}\n", typed_key().id(), content_key().id());
    assert_eq!(names, expected);
    let spelled = expected.lines().next().and_then(|line| line.strip_prefix("typed ")).unwrap();
    assert_eq!(spelled.parse(), Ok(typed_key().id()));
}

#[test]
fn the_key_is_encoded_as_postcard_says() {
    // u32 and u64 as varints, bool and variant in a byte, f32 as its bits in little endian.
    let expected =
        [&[64, 0xac, 2][..], &[0x80, 0x80, 0x80, 0x80, 0x80, 0x20], &[1, 1], &[0, 0, 0, 0x3f]].concat();
    assert_eq!(typed_key().bytes(), expected);
}
