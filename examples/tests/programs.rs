//! Runs the little programs and compares what they say, word for word.

use std::process::Command;

/// Runs a program and expects it to say `expected`, and nothing on standard error.
#[track_caller]
fn says(program: &str, expected: &str) {
    let output = Command::new(program).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
    assert!(output.status.success(), "{}", output.status);
}

#[test]
fn hello_says_hello() {
    says(env!("CARGO_BIN_EXE_hello"), "Hello,\nworld!\n");
}

#[test]
fn async_await_bakes_twice() {
    let plate = "a warm bread and a warm cake\n";
    says(env!("CARGO_BIN_EXE_async_await"), &plate.repeat(2));
}

#[test]
fn gather_keeps_the_order() {
    says(
        env!("CARGO_BIN_EXE_gather"),
        "\
clerk 0: 49999500000
clerk 1: 49999600000
clerk 2: 49999700000
clerk 3: 49999800000
clerk 4: 49999900000
clerk 5: 50000000000
clerk 6: 50000100000
clerk 7: 50000200000
clerk 8: 50000300000
clerk 9: 50000400000
all together: 499999500000
all napped at the same time: true
both: (\"Ann\", 42)
the first error: door 3 is locked
door 1 is open
door 2 is open
door 3 is locked
door 4 is open
",
    );
}

#[test]
fn by_hand_names_what_did_not_end() {
    says(
        env!("CARGO_BIN_EXE_by_hand"),
        "\
workers: 2
borrowed: in and out
from another thread: 42
a thread for blocking code has our name: true
tasks: 2
all ended: false
still there: stubborn
",
    );
}

#[test]
fn cancel_turns_every_lamp_off() {
    says(
        env!("CARGO_BIN_EXE_cancel"),
        "\
by hand: the lamp is off
the book is back
by hand: cancelled is true
polite: the lamp is off
polite: cancelled: closing time
polite: Some(\"closing time\")
stubborn: Ok(7)
time limit: the lamp is off
the book is back
time limit: not finished within 20ms
shield: late is true, written to the end
main is done
left behind: the lamp is off
everything is gone
",
    );
}

#[test]
fn errors_reach_somebody() {
    says(
        env!("CARGO_BIN_EXE_errors"),
        "\
twice: 42
twice: invalid digit found in string
value: 20
panicked: index out of bounds: the len is 3 but the index is 3
cancelled
too late: not finished within 10ms
group: 2 errors in a group: invalid digit found in string; no time to finish
panicked: index out of bounds: the len is 3 but the index is 4
nobody read: index out of bounds: the len is 3 but the index is 5
",
    );
}
