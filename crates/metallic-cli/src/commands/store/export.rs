//! `metallic store export`.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;

use metallic::manifest::replace_file;
use metallic_store::{Bundle, BundleError, BundleSigner, BundleTrust, Digest, FormatError};
use serde::Serialize;

use super::folder;
use super::listing::{find, list, name, target};
use crate::args::ExportArgs;
use crate::error::Error;
use crate::json;
use crate::overwrite;
use crate::units::{bytes, counted};

/// Bytes that are enough to know a bundle by.
const HEAD: u64 = 256;

#[derive(Serialize)]
struct Json {
    file: String,
    exported: u64,
    bytes: u64,
    signer: Option<String>,
    failed: Vec<(String, String)>,
}

pub(super) fn run(args: &ExportArgs, out: &mut dyn Write) -> Result<(), Error> {
    let store = folder::open(&args.folder)?;
    overwrite::refuse("--out", &args.out, "bundle", args.sign.as_deref())?;
    overwrite::refuse_foreign("--out", &args.out, "a bundle", is_bundle)?;
    let signer = args.sign.as_deref().map(signer).transpose()?;
    let infos = if args.keys.is_empty() {
        let is_wanted = |cache: &str| args.cache.as_deref().is_none_or(|wanted| wanted == cache);
        let all = list(&store)?.into_iter().filter_map(|listed| listed.info.ok());
        all.filter(|info| is_wanted(info.key.cache())).collect()
    } else {
        let found = args.keys.iter().map(|key| find(&store, key)).collect::<Result<Vec<_>, _>>()?;
        found.concat()
    };
    // A link without what it leads to is of no use.
    let targets = infos.iter().filter(|info| info.is_link).filter_map(|info| target(&store, info));
    let ids: BTreeSet<_> = infos.iter().map(|info| info.id).chain(targets).collect();
    if ids.is_empty() {
        return Err(Error::NotFound("there is nothing to export".to_owned()));
    }
    let file = args.out.display().to_string();
    let (bundle, report) = Bundle::export(&store, ids, signer.as_ref())
        .map_err(|error| Error::content(&*file, error.to_string()))?;
    if report.moved == 0 {
        return Err(Error::NotFound("there is nothing whole to export".to_owned()));
    }
    replace_file(&args.out, |out| out.write_all(&bundle)).map_err(|error| Error::file(&*file, error))?;

    let public = signer.map(|signer| Digest(signer.public()).to_string());
    if args.folder.json {
        let failed = report.failed.iter().map(|(id, cause)| (id.to_string(), cause.clone())).collect();
        let (exported, bytes) = (report.moved, bundle.len() as u64);
        let body = Json { file, exported, bytes, signer: public, failed };
        return json::write(json::STORE_EXPORT, &body, out);
    }
    for (id, cause) in &report.failed {
        writeln!(out, "left out  {}  {cause}", name(id))?;
    }
    writeln!(out, "{}, {} in {file}", counted(report.moved, "entry", "entries"), bytes(bundle.len() as u64))?;
    match public {
        Some(public) => writeln!(out, "signed by {public}")?,
        None => writeln!(out, "not signed: it can be imported by --trust alone")?,
    }
    Ok(())
}

/// Returns `true` if the file begins as a bundle does, whoever has signed it, and whether it is whole or not.
fn is_bundle(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(HEAD).read_to_end(&mut head));
    let opened = Bundle::from_bytes(&head, BundleTrust::SignedBy(&[]));
    read.is_ok() && !matches!(opened, Err(BundleError::Damaged(FormatError::Magic)))
}

/// The signer of a seed in a file, which only its owner may be able to read.
fn signer(path: &Path) -> Result<BundleSigner, Error> {
    let name = path.display().to_string();
    let text = fs::read_to_string(path).map_err(|error| Error::file(&*name, error))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(path).map_err(|error| Error::file(&*name, error))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(Error::content(
                name,
                format!("others can read the seed, its mode is {:o}", mode & 0o777),
            ));
        }
    }
    let seed: Result<Digest, _> = text.trim().parse();
    // Not the digest's own message, which repeats the text.
    let seed = seed.map_err(|_| Error::content(name, "a seed is 64 lower-case hexadecimal digits"))?;
    Ok(BundleSigner::from_seed(&seed.0))
}
