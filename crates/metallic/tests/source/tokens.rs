//! A Rust file as words and signs: enough to find paths, methods and words in it.

use std::fs;
use std::path::Path;

/// A file as words and signs, without comments and the contents of literals.
pub(crate) struct Source {
    /// Relative to the folder of the crate's sources.
    pub(crate) path: String,
    pub(super) tokens: Vec<Token>,
}

pub(super) struct Token {
    pub(super) text: String,
    pub(super) line: usize,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), tokens: tokens(text) }
    }

    /// All files under a folder.
    pub(crate) fn all(folder: &Path) -> Vec<Self> {
        let (mut folders, mut sources) = (vec![folder.to_owned()], Vec::new());
        while let Some(inner) = folders.pop() {
            for entry in fs::read_dir(inner).expect("the folder can be read") {
                let path = entry.expect("the folder can be read").path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let name = path.strip_prefix(folder).expect("it is in the folder");
                    let name = name.to_str().expect("an ASCII path").replace('\\', "/");
                    sources.push(Self::new(&name, &fs::read_to_string(&path).expect("it is text")));
                }
            }
        }
        sources.sort_by(|a, b| a.path.cmp(&b.path));
        sources
    }

    /// The path of the file's module; a folder's `mod.rs`, and `lib.rs`, are the module of the folder.
    pub(crate) fn module(&self) -> Vec<&str> {
        let mut module: Vec<_> = self.path.trim_end_matches(".rs").split('/').collect();
        module.pop_if(|last| ["mod", "lib"].contains(last));
        module
    }

    pub(super) fn word(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| &token.text)
    }

    pub(super) fn stands(&self, at: usize, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(offset, word)| self.word(at + offset) == *word)
    }

    /// Every place where these words stand one after the other.
    pub(crate) fn find(&self, words: &[&str]) -> Vec<String> {
        (0..self.tokens.len())
            .filter(|at| self.stands(*at, words))
            .map(|at| format!("{}:{}: {}", self.path, self.tokens[at].line, words.concat()))
            .collect()
    }
}

fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let (mut tokens, mut line, mut at) = (Vec::new(), 1, 0);
    while at < chars.len() {
        let begin = at;
        let rest = &chars[at..];
        let word = rest.iter().take_while(|c| c.is_alphanumeric() || **c == '_').count();
        let hidden = comment_len(rest).or_else(|| literal_len(rest));
        at += hidden.unwrap_or(if word > 0 {
            word
        } else if rest.starts_with(&[':', ':']) {
            2
        } else {
            1
        });
        if hidden.is_none() && !chars[begin].is_whitespace() {
            tokens.push(Token { text: chars[begin..at].iter().collect(), line });
        }
        line += chars[begin..at].iter().filter(|c| **c == '\n').count();
    }
    tokens
}

/// The length of the comment that `rest` begins with.
fn comment_len(rest: &[char]) -> Option<usize> {
    if rest.starts_with(&['/', '/']) {
        return Some(rest.iter().position(|c| *c == '\n').unwrap_or(rest.len()));
    }
    if !rest.starts_with(&['/', '*']) {
        return None;
    }
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match &rest[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    Some(at)
}

/// The length of the string or character literal that `rest` begins with, its prefix included.
fn literal_len(rest: &[char]) -> Option<usize> {
    let prefix = rest.iter().take_while(|c| matches!(c, 'b' | 'c' | 'r')).count();
    let hashes = rest[prefix..].iter().take_while(|c| **c == '#').count();
    let body = prefix + hashes + 1;
    match rest.get(body - 1)? {
        '"' if rest[..prefix].contains(&'r') => {
            let closes =
                |at: &usize| rest[*at] == '"' && rest[at + 1..].iter().take(hashes).all(|c| *c == '#');
            Some((body..rest.len()).find(closes).map_or(rest.len(), |end| end + 1 + hashes))
        }
        quote @ ('"' | '\'') if hashes == 0 => {
            let lifetime =
                *quote == '\'' && rest.get(body) != Some(&'\\') && rest.get(body + 1) != Some(&'\'');
            let mut at = body;
            while !lifetime && at < rest.len() && rest[at] != *quote {
                at += if rest[at] == '\\' { 2 } else { 1 };
            }
            (!lifetime).then_some(at + 1)
        }
        _ => None,
    }
}
