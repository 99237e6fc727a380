use std::collections::BTreeMap;

use metallic_store::conformance::{artifact, key};
use metallic_store::{
    ArtifactStore, Bundle, BundleError, BundleSigner, BundleTrust, Content, DiskOptions, DiskStore,
    FormatError, MemoryStore, MissCause, Secret,
};

fn signer() -> BundleSigner {
    BundleSigner::from_seed(&[7; 32])
}

/// Five artifacts, one of them behind a link, in a store with a secret.
fn exported(signer: Option<&BundleSigner>) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let secret = Secret::new(b"the exporting store's secret").unwrap();
    let store = DiskStore::open(folder.path().join("store"), DiskOptions::new().with_secret(secret));
    for number in 0..4 {
        store.save(&key(number, "550"), &artifact(number, 2000)).unwrap();
    }
    let content = key(4, "550").with_content(&Content::new().with("source", "kernel"));
    store.save(&content, &artifact(4, 10)).unwrap();
    store.link(&key(4, "550"), &content).unwrap();
    let (bytes, report) = Bundle::export(&store, store.ids(None).unwrap(), signer).unwrap();
    assert_eq!((report.moved, report.failed), (6, Vec::new()));
    bytes
}

#[test]
fn what_was_exported_is_imported() {
    let bytes = exported(Some(&signer()));
    let bundle = Bundle::from_bytes(&bytes, BundleTrust::SignedBy(&[[1; 32], signer().public()])).unwrap();
    assert_eq!(bundle.len(), 6);
    let store = MemoryStore::new();
    assert_eq!(bundle.import_into(&store).moved, 6);
    for store in [&store as &dyn ArtifactStore, &bundle] {
        for number in 0..4 {
            assert_eq!(store.load(&key(number, "550")), Ok(artifact(number, 2000)));
        }
        assert_eq!(store.load(&key(4, "550")), Ok(artifact(4, 10)), "through its link");
        assert!(matches!(store.load(&key(0, "560")), Err(MissCause::Changed(_))));
    }
    assert_eq!(exported(Some(&signer())), bytes, "the same entries give the same bytes");
}

#[test]
fn only_who_is_trusted_is_believed() {
    let signed = exported(Some(&signer()));
    let unsigned = exported(None);
    let open = |bytes: &[u8], trust| Bundle::from_bytes(bytes, trust).map(|bundle| bundle.len());
    assert_eq!(open(&signed, BundleTrust::Anyone).unwrap(), 6);
    assert_eq!(open(&unsigned, BundleTrust::Anyone).unwrap(), 6);
    let us = &[signer().public()];
    assert!(matches!(open(&unsigned, BundleTrust::SignedBy(us)), Err(BundleError::Unsigned)));
    let other = BundleSigner::from_seed(&[8; 32]);
    let theirs = exported(Some(&other));
    assert!(matches!(open(&theirs, BundleTrust::SignedBy(us)), Err(BundleError::UnknownSigner(_))));
    // Our name over their content.
    let mut forged = theirs;
    forged[64..96].copy_from_slice(&signer().public());
    assert!(matches!(open(&forged, BundleTrust::SignedBy(us)), Err(BundleError::Signature)));
}

#[test]
fn every_flipped_byte_and_every_truncation_of_a_bundle_is_refused() {
    let bytes = exported(Some(&signer()));
    let us = &[signer().public()];
    let mut refusals = BTreeMap::<String, u32>::new();
    let mut refuse = |bytes: &[u8], what: &str| match Bundle::from_bytes(bytes, BundleTrust::SignedBy(us)) {
        Ok(_) => panic!("{what} is believed"),
        Err(error) => {
            let text = error.to_string();
            *refusals.entry(text.split([':', '`']).next().unwrap().to_owned()).or_default() += 1;
        }
    };
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x10;
        refuse(&flipped, &format!("byte {at}"));
    }
    for len in 0..bytes.len() {
        refuse(&bytes[..len], &format!("{len} bytes"));
    }
    refuse(&[&bytes[..], b"x"].concat(), "one byte more");
    println!("{} flips and {} truncations of a bundle: {refusals:?}", bytes.len(), bytes.len());
}

#[test]
fn a_decompression_bomb_stops_at_the_length_that_is_signed() {
    // 64 MiB of zeros in some kB, behind a header that says 1000 bytes.
    let zeros = vec![0; 64 << 20];
    let packed = ruzstd::encoding::compress_to_vec(&zeros[..], ruzstd::encoding::CompressionLevel::Fastest);
    let mut bomb = exported(None)[..160].to_vec();
    bomb[16..24].copy_from_slice(&(packed.len() as u64).to_le_bytes());
    bomb[24..32].copy_from_slice(&1000_u64.to_le_bytes());
    bomb[32..64].copy_from_slice(&metallic_store::Digest::of(&packed).0);
    bomb.extend_from_slice(&packed);
    let refused = Bundle::from_bytes(&bomb, BundleTrust::Anyone);
    assert!(matches!(refused, Err(BundleError::Compression(_))), "{refused:?}");
    for absurd in [u64::MAX, Bundle::MAX_BYTES + 1] {
        bomb[24..32].copy_from_slice(&absurd.to_le_bytes());
        let refused = Bundle::from_bytes(&bomb, BundleTrust::Anyone);
        assert!(matches!(refused, Err(BundleError::Damaged(_))), "{refused:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_file_without_an_end_is_refused_at_its_head() {
    assert!(matches!(
        Bundle::open("/dev/zero", BundleTrust::Anyone),
        Err(BundleError::Damaged(FormatError::Magic))
    ));
    // A header that says so much, and a file that has much more: no more than that is read.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sparse");
    let (bundle, _) = Bundle::export(&MemoryStore::new(), [], None).unwrap();
    std::fs::write(&path, &bundle).unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(1 << 40).unwrap();
    let refused = Bundle::open(&path, BundleTrust::Anyone);
    assert!(matches!(refused, Err(BundleError::Damaged(FormatError::Trailing(1)))), "{refused:?}");
}
