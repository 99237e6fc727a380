//! The effect of keys.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::live::{LiveCache, rate};
use super::tail::LogState;

/// The view of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Screen {
    /// The order of the caches.
    pub sort: Sort,
    /// `true` if the order is reversed.
    pub reversed: bool,
    /// `true` if reading is paused.
    pub paused: bool,
    /// The number of caches scrolled away at the top.
    pub scrolled: usize,
    /// `true` if the keys and columns are explained.
    pub help: bool,
    /// `true` if each registry has its own rows.
    pub by_registry: bool,
    /// `true` if the program is to stop until the shell continues it.
    pub suspend: bool,
    /// `true` if the program is to end.
    pub quit: bool,
    /// The state of the log's file.
    pub log: LogState,
}

/// An order of the caches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// Creation time in the last seconds, the longest first.
    #[default]
    Creation,
    /// Look-ups in the last seconds, the most first.
    Lookups,
    /// Hit rate in the last seconds, the lowest first.
    HitRate,
    /// Evictions in the last seconds, the most first.
    Evictions,
    /// Entries, the most first.
    Entries,
    /// The name.
    Name,
}

impl Sort {
    /// Every one, in the order in which a key leads through them.
    pub const ALL: [Self; 6] =
        [Self::Creation, Self::Lookups, Self::HitRate, Self::Evictions, Self::Entries, Self::Name];

    /// Its name on the screen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Creation => "creation",
            Self::Lookups => "look-ups",
            Self::HitRate => "hit rate",
            Self::Evictions => "evictions",
            Self::Entries => "entries",
            Self::Name => "name",
        }
    }

    fn next(self) -> Self {
        let place = Self::ALL.iter().position(|sort| *sort == self).unwrap_or(0);
        Self::ALL[(place + 1) % Self::ALL.len()]
    }
}

impl Screen {
    /// Does what a key says.
    pub fn press(&mut self, key: KeyEvent) {
        if key.kind == KeyEventKind::Release {
            return;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let helped = std::mem::take(&mut self.help);
        match key.code {
            KeyCode::Char('c' | 'd') if control => self.quit = true,
            KeyCode::Char('z') if control => self.suspend = true,
            _ if control => {}
            KeyCode::Char('q') => self.quit = true,
            // Any key closes the help, and does nothing else.
            _ if helped => {}
            KeyCode::Esc => self.quit = true,
            KeyCode::Char('?' | 'h') => self.help = true,
            KeyCode::Char('g') => self.by_registry = !self.by_registry,
            KeyCode::Char('s') => self.sort = self.sort.next(),
            KeyCode::Char('r') => self.reversed = !self.reversed,
            KeyCode::Char('p' | ' ') => self.paused = !self.paused,
            KeyCode::Char('j') | KeyCode::Down => self.scrolled += 1,
            KeyCode::Char('k') | KeyCode::Up => self.scrolled = self.scrolled.saturating_sub(1),
            KeyCode::Home => self.scrolled = 0,
            KeyCode::Char(digit @ '1'..='6') => self.sort = Sort::ALL[digit as usize - '1' as usize],
            _ => {}
        }
    }

    /// The caches in order.
    pub(super) fn sorted<'a>(&self, caches: &'a [LiveCache]) -> Vec<&'a LiveCache> {
        let mut sorted: Vec<_> = caches.iter().map(|cache| (cache.recent(), cache)).collect();
        sorted.sort_by(|(a_recent, a), (b_recent, b)| {
            let order = match self.sort {
                Sort::Creation => {
                    (b_recent.creation_ns, b.creation_ns).cmp(&(a_recent.creation_ns, a.creation_ns))
                }
                Sort::Lookups => (b_recent.hits + b_recent.misses).cmp(&(a_recent.hits + a_recent.misses)),
                Sort::HitRate => {
                    let rate =
                        |cache: &LiveCache| rate(cache.recent().hits, cache.recent().misses).unwrap_or(2.0);
                    rate(a).total_cmp(&rate(b))
                }
                Sort::Evictions => (b_recent.evicted, b.evicted).cmp(&(a_recent.evicted, a.evicted)),
                Sort::Entries => b.entries.cmp(&a.entries),
                Sort::Name => std::cmp::Ordering::Equal,
            };
            let order = order.then_with(|| a.name.cmp(&b.name));
            if self.reversed { order.reverse() } else { order }
        });
        sorted.into_iter().map(|(_, cache)| cache).collect()
    }
}
