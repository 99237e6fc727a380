use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use metallic_store::{
    Artifact, ArtifactKey, ArtifactStore, EntryId, Fingerprint, KeyError, MissCause, SaveError,
};

/// An artifact that no program asks for, to be written, read and removed.
pub(super) struct Probe {
    key: ArtifactKey,
    artifact: Artifact,
}

/// As long as many an artifact is, so that there must be room for one.
const BYTES: usize = 1 << 16;

/// Where a round trip ended.
pub(super) enum Trip {
    /// It was written and read, and all of it was the same.
    Whole {
        write: Duration,
        read: Duration,
    },
    NotWritten(SaveError),
    NotRead(MissCause),
    /// It was read, verified, and is another one.
    Changed,
}

impl Probe {
    /// A probe that no other process, of whatever machine, has at this moment.
    pub(super) fn new() -> Result<Self, KeyError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        // The address of a local is random where programs are laid out at random.
        let local = 0_u8;
        let unique = format!("{now}-{}-{:p}", std::process::id(), &raw const local);
        let mut bytes = Vec::with_capacity(BYTES);
        let mut digest = metallic_store::Digest::of(unique.as_bytes());
        // Does not compress, so that as much travels.
        while bytes.len() < BYTES {
            bytes.extend_from_slice(&digest.0);
            digest = metallic_store::Digest::of(&digest.0);
        }
        Ok(Self {
            key: ArtifactKey::new("metallic store doctor", 1, unique, Fingerprint::new())?,
            artifact: Artifact::native(bytes).with_label("left by `metallic store doctor`: can be removed"),
        })
    }

    pub(super) fn id(&self) -> EntryId {
        self.key.id()
    }

    /// Writes the probe and reads it back. It is still there afterwards, unless it could not be written.
    pub(super) fn travel(&self, store: &dyn ArtifactStore) -> Trip {
        let start = Instant::now();
        if let Err(cause) = store.save(&self.key, &self.artifact) {
            return Trip::NotWritten(cause);
        }
        let write = start.elapsed();
        match store.load(&self.key) {
            Ok(artifact) if artifact == self.artifact => {
                Trip::Whole { write, read: start.elapsed().saturating_sub(write) }
            }
            Ok(_) => Trip::Changed,
            Err(cause) => Trip::NotRead(cause),
        }
    }
}
