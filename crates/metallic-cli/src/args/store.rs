//! Arguments of the commands that use a store of artifacts.

mod commands;

use std::path::PathBuf;

pub use commands::{
    DoctorArgs, ExportArgs, FolderArgs, ImportArgs, LsArgs, PruneArgs, ShowArgs, StoreCommand, StoreCommands,
    VerifyArgs, WhyArgs,
};

use clap::Args as ClapArgs;

/// Where artifacts are kept.
#[derive(Clone, Debug, Default, ClapArgs)]
pub struct StoreArgs {
    /// The folder of the store of artifacts; by default that of METALLIC_STORE, or else `metallic/artifacts` in the platform's
    /// folder for caches.
    #[arg(long, value_name = "DIR")]
    pub store: Option<PathBuf>,
    /// A server below the folder: `http[s]://`, `bazel+http[s]://`, `redis://` or `s3://`; by default that of METALLIC_STORE_REMOTE.
    /// Nothing is read from it without the secret METALLIC_STORE_SECRET or --trust-remote.
    #[arg(long, value_name = "URL")]
    pub store_remote: Option<String>,
    /// Accept what the server has without a secret: anyone who can write to it can then run code here.
    #[arg(long)]
    pub trust_remote: bool,
}
