//! How a key stands in events and metrics.

use std::fmt::{Debug, Write};
use std::sync::Arc;

/// The cache's name, a colon, and the key's debug form without the spaces outside string and character literals:
/// `mps_gemm:MpsGemmKey{m:1024,n:1024,k:1024}`.
pub(in crate::caching) fn label(cache: &str, key: &dyn Debug) -> Arc<str> {
    let mut text = String::new();
    // Writing to a string fails only if the key's `Debug` does: then what it wrote until then is the label.
    let _ = write!(text, "{key:?}");
    let mut label = String::with_capacity(cache.len() + 1 + text.len());
    label.push_str(cache);
    label.push(':');
    let mut rest = text.as_str();
    while let Some(first) = rest.chars().next() {
        let literal = literal_len(rest);
        let (head, tail) = rest.split_at(if literal == 0 { first.len_utf8() } else { literal });
        if head != " " {
            label.push_str(head);
        }
        rest = tail;
    }
    label.into()
}

/// The length in bytes of the string or character literal that `text` begins with; 0 if it begins with none.
fn literal_len(text: &str) -> usize {
    let mut chars = text.char_indices();
    let Some((_, quote @ ('"' | '\''))) = chars.next() else { return 0 };
    let mut inside = 0;
    while let Some((at, c)) = chars.next() {
        match c {
            _ if c == quote => return at + 1,
            // `'\u{1f}'` is the one character literal of several characters after the backslash.
            '\\' if quote == '\'' && text[at..].starts_with("\\u{") => {
                chars.by_ref().find(|(_, c)| *c == '}');
            }
            '\\' => {
                chars.next();
            }
            _ => {}
        }
        inside += 1;
        if quote == '\'' && inside > 1 {
            return 0;
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::label;
    use std::fmt;

    struct Text(&'static str);

    impl fmt::Debug for Text {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    #[test]
    fn spaces_leave_and_literals_stay() {
        let cases = [
            ("Key { m: 1, n: [2, 3] }", "c:Key{m:1,n:[2,3]}"),
            (r#"Key { s: "a b", t: 1 }"#, r#"c:Key{s:"a b",t:1}"#),
            (r#"Key { s: "a \" b", t: 1 }"#, r#"c:Key{s:"a \" b",t:1}"#),
            (r#"Key { s: "a\\", t: " " }"#, r#"c:Key{s:"a\\",t:" "}"#),
            (r#"Key { q: '"', t: 1, s: " " }"#, r#"c:Key{q:'"',t:1,s:" "}"#),
            (
                r"Key { q: ' ', r: '\'', s: '\\', t: '\u{1f}', u: 1 }",
                r"c:Key{q:' ',r:'\'',s:'\\',t:'\u{1f}',u:1}",
            ),
            ("Key<'a, 'b> { m: 1 }", "c:Key<'a,'b>{m:1}"),
            (r#"half an inch: 0.5" and more"#, r#"c:halfaninch:0.5"andmore"#),
        ];
        for (text, expected) in cases {
            assert_eq!(&*label("c", &Text(text)), expected);
        }
    }

    #[test]
    fn a_key_with_text_of_its_own_is_quoted_by_its_debug_form() {
        assert_eq!(&*label("c", &("two words", 'x', ' ', 1.5)), r#"c:("two words",'x',' ',1.5)"#);
    }
}
