//! A store in a folder that many processes share.

mod eviction;
pub mod file_system;
mod folder;
mod foreign;
mod layout;
mod ledger;
mod lock;
mod reading;
mod writing;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::{
    ArtifactStore, Entry, EntryId, EntryInfo, Journal, Lease, LeaseGuard, MissCause, SaveError, Secret,
    StoreObserver, Subject,
};

use file_system::{FileHandle, FileSystem, NativeFileSystem};
use layout::Layout;
use ledger::Ledger;
use lock::Locked;

/// A store in a folder that many processes share.
///
/// Readers take no lock and see an entry whole or not at all. The folder never takes more than its limit: room is reserved
/// before a write, and the entries of the least [`profit`](crate::profit) are evicted. Creations are leased by file locks, which
/// the system frees when their process ends.
///
/// Opening never fails, and no fault of the folder reaches a caller as anything but a named miss: a folder that belongs to
/// another user, or that others can write to, is refused, since a driver executes what is in it.
///
/// Needs Rust 1.89, for the standard library's file locks.
///
/// ```
/// use metallic_store::{Artifact, ArtifactKey, ArtifactStore, DiskOptions, DiskStore, Fingerprint, MissCause};
///
/// let folder = tempfile::tempdir()?;
/// let store = DiskStore::open(folder.path().join("artifacts"), DiskOptions::new().with_limit(64 << 20));
/// let driver = |version| Fingerprint::new().with_layer("driver", version);
/// let key = ArtifactKey::new("gemm", 1, *b"m64", driver("550"))?;
/// store.save(&key, &Artifact::native(*b"code"))?;
///
/// let later = DiskStore::open(folder.path().join("artifacts"), DiskOptions::new());
/// assert_eq!(later.load(&key)?.payload("native"), Some(&b"code"[..]));
/// let updated = ArtifactKey::new("gemm", 1, *b"m64", driver("560"))?;
/// let cause = later.load(&updated).unwrap_err();
/// assert_eq!(cause.to_string(), "stored under another fingerprint: driver is `560`, stored with `550`");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct DiskStore {
    inner: Arc<Inner>,
}

/// How a [`DiskStore`] is opened.
#[derive(Clone)]
pub struct DiskOptions {
    name: String,
    limit: u64,
    lock_wait: Duration,
    durable: bool,
    read_only: bool,
    secret: Option<Secret>,
    observer: Option<Arc<dyn StoreObserver>>,
    files: Arc<dyn FileSystem>,
}

struct Inner {
    layout: Layout,
    refusal: Option<String>,
    limit: u64,
    lock_wait: Duration,
    durable: bool,
    read_only: bool,
    secret: Option<Secret>,
    journal: Journal,
    files: Arc<dyn FileSystem>,
    /// `true` if this process has looked for what killed ones left behind.
    swept: AtomicBool,
    /// `true` if another process has kept the ledger locked for longer than the wait, and still had it when last asked.
    is_ledger_stuck: AtomicBool,
}

/// The room that a [`DiskStore`] takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DiskUsage {
    /// Entries.
    pub entries: u64,
    /// Bytes in entries and reserved for those being written.
    pub bytes: u64,
    /// The most they may be.
    pub limit: u64,
}

impl DiskOptions {
    /// The bound of a store unless [`with_limit`](Self::with_limit) says otherwise: 1 GiB.
    pub const DEFAULT_LIMIT: u64 = 1 << 30;

    /// A store of 1 GiB that is written to, without a secret, and durable as far as the system writes by itself.
    pub fn new() -> Self {
        Self {
            name: "disk".to_owned(),
            limit: Self::DEFAULT_LIMIT,
            lock_wait: Duration::from_millis(500),
            durable: false,
            read_only: false,
            secret: None,
            observer: None,
            files: Arc::new(NativeFileSystem),
        }
    }

    /// Sets the name of the store in events.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets the most bytes that all entries take together, of all processes. Each process obeys its own limit.
    #[must_use]
    pub fn with_limit(mut self, bytes: u64) -> Self {
        self.limit = bytes;
        self
    }

    /// Sets how long a write waits for other processes' writes to reserve room and evict: half a second unless set. It
    /// is not written if they take longer, and those after it do not wait until they are done.
    #[must_use]
    pub fn with_lock_wait(mut self, wait: Duration) -> Self {
        self.lock_wait = wait;
        self
    }

    /// Waits on each write until it is on the disk. Without, a crash of the machine may lose or tear what was written last,
    /// which is then a miss.
    #[must_use]
    pub fn durable(mut self) -> Self {
        self.durable = true;
        self
    }

    /// Only reads: changes nothing in the folder, not even the time of an entry's last use. It may then belong to root.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// Authenticates what is written, and accepts nothing else.
    #[must_use]
    pub fn with_secret(mut self, secret: Secret) -> Self {
        self.secret = Some(secret);
        self
    }

    /// Sets the observer of the store's events.
    #[must_use]
    pub fn with_observer(mut self, observer: Arc<dyn StoreObserver>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Sets another file system.
    #[must_use]
    pub fn with_file_system(mut self, files: Arc<dyn FileSystem>) -> Self {
        self.files = files;
        self
    }
}

impl Default for DiskOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl DiskStore {
    /// Opens the store in `folder`, which is created, for its owner alone, unless it is there or only read.
    ///
    /// Never fails: [`refusal`](Self::refusal) tells whether all look-ups are going to miss.
    pub fn open(folder: impl Into<PathBuf>, options: DiskOptions) -> Self {
        let DiskOptions { name, limit, lock_wait, durable, read_only, secret, observer, files } = options;
        let layout = Layout::new(folder.into());
        let refusal = folder::refusal(&*files, &layout, read_only);
        let journal = Journal::new(name, observer);
        let swept = AtomicBool::new(false);
        Self {
            inner: Arc::new(Inner {
                layout,
                refusal,
                limit,
                lock_wait,
                durable,
                read_only,
                secret,
                journal,
                files,
                swept,
                is_ledger_stuck: AtomicBool::new(false),
            }),
        }
    }

    /// The folder for artifacts of a program in the platform's cache folder; none if the user has no home.
    pub fn platform_folder(program: &str) -> Option<PathBuf> {
        directories::ProjectDirs::from("", "", program).map(|folders| folders.cache_dir().join("artifacts"))
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.inner.layout.root()
    }

    /// Returns why the folder is not used at all, if it is not.
    pub fn refusal(&self) -> Option<&str> {
        self.inner.refusal.as_deref()
    }

    /// The most bytes that all entries take together.
    pub fn limit(&self) -> u64 {
        self.inner.limit
    }

    /// Bytes that can still be written to the file system of the folder, where it tells.
    ///
    /// # Errors
    ///
    /// If the folder is not there, or the system does not say.
    pub fn available(&self) -> io::Result<Option<u64>> {
        self.inner.files.available(self.folder())
    }

    /// Finds what is in the folder and was not put there by a store. It is neither read nor counted nor removed.
    ///
    /// # Errors
    ///
    /// If the folder cannot be listed. One that is not there has nothing in it.
    pub fn foreign(&self) -> io::Result<Vec<PathBuf>> {
        self.inner.foreign()
    }

    /// Tells whether there is a store in the folder: a ledger or entries, if they are none yet.
    ///
    /// # Errors
    ///
    /// If the folder cannot be listed. One that is not there has none.
    pub fn holds_store(&self) -> io::Result<bool> {
        self.inner.holds_store()
    }

    /// Counts what is in the folder, and corrects the ledger by it.
    ///
    /// # Errors
    ///
    /// If the folder cannot be written to.
    pub fn usage(&self) -> Result<DiskUsage, SaveError> {
        self.inner.check_writable()?;
        let mut ledger = Ledger::open(&self.inner)?;
        ledger.count()?;
        ledger.subtract(0);
        let entries = self.inner.entries(None)?.len() as u64;
        Ok(DiskUsage { entries, bytes: ledger.total(), limit: self.inner.limit })
    }

    /// Verifies an entry to its last byte, and returns the length of its file. Does not count as a use.
    ///
    /// # Errors
    ///
    /// Why a read would not return it.
    pub fn verify(&self, id: &EntryId) -> Result<u64, MissCause> {
        self.inner.verified(id).map(|(_, _, stat)| stat.len)
    }

    /// Evicts what is worth least until at most `bytes` are left, and links whose artifact is no longer there. Returns the bytes
    /// that were evicted. Zero clears the store.
    ///
    /// # Errors
    ///
    /// If the folder cannot be written to.
    pub fn prune(&self, bytes: u64) -> Result<u64, SaveError> {
        self.inner.check_writable()?;
        let mut ledger = Ledger::open(&self.inner)?;
        ledger.count()?;
        let evicted = ledger.evict_to(&self.inner, bytes);
        ledger.subtract(0);
        Ok(evicted)
    }
}

impl Inner {
    fn check_writable(&self) -> Result<(), SaveError> {
        match &self.refusal {
            _ if self.read_only => Err(SaveError::ReadOnly),
            Some(refusal) => Err(SaveError::Refused(refusal.clone())),
            None => Ok(()),
        }
    }
}

impl ArtifactStore for DiskStore {
    fn journal(&self) -> &Journal {
        &self.inner.journal
    }

    fn read(&self, id: &EntryId) -> Result<Entry, MissCause> {
        self.inner.read(id)
    }

    fn write(&self, entry: &Entry) -> Result<(), SaveError> {
        self.inner.write(entry)
    }

    fn remove(&self, id: &EntryId) -> Result<bool, SaveError> {
        self.inner.check_writable()?;
        let mut ledger = Ledger::open(&self.inner)?;
        let bytes = ledger.present(id);
        match self.inner.files.remove_file(&self.inner.layout.entry(id)) {
            Ok(()) => {
                ledger.subtract(bytes);
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn ids(&self, subject: Option<Subject>) -> Result<Vec<EntryId>, MissCause> {
        match &self.inner.refusal {
            Some(refusal) => Err(MissCause::Refused(refusal.clone())),
            None => self.inner.entries(subject).map_err(|error| MissCause::Unreadable(error.kind())),
        }
    }

    fn info(&self, id: &EntryId) -> Result<EntryInfo, MissCause> {
        self.inner.info(id)
    }

    fn lease(&self, id: &EntryId, wait: Duration) -> Lease {
        let inner = &self.inner;
        let folder = inner.layout.leases();
        if inner.check_writable().is_err() {
            return Lease::Unsupported;
        }
        if inner.journal.absorb("create the folder of leases", inner.create_folder(&folder)).is_none() {
            return Lease::Unsupported;
        }
        let path = inner.layout.lease(id);
        match lock::lock(&*inner.files, &path, wait) {
            Locked::Held(file) => {
                Lease::Held(LeaseGuard::new(HeldLease { inner: Arc::clone(inner), path, file }))
            }
            Locked::TimedOut => Lease::TimedOut,
            Locked::Unsupported => Lease::Unsupported,
            Locked::Failed(error) => {
                inner.journal.absorb("open a lease", Err::<(), _>(error));
                Lease::Unsupported
            }
        }
    }
}

impl fmt::Debug for DiskStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskStore").field("folder", &self.folder()).finish_non_exhaustive()
    }
}

impl fmt::Debug for DiskOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskOptions").field("limit", &self.limit).finish_non_exhaustive()
    }
}

/// A lease whose file is removed and then unlocked. A waiter finds that the file has no name any more, and opens another.
struct HeldLease {
    inner: Arc<Inner>,
    path: PathBuf,
    file: Box<dyn FileHandle>,
}

impl Drop for HeldLease {
    fn drop(&mut self) {
        // Where files have no identity, the waiter could not tell, and the empty file stays for the next creation.
        if matches!(self.file.stat(), Ok(stat) if stat.identity.is_some()) {
            self.inner.journal.absorb("remove a lease", self.inner.files.remove_file(&self.path));
        }
    }
}
