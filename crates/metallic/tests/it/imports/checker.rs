//! The checker finds what it is for.

use super::readings_of_the_time;
use crate::source::{Layout, Source, circles};

/// Three files and a child, in this order.
const LAYOUT: Layout<'_> = Layout {
    folder: &["caching"],
    order: &["clock", "policy", "registry"],
    outside: &["mod"],
    also_elsewhere: &[],
    extensions: &[],
};

fn offences(name: &str, text: &str) -> Vec<String> {
    LAYOUT.offences(&[source(name, text)])
}

fn source(name: &str, text: &str) -> Source {
    Source::new(&format!("caching/{name}.rs"), text)
}

#[test]
fn the_checker_names_the_file_the_line_and_the_import() {
    let text = "//! Docs.\n\nuse super::clock::Clock;\nuse super::registry::CacheRegistry;\n";
    assert_eq!(
        offences("policy", text),
        ["caching/policy.rs:4: imports `registry`, which does not stand before it"]
    );
}

#[test]
fn the_checker_knows_every_way_to_write_an_import() {
    let bad = [
        "use super::{clock::Clock, registry::{A, B}};",
        "use super::{\n    clock, registry as r};",
        "use super::policy::Own;",
        "use crate::caching::registry::CacheRegistry;",
        "use crate::{caching::registry::CacheRegistry};",
        "fn f() { super::registry::g() }",
        "mod tests { use super::super::registry::A; }",
        "mod tests { mod more { use super::super::super::registry::A; } } ",
        "mod tests { } use super::registry::A;",
        "use super::CacheRegistry;",
        "use super::*;",
        "use super::{self};",
        "use super as all;",
        "use crate::caching;",
        "use super::super::caching::registry::A;",
        "use super /* a comment */ :: registry::A;",
        "const A: &str = \"\\\"\"; use super::registry::A;",
        "const A: char = '\"'; use super::registry::A; const B: char = '\"';",
        "fn f<'a>(a: &'a str) { super::registry::g('a', '\\'') }",
    ];
    for text in bad {
        assert_eq!(offences("policy", text).len(), 1, "{text}: {:?}", offences("policy", text));
    }
    let good = [
        "",
        "use super::{clock::{Clock, registry}};",
        "pub(super) fn f() {} pub(in super) fn g() {}",
        "mod tests { use super::registry; use super::Own; use super::super::clock::Clock; }",
        "use crate::error::MetalError; use crate::device::{Device, caching::registry};",
        "// use super::registry;\n/* use super::registry; /* again */ use super::registry; */",
        "/// [`R`](super::registry)\nfn f() {}",
        "const A: &str = \"use super::registry;\"; const B: &str = r#\"\" use super::registry;\"#;",
    ];
    for text in good {
        assert_eq!(offences("policy", text), [""; 0], "{text}");
    }
}

#[test]
fn the_checker_refuses_a_file_that_has_no_place() {
    assert_eq!(offences("helpers", ""), ["caching/helpers.rs: not in the order of files"]);
}

#[test]
fn the_checker_sees_readings_of_the_time_and_unsafe_code_but_not_talk_of_them() {
    let source = Source::new(
        "x.rs",
        "// Instant::now()\nlet a = \"unsafe\";\nlet t = std::time::Instant::now();\n#![deny(unsafe_code)]\nunsafe {\n    t.elapsed()\n}\nfn elapsed() {}\n",
    );
    assert_eq!(readings_of_the_time(&source), ["x.rs:3: Instant::now", "x.rs:6: .elapsed("]);
    assert_eq!(source.find(&["unsafe"]), ["x.rs:5: unsafe"]);
}

#[test]
fn the_checker_sees_calls_of_methods_that_are_defined_further_down() {
    let below = "impl<'a, T: Fn() -> bool> Cell<T> where T: Copy { pub(crate) fn fill(&mut self) {} }";
    let offences = |text: &str| {
        let home = source("clock", "pub struct Cell<T>(T); impl<T> Cell<T> { fn empty(&self) {} }");
        let layout = Layout { extensions: &[("registry/child", "Cell")], ..LAYOUT };
        layout.offences(&[home, source("policy", text), source("registry/child", below)])
    };
    assert_eq!(
        offences("\nfn f(cell: &mut Cell<u8>) { cell.fill() }"),
        ["caching/policy.rs:2: calls `fill`, which is defined further down, in caching/registry/child.rs:1"]
    );
    let bad = [
        "fn f() { lock(cell).fill::<u8>() }",
        "use super::clock::Cell; fn f() { Cell::fill(&mut cell) }",
        "impl Debug for Cell<u8> { fn fmt(&self) { self.fill() } }",
        "impl Drop for Cell<u8> { fn drop(&mut self) { assert!(Self::fill(self)) } }",
    ];
    for text in bad {
        assert_eq!(offences(text).len(), 1, "{text}: {:?}", offences(text));
    }
    let good = [
        "fn f(cell: &Cell<u8>) { cell.empty() }",
        "fn fill() {} fn f() { fill(); let fill = cell.fill; other::fill(); std::Cell::fill() }",
        "struct Own; impl Own { fn fill(&self) {} fn f(&self) { self.fill() } }",
        "impl Fill for Own { fn fill(&self) {} } fn f(own: &Own) { own.fill() }",
        "// cell.fill()",
    ];
    for text in good {
        assert_eq!(offences(text), [""; 0], "{text}");
    }
}

#[test]
fn the_checker_sees_methods_outside_of_their_types_file_and_its_children() {
    let home = || source("policy", "pub enum Policy { A }\nimpl Policy {}");
    let offences = |layout: &Layout<'_>, name, text| layout.offences(&[home(), source(name, text)]);
    assert_eq!(
        offences(&LAYOUT, "registry", "\nimpl super::policy::Policy {}"),
        ["caching/registry.rs:2: methods of `Policy`, a type of policy"]
    );
    assert_eq!(offences(&LAYOUT, "policy/spelling", "impl super::Policy {}"), [""; 0]);
    assert_eq!(offences(&LAYOUT, "registry", "impl Debug for Policy {}"), [""; 0]);
    let layout = Layout { extensions: &[("registry", "Policy")], ..LAYOUT };
    assert_eq!(offences(&layout, "registry", "impl Policy {}"), [""; 0]);
    assert_eq!(offences(&layout, "registry", ""), ["`Policy` has no methods in registry"]);
}

#[test]
fn the_checker_takes_no_needless_excuse() {
    let home = || source("registry", "pub struct Registry; impl Registry { fn get(&self) {} }");
    let layout = Layout { also_elsewhere: &["get"], ..LAYOUT };
    assert_eq!(layout.offences(&[home(), source("policy", "fn f() { map.get() }")]), [""; 0]);
    assert_eq!(layout.offences(&[home(), source("policy", "")]), ["`get` need not be excused"]);
}

#[test]
fn the_checker_tells_circles_by_the_lines_that_lead_around() {
    let found = |a: &str, b: &str, c: &str| {
        circles(&[
            Source::new("m/a.rs", a),
            Source::new("m/b.rs", b),
            Source::new("m/c/d.rs", c),
            Source::new("m/c.rs", ""),
            Source::new("m.rs", ""),
        ])
    };
    assert_eq!(found("use super::b::B;", "use super::c::C;", "use super::super::c::C;"), [""; 0]);
    assert_eq!(
        found("use super::b::B;", "\nuse crate::m::c::d::D;", "use crate::m::{X, a::A};"),
        ["m: a -> b -> c -> a (m/a.rs:1 leads to b, m/b.rs:2 leads to c, m/c/d.rs:1 leads to a)"]
    );
    assert_eq!(
        found(
            "struct A; impl A { fn f(self) { self.g() } }",
            "use super::a::A; impl A { fn g(self) {} }",
            ""
        ),
        ["m: a -> b -> a (m/a.rs:1 leads to b, m/b.rs:1 leads to a)"]
    );
}
