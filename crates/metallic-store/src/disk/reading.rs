use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::Inner;
use super::file_system::{Access, FileHandle, Stat, StatKind, read_full};
use super::folder;
use crate::format::{HEAD, Head, check_length};
use crate::{Entry, EntryId, EntryInfo, FormatError, MissCause, Subject};

/// A use is noted in the entry's file if the last one noted is older than this: eviction needs no finer order, and most hits
/// need not write.
const TOUCH_AFTER: Duration = Duration::from_secs(60);

impl Inner {
    /// Reads and verifies an entry, and notes the use.
    pub(super) fn read(&self, id: &EntryId) -> Result<Entry, MissCause> {
        let (entry, file, stat) = self.verified(id)?;
        self.touch(&*file, &stat);
        Ok(entry)
    }

    /// Reads and verifies an entry. Nothing is allocated before the file's length was compared with its header.
    pub(super) fn verified(&self, id: &EntryId) -> Result<(Entry, Box<dyn FileHandle>, Stat), MissCause> {
        let (mut file, stat) = self.open_entry(id)?;
        let mut bytes = vec![0; HEAD];
        let head = fill(&mut *file, &mut bytes, 0).and_then(|()| Ok(Head::decode(&bytes)?))?;
        head.check_len(stat.len)?;
        bytes.resize(stat.len as usize, 0);
        fill(&mut *file, &mut bytes, HEAD)?;
        let entry = Entry::decode(bytes, self.secret.as_ref())?;
        if entry.key.id() != *id {
            return Err(MissCause::OtherKey);
        }
        Ok((entry, file, stat))
    }

    /// Reads and verifies an entry's header.
    pub(super) fn info(&self, id: &EntryId) -> Result<EntryInfo, MissCause> {
        let (mut file, stat) = self.open_entry(id)?;
        let mut bytes = vec![0; HEAD];
        let head = fill(&mut *file, &mut bytes, 0).and_then(|()| Ok(Head::decode(&bytes)?))?;
        head.check_len(stat.len)?;
        bytes.resize(head.header_len(), 0);
        fill(&mut *file, &mut bytes, HEAD)?;
        let mut info = EntryInfo::decode(&bytes, stat.len, self.secret.as_ref())?;
        info.used = stat.modified;
        if info.id == *id { Ok(info) } else { Err(MissCause::OtherKey) }
    }

    /// Lists entries by their names. A folder that is not there has none.
    pub(super) fn entries(&self, subject: Option<Subject>) -> io::Result<Vec<EntryId>> {
        let all = self.layout.shards();
        let shards = match subject {
            Some(subject) => vec![self.layout.shard(subject)],
            None => self.names(&all)?.iter().map(|name| all.join(name)).collect(),
        };
        let mut ids = Vec::new();
        for shard in shards {
            let names = self.names(&shard)?;
            let listed = names.iter().filter_map(|name| name.to_str()?.parse::<EntryId>().ok());
            ids.extend(listed.filter(|id| subject.is_none_or(|subject| id.subject() == subject)));
        }
        Ok(ids)
    }

    /// Lists the names in a folder, of which there are none if it is not there.
    pub(super) fn names(&self, folder: &Path) -> io::Result<Vec<OsString>> {
        match self.files.list(folder) {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Ok(Vec::new())
            }
            listed => listed,
        }
    }

    fn open_entry(&self, id: &EntryId) -> Result<(Box<dyn FileHandle>, Stat), MissCause> {
        if let Some(refusal) = &self.refusal {
            return Err(MissCause::Refused(refusal.clone()));
        }
        let path = self.layout.entry(id);
        let open = || loop {
            match self.files.open(&path, Access::Read) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                opened => return opened,
            }
        };
        let file = open().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => MissCause::Absent,
            kind => match self.files.stat(&path) {
                Ok(stat) if stat.kind != StatKind::File => MissCause::NotAFile,
                _ => MissCause::Unreadable(kind),
            },
        })?;
        let stat = file.stat().map_err(|error| MissCause::Unreadable(error.kind()))?;
        if stat.kind != StatKind::File {
            return Err(MissCause::NotAFile);
        }
        // In a folder of ours, which once let others in.
        if let Some(refusal) = folder::not_ours(&stat, &*self.files, self.read_only) {
            return Err(MissCause::Refused(format!("the entry {refusal}")));
        }
        check_length(stat.len)?;
        Ok((file, stat))
    }

    fn touch(&self, file: &dyn FileHandle, stat: &Stat) {
        let now = SystemTime::now();
        let age = stat.modified.and_then(|modified| now.duration_since(modified).ok());
        if !self.read_only && age.is_none_or(|age| age > TOUCH_AFTER) {
            self.journal.absorb("note a use", file.touch(now));
        }
    }
}

/// Fills `bytes` from `start` to their end.
fn fill(file: &mut dyn FileHandle, bytes: &mut [u8], start: usize) -> Result<(), MissCause> {
    let read = read_full(file, &mut bytes[start..]).map_err(|error| MissCause::Unreadable(error.kind()))?;
    match (start + read, bytes.len()) {
        (len, expected) if len < expected => {
            // Too short for a header: it may be something else altogether.
            let damage = match Head::decode(&bytes[..len]) {
                Err(damage) => damage,
                Ok(_) => FormatError::Truncated { len: len as u64, expected: expected as u64 },
            };
            Err(damage.into())
        }
        _ => Ok(()),
    }
}
