//! Two keys: what asks for an artifact, and what it is compiled from.

use crate::kernels::{Code, Key, Kind, Machine, code};

#[test]
fn a_rebuilt_program_whose_sources_are_unchanged_compiles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (typed, content) = (Key::new(Kind::Typed, 7), Key::new(Kind::Content, 7));
    for (build, compilations) in [("monday", 2), ("tuesday", 1), ("tuesday", 0)] {
        let machine = Machine::new(build, "550");
        let registry = machine.registry(folder.path());
        assert_eq!(registry.get_or_create::<Code>(&content, None).unwrap(), code(&content));
        assert_eq!(registry.get_or_create::<Code>(&typed, None).unwrap(), code(&typed));
        assert_eq!(machine.compilations(), compilations, "{build}: by its key alone, only one is made anew");
    }
}

#[test]
fn another_driver_compiles_anew_and_the_first_one_still_loads() {
    let folder = tempfile::tempdir().unwrap();
    for (driver, compilations) in [("550", 4), ("560", 4), ("550", 0), ("560", 0)] {
        let machine = Machine::new("build", driver);
        let registry = machine.registry(folder.path());
        for kind in Kind::ALL {
            registry.get_or_create::<Code>(&Key::new(kind, 7), None).unwrap();
        }
        assert_eq!(machine.compilations(), compilations, "{driver}");
    }
}

#[test]
fn keys_whose_content_is_the_same_are_compiled_once() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::new("build", "550");
    let registry = machine.registry(folder.path());
    for width in [1, 2, 64] {
        registry.get_or_create::<Code>(&Key::new(Kind::Content, width), None).unwrap();
    }
    assert_eq!(machine.compilations(), 1);
    registry.get_or_create::<Code>(&Key::new(Kind::Content, 65), None).unwrap();
    assert_eq!(machine.compilations(), 2);
}
