//! The documents for those who change the code, checked against it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Words of a name that is taken for a test's: tests are sentences, and other names are shorter.
const WORDS_OF_A_SENTENCE: usize = 4;

#[test]
fn every_test_that_the_architecture_cites_exists() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let text = fs::read_to_string(crates.parent().unwrap().join("ARCHITECTURE.md")).unwrap();
    let cited = cited_tests(&text);
    assert!(!cited.is_empty(), "the architecture cites no test");
    let mut functions = BTreeSet::new();
    collect_functions(crates, &mut functions);
    let missing: Vec<_> = cited.iter().filter(|name| !functions.contains(**name)).collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md cites tests that do not exist: {missing:?}");
}

#[test]
fn names_in_backticks_are_citations_if_they_are_sentences() {
    let text = "`a_test_that_is_cited` and `another_one_of_them`, not `a_short_name`, `Type::a_test_that_is`, or\na_test_without_any_ticks";
    assert_eq!(cited_tests(text), BTreeSet::from(["a_test_that_is_cited", "another_one_of_them"]));
}

fn cited_tests(text: &str) -> BTreeSet<&str> {
    let is_name = |name: &str| name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    text.lines()
        .flat_map(|line| line.split('`').skip(1).step_by(2))
        .filter(|name| is_name(name) && name.split('_').count() >= WORDS_OF_A_SENTENCE)
        .collect()
}

fn collect_functions(folder: &Path, functions: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect_functions(&path, functions);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(&path).unwrap();
            let function_of = |line: &str| {
                let (before, after) = line.split_once("fn ")?;
                let name = after.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next()?;
                (!before.contains("//")).then(|| name.to_owned())
            };
            functions.extend(source.lines().filter_map(function_of));
        }
    }
}
