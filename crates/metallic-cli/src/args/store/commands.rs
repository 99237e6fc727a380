//! Arguments of `metallic store`.

use std::path::PathBuf;

use clap::{ArgGroup, Args as ClapArgs, Subcommand};

use super::StoreArgs;
use crate::units::parse_bytes;

const EXAMPLES: &str = "Examples:
  metallic store ls
  metallic store why 'gemm:GemmKey{m:64}' --layer driver=560
  metallic store prune --to 512M
  metallic store export --out shipped.bundle --sign seed
  metallic store doctor --store-remote redis://cache.example

A KEY is the name of an entry as `ls` prints it, or the beginning of one; or its label, or CACHE:LABEL.";

const CODES: &str = "Exit codes: 0, all went well; 1, something failed, and one line on stderr says what; 2, the \
arguments are wrong; 3, `verify` found damage or `doctor` a failure, a line on stderr for each.";

/// Arguments of `store`.
#[derive(Debug, ClapArgs)]
#[command(arg_required_else_help = false, after_help = format!("{EXAMPLES}\n\n{CODES}"))]
pub struct StoreCommands {
    /// The command.
    #[command(subcommand)]
    pub command: StoreCommand,
}

/// The commands of `store`.
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// List the artifacts, those used last first.
    Ls(LsArgs),
    /// Show all that is known of one artifact, and read it to see if it is whole.
    Show(ShowArgs),
    /// Tell in which layers of the fingerprint the artifacts of a key differ from what is asked for, or from each other.
    Why(WhyArgs),
    /// Read every artifact, and verify every byte of it.
    Verify(VerifyArgs),
    /// Evict what is worth least until no more than a size is left, and list what was evicted.
    Prune(PruneArgs),
    /// Write artifacts to one file, compressed and signed, to ship with a program.
    Export(ExportArgs),
    /// Add the artifacts of such a file to the store.
    Import(ImportArgs),
    /// Remove all artifacts. What a store did not put into the folder stays, and is named.
    Clear(FolderArgs),
    /// Write, read and remove an artifact on each level of the store, and find what makes a store useless without a word.
    Doctor(DoctorArgs),
}

/// The folder, and the form of the output.
#[derive(Debug, Default, ClapArgs)]
pub struct FolderArgs {
    /// The folder of the store; by default that of METALLIC_STORE, or else `metallic/artifacts` in the platform's folder for
    /// caches.
    #[arg(long, value_name = "DIR")]
    pub store: Option<PathBuf>,
    /// Print JSON instead of text. The schemas are docs/schemas/store-*.schema.json.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `store ls`.
#[derive(Debug, Default, ClapArgs)]
pub struct LsArgs {
    /// Only those of this cache.
    #[arg(long, value_name = "NAME")]
    pub cache: Option<String>,
    /// Where, and how.
    #[command(flatten)]
    pub folder: FolderArgs,
}

/// Arguments of `store show`.
#[derive(Debug, ClapArgs)]
pub struct ShowArgs {
    /// The entry.
    #[arg(value_name = "KEY")]
    pub key: String,
    /// Where, and how.
    #[command(flatten)]
    pub folder: FolderArgs,
}

/// Arguments of `store why`.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  metallic store why 3f2a9c                        how others of its key differ
  metallic store why gemm:m64 --layer driver=560   what that driver would find")]
pub struct WhyArgs {
    /// The key.
    #[arg(value_name = "KEY")]
    pub key: String,
    /// Ask for the key with this layer of the fingerprint, and the others as they are. May be given several times.
    #[arg(long = "layer", value_name = "NAME=VALUE", value_parser = layer)]
    pub layers: Vec<(String, String)>,
    /// Where, and how.
    #[command(flatten)]
    pub folder: FolderArgs,
}

/// Arguments of `store verify`.
#[derive(Debug, Default, ClapArgs)]
#[command(after_help = CODES)]
pub struct VerifyArgs {
    /// Remove what is damaged. A program that needs it makes it again, with or without this.
    #[arg(long)]
    pub remove: bool,
    /// Where, and how.
    #[command(flatten)]
    pub folder: FolderArgs,
}

/// Arguments of `store prune`.
#[derive(Debug, ClapArgs)]
pub struct PruneArgs {
    /// The most bytes to leave: a number, or one with K, M or G behind it, which count by 1024.
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    pub to: u64,
    /// Where, and how.
    #[command(flatten)]
    pub folder: FolderArgs,
}

/// Arguments of `store export`.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  metallic store export --out all.bundle
  openssl rand -hex 32 > seed && chmod 600 seed
  metallic store export --out gemm.bundle --cache gemm --sign seed

--sign prints the public key to import it with.")]
pub struct ExportArgs {
    /// Only these entries, and those that they lead to.
    #[arg(value_name = "KEY")]
    pub keys: Vec<String>,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Only those of this cache.
    #[arg(long, value_name = "NAME", conflicts_with = "keys")]
    pub cache: Option<String>,
    /// Sign by the ed25519 seed in this file, 64 hexadecimal digits, which only its owner may be able to read.
    #[arg(long, value_name = "FILE")]
    pub sign: Option<PathBuf>,
    /// Where, and how.
    #[command(flatten)]
    pub folder: FolderArgs,
}

/// Arguments of `store import`.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Examples:
  metallic store import gemm.bundle --signer 7c5f...
  metallic store import mine.bundle --trust",
    group = ArgGroup::new("who").required(true).multiple(true).args(["signers", "trust"])
)]
pub struct ImportArgs {
    /// The file that `export` wrote.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Accept it if this public key has signed it: 64 hexadecimal digits, as `export` prints them. May be given several times.
    #[arg(long = "signer", value_name = "KEY", value_parser = public_key)]
    pub signers: Vec<[u8; 32]>,
    /// Accept it from anyone: a driver is going to execute what is in it.
    #[arg(long, conflicts_with = "signers")]
    pub trust: bool,
    /// Where, and how.
    #[command(flatten)]
    pub folder: FolderArgs,
}

/// Arguments of `store doctor`.
#[derive(Debug, Default, ClapArgs)]
#[command(
    after_help = "Writes an artifact of 64 KiB to the folder and to the server, reads it back and removes it. Finds: a folder that is only \
read, full, another user's, or on a file system without locks; a secret that is another one's; a server that is not trusted, \
keeps nothing, refuses writes, or has none of what is here; clocks that differ; what is damaged, in all headers and in 256 \
entries or 32 MiB that it reads to the end; a folder that is no store, where it makes none unless it is the platform's."
)]
pub struct DoctorArgs {
    /// The levels.
    #[command(flatten)]
    pub store: StoreArgs,
    /// A base that is only read: a folder, or a bundle. May be given several times.
    #[arg(long = "base", value_name = "PATH")]
    pub bases: Vec<PathBuf>,
    /// Print JSON instead of text. The schemas are docs/schemas/store-*.schema.json.
    #[arg(long)]
    pub json: bool,
}

/// A layer as it is asked for, within the limits of the format: beyond them the library takes it for a program's mistake.
fn layer(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("a layer is NAME=VALUE")?;
    if name.is_empty() || name.len() > metallic_store::limits::NAME {
        return Err(format!("a layer's name has 1 to {} bytes", metallic_store::limits::NAME));
    }
    Ok((name.to_owned(), value.to_owned()))
}

fn public_key(text: &str) -> Result<[u8; 32], String> {
    let digest: metallic_store::Digest = text.parse().map_err(|_| "a public key is 64 hexadecimal digits")?;
    Ok(digest.0)
}
