//! The command itself: the terminal, the keys and the log, four times per second.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event};

use super::keys::Screen;
use super::live::Live;
use super::tail::Tail;
use super::view::draw;
use crate::args::{LOG_VARIABLE, TopArgs, log_of_environment};
use crate::error::Error;
use crate::signals::{self, Second};

const REFRESH: Duration = Duration::from_millis(250);
/// The time for which the log is read before the screen is drawn again.
const READING: Duration = Duration::from_millis(100);

/// Runs the command. The terminal is put back in order however it ends: by a key, a signal, an error or a panic.
///
/// # Errors
/// The output is not a terminal, or the log cannot be read.
pub fn run(args: &TopArgs, _out: &mut dyn Write) -> Result<(), Error> {
    let path = log(args)?;
    let name = path.display().to_string();
    let failed = |error| Error::file(&*name, error);
    let mut tail = Tail::new(path);
    if args.follow {
        tail.skip_to_end().map_err(failed)?;
    } else {
        std::fs::File::open(tail.path()).map_err(failed)?;
    }
    if !io::stdout().is_terminal() {
        return Err(Error::Usage("top needs a terminal; `metallic report` does not".to_owned()));
    }
    signals::listen(Second::Asks)?;
    // Puts the terminal back in order if a panic comes, too.
    let mut terminal = ratatui::try_init()?;
    let result = watch(&mut terminal, &name, &mut tail);
    ratatui::restore();
    result
}

/// The log that the arguments mean.
fn log(args: &TopArgs) -> Result<PathBuf, Error> {
    let path = args.log.clone().or_else(log_of_environment);
    let path = path.ok_or_else(|| Error::Usage(format!("name the log, or set {LOG_VARIABLE}")))?;
    if path.extension().is_some_and(|extension| extension == "zst") {
        return Err(Error::Usage(format!(
            "{}: a compressed log does not grow; `metallic report` reads it",
            path.display()
        )));
    }
    if path.as_os_str() == "-" {
        return Err(Error::Usage("top follows a file, not standard input".to_owned()));
    }
    Ok(path)
}

fn watch(terminal: &mut DefaultTerminal, name: &str, tail: &mut Tail) -> Result<(), Error> {
    let mut live = Live::default();
    let mut screen = Screen::default();
    let mut lines = Vec::new();
    // A log that nobody writes any more stands still where it ends; in one that grows, time passes.
    let mut caught_up = false;
    let mut grows = false;
    let mut latest = Instant::now();
    while !screen.quit && signals::received().is_none() {
        let begun = Instant::now();
        let mut more = !screen.paused;
        while more && begun.elapsed() < READING {
            more = tail.read(&mut lines).map_err(|error| Error::file(name, error))?;
            caught_up |= !more;
            if !lines.is_empty() {
                live.feed(&lines, now());
                lines.clear();
                grows |= caught_up;
                latest = Instant::now();
            }
        }
        if grows && !screen.paused {
            live.pass(latest.elapsed().as_nanos() as u64);
        }
        screen.log = tail.state(SystemTime::now());
        terminal.draw(|frame| draw(frame, name, &live, &screen))?;
        let wait = if more { Duration::ZERO } else { REFRESH };
        // A signal interrupts the waiting.
        match event::poll(wait) {
            Ok(true) => {
                if let Event::Key(key) = event::read()? {
                    screen.press(key);
                }
                if std::mem::take(&mut screen.suspend) {
                    suspend(terminal)?;
                }
            }
            Ok(false) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Hands the terminal back and stops, as a key does in a terminal that is not raw, until the shell continues the process.
#[cfg(unix)]
fn suspend(terminal: &mut DefaultTerminal) -> io::Result<()> {
    ratatui::restore();
    signal_hook::low_level::raise(signal_hook::consts::SIGTSTP)?;
    *terminal = ratatui::try_init()?;
    Ok(())
}

/// There is no such thing.
#[cfg(not(unix))]
fn suspend(_terminal: &mut DefaultTerminal) -> io::Result<()> {
    Ok(())
}
