//! The fields of a key, read from its debug form, and how many of them two keys do not share.

use std::collections::HashMap;

/// The key that is most like another one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct NearestKey {
    /// The key's label, with its cache's name.
    pub key: String,
    /// The fields that differ.
    pub differences: Vec<Difference>,
}

impl NearestKey {
    /// Of the labels of a cache, the one that differs in the fewest fields from `asked`, a key without the cache's name. Of
    /// several, the first.
    pub fn among(
        labels: impl IntoIterator<Item = impl AsRef<str>>,
        cache: &str,
        asked: &str,
    ) -> Option<Self> {
        let asked = KeyForm::parse(asked);
        // So that a key takes time in proportion to its own fields, whatever the other one has.
        let values: HashMap<&str, &str> =
            asked.fields.iter().rev().map(|(name, value)| (&**name, &**value)).collect();
        let form_of = |label: &str| KeyForm::parse(label.get(cache.len() + 1..).unwrap_or(label));
        let mut nearest = None;
        for label in labels {
            let other = form_of(label.as_ref());
            let found = other.fields.iter().map(|(name, value)| (values.get(&**name), &**value));
            let (mut same, mut only_there) = (0, 0);
            for (value, there) in found {
                same += usize::from(value == Some(&there));
                only_there += usize::from(value.is_none());
            }
            let distance = asked.fields.len().saturating_sub(same) + only_there;
            if nearest.as_ref().is_none_or(|(least, _)| distance < *least) {
                nearest = Some((distance, label));
            }
        }
        let (_, label) = nearest?;
        let differences = asked.differences(&form_of(label.as_ref())).collect();
        Some(Self { key: label.as_ref().to_owned(), differences })
    }
}

/// A key as named values: `GemmKey{m:64,shape:[1,2]}` has the fields `m` = `64`, `shape.0` = `1` and `shape.1` = `2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyForm {
    fields: Vec<(String, String)>,
}

/// A field that two keys do not share. What a key does not have is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Difference {
    /// The field's name; those within others stand behind a dot, and elements have their number. Empty for a key that is
    /// one value.
    pub field: String,
    /// The value in the key that was asked for.
    pub asked: Option<String>,
    /// The value in the other one.
    pub other: Option<String>,
}

impl KeyForm {
    /// Reads a debug form. Whatever cannot be taken apart is one value.
    pub fn parse(text: &str) -> Self {
        let mut fields = Vec::new();
        add_fields(&mut fields, String::new(), text.trim());
        Self { fields }
    }

    /// The value of the field with this name; of one that has fields itself, their values with spaces between.
    pub fn field(&self, name: &str) -> Option<String> {
        let is_within = |other: &str| other.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
        let parts = self.fields.iter().filter(|(other, _)| other == name || is_within(other));
        let values: Vec<&str> = parts.map(|(_, value)| &**value).collect();
        (!values.is_empty()).then(|| values.join(" "))
    }

    /// Returns `true` if a field has one value in both.
    pub fn shares_with(&self, other: &Self) -> bool {
        let mut of_values = self.fields.iter().enumerate().filter(|(_, (name, _))| !name.ends_with("type"));
        of_values.any(|(at, (name, value))| other.value(at, name) == Some(value))
    }

    /// The fields that differ: those of this key in order, then those that only `other` has.
    pub fn differences<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = Difference> + 'a {
        // Keys of one cache nearly always have the same fields in the same places.
        let here = self.fields.iter().enumerate().filter_map(move |(at, (name, value))| {
            let found = other.value(at, name);
            (found != Some(value)).then(|| Difference {
                field: name.clone(),
                asked: Some(value.clone()),
                other: found.cloned(),
            })
        });
        let there =
            other.fields.iter().enumerate().filter(move |(at, (name, _))| self.value(*at, name).is_none());
        let there = there.map(|(_, (name, value))| Difference {
            field: name.clone(),
            asked: None,
            other: Some(value.clone()),
        });
        here.chain(there)
    }

    fn value(&self, expected_at: usize, name: &str) -> Option<&String> {
        let expected = self.fields.get(expected_at).filter(|(other, _)| other == name);
        expected.or_else(|| self.fields.iter().find(|(other, _)| other == name)).map(|(_, value)| value)
    }
}

/// Nesting deeper than this is one value: a key is no reason to use up the stack.
const DEEPEST: usize = 16;

fn add_fields(fields: &mut Vec<(String, String)>, path: String, text: &str) {
    let depth = path.split('.').filter(|part| !part.is_empty()).count();
    let Some((name, inside)) = group(text).filter(|_| depth < DEEPEST) else {
        fields.push((path, text.to_owned()));
        return;
    };
    let join = |part: &str| if path.is_empty() { part.to_owned() } else { format!("{path}.{part}") };
    if !name.is_empty() {
        // The variant of an enum differs as a field does; the name of the key's own type never does.
        fields.push((join("type"), name.to_owned()));
    }
    for (number, part) in split(inside, ',').into_iter().filter(|part| !part.is_empty()).enumerate() {
        match &split(part, ':')[..] {
            [name, value, rest @ ..] if !value.is_empty() && is_simple(name) => {
                let value = if rest.is_empty() { *value } else { &part[name.len() + 1..] };
                add_fields(fields, join(name.trim()), value.trim());
            }
            _ => add_fields(fields, join(&number.to_string()), part),
        }
    }
}

/// The name before a group in brackets that ends the text, and what is in it.
fn group(text: &str) -> Option<(&str, &str)> {
    let open = text.find(['{', '(', '['])?;
    let close = match text.as_bytes()[open] {
        b'{' => '}',
        b'(' => ')',
        _ => ']',
    };
    let name = text[..open].trim();
    let inside = text[open + 1..].strip_suffix(close)?;
    let is_name =
        name.chars().all(|c| c.is_alphanumeric() || "_:<>,&' ".contains(c)) && !name.contains(['"']);
    is_name.then_some((name, inside))
}

/// Returns `true` if this can be the name of a field or the key of a map.
fn is_simple(name: &str) -> bool {
    !name.is_empty() && !name.contains(['{', '(', '['])
}

/// The parts between the separators that stand in no brackets and no literal. `::` separates nothing.
fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0_usize);
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => skip_literal(&mut chars),
            // A lifetime has no second quote close by, a character has.
            '\'' if is_char_literal(&text[at..]) => {
                chars.next();
                while chars.next().is_some_and(|(_, c)| c != '\'') {}
            }
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => depth = depth.saturating_sub(1),
            ':' if separator == ':' && chars.peek().is_some_and(|(_, next)| *next == ':') => {
                chars.next();
            }
            _ if c == separator && depth == 0 => {
                parts.push(&text[start..at]);
                start = at + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn skip_literal(chars: &mut impl Iterator<Item = (usize, char)>) {
    while let Some((_, c)) = chars.next() {
        match c {
            '\\' => {
                chars.next();
            }
            '"' => break,
            _ => {}
        }
    }
}

fn is_char_literal(text: &str) -> bool {
    let mut chars = text.chars().skip(1);
    match chars.next() {
        Some('\\') => true,
        Some(_) => chars.next() == Some('\''),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{Difference, KeyForm, NearestKey};

    fn fields(text: &str) -> Vec<(String, String)> {
        KeyForm::parse(text).fields
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_nearest_key_differs_in_the_fewest_fields_on_either_side() {
        let keys = ["K{m:1,n:2}", "K{m:1,n:3,k:4}", "K{n:2,m:9}", "K{}", "L{m:1,n:2,k:4,x:[1,2,3]}", "7"];
        for asked in ["K{m:1,n:2}", "K{m:1,n:2,k:4}", "K{m:9,n:9}", "L{x:[1,2]}", "7", ""] {
            let fewest = |key: &&&str| KeyForm::parse(asked).differences(&KeyForm::parse(key)).count();
            let nearest = NearestKey::among(keys.map(|key| format!("c:{key}")), "c", asked);
            let expected = keys.iter().min_by_key(fewest).map(|key| format!("c:{key}"));
            assert_eq!(nearest.map(|nearest| nearest.key), expected, "{asked}");
        }
    }

    #[test]
    fn a_struct_falls_apart_into_its_fields() {
        assert_eq!(
            fields("GemmKey{m:64,dtype:F32,shape:[1,2],inner:Inner{a:Some(3),b:(4,None)}}"),
            pairs(&[
                ("type", "GemmKey"),
                ("m", "64"),
                ("dtype", "F32"),
                ("shape.0", "1"),
                ("shape.1", "2"),
                ("inner.type", "Inner"),
                ("inner.a.type", "Some"),
                ("inner.a.0", "3"),
                ("inner.b.0", "4"),
                ("inner.b.1", "None"),
            ])
        );
    }

    #[test]
    fn separators_in_literals_separate_nothing() {
        assert_eq!(
            fields(r#"Key{s:"a,b:{\"c",q:',',p:path::Type{x:'\''}}"#),
            pairs(&[
                ("type", "Key"),
                ("s", r#""a,b:{\"c""#),
                ("q", "','"),
                ("p.type", "path::Type"),
                ("p.x", r"'\''"),
            ])
        );
    }

    #[test]
    fn what_cannot_be_taken_apart_is_one_value() {
        for text in ["", "17", "\"a,b\"", "Key{m:1", "a}b{", "]]", "half\"open{"] {
            assert_eq!(fields(text), pairs(&[("", text)]), "{text}");
        }
        let deep = "(".repeat(10_000) + &")".repeat(10_000);
        assert_eq!(fields(&deep).len(), 1);
    }

    #[test]
    fn the_distance_is_the_number_of_fields_that_differ() {
        let asked = KeyForm::parse("Key{m:1,n:2,layout:Tiled{by:8}}");
        assert_eq!(asked.differences(&asked).count(), 0);
        let other = KeyForm::parse("Key{m:1,n:3,layout:Rows}");
        let difference = |field: &str, asked: Option<&str>, other: Option<&str>| Difference {
            field: field.to_owned(),
            asked: asked.map(str::to_owned),
            other: other.map(str::to_owned),
        };
        assert_eq!(
            asked.differences(&other).collect::<Vec<_>>(),
            [
                difference("n", Some("2"), Some("3")),
                difference("layout.type", Some("Tiled"), None),
                difference("layout.by", Some("8"), None),
                difference("layout", None, Some("Rows")),
            ]
        );
    }
}
