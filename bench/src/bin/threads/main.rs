//! Prints what caches do for several threads, of the sections whose name contains the argument: hits, query, creating, compiling,
//! flights, storm.
//!
//! `--threads 1,2,4` sets the numbers of threads, `--rounds N` the rounds, `--busy` lets creations keep a core busy where they
//! sleep otherwise, `--instructions` counts instructions of hits on one thread and nothing else, which needs valgrind.

mod contender;
mod counted;
mod factory;
mod flights;
mod hits;
mod ours;
mod peers;
mod query;
mod readers;
mod stalls;
mod storm;

use std::env;
use std::io;

use metallic_bench::valgrind::CHILD;

/// The settings of a run.
pub struct Settings {
    pub threads: Vec<usize>,
    pub rounds: usize,
    /// `true` if creations compute; they sleep otherwise, so that locks alone are measured.
    pub busy: bool,
}

impl Settings {
    pub fn most_threads(&self) -> usize {
        self.threads.iter().copied().max().unwrap_or(1)
    }
}

/// The name of a table, and what measures and prints it.
type Section = (&'static str, fn(&Settings));

const SECTIONS: [Section; 6] = [
    ("hits", hits::print),
    ("query", query::print),
    ("creating", stalls::print_creating),
    ("compiling", stalls::print_compiling),
    ("flights", flights::print),
    ("storm", storm::print),
];

fn main() -> io::Result<()> {
    let mut settings = Settings { threads: vec![1, 2, 4, 8, 16], rounds: 7, busy: false };
    let mut filter = String::new();
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().unwrap_or_else(|| refuse(&format!("{argument} lacks its value")));
        match argument.as_str() {
            CHILD => {
                counted::measured(&value(), &value());
                return Ok(());
            }
            "--instructions" => return counted::print(),
            "--busy" => settings.busy = true,
            "--rounds" => settings.rounds = number(&value()),
            "--threads" => settings.threads = value().split(',').map(number).collect(),
            name if SECTIONS.iter().any(|(section, _)| section.contains(name)) => filter = argument,
            other => refuse(&format!("`{other}` is neither an option nor part of a section's name")),
        }
    }
    let sections = SECTIONS.iter().filter(|(name, _)| name.contains(&filter));
    sections.for_each(|(_, print)| print(&settings));
    Ok(())
}

fn number(text: &str) -> usize {
    match text.parse() {
        Ok(number) if number > 0 => number,
        _ => refuse(&format!("`{text}` is not a number of 1 or more")),
    }
}

fn refuse(message: &str) -> ! {
    eprintln!("error: {message}");
    std::process::exit(2)
}
