//! The store of artifacts that the flags and the environment ask for.

use std::env;
use std::path::PathBuf;
use std::sync::Arc;

use metallic_store::{
    ArtifactStore, DiskOptions, DiskStore, LayeredStore, RemoteOptions, RemoteStore, Secret, StoreObserver,
};

use crate::args::StoreArgs;
use crate::error::Error;

/// The folder, in place of the platform's.
const FOLDER: &str = "METALLIC_STORE";
/// The URL of a remote level.
const REMOTE: &str = "METALLIC_STORE_REMOTE";

/// The levels of an open store.
pub(crate) struct OpenStore {
    /// The folder of this machine.
    pub(crate) disk: Arc<DiskStore>,
    /// The server below it, if one is asked for.
    pub(crate) remote: Option<Arc<RemoteStore>>,
}

impl OpenStore {
    /// All levels as one store.
    pub(crate) fn whole(&self) -> Arc<dyn ArtifactStore> {
        match &self.remote {
            None => self.disk.clone(),
            Some(remote) => Arc::new(LayeredStore::new(self.disk.clone()).with_remote(remote.clone())),
        }
    }
}

/// The folder of the store: that of the flags, or else of the environment, or else the platform's.
///
/// # Errors
/// [`Error::NotFound`] if the user has no home, and names no folder.
pub(crate) fn folder(args: &StoreArgs) -> Result<PathBuf, Error> {
    let own = args.store.clone().or_else(|| variable(FOLDER).map(PathBuf::from));
    let no_folder = || Error::NotFound("there is no cache folder for this user: name one by --store".into());
    own.or_else(|| DiskStore::platform_folder("metallic")).ok_or_else(no_folder)
}

/// Returns `true` if the user names the folder, by a flag or in the environment.
pub(crate) fn is_named(args: &StoreArgs) -> bool {
    args.store.is_some() || variable(FOLDER).is_some()
}

/// The secret that authenticates artifacts, if the environment has one.
///
/// # Errors
/// [`Error::Usage`] if it is too short to be one.
pub(crate) fn secret() -> Result<Option<Secret>, Error> {
    Secret::from_env().map_err(|error| Error::Usage(format!("{}: {error}", Secret::VARIABLE)))
}

/// Opens the folder alone. One that is not safe is no error: each look-up says so.
///
/// # Errors
/// As [`folder`] and [`secret`].
pub(crate) fn disk(
    args: &StoreArgs,
    observer: Option<&Arc<dyn StoreObserver>>,
    limit: u64,
) -> Result<Arc<DiskStore>, Error> {
    Ok(Arc::new(DiskStore::open(folder(args)?, options(observer, limit)?)))
}

/// The options of the folder.
///
/// # Errors
/// As [`secret`].
pub(crate) fn options(observer: Option<&Arc<dyn StoreObserver>>, limit: u64) -> Result<DiskOptions, Error> {
    let mut options = DiskOptions::new().with_limit(limit);
    if let Some(secret) = secret()? {
        options = options.with_secret(secret);
    }
    if let Some(observer) = observer {
        options = options.with_observer(observer.clone());
    }
    Ok(options)
}

/// Opens all levels. A server that does not answer is no error either.
///
/// # Errors
/// As [`disk`], and [`Error::Usage`] if a URL cannot be meant.
pub(crate) fn open(args: &StoreArgs, observer: Option<&Arc<dyn StoreObserver>>) -> Result<OpenStore, Error> {
    let disk = disk(args, observer, DiskOptions::DEFAULT_LIMIT)?;
    Ok(OpenStore { disk, remote: remote(args, observer)? })
}

/// Opens the remote level alone, if there is to be one.
///
/// # Errors
/// As [`open`].
pub(crate) fn remote(
    args: &StoreArgs,
    observer: Option<&Arc<dyn StoreObserver>>,
) -> Result<Option<Arc<RemoteStore>>, Error> {
    let mut options = RemoteOptions::new();
    if let Some(secret) = secret()? {
        options = options.with_secret(secret);
    }
    if args.trust_remote {
        options = options.trusted();
    }
    if let Some(observer) = observer {
        options = options.with_observer(observer.clone());
    }
    let remote = url(args).map(|url| RemoteStore::at(&url, options)).transpose();
    let remote = remote.map_err(|error| Error::Usage(format!("--store-remote: {error}")))?;
    Ok(remote.map(Arc::new))
}

/// The URL of the remote level, if there is to be one.
pub(crate) fn url(args: &StoreArgs) -> Option<String> {
    args.store_remote.clone().or_else(|| variable(REMOTE)?.into_string().ok())
}

/// An environment variable that is set and not empty.
fn variable(name: &str) -> Option<std::ffi::OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}
