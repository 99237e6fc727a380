//! A Rust file as words and signs: enough to find imports and words in it.

/// A file as words and signs, without comments and the contents of literals.
pub(crate) struct Source {
    pub(crate) path: String,
    tokens: Vec<Token>,
}

struct Token {
    text: String,
    line: usize,
}

/// A file of `caching/` that a path in the source leads to.
#[derive(PartialEq)]
pub(crate) struct Import {
    pub(crate) module: String,
    pub(crate) line: usize,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), tokens: tokens(text) }
    }

    fn word(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| &token.text)
    }

    fn stands(&self, at: usize, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(offset, word)| self.word(at + offset) == *word)
    }

    /// Every place where these words stand one after the other.
    pub(crate) fn find(&self, words: &[&str]) -> Vec<String> {
        (0..self.tokens.len())
            .filter(|at| self.stands(*at, words))
            .map(|at| format!("{}:{}: {}", self.path, self.tokens[at].line, words.concat()))
            .collect()
    }

    /// The files of `caching/` that paths in this file, which is one of that folder, lead to.
    pub(crate) fn imports(&self) -> Vec<Import> {
        let mut imports = Vec::new();
        // The depths of braces at which modules within the file begin: there, `super` is this file.
        let (mut depth, mut modules) = (0, Vec::new());
        let mut at = 0;
        while at < self.tokens.len() {
            match self.word(at) {
                "{" => {
                    if at >= 2 && self.word(at - 2) == "mod" {
                        modules.push(depth);
                    }
                    depth += 1;
                }
                "}" => {
                    depth -= 1;
                    modules.pop_if(|begun| *begun == depth);
                }
                "super" | "crate" => {
                    let mut paths = Vec::new();
                    let end = self.expand(at, &[], &mut paths);
                    let is_visibility =
                        at >= 2 && (self.stands(at - 2, &["pub", "("]) || self.stands(at - 2, &["(", "in"]));
                    let targets = paths.iter().filter_map(|path| self.target(path, modules.len()));
                    imports.extend(targets.filter(|_| !is_visibility));
                    at = end - 1;
                }
                _ => {}
            }
            at += 1;
        }
        imports.dedup(); // `super::file::{A, B}` is two paths
        imports
    }

    /// Finds the paths that begin at a place, each as the places of its words, and where they end.
    fn expand(&self, mut at: usize, prefix: &[usize], paths: &mut Vec<Vec<usize>>) -> usize {
        let mut path = prefix.to_vec();
        loop {
            path.push(at);
            if self.word(at + 1) != "::" {
                paths.push(path);
                return if self.word(at + 1) == "as" { at + 3 } else { at + 1 };
            }
            at += 2;
            if self.word(at) == "{" {
                at += 1;
                while at < self.tokens.len() && self.word(at) != "}" {
                    at = if self.word(at) == "," { at + 1 } else { self.expand(at, &path, paths) };
                }
                return at + 1;
            }
        }
    }

    /// The file a path leads to from within `depth` modules of this one; none if it is this one or of another folder.
    fn target(&self, path: &[usize], depth: usize) -> Option<Import> {
        let name = self.path.trim_end_matches(".rs");
        let folders = name.strip_prefix("caching/").unwrap_or(name).split('/');
        let mut place = vec!["caching"];
        place.extend(folders.clone().take(folders.count() - 1));
        place.push("this file");
        place.extend(vec!["module"; depth]);
        for at in path {
            match self.word(*at) {
                "crate" => place.clear(),
                "super" => drop(place.pop()),
                "self" => {}
                name => place.push(name),
            }
        }
        let module = match place[..] {
            ["caching"] => "caching",
            ["caching", module, ..] if module != "this file" => module,
            _ => return None,
        };
        let named = path.iter().find(|at| self.word(**at) == module).or(path.last())?;
        Some(Import { module: module.to_owned(), line: self.tokens[*named].line })
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
