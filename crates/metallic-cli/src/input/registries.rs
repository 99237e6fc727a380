//! Tells the registries of a log apart, and the processes that wrote it.

use std::collections::HashMap;
use std::fmt;

use metallic_instrumentation::{Event, EventData, LogOpened, RegistryOpened};
use serde::{Deserialize, Serialize};

use crate::units::utc;

/// One process that wrote to a log, as its header says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessFigures {
    /// The program's name, if there is a header.
    pub program: String,
    /// Its version, if it gave one.
    pub version: Option<String>,
    /// The version of the library.
    pub library: String,
    /// The number of the process.
    pub process_id: u32,
    /// When its log was begun, in nanoseconds since the Unix epoch.
    pub opened_unix_ns: u64,
    /// The devices that it and its registries named.
    pub devices: Vec<String>,
}

impl ProcessFigures {
    /// The program and its version.
    pub fn name(&self) -> String {
        let version = self.version.as_ref().map(|version| format!(" {version}"));
        format!("{}{}", self.program, version.unwrap_or_default())
    }
}

/// In words, for a heading.
impl fmt::Display for ProcessFigures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { library, process_id, opened_unix_ns, devices, .. } = self;
        write!(f, "{} (metallic {library}, process {process_id})", self.name())?;
        if !devices.is_empty() {
            write!(f, " on {}", devices.join(", "))?;
        }
        utc(*opened_unix_ns).iter().try_for_each(|time| write!(f, ", {time}"))
    }
}

/// A registry of a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RegistryId {
    /// Numbers the processes in the order of their headers, from 1; 0 for events before the first header.
    pub process: u32,
    /// The registry's number in its process; `None` in the log of a version that numbered none.
    pub number: Option<u32>,
}

/// The registry of each event. Fed with all events in order, headers included.
///
/// A header begins a process unless it is that of another file of the process before it: a container's only process always
/// has the number 1, so that an equal number alone does not tell.
#[derive(Debug, Default)]
pub struct Registries {
    processes: Vec<ProcessFigures>,
    /// The latest time of the events of the current process.
    latest: u64,
    /// By process: the first of the processes that ran one after the other, up to this one.
    lanes: Vec<u32>,
    names: HashMap<RegistryId, String>,
}

impl Registries {
    /// The registry that this event is of.
    pub fn registry_of(&mut self, event: &Event) -> RegistryId {
        if let EventData::LogOpened(header) = &event.data {
            self.open(header);
        }
        self.latest = self.latest.max(event.timestamp.unwrap_or(0));
        let id = RegistryId { process: self.processes.len() as u32, number: event.registry };
        if let EventData::RegistryOpened(opened) = &event.data {
            self.opened(id, opened);
        }
        id
    }

    fn opened(&mut self, id: RegistryId, opened: &RegistryOpened) {
        if let Some(name) = &opened.name {
            self.names.insert(id, name.to_string());
        }
        if let (Some(device), Some(process)) = (&opened.device, self.processes.last_mut())
            && !process.devices.contains(device)
        {
            process.devices.push(device.clone());
        }
    }

    fn open(&mut self, header: &LogOpened) {
        let goes_on = header.rotations > 0
            && self.processes.last().is_some_and(|process| process.process_id == header.process_id);
        if goes_on {
            return;
        }
        let number = self.processes.len() as u32 + 1;
        // One that was still at work when this one began is not its predecessor.
        let follows = self.latest <= header.opened_unix_ns;
        let lane = self.lanes.last().copied().filter(|_| follows).unwrap_or(number);
        self.lanes.push(lane);
        self.latest = 0;
        self.processes.push(ProcessFigures {
            program: header.program.clone(),
            version: header.version.clone(),
            library: header.library.to_string(),
            process_id: header.process_id,
            opened_unix_ns: header.opened_unix_ns,
            devices: header.devices.clone(),
        });
    }

    /// The registry of the same number in the first of the processes that ran one after the other up to this one: where a
    /// program is started again and again, this is what goes on.
    pub fn lane_of(&self, id: RegistryId) -> RegistryId {
        let lane = (id.process as usize).checked_sub(1).and_then(|at| self.lanes.get(at));
        RegistryId { process: lane.copied().unwrap_or(id.process), ..id }
    }

    /// The processes that had a header, in its order.
    pub fn processes(&self) -> &[ProcessFigures] {
        &self.processes
    }

    /// A registry in words: its name if it has one, otherwise its number, with its process if there are several.
    pub fn name_of(&self, id: RegistryId) -> String {
        let registry = match (self.names.get(&id), id.number) {
            (Some(name), _) => name.clone(),
            (None, Some(number)) => number.to_string(),
            (None, None) => "unnumbered".to_owned(),
        };
        match self.processes.len() {
            0 | 1 => registry,
            _ => format!("{registry} of process {}", id.process),
        }
    }
}

#[cfg(test)]
mod tests {
    use metallic_instrumentation::{Event, LogOpened, ResourceCacheAccess};

    use super::{Registries, RegistryId};

    fn header(process_id: u32, rotations: u64, at: u64) -> Event {
        Event::new(LogOpened {
            program: "engine".to_owned(),
            version: None,
            library: "0.1.0".into(),
            process_id,
            opened_unix_ns: at,
            rotations,
            devices: Vec::new(),
        })
    }

    fn access(registry: u32, at: u64) -> Event {
        Event::at(at, ResourceCacheAccess { cache_key: "c:1".into(), hit: true, bytes: 0 })
            .in_registry(registry)
    }

    fn ids(events: &[Event]) -> (Vec<(u32, u32)>, Registries) {
        let mut registries = Registries::default();
        let mut ids = Vec::new();
        for event in events {
            let id = registries.registry_of(event);
            ids.extend(id.number.map(|_| (id.process, registries.lane_of(id).process)));
        }
        (ids, registries)
    }

    #[test]
    fn a_rotated_file_goes_on_with_its_process_and_a_restart_in_a_container_does_not() {
        let events =
            [header(1, 0, 5), access(1, 6), header(1, 1, 7), access(1, 8), header(1, 0, 9), access(1, 10)];
        let (ids, registries) = ids(&events);
        assert_eq!(ids, [(1, 1), (1, 1), (2, 1)]);
        assert_eq!(registries.processes().len(), 2);
        assert_eq!(registries.name_of(RegistryId { process: 2, number: Some(1) }), "1 of process 2");
    }

    #[test]
    fn processes_that_ran_at_one_time_do_not_follow_one_another() {
        let (ids, _) = ids(&[header(8, 0, 5), access(1, 60), header(9, 0, 6), access(1, 7)]);
        assert_eq!(ids, [(1, 1), (2, 2)]);
    }
}
