//! Sinks for tests; writers that block, fail or panic.
#![cfg_attr(not(feature = "jsonl"), allow(dead_code))]

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use metallic_instrumentation::{Event, EventKind, EventSink};

/// Panics at every call.
pub(crate) struct Panicking;

impl EventSink for Panicking {
    fn enabled(&self, kind: EventKind) -> bool {
        assert!(kind != EventKind::EventsDropped, "asked for a kind it cannot bear");
        true
    }

    fn record(&self, _event: &Event) {
        panic!("a sink that panics");
    }

    fn flush(&self) {
        panic!("a sink that panics");
    }
}

/// The written bytes, shared with the test.
#[derive(Clone, Default)]
pub(crate) struct Page(Arc<Mutex<Vec<u8>>>);

impl Page {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A writer that stops at every write until the test lets it go on.
pub(crate) struct Gated {
    arrived: Sender<()>,
    pass: Receiver<()>,
    page: Page,
}

/// The test's end of a [`Gated`] writer.
pub(crate) struct Gate {
    arrived: Receiver<()>,
    pass: Sender<()>,
}

impl Gated {
    pub(crate) fn new(page: &Page) -> (Self, Gate) {
        let (arrived, arrivals) = channel();
        let (passes, pass) = channel();
        (Self { arrived, pass, page: page.clone() }, Gate { arrived: arrivals, pass: passes })
    }
}

impl Gate {
    /// Returns when the writer stands before the gate.
    pub(crate) fn wait_for_writer(&self) {
        self.arrived.recv().unwrap();
    }

    /// Lets every write pass from now on.
    pub(crate) fn open(self) {
        drop(self.pass);
    }
}

impl Write for Gated {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Either end is gone once the gate is open.
        let _ = self.arrived.send(());
        let _ = self.pass.recv();
        self.page.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A disk with room for so many bytes.
#[derive(Clone, Default)]
pub(crate) struct SmallDisk {
    pub(crate) page: Page,
    pub(crate) room: Arc<AtomicUsize>,
}

impl Write for SmallDisk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.room.load(Ordering::SeqCst).min(bytes.len());
        if room == 0 {
            return Err(io::Error::new(ErrorKind::StorageFull, "no space left"));
        }
        self.room.fetch_sub(room, Ordering::SeqCst);
        self.page.write(&bytes[..room])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A writer that panics.
pub(crate) struct PanickingWriter;

impl Write for PanickingWriter {
    fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
        panic!("a writer that panics");
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file's text.
pub(crate) fn text(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap()
}

/// An exporter whose files hold the events and nothing else.
#[cfg(feature = "jsonl")]
pub(crate) fn bare() -> metallic_instrumentation::JsonlBuilder {
    metallic_instrumentation::JsonlExporter::builder().header(false)
}
