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

/// The folder of the store: that of the flags, or else of the environment, or else the platform's. `None` if the user has no home.
pub(crate) fn folder(args: &StoreArgs) -> Option<PathBuf> {
    let own = args.store.clone().or_else(|| variable(FOLDER).map(PathBuf::from));
    own.or_else(|| DiskStore::platform_folder("metallic"))
}

/// Opens the store. A folder that is not safe, or a server that does not answer, is no error: each look-up says so.
///
/// # Errors
/// [`Error::Usage`] if a URL or the secret cannot be meant; [`Error::NotFound`] if there is no folder.
pub(crate) fn open(args: &StoreArgs, observer: Option<&Arc<dyn StoreObserver>>) -> Result<OpenStore, Error> {
    let no_folder = || Error::NotFound("there is no cache folder for this user: name one by --store".into());
    let folder = folder(args).ok_or_else(no_folder)?;
    let secret =
        Secret::from_env().map_err(|error| Error::Usage(format!("{}: {error}", Secret::VARIABLE)))?;
    let mut disk = DiskOptions::new();
    let mut options = RemoteOptions::new();
    if let Some(secret) = secret {
        disk = disk.with_secret(secret.clone());
        options = options.with_secret(secret);
    }
    if args.trust_remote {
        options = options.trusted();
    }
    if let Some(observer) = observer {
        disk = disk.with_observer(observer.clone());
        options = options.with_observer(observer.clone());
    }
    let url = args.store_remote.clone().or_else(|| variable(REMOTE)?.into_string().ok());
    let remote = url.map(|url| RemoteStore::at(&url, options)).transpose();
    let remote = remote.map_err(|error| Error::Usage(format!("--store-remote: {error}")))?;
    Ok(OpenStore { disk: Arc::new(DiskStore::open(folder, disk)), remote: remote.map(Arc::new) })
}

/// An environment variable that is set and not empty.
fn variable(name: &str) -> Option<std::ffi::OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}
