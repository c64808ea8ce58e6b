//! Syntax that is too new is found.

use super::lines;
use crate::msrv::check;
use crate::source::Source;

#[test]
fn a_chain_of_let_conditions_is_found() {
    let text = "if let Some(a) = b\n    && a > 0\n{}\nif x && let Some(a) = b {}";
    assert_eq!(lines(&check(&Source::new("a.rs", text))), [1, 4]);
}

#[test]
fn other_conditions_pass() {
    let text = "if let Some(a) = f(|| x && y) {}\nif a && (b || c) {}\nif let A = b {} else if c && d {}\n\
        match x { Some(a) if a && b => {} }\nwhile let Some(x) = y {}\nlet a = b && c;";
    assert_eq!(check(&Source::new("a.rs", text)), []);
}
