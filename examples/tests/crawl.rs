//! Runs the crawler on its own site, and interrupts it.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

fn crawl() -> Command {
    Command::new(env!("CARGO_BIN_EXE_crawl"))
}

#[test]
fn all_pages_are_found_and_what_is_wrong_is_told() {
    for at_once in ["1", "3", "100"] {
        let output = crawl().args(["--at-once", at_once]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "40 pages, 2681 bytes\n/page/41: there is no such page\n/slow: too slow\n"
        );
        assert!(output.status.success());
    }
}

#[test]
fn a_site_that_is_not_there_is_an_error() {
    // Nobody listens there: the port belongs to this test.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = crawl().arg(nobody.to_string()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("1 error in a group") && errors.contains("refused"), "{errors}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "0 pages, 0 bytes\n");
}

#[test]
fn too_small_a_limit_is_refused_by_name() {
    let output = crawl().args(["--at-once", "0"]).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("--at-once") && errors.contains('0'), "{errors}");
    assert!(!output.status.success());
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_tells_what_is_known_and_ends() {
    // Whatever runs the tests may ignore Ctrl-C, and then what it starts does, too.
    let mut child = Command::new("env")
        .arg("--default-signal=INT")
        .arg(env!("CARGO_BIN_EXE_crawl"))
        .args(["--verbose", "--patience-ms", "600000"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // From here on only the page that never answers, and what was begun with it, is under way.
    assert!(lines.by_ref().any(|line| line.unwrap() == "GET /slow"));
    let process = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert_eq!(rest.last().map(String::as_str), Some("interrupted"), "{rest:?}");
    let pages = rest.iter().find(|line| line.contains(" pages, ")).expect("the report");
    assert!(!pages.starts_with("0 "), "{pages}");
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
