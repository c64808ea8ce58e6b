//! Unsafe code that is unlisted, unjustified or no longer there is found.

use super::lines;
use crate::source::Source;
use crate::unsafety::{Place, check, check_list};

const PLACES: [Place; 1] = [Place { path: "a.rs", ceiling: 1, reason: "to show it" }];

#[test]
fn unsafe_code_outside_the_list_is_found() {
    let text = "// SAFETY: fine.\nunsafe { f() };";
    assert_eq!(check(&Source::new("a.rs", text), &PLACES), []);
    assert_eq!(lines(&check(&Source::new("b.rs", text), &PLACES)), [2]);
}

#[test]
fn more_of_it_than_listed_is_found() {
    let text = "// SAFETY: fine.\nunsafe { f() };\n// SAFETY: fine.\nunsafe impl Send for A {}";
    assert_eq!(lines(&check(&Source::new("a.rs", text), &PLACES)), [0]);
}

#[test]
fn a_use_without_a_justification_is_found() {
    for text in [
        "unsafe { f() };",
        "// It is fine.\nunsafe { f() };",
        "// SAFETY: fine.\ng();\nunsafe { f() };",
        "// SAFETY: of another.\n\nstruct A;\nunsafe impl Send for A {}",
    ] {
        assert_eq!(check(&Source::new("a.rs", text), &PLACES).len(), 1, "{text}");
    }
}

#[test]
fn a_justification_stands_above_the_statement() {
    for text in [
        "// SAFETY: fine,\n// for two reasons.\nlet x =\n    unsafe { f() };",
        "// SAFETY: fine.\n#[rustfmt::skip]\nunsafe impl Send for A {}",
        "let x = g(\n    // SAFETY: fine.\n    unsafe { f() },\n);",
        "unsafe { f() } // SAFETY: fine.",
    ] {
        assert_eq!(check(&Source::new("a.rs", text), &PLACES), [], "{text}");
    }
}

#[test]
fn declarations_are_not_uses() {
    let text = "unsafe fn f() {}\nunsafe extern \"C\" {}\ntype F = unsafe fn();\nunsafe trait T {}";
    assert_eq!(check(&Source::new("b.rs", text), &PLACES), []);
}

#[test]
fn a_row_that_is_no_longer_needed_is_found() {
    let used = Source::new("a.rs", "unsafe { f() }");
    let safe = Source::new("a.rs", "f()");
    assert_eq!(check_list(&[used], &PLACES), []);
    assert_eq!(check_list(&[safe], &PLACES).len(), 1);
    assert_eq!(check_list(&[], &PLACES).len(), 1);
}
