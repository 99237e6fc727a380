use std::time::UNIX_EPOCH;

use ed25519_dalek::Signer;

use super::{BundleError, BundleReport, BundleSigner, FLAG_SIGNED, FORMAT, HEAD, MAGIC, SIGNED};
use crate::{ArtifactStore, Bundle, Digest, EntryId, compression};

impl Bundle {
    /// Exports entries of a store as the bytes of one file. What cannot be read is left out and reported.
    ///
    /// Links are exported with the entries they lead to only if both are among `ids`. The same entries give the same bytes.
    ///
    /// # Errors
    ///
    /// [`BundleError::TooLong`] if the entries take more than [`MAX_BYTES`](Self::MAX_BYTES): no program would read the file.
    pub fn export(
        store: &dyn ArtifactStore,
        ids: impl IntoIterator<Item = EntryId>,
        signer: Option<&BundleSigner>,
    ) -> Result<(Vec<u8>, BundleReport), BundleError> {
        export_within(Self::MAX_BYTES, store, ids, signer)
    }
}

fn export_within(
    limit: u64,
    store: &dyn ArtifactStore,
    ids: impl IntoIterator<Item = EntryId>,
    signer: Option<&BundleSigner>,
) -> Result<(Vec<u8>, BundleReport), BundleError> {
    let mut ids: Vec<_> = ids.into_iter().collect();
    ids.sort();
    ids.dedup();
    let mut report = BundleReport::default();
    let mut body = Vec::new();
    for id in ids {
        // The signature stands for all entries: a MAC of this store's secret would mean nothing to others.
        let encoded = store.read(&id).map_err(|cause| cause.to_string());
        match encoded.and_then(|entry| entry.encode(None, UNIX_EPOCH).map_err(|cause| cause.to_string())) {
            Ok(entry) => {
                check_length(body.len() + 8 + entry.len(), limit)?;
                report.moved += 1;
                body.extend_from_slice(&(entry.len() as u64).to_le_bytes());
                body.extend_from_slice(&entry);
            }
            Err(cause) => report.failed.push((id, cause)),
        }
    }
    Ok((seal(&body, signer, limit)?, report))
}

fn check_length(bytes: usize, limit: u64) -> Result<(), BundleError> {
    let bytes = bytes as u64;
    if bytes > limit { Err(BundleError::TooLong { bytes, limit }) } else { Ok(()) }
}

/// Compresses a body, and puts the header before it.
fn seal(body: &[u8], signer: Option<&BundleSigner>, limit: u64) -> Result<Vec<u8>, BundleError> {
    let compressed = compression::compress(body);
    // What cannot be compressed becomes longer.
    check_length(compressed.len(), limit)?;
    let mut file = Vec::with_capacity(HEAD + compressed.len());
    file.extend_from_slice(&MAGIC);
    file.extend_from_slice(&FORMAT.to_le_bytes());
    file.extend_from_slice(&(if signer.is_some() { FLAG_SIGNED } else { 0 }).to_le_bytes());
    file.extend_from_slice(&(compressed.len() as u64).to_le_bytes());
    file.extend_from_slice(&(body.len() as u64).to_le_bytes());
    file.extend_from_slice(&Digest::of(&compressed).0);
    file.extend_from_slice(&signer.map_or([0; 32], BundleSigner::public));
    debug_assert_eq!(file.len(), SIGNED);
    let signature = signer.map_or([0; 64], |signer| signer.0.sign(&file).to_bytes());
    file.extend_from_slice(&signature);
    file.extend_from_slice(&compressed);
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Artifact, ArtifactKey, Fingerprint, MemoryStore};

    #[test]
    fn a_bundle_that_no_program_would_read_is_refused_before_it_is_made() {
        let store = MemoryStore::new();
        for number in 0..3 {
            let key = ArtifactKey::new("gemm", 1, [number], Fingerprint::new()).unwrap();
            store.save(&key, &Artifact::native([number; 1000])).unwrap();
        }
        let ids = store.ids(None).unwrap();
        let refused = export_within(3000, &store, ids.clone(), None);
        assert!(
            matches!(refused, Err(BundleError::TooLong { bytes, limit: 3000 }) if bytes > 3000),
            "{refused:?}"
        );
        let (file, _) = export_within(4000, &store, ids, None).unwrap();
        assert_eq!(Bundle::from_bytes(&file, super::super::BundleTrust::Anyone).unwrap().len(), 3);
    }
}
