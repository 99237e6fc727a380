use std::io;
use std::path::{Path, PathBuf};

use super::Inner;
use super::file_system::StatKind;
use super::layout::Layout;
use crate::EntryId;

impl Inner {
    /// Returns `true` if the folder has what a store makes in it.
    pub(super) fn holds_store(&self) -> io::Result<bool> {
        let names = self.names(self.layout.root())?;
        Ok(names.iter().filter_map(|name| name.to_str()).any(|name| {
            let kind = self.files.stat(&self.layout.root().join(name)).map(|stat| stat.kind);
            Layout::tells_a_store(name) && kind.is_ok_and(|kind| Layout::is_part(name, kind))
        }))
    }

    /// Lists what is in the folder under a name, or of a kind, that no store gives.
    pub(super) fn foreign(&self) -> io::Result<Vec<PathBuf>> {
        let layout = &self.layout;
        let mut foreign = Vec::new();
        let mut ours_in = |folder: &Path, is_ours: &dyn Fn(&str, StatKind) -> bool| {
            let mut ours = Vec::new();
            for name in self.names(folder)? {
                let path = folder.join(&name);
                // What is gone by now was a store's: nothing else comes and goes here.
                let Ok(stat) = self.files.stat(&path) else { continue };
                match name.to_str() {
                    Some(name) if is_ours(name, stat.kind) => ours.push(path),
                    _ => foreign.push(path),
                }
            }
            io::Result::Ok(ours)
        };
        let file = |kind| kind == StatKind::File;
        ours_in(layout.root(), &Layout::is_part)?;
        ours_in(&layout.temporary(), &|name, kind| file(kind) && Layout::reserved(name).is_some())?;
        ours_in(&layout.leases(), &|name, kind| file(kind) && name.parse::<EntryId>().is_ok())?;
        for shard in ours_in(&layout.shards(), &|name, kind| kind == StatKind::Folder && is_shard(name))? {
            ours_in(&shard, &|name, kind| {
                let id = name.parse::<EntryId>();
                file(kind) && id.is_ok_and(|id| layout.shard(id.subject()) == shard)
            })?;
        }
        foreign.sort();
        Ok(foreign)
    }
}

fn is_shard(name: &str) -> bool {
    name.len() == 2 && name.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}
