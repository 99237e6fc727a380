//! Shaders expanded from templates.
//!
//! A template is WGSL with four more kinds of lines: `//#if NAME`, `//#else`, `//#each name COUNT` (repeats the lines up to
//! its end for each number below the count, with `#name` for the number) and `//#end`.

use std::fmt::Write;

use metallic::Dtype;

/// A built-in shader: its templates, and the values that they are expanded with. The source is made from these alone, so
/// that two shaders with equal values have equal sources.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Shader {
    name: &'static str,
    templates: &'static [&'static str],
    flags: Vec<(&'static str, bool)>,
    constants: Vec<(&'static str, u32)>,
    elements: Vec<(&'static str, Dtype)>,
}

impl Shader {
    /// Templates of this name. No others have it.
    pub(crate) fn new(name: &'static str, templates: &'static [&'static str]) -> Self {
        Self { name, templates, flags: Vec::new(), constants: Vec::new(), elements: Vec::new() }
    }

    /// Gives the type of an element in memory the name `name`.
    pub(crate) fn element(mut self, name: &'static str, dtype: Dtype) -> Self {
        self.elements.push((name, dtype));
        self
    }

    /// Adds a constant, which `//#each` can count up to.
    pub(crate) fn constant(mut self, name: &'static str, value: u32) -> Self {
        self.constants.push((name, value));
        self
    }

    /// Adds a flag for `//#if`.
    pub(crate) fn flag(mut self, name: &'static str, set: bool) -> Self {
        self.flags.push((name, set));
        self
    }

    /// The name of the templates, and all values: no other built-in shader has it.
    pub(crate) fn name(&self) -> String {
        let mut full = self.name.to_owned();
        for (_, dtype) in &self.elements {
            let _ = write!(full, "_{dtype}");
        }
        for (name, value) in &self.constants {
            let _ = write!(full, "_{}{value}", name.to_lowercase());
        }
        for (name, _) in self.flags.iter().filter(|(_, set)| *set) {
            let _ = write!(full, "_{}", name.to_lowercase());
        }
        full
    }

    /// The WGSL source.
    pub(crate) fn source(&self) -> String {
        let mut source = String::new();
        if self.elements.iter().any(|(_, dtype)| *dtype == Dtype::F16) {
            source.push_str("enable f16;\n");
        }
        for (name, dtype) in &self.elements {
            let _ = writeln!(source, "alias {name} = {dtype};");
        }
        for (name, value) in &self.constants {
            let _ = writeln!(source, "const {name}: u32 = {value}u;");
        }
        for template in self.templates {
            let lines: Vec<_> = template.lines().collect();
            self.expand(&lines, &mut source);
        }
        source
    }

    fn expand(&self, mut lines: &[&str], source: &mut String) {
        while let [line, rest @ ..] = lines {
            lines = rest;
            let Some(directive) = line.trim_start().strip_prefix("//#") else {
                source.push_str(line);
                source.push('\n');
                continue;
            };
            let (body, other, after) = block(rest);
            lines = after;
            match directive.split_whitespace().collect::<Vec<_>>()[..] {
                ["if", name] => self.expand(if self.is_set(name) { body } else { other }, source),
                ["each", name, count] => {
                    for number in 0..self.count(count) {
                        let numbered: Vec<_> = body
                            .iter()
                            .map(|line| line.replace(&format!("#{name}"), &number.to_string()))
                            .collect();
                        self.expand(&numbered.iter().map(String::as_str).collect::<Vec<_>>(), source);
                    }
                }
                _ => unreachable!("templates are part of this crate, and have no `{line}`"),
            }
        }
    }

    fn is_set(&self, name: &str) -> bool {
        let flag = self.flags.iter().find(|(flag, _)| *flag == name);
        flag.unwrap_or_else(|| unreachable!("a template asks for the flag {name}")).1
    }

    fn count(&self, name: &str) -> u32 {
        let constant = self.constants.iter().find(|(constant, _)| *constant == name);
        constant.unwrap_or_else(|| unreachable!("a template asks for the constant {name}")).1
    }
}

/// The lines of a directive up to its `else`, from there to its end, and after it.
fn block<'a, 'b>(lines: &'b [&'a str]) -> (&'b [&'a str], &'b [&'a str], &'b [&'a str]) {
    let mut depth = 0;
    let mut middle = None;
    for (index, line) in lines.iter().enumerate() {
        let Some(directive) = line.trim_start().strip_prefix("//#") else { continue };
        match directive.trim() {
            "end" if depth == 0 => {
                let middle: usize = middle.unwrap_or(index);
                return (&lines[..middle], &lines[(middle + 1).min(index)..index], &lines[index + 1..]);
            }
            "else" if depth == 0 => middle = Some(index),
            "end" => depth -= 1,
            "else" => {}
            _ => depth += 1,
        }
    }
    unreachable!("templates are part of this crate, and all their blocks end")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_becomes_a_shader() {
        const TEMPLATES: [&str; 1] =
            ["a\n//#if X\nb\n//#if Y\nc\n//#else\nd\n//#end\n//#else\ne\n//#end\n//#each i N\nf#i\n//#end"];
        let shader = Shader::new("t", &TEMPLATES).constant("N", 2).flag("X", true).flag("Y", false);
        assert_eq!(shader.source(), "const N: u32 = 2u;\na\nb\nd\nf0\nf1\n");
        let shader = Shader::new("t", &TEMPLATES).constant("N", 0).flag("X", false).element("E", Dtype::F16);
        assert_eq!(shader.source(), "enable f16;\nalias E = f16;\nconst N: u32 = 0u;\na\ne\n");
        assert_eq!(shader.name(), "t_f16_n0");
    }
}
