//! `metallic store why`.

use std::io::Write;

use metallic_store::{ArtifactKey, ArtifactStore, DiskStore, EntryId, EntryInfo, Fingerprint, KeyKind, Why};
use serde::Serialize;

use super::folder;
use super::listing::{EntryJson, find, is_named, label, list, name, without_cache};
use crate::args::WhyArgs;
use crate::error::Error;
use crate::json;
use crate::paragraph::write_wrapped;
use crate::units::printable;

/// JSON of the command.
#[derive(Serialize)]
struct Json {
    asked: Asked,
    found: bool,
    cause: Option<&'static str>,
    message: Option<String>,
    others: Vec<Other>,
}

#[derive(Serialize)]
struct Asked {
    id: String,
    cache: String,
    layers: Vec<(String, String)>,
}

#[derive(Serialize)]
struct Other {
    #[serde(flatten)]
    entry: EntryJson,
    changes: Vec<Change>,
}

#[derive(Serialize)]
struct Change {
    layer: String,
    stored: String,
    asked: String,
}

pub(super) fn run(args: &WhyArgs, out: &mut dyn Write) -> Result<(), Error> {
    let store = folder::open(&args.folder)?;
    let reference = reference(&store, &args.key)?;
    let asked = asked(&reference.key, &args.layers)?;
    let why = store.why(&asked);
    let others: Vec<_> = why.siblings.iter().filter_map(|sibling| store.info(&sibling.id).ok()).collect();
    if args.folder.json {
        return json::write(json::STORE_WHY, &body(&asked, &why, &others), out);
    }

    writeln!(
        out,
        "cache {}, {}",
        printable(asked.cache(), 20),
        printable(without_cache(&label(&reference), asked.cache()), 50)
    )?;
    let verdict = match &why.outcome {
        Ok(()) => "found".to_owned(),
        Err(cause) => cause.to_string(),
    };
    let line =
        |out: &mut dyn Write, head: &str, text: &str| write_wrapped(out, head, &printable(text, usize::MAX));
    line(out, &format!("asked for  {}  ", name(&asked.id())), &verdict)?;
    for layer in asked.fingerprint().layers() {
        line(out, &format!("  {} = ", printable(layer.name(), 64)), layer.value())?;
    }
    if others.is_empty() {
        return Ok(writeln!(out, "there is no other artifact of this key")?);
    }
    writeln!(out, "others of this key, the nearest first:")?;
    for info in &others {
        line(out, &format!("  {}  ", name(&info.id)), &differences(&asked, info).join(", "))?;
    }
    Ok(())
}

/// In what an artifact of the same key differs from what is asked for.
fn differences(asked: &ArtifactKey, stored: &EntryInfo) -> Vec<String> {
    let schema = (stored.key.schema() != asked.schema())
        .then(|| format!("schema is {}, stored with {}", asked.schema(), stored.key.schema()));
    let changes = asked.fingerprint().changes_from(stored.key.fingerprint());
    schema.into_iter().chain(changes.iter().map(ToString::to_string)).collect()
}

/// The entry that the question is about; of several of one key the one used last.
fn reference(store: &DiskStore, text: &str) -> Result<EntryInfo, Error> {
    // The name in a log of an artifact that was missed: its key is known by others of it.
    if let Ok(id) = text.parse::<EntryId>() {
        let all = list(store)?.into_iter().filter_map(|listed| listed.info.ok());
        let mut same: Vec<_> = all.filter(|info| info.id.subject() == id.subject()).collect();
        if let Some(at) = same.iter().position(|info| is_named(&info.id, text)) {
            return Ok(same.swap_remove(at));
        }
        let no_artifact = if same.is_empty() {
            "there is no artifact of its key".to_owned()
        } else {
            let names: Vec<_> = same.iter().take(3).map(|info| name(&info.id)).collect();
            format!("its key has {} under other layers, such as {}", same.len(), names.join(", "))
        };
        return Err(Error::NotFound(format!("{} is not in the store: {no_artifact}", name(&id))));
    }
    let mut found = find(store, text)?;
    // A link and what it leads to have one label, and programs ask by the key of the link.
    if found.iter().any(|info| info.key.kind() == KeyKind::Typed) {
        found.retain(|info| info.key.kind() == KeyKind::Typed);
    }
    let mut found = found.into_iter();
    let Some(first) = found.next() else {
        return Err(Error::NotFound(format!("no entry is called `{text}`")));
    };
    match found.find(|other| !other.key.is_same_subject(&first.key)) {
        None => Ok(first),
        Some(other) => {
            let (first, other) = (name(&first.id), name(&other.id));
            Err(Error::Usage(format!("`{text}` is more than one key: {first}, {other} and maybe more")))
        }
    }
}

/// The key with the layers that are asked for in the place of its own.
fn asked(key: &ArtifactKey, layers: &[(String, String)]) -> Result<ArtifactKey, Error> {
    let mut fingerprint: Fingerprint = key.fingerprint().clone();
    for (name, value) in layers {
        let is_new = fingerprint.layer(name).is_none();
        if is_new && fingerprint.layers().len() >= metallic_store::limits::LAYERS {
            let text = format!(
                "--layer {name}: a fingerprint has at most {} layers",
                metallic_store::limits::LAYERS
            );
            return Err(Error::Usage(text));
        }
        fingerprint = fingerprint.with_layer(name, value);
    }
    Ok(key.with_fingerprint(fingerprint))
}

fn body(asked: &ArtifactKey, why: &Why, others: &[EntryInfo]) -> Json {
    let text = |text: &str| text.to_owned();
    let layers = asked.fingerprint().layers();
    let other = |info: &EntryInfo| Other {
        entry: info.into(),
        changes: asked
            .fingerprint()
            .changes_from(info.key.fingerprint())
            .into_iter()
            .map(|change| Change { layer: change.name, stored: change.stored, asked: change.wanted })
            .collect(),
    };
    let cause = why.outcome.as_ref().err();
    Json {
        asked: Asked {
            id: asked.id().to_string(),
            cache: text(asked.cache()),
            layers: layers.iter().map(|layer| (text(layer.name()), text(layer.value()))).collect(),
        },
        found: cause.is_none(),
        cause: cause.map(metallic_store::MissCause::name),
        message: cause.map(ToString::to_string),
        others: others.iter().map(other).collect(),
    }
}
