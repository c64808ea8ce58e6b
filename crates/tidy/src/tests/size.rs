//! Long files and long functions are found at the first line too many.

use super::lines;
use crate::size::check;
use crate::source::Source;

fn function_of(lines: usize) -> String {
    format!(
        "struct A;\nfn f(a: [u8; 3])\nwhere\n    T: Fn() {{\n{}}}\n",
        "    a();\n".repeat(lines - 4)
    )
}

#[test]
fn a_function_is_too_long_from_its_71st_line_on() {
    assert_eq!(check(&Source::new("a.rs", &function_of(70))), []);
    let findings = check(&Source::new("a.rs", &function_of(71)));
    assert_eq!(lines(&findings), [2]);
    assert!(findings[0].text.contains("`f` has 71 lines"), "{}", findings[0]);
}

#[test]
fn a_file_is_too_long_from_its_601st_line_on() {
    assert_eq!(check(&Source::new("a.rs", &"a!();\n".repeat(600))), []);
    assert_eq!(lines(&check(&Source::new("a.rs", &"a!();\n".repeat(601)))), [0]);
}

#[test]
fn braces_in_text_do_not_end_a_function() {
    let body = format!("fn f() {{\n    p(\"}}\"); // }}\n{}}}\n", "    a('}');\n".repeat(80));
    assert_eq!(lines(&check(&Source::new("a.rs", &body))), [1]);
}

#[test]
fn a_function_pointer_and_a_required_method_have_no_body() {
    let text =
        format!("type F = fn(u8);\ntrait T {{ fn g(&self);\n{}}}", "const A: u8;\n".repeat(80));
    assert_eq!(check(&Source::new("a.rs", &text)), []);
}
