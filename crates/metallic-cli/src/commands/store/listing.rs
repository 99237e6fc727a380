use std::collections::HashMap;
use std::io::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use metallic_store::{ArtifactStore, Body, DiskStore, EntryId, EntryInfo, KeyKind, MissCause};
use serde::Serialize;

use crate::error::Error;
use crate::table::Table;
use crate::units::{bytes, duration, nanoseconds, printable};

/// An entry as its header describes it, or why there is no reading it.
pub(super) struct Listed {
    pub(super) id: EntryId,
    pub(super) info: Result<EntryInfo, MissCause>,
}

/// Lists all entries, those used last first.
pub(super) fn list(store: &DiskStore) -> Result<Vec<Listed>, Error> {
    let failed = |cause: MissCause| Error::content(store.folder().display().to_string(), cause.to_string());
    let ids = store.ids(None).map_err(failed)?;
    let mut listed: Vec<_> = ids.into_iter().map(|id| Listed { id, info: store.info(&id) }).collect();
    // What another process has evicted meanwhile is not there any more.
    listed.retain(|listed| listed.info != Err(MissCause::Absent));
    label_links(store, &mut listed);
    let used = |listed: &Listed| listed.info.as_ref().ok().and_then(|info| info.used);
    listed.sort_by(|a, b| used(b).cmp(&used(a)).then(a.id.cmp(&b.id)));
    Ok(listed)
}

/// Gives links the labels of what they lead to: they have none themselves.
fn label_links(store: &DiskStore, listed: &mut [Listed]) {
    let labels: HashMap<_, _> = listed
        .iter()
        .filter_map(|listed| Some((listed.id, listed.info.as_ref().ok()?.label.clone())))
        .collect();
    for info in listed.iter_mut().filter_map(|listed| listed.info.as_mut().ok()).filter(|info| info.is_link) {
        let label = target(store, info).and_then(|target| labels.get(&target));
        info.label = label.cloned().unwrap_or_default();
    }
}

/// Finds the entries that a user's KEY names: at least one.
pub(super) fn find(store: &DiskStore, key: &str) -> Result<Vec<EntryInfo>, Error> {
    let mut found = Vec::new();
    for Listed { id, info } in list(store)? {
        match info {
            Ok(info) if is_named(&id, key) || is_labelled(&info, key) => found.push(info),
            // The one that is asked for is damaged: that is the answer.
            Err(cause) if id.to_string() == key => {
                return Err(Error::NotFound(format!("{}: {cause}", name(&id))));
            }
            _ => {}
        }
    }
    if found.is_empty() {
        let text = format!("no entry is called `{key}`: `metallic store ls` lists names and labels");
        return Err(Error::NotFound(text));
    }
    Ok(found)
}

/// The short name of an entry, which is the beginning of its identity.
pub(super) fn name(id: &EntryId) -> String {
    id.identity().to_string()[..12].to_owned()
}

/// Fewer digits than these name nothing: a label may look like them.
const DIGITS: usize = 4;

pub(super) fn is_named(id: &EntryId, text: &str) -> bool {
    let is_name = text.len() >= DIGITS && text.bytes().all(|c| c.is_ascii_hexdigit() || c == b'-');
    is_name && (id.identity().to_string().starts_with(text) || id.to_string().starts_with(text))
}

fn is_labelled(info: &EntryInfo, text: &str) -> bool {
    let squeeze = |text: &str| text.split_whitespace().collect::<String>();
    let (label, text) = (squeeze(&info.label), squeeze(text));
    let cache = info.key.cache();
    !label.is_empty() && without_cache(&label, cache) == without_cache(&text, cache)
}

/// The name of an entry in a line: its label, or else what there is instead.
pub(super) fn label(info: &EntryInfo) -> String {
    match (&*info.label, info.key.kind()) {
        ("", _) if info.is_link => "leads to what has no label".to_owned(),
        ("", KeyKind::Content) => "without a label, by content".to_owned(),
        ("", KeyKind::Typed) => format!("without a label, key of {}", bytes(info.key.bytes().len() as u64)),
        (label, _) => label.to_owned(),
    }
}

/// A label without the cache's name in front of it.
pub(super) fn without_cache<'a>(label: &'a str, cache: &str) -> &'a str {
    label.strip_prefix(cache).and_then(|rest| rest.strip_prefix(':')).unwrap_or(label)
}

/// Where a link leads.
pub(super) fn target(store: &DiskStore, info: &EntryInfo) -> Option<EntryId> {
    match store.read(&info.id).ok()?.body {
        Body::Link(target) => Some(target),
        Body::Artifact(_) => None,
    }
}

/// Writes entries as a table of at most 80 columns.
pub(super) fn write_table(listed: &[Listed], out: &mut dyn Write) -> io::Result<()> {
    const TITLES: [&str; 6] = ["name", "size", "cost", "used", "cache", "label"];
    let now = SystemTime::now();
    let mut table = Table::new(TITLES).ending_in_text();
    for Listed { id, info } in listed {
        let cells = match info {
            Ok(info) => [
                name(id),
                bytes(info.bytes),
                if info.is_link { "link".to_owned() } else { duration(nanos(info.cost)) },
                info.used.map_or("-".to_owned(), |used| age(now, used)),
                printable(info.key.cache(), 12),
                printable(without_cache(&label(info), info.key.cache()), 22),
            ],
            Err(cause) => {
                let cause = printable(&cause.to_string(), 22);
                [name(id), "-".to_owned(), "-".to_owned(), "-".to_owned(), "-".to_owned(), cause]
            }
        };
        table.row(cells);
    }
    table.write(out, 0)
}

/// The sum of the entries, in one line.
pub(super) fn totals<'a>(infos: impl IntoIterator<Item = &'a EntryInfo>) -> String {
    let (mut artifacts, mut links, mut size, mut cost) = (0_u64, 0_u64, 0_u64, 0_u64);
    for info in infos {
        size += info.bytes;
        if info.is_link {
            links += 1;
        } else {
            artifacts += 1;
            cost = cost.saturating_add(nanos(info.cost));
        }
    }
    let plural = |n: u64, noun: &str| format!("{n} {noun}{}", if n == 1 { "" } else { "s" });
    format!(
        "{}, {}, {}; creating them took {}",
        plural(artifacts, "artifact"),
        plural(links, "link"),
        bytes(size),
        duration(cost)
    )
}

pub(super) fn nanos(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn age(now: SystemTime, then: SystemTime) -> String {
    match now.duration_since(then) {
        Ok(age) if age.as_secs() < 1 => "now".to_owned(),
        Ok(age) => nanoseconds(age.as_nanos() as f64),
        Err(_) => "future".to_owned(),
    }
}

/// An entry in JSON.
#[derive(Serialize)]
pub(super) struct EntryJson {
    id: String,
    cache: String,
    schema: u32,
    kind: &'static str,
    label: String,
    key: String,
    link: bool,
    layers: Vec<LayerJson>,
    payloads: Vec<PayloadJson>,
    bytes: u64,
    cost_seconds: f64,
    written: Option<u64>,
    used: Option<f64>,
    authenticated: bool,
}

#[derive(Serialize)]
struct LayerJson {
    name: String,
    value: String,
    digest: String,
}

#[derive(Serialize)]
struct PayloadJson {
    name: String,
    bytes: u64,
}

impl From<&EntryInfo> for EntryJson {
    fn from(info: &EntryInfo) -> Self {
        let layer = |layer: &metallic_store::Layer| LayerJson {
            name: layer.name().to_owned(),
            value: layer.value().to_owned(),
            digest: layer.digest().to_string(),
        };
        Self {
            id: info.id.to_string(),
            cache: info.key.cache().to_owned(),
            schema: info.key.schema(),
            kind: kind(info.key.kind()),
            label: info.label.clone(),
            key: hex(info.key.bytes()),
            link: info.is_link,
            layers: info.key.fingerprint().layers().iter().map(layer).collect(),
            payloads: info
                .payloads
                .iter()
                .map(|(name, bytes)| PayloadJson { name: name.clone(), bytes: *bytes })
                .collect(),
            bytes: info.bytes,
            cost_seconds: info.cost.as_secs_f64(),
            written: (info.written > 0).then_some(info.written),
            used: info
                .used
                .and_then(|used| used.duration_since(UNIX_EPOCH).ok())
                .map(|used| used.as_secs_f64()),
            authenticated: info.is_authenticated,
        }
    }
}

/// An entry that cannot be read, in JSON.
#[derive(Serialize)]
pub(super) struct DamageJson {
    pub(super) id: String,
    pub(super) cause: &'static str,
    pub(super) message: String,
}

impl DamageJson {
    pub(super) fn new(id: &EntryId, cause: &MissCause) -> Self {
        Self { id: id.to_string(), cause: cause.name(), message: cause.to_string() }
    }
}

pub(super) fn kind(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::Typed => "typed",
        KeyKind::Content => "content",
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
