use std::collections::HashMap;
use std::time::Duration;

use super::BundleReport;
use crate::{ArtifactStore, Entry, EntryId, EntryInfo, Journal, Lease, MissCause, SaveError, Subject};

/// Entries out of one file, all verified when it was opened: a store that is only read, such as a base that ships with a
/// program.
///
/// ```
/// use metallic_store::{
///     Artifact, ArtifactKey, ArtifactStore, Bundle, BundleSigner, BundleTrust, Fingerprint, MemoryStore,
/// };
///
/// let store = MemoryStore::new();
/// let key = ArtifactKey::new("gemm", 1, *b"m64", Fingerprint::new())?;
/// store.save(&key, &Artifact::native(*b"code"))?;
///
/// let signer = BundleSigner::from_seed(b"32 bytes, in earnest random ones");
/// let (file, report) = Bundle::export(&store, store.ids(None)?, Some(&signer))?;
/// assert_eq!(report.moved, 1);
///
/// let bundle = Bundle::from_bytes(&file, BundleTrust::SignedBy(&[signer.public()]))?;
/// assert_eq!(bundle.load(&key)?.payload("native"), Some(&b"code"[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Bundle {
    journal: Journal,
    entries: HashMap<EntryId, Entry>,
}

impl Bundle {
    pub(super) fn of(entries: HashMap<EntryId, Entry>) -> Self {
        Self { journal: Journal::new("bundle", None), entries }
    }

    /// Writes all entries to a store. What cannot be written is reported.
    pub fn import_into(&self, store: &dyn ArtifactStore) -> BundleReport {
        let mut report = BundleReport::default();
        for (id, entry) in &self.entries {
            match store.write(entry) {
                Ok(()) => report.moved += 1,
                Err(cause) => report.failed.push((*id, cause.to_string())),
            }
        }
        report
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns true if there are no entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl ArtifactStore for Bundle {
    fn journal(&self) -> &Journal {
        &self.journal
    }

    fn read(&self, id: &EntryId) -> Result<Entry, MissCause> {
        self.entries.get(id).cloned().ok_or(MissCause::Absent)
    }

    fn write(&self, _: &Entry) -> Result<(), SaveError> {
        Err(SaveError::ReadOnly)
    }

    fn remove(&self, _: &EntryId) -> Result<bool, SaveError> {
        Err(SaveError::ReadOnly)
    }

    fn ids(&self, subject: Option<Subject>) -> Result<Vec<EntryId>, MissCause> {
        let of_subject = |id: &&EntryId| subject.is_none_or(|subject| id.subject() == subject);
        Ok(self.entries.keys().filter(of_subject).copied().collect())
    }

    fn info(&self, id: &EntryId) -> Result<EntryInfo, MissCause> {
        self.entries.get(id).map(EntryInfo::of_resident).ok_or(MissCause::Absent)
    }

    fn lease(&self, _: &EntryId, _: Duration) -> Lease {
        Lease::Unsupported
    }
}
