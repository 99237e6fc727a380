//! A progress bar on standard error.

use std::io::{self, IsTerminal, Read};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar on stderr, if stderr is a terminal; otherwise nothing.
#[derive(Clone, Debug)]
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar for reading this many bytes; without a number, what is read of standard input is counted.
    pub fn bytes(total: Option<u64>) -> Self {
        let template = match total {
            Some(_) => "{prefix}{wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
            None => "{prefix}{spinner} {bytes} {bytes_per_sec}",
        };
        Self::new(total, template)
    }

    /// A bar for this many pieces of work.
    pub fn steps(total: u64, what: &'static str) -> Self {
        let progress = Self::new(Some(total), "{prefix}{wide_bar} {pos}/{len} {eta}");
        progress.bar.set_prefix(format!("{what} "));
        progress
    }

    /// No bar.
    pub fn none() -> Self {
        Self { bar: ProgressBar::hidden() }
    }

    /// Notes that this much more is done.
    pub fn add(&self, done: u64) {
        self.bar.inc(done);
    }

    /// Takes the bar off the screen.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn new(total: Option<u64>, template: &str) -> Self {
        if !io::stderr().is_terminal() {
            return Self::none();
        }
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr_with_hz(8));
        let style = ProgressStyle::with_template(template);
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(Duration::from_millis(250));
        Self { bar }
    }
}

/// A reader whose bytes move a bar.
pub(crate) struct Watched<R> {
    pub(crate) reader: R,
    pub(crate) progress: Progress,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.progress.add(read as u64);
        Ok(read)
    }
}
