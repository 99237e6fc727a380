//! The form of a key in events and metrics.

use std::fmt::{Debug, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// In the place of a key whose `Debug` panics.
const PANICKED: &str = "<Debug panicked>";

/// The cache's name, a colon, and the key's debug form without the spaces that derived forms have between tokens:
/// `mps_gemm:MpsGemmKey{m:1024,n:1024,k:1024}`. A key whose `Debug` panics is `mps_gemm:<Debug panicked>`.
///
/// The spaces after `,`, `:` and `{` and before `{` and `}` are removed, unless they are in a string or character literal.
/// All others may be what tells two keys apart whose `Debug` is written by hand.
pub(in crate::caching) fn label(cache: &str, key: &dyn Debug) -> Arc<str> {
    let mut text = String::new();
    // Writing to a string fails only if the key's `Debug` does: then what it wrote until then is the label.
    let written = catch_unwind(AssertUnwindSafe(|| write!(text, "{key:?}")));
    if let Err(payload) = written {
        // Its `Drop` may panic, too; what that panics with is leaked.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(payload);
        }
        PANICKED.clone_into(&mut text);
    }
    let mut label = String::with_capacity(cache.len() + 1 + text.len());
    label.push_str(cache);
    label.push(':');
    push_tokens(&mut label, &text);
    label.into()
}

/// Appends `text` without the spaces between tokens, in time linear in its length.
fn push_tokens(label: &mut String, text: &str) {
    let (mut rest, mut last) = (text, '\0');
    // After a quote that is not closed, no later one is: looking again for each would take quadratic time.
    let mut strings_are_closed = true;
    while let Some(first) = rest.chars().next() {
        let len = match first {
            '"' if strings_are_closed => string_len(rest).unwrap_or_else(|| {
                strings_are_closed = false;
                1
            }),
            '\'' => character_len(rest).unwrap_or(1),
            _ => first.len_utf8(),
        };
        let (token, tail) = rest.split_at(len);
        let between = token == " " && (matches!(last, ',' | ':' | '{') || tail.starts_with(['{', '}']));
        if !between {
            label.push_str(token);
        }
        // A literal's last character is its first.
        (rest, last) = (tail, first);
    }
}

/// The length in bytes of the string literal that `text` begins with, if it is closed.
fn string_len(text: &str) -> Option<usize> {
    let mut escaped = false;
    let close = text[1..].find(|c| {
        let closes = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        closes
    })?;
    Some(close + 2)
}

/// The length in bytes of the character literal that `text` begins with. It begins with none if that is a lifetime's quote.
fn character_len(text: &str) -> Option<usize> {
    let mut chars = text[1..].char_indices();
    let (_, first) = chars.next()?;
    if first == '\\' && chars.next()?.1 == 'u' {
        // `\u{10ffff}` is the longest.
        chars.by_ref().take(8).find(|(_, c)| *c == '}')?;
    }
    let (at, close) = chars.next()?;
    (first != '\'' && close == '\'').then_some(at + 2)
}

#[cfg(test)]
mod tests {
    use super::label;
    use std::fmt;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    struct Text<'a>(&'a str);

    impl fmt::Debug for Text<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    struct Panics;

    impl fmt::Debug for Panics {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Panics { half: ")?;
            panic!("no debug form")
        }
    }

    #[test]
    fn spaces_leave_and_literals_stay() {
        let cases = [
            ("Key { m: 1, n: [2, 3] }", "c:Key{m:1,n:[2,3]}"),
            ("Key { m: 1, .. }", "c:Key{m:1,..}"),
            ("{(1, 2): Unit, 3: Tuple(4, 5)}", "c:{(1,2):Unit,3:Tuple(4,5)}"),
            (r#"Key { s: "a, b", t: 1 }"#, r#"c:Key{s:"a, b",t:1}"#),
            (r#"Key { s: "a \", b", t: 1 }"#, r#"c:Key{s:"a \", b",t:1}"#),
            (r#"Key { s: "a\\", t: ", " }"#, r#"c:Key{s:"a\\",t:", "}"#),
            (r#"Key { q: '"', t: 1, s: " " }"#, r#"c:Key{q:'"',t:1,s:" "}"#),
            (
                r"Key { q: ' ', r: '\'', s: '\\', t: '\u{1f}', u: 1 }",
                r"c:Key{q:' ',r:'\'',s:'\\',t:'\u{1f}',u:1}",
            ),
            ("Key<'a, 'b> { m: 1 }", "c:Key<'a,'b>{m:1}"),
            (r#"half an inch: 0.5" and, more"#, r#"c:half an inch:0.5" and,more"#),
            ("'é' 'e\u{301}' ''", "c:'é' 'e\u{301}' ''"),
        ];
        for (text, expected) in cases {
            assert_eq!(&*label("c", &Text(text)), expected);
        }
    }

    #[test]
    fn a_key_with_text_of_its_own_is_quoted_by_its_debug_form() {
        assert_eq!(&*label("c", &("two words", 'x', ' ', 1.5)), r#"c:("two words",'x',' ',1.5)"#);
    }

    #[test]
    fn keys_that_differ_by_where_a_space_is_have_two_labels() {
        assert_ne!(label("c", &Text("a bc")), label("c", &Text("ab c")));
        assert_ne!(label("c", &Text("- 1")), label("c", &Text("-1")));
    }

    #[test]
    fn any_text_takes_linear_time() {
        for unit in ["\\\"", "'\\u{", "\"", "'", "a ", "{ "] {
            // Quadratic time for this length is minutes.
            let text = format!("\"{}", unit.repeat(100_000));
            assert!(label("c", &Text(&text)).starts_with("c:\""));
        }
    }

    #[test]
    fn a_key_whose_debug_panics_has_a_label_all_the_same() {
        assert_eq!(&*label("c", &Panics), "c:<Debug panicked>");
    }

    #[test]
    fn a_debug_that_panics_while_another_panic_unwinds_does_not_abort() {
        struct Labels<'a>(&'a mut String);
        impl Drop for Labels<'_> {
            fn drop(&mut self) {
                self.0.push_str(&label("c", &Panics));
            }
        }
        let mut labelled = String::new();
        let outer = catch_unwind(AssertUnwindSafe(|| {
            let _labels = Labels(&mut labelled);
            panic!("the first");
        }));
        assert!(outer.is_err());
        assert_eq!(labelled, "c:<Debug panicked>");
    }
}
