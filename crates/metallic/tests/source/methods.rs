//! The methods that a file defines and calls.

use std::collections::BTreeSet;

use super::tokens::Source;

/// A function in an `impl` or in a trait.
pub(crate) struct Method {
    pub(crate) name: String,
    /// The type that it is an inherent method of.
    pub(crate) of: Option<String>,
    pub(crate) line: usize,
}

/// A call of a method, or of an associated function.
pub(crate) struct Call {
    pub(crate) name: String,
    /// The type, where it is written or is that of `self`.
    pub(crate) on: Option<String>,
    pub(crate) line: usize,
}

/// An `impl` or a trait: the places of its braces, the type or trait, and whether it is an inherent one.
struct Block {
    begin: usize,
    end: usize,
    name: String,
    is_inherent: bool,
}

impl Source {
    /// The types that the file defines.
    pub(crate) fn types(&self) -> Vec<&str> {
        let is_type = |at: &usize| ["struct", "enum", "union"].contains(&self.word(*at));
        (0..self.tokens.len()).filter(is_type).map(|at| self.word(at + 1)).collect()
    }

    /// The types that the file has inherent methods of, and the lines of their `impl`s.
    pub(crate) fn inherent_impls(&self) -> Vec<(String, usize)> {
        let inherent = self.blocks().into_iter().filter(|block| block.is_inherent);
        inherent.map(|block| (block.name, self.tokens[block.begin].line)).collect()
    }

    pub(crate) fn methods(&self) -> Vec<Method> {
        let mut methods = Vec::new();
        for block in self.blocks() {
            let mut depth = 0;
            for at in block.begin..block.end {
                match self.word(at) {
                    "{" => depth += 1,
                    "}" => depth -= 1,
                    "fn" if depth == 1 => methods.push(Method {
                        name: self.word(at + 1).to_owned(),
                        of: block.is_inherent.then(|| block.name.clone()),
                        line: self.tokens[at].line,
                    }),
                    _ => {}
                }
            }
        }
        methods
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        let blocks = self.blocks();
        let type_at = |at: usize| {
            let block = blocks.iter().find(|block| (block.begin..block.end).contains(&at));
            block.map(|block| block.name.clone())
        };
        // Another type may have the name of one of the crate's.
        let mut known: BTreeSet<String> = self.types().into_iter().map(str::to_owned).collect();
        known.extend(self.imports().into_iter().flat_map(|import| import.path));
        let is_name = |at: usize| self.word(at).starts_with(|c: char| c.is_alphabetic() || c == '_');
        let mut calls = Vec::new();
        for at in 2..self.tokens.len() {
            let is_called = self.word(at + 1) == "(" || self.stands(at + 1, &["::", "<"]);
            if !is_name(at) || !is_called || ![".", "::"].contains(&self.word(at - 1)) {
                continue;
            }
            let on = match (self.word(at - 1), self.word(at - 2)) {
                (".", "self") if self.word(at.saturating_sub(3)) != "." => type_at(at),
                ("::", "Self") => type_at(at),
                ("::", of) if known.contains(of) => Some(of.to_owned()),
                ("::", _) => continue,
                _ => None,
            };
            calls.push(Call { name: self.word(at).to_owned(), on, line: self.tokens[at].line });
        }
        calls
    }

    fn blocks(&self) -> Vec<Block> {
        let begins_item =
            |at: usize| at == 0 || ["}", ";", "{", "]", "unsafe", ")", "pub"].contains(&self.word(at - 1));
        let is_block = |at: &usize| ["impl", "trait"].contains(&self.word(*at)) && begins_item(*at);
        (0..self.tokens.len()).filter(is_block).filter_map(|at| self.block(at)).collect()
    }

    /// The block whose `impl` or `trait` is at this place.
    fn block(&self, at: usize) -> Option<Block> {
        let (mut name, mut is_inherent, mut angles, mut in_bounds) = ("", self.word(at) == "impl", 0, false);
        let mut begin = at + 1;
        loop {
            match self.word(begin) {
                "" | ";" => return None,
                "{" => break,
                "<" => angles += 1,
                ">" if self.word(begin - 1) != "-" => angles -= 1,
                // Not the one of `for<'a>`.
                "for" if angles == 0 && self.word(begin + 1) != "<" && !in_bounds => {
                    (name, is_inherent) = ("", false)
                }
                "where" | ":" if angles == 0 => in_bounds = true,
                word if angles == 0
                    && !in_bounds
                    && word.starts_with(|c: char| c.is_alphabetic() || c == '_') =>
                {
                    name = word
                }
                _ => {}
            }
            begin += 1;
        }
        let mut depth = 0;
        let length = (begin..self.tokens.len()).position(|at| {
            match self.word(at) {
                "{" => depth += 1,
                "}" => depth -= 1,
                _ => {}
            }
            depth == 0
        })?;
        Some(Block { begin, end: begin + length, name: name.to_owned(), is_inherent })
    }
}
