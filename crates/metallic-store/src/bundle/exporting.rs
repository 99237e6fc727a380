use std::time::UNIX_EPOCH;

use ed25519_dalek::Signer;

use super::{BundleReport, BundleSigner, FLAG_SIGNED, FORMAT, HEAD, MAGIC, SIGNED};
use crate::{ArtifactStore, Bundle, Digest, EntryId, compression};

impl Bundle {
    /// Exports entries of a store as the bytes of one file. What cannot be read is left out and reported.
    ///
    /// Links are exported with the entries they lead to only if both are among `ids`. The same entries give the same bytes.
    pub fn export(
        store: &dyn ArtifactStore,
        ids: impl IntoIterator<Item = EntryId>,
        signer: Option<&BundleSigner>,
    ) -> (Vec<u8>, BundleReport) {
        let mut ids: Vec<_> = ids.into_iter().collect();
        ids.sort();
        ids.dedup();
        let mut report = BundleReport::default();
        let mut body = Vec::new();
        for id in ids {
            // The signature stands for all entries: a MAC of this store's secret would mean nothing to others.
            let encoded = store.read(&id).map_err(|cause| cause.to_string());
            match encoded.and_then(|entry| entry.encode(None, UNIX_EPOCH).map_err(|cause| cause.to_string()))
            {
                Ok(entry) => {
                    report.moved += 1;
                    body.extend_from_slice(&(entry.len() as u64).to_le_bytes());
                    body.extend_from_slice(&entry);
                }
                Err(cause) => report.failed.push((id, cause)),
            }
        }
        (seal(&body, signer), report)
    }
}

/// Compresses a body, and puts the header before it.
fn seal(body: &[u8], signer: Option<&BundleSigner>) -> Vec<u8> {
    let compressed = compression::compress(body);
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
    file
}
