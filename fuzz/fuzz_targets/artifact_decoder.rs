//! Any bytes are no artifact, or exactly one. So that fields are reached behind the digests, half of the inputs get a header that
//! is right.
#![no_main]

use std::time::{Duration, UNIX_EPOCH};

use libfuzzer_sys::fuzz_target;
use metallic_store::{Body, Entry, EntryInfo, Secret};

/// The fixed part of `docs/artifact-format.md`, for these flags, variable part and payloads.
fn seal(flags: u8, variable: &[u8], payloads: &[u8]) -> Vec<u8> {
    let mut file = b"\x8ametal\r\n".to_vec();
    file.extend_from_slice(&1_u32.to_le_bytes());
    file.extend_from_slice(&u32::from(flags).to_le_bytes());
    file.extend_from_slice(&(variable.len() as u64).to_le_bytes());
    file.extend_from_slice(&(payloads.len() as u64).to_le_bytes());
    file.extend_from_slice(blake3::hash(payloads).as_bytes());
    file.extend_from_slice(&[0; 32]);
    let digest = *blake3::Hasher::new().update(&file).update(variable).finalize().as_bytes();
    file.extend_from_slice(&digest);
    file.extend_from_slice(variable);
    file.extend_from_slice(payloads);
    file
}

fuzz_target!(|bytes: &[u8]| {
    let file = match bytes {
        // A golden file, or what became of one.
        [0x8a, ..] => bytes.to_vec(),
        [flags, at, rest @ ..] => {
            let (variable, payloads) = rest.split_at((usize::from(*at) * 4).min(rest.len()));
            seal(*flags, variable, payloads)
        }
        _ => return,
    };
    let info = EntryInfo::decode(&file, file.len() as u64, None);
    let Ok(entry) = Entry::decode(file.clone(), None) else { return };
    let info = info.expect("an entry that is whole has a header that is");
    assert_eq!((&info.key, info.id), (&entry.key, entry.key.id()));
    let secret = Secret::new(b"a secret that no input knows").expect("it is long enough");
    assert!(Entry::decode(file.clone(), Some(&secret)).is_err());
    // A link is encoded with a cost of its own, and an input may have a MAC.
    if let (Body::Artifact(_), false) = (&entry.body, info.is_authenticated)
        && let Some(written) = UNIX_EPOCH.checked_add(Duration::from_secs(info.written))
    {
        assert_eq!(entry.encode(None, written).expect("it is no longer than it was"), file);
    }
});
