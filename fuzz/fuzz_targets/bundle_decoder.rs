//! Any bytes are no bundle, or one whose entries are all verified. So that what is behind the digest is reached, two thirds of the
//! inputs get a header that is right: over bytes that ought to decompress, or over compressed bytes that ought to be entries.
#![no_main]

use libfuzzer_sys::fuzz_target;
use metallic_store::{ArtifactStore, Bundle, BundleTrust};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

/// The fixed part of a bundle that no one has signed.
fn seal(compressed: &[u8], len: u64) -> Vec<u8> {
    let mut file = b"\x8ametbnd\n".to_vec();
    file.extend_from_slice(&1_u32.to_le_bytes());
    file.extend_from_slice(&0_u32.to_le_bytes());
    file.extend_from_slice(&(compressed.len() as u64).to_le_bytes());
    file.extend_from_slice(&len.to_le_bytes());
    file.extend_from_slice(blake3::hash(compressed).as_bytes());
    file.extend_from_slice(&[0; 96]);
    file.extend_from_slice(compressed);
    file
}

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, rest)) = bytes.split_first() else { return };
    let file = match kind % 3 {
        0 => rest.to_vec(),
        1 => seal(rest, u64::from(*kind) * 1000),
        _ => seal(&compress_to_vec(rest, CompressionLevel::Fastest), rest.len() as u64),
    };
    assert!(Bundle::from_bytes(&file, BundleTrust::SignedBy(&[[7; 32]])).is_err(), "no one has signed it");
    if let Ok(bundle) = Bundle::from_bytes(&file, BundleTrust::Anyone) {
        for id in bundle.ids(None).expect("it is in memory") {
            assert_eq!(bundle.read(&id).expect("it is in memory").key.id(), id);
        }
    }
});
