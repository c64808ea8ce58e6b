//! Runs `jobs` on small commands, and interrupts it.

mod terminal;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

const JOBS: &str = env!("CARGO_BIN_EXE_jobs");
/// Far longer than anything here takes, also on a busy machine.
const LONG: Duration = Duration::from_secs(60);

fn jobs(arguments: &[&str]) -> Command {
    let mut jobs = Command::new(JOBS);
    jobs.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    jobs
}

/// Exit code, output and errors.
fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    said(&jobs(arguments).output().unwrap())
}

#[track_caller]
fn eventually(what: &str, is_true: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_true() {
        assert!(began.elapsed() < LONG, "still not so: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn what_each_command_says_comes_in_one_piece() {
    let line = |n| format!("echo {n}; sleep 0.0{n}; echo {n} >&2; sleep 0.0{n}; echo {n}");
    let lines: Vec<_> = (1..=9).map(line).collect();
    let arguments: Vec<_> = ["-j9"].into_iter().chain(lines.iter().map(String::as_str)).collect();
    let (code, out, err) = run(&arguments);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let mut pieces: Vec<_> = out.lines().collect::<Vec<_>>().chunks(3).map(<[_]>::to_vec).collect();
    pieces.sort();
    let expected: Vec<_> = (1..=9).map(|n| vec![n.to_string(); 3]).collect();
    assert_eq!(pieces, expected);
}

#[test]
fn commands_come_from_a_file_or_from_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("commands");
    fs::write(&file, "echo b\n\n  # not this one\n  echo c | tr c d\n").unwrap();
    let (code, out, err) = run(&["-j1", "--file", file.to_str().unwrap(), "echo a"]);
    assert_eq!((code, out.as_str(), err.as_str()), (Some(0), "a\nb\nd\n", ""));

    let mut from_stdin = jobs(&["-j", "1", "-f", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    from_stdin.stdin.take().unwrap().write_all(b"echo x\necho y").unwrap();
    let output = from_stdin.wait_with_output().unwrap();
    assert_eq!(said(&output), (Some(0), "x\ny\n".to_owned(), String::new()));
}

#[test]
fn as_many_run_at_once_as_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    // One at a time: each makes a folder that must not be there.
    let alone = format!("cd {} && mkdir one && sleep 0.02 && rmdir one", folder.path().display());
    let (code, _, err) = run(&["-j1", &alone, &alone, &alone]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    // Two: each waits for the other at a pipe.
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let (writes, reads) =
        (format!("echo met > {}", pipe.display()), format!("cat {}", pipe.display()));
    let (code, out, err) = run(&["-j2", &writes, &reads]);
    assert_eq!((code, out.as_str(), err.as_str()), (Some(0), "met\n", ""));
}

#[test]
fn what_fails_is_told_and_the_others_go_on() {
    let (code, out, err) = run(&["-j1", "echo one; exit 3", "kill -9 $$", "echo two"]);
    assert_eq!((code, out.as_str()), (Some(1), "one\ntwo\n"));
    let expected = "\
jobs: echo one; exit 3: exit status: 3
jobs: kill -9 $$: signal: 9 (SIGKILL)
";
    assert_eq!(err, expected);
    let (code, out, err) = run(&["-j1", "--fail-fast", "echo one", "false", "echo two"]);
    assert_eq!((code, out.as_str()), (Some(1), "one\n"));
    assert_eq!(err, "jobs: false: exit status: 1\n");
}

#[test]
fn a_wrong_command_line_is_refused() {
    for (arguments, word) in [
        (&[][..], "nothing to run"),
        (&["-j0", "true"], "--at-once"),
        (&["--file", "/no/such/file"], "/no/such/file"),
        (&["--patience=-1", "true"], "--patience"),
    ] {
        let (code, _, err) = run(arguments);
        assert_eq!(code, Some(2), "{err}");
        assert!(err.contains(word), "{err}");
    }
}

/// Two jobs with children of their own: one that ends well when it is asked to, and one that does
/// not listen. Each has said where its child is.
struct TwoJobs {
    jobs: Child,
    children: [Pid; 2],
    _folder: tempfile::TempDir,
}

impl TwoJobs {
    fn begin(patience: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        let (polite, deaf) = (place("polite"), place("deaf"));
        let tells = |to: &Path| format!("echo $! > {0}.new; mv {0}.new {0}", to.display());
        let commands = [
            format!("trap 'echo bye; exit 0' TERM; sleep 1000 & {}; wait", tells(&polite)),
            format!("trap '' TERM; sleep 1000 & {}; echo deaf; wait", tells(&deaf)),
            "echo never".to_owned(),
        ];
        let mut jobs = jobs(&["-j2", "--patience", patience]);
        let jobs = jobs.args(&commands).spawn().unwrap();
        eventually("both run", || polite.exists() && deaf.exists());
        let children = [polite, deaf].map(|place| {
            let number = fs::read_to_string(place).unwrap().trim().parse().unwrap();
            Pid::from_raw(number).unwrap()
        });
        Self { jobs, children, _folder: folder }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.jobs), signal).unwrap();
    }

    /// The end of all: what they said until then is told, and nothing goes on.
    fn end(self, code: i32) {
        let (ended, out, err) = said(&self.jobs.wait_with_output().unwrap());
        assert_eq!(ended, Some(code), "{err}");
        assert!(out.contains("bye\n") && out.contains("deaf\n"), "{out}");
        assert!(!out.contains("never"), "{out}");
        assert!(err.contains("interrupted, exit status: 0"), "{err}");
        assert!(err.contains("interrupted, signal: 9 (SIGKILL)"), "{err}");
        for child in self.children {
            eventually("its child is gone", || test_kill_process(child).is_err());
        }
    }
}

#[test]
fn ctrl_c_asks_the_jobs_to_end_and_kills_those_that_do_not() {
    let two = TwoJobs::begin("3");
    let began = Instant::now();
    two.signal(Signal::INT);
    two.end(130);
    assert!(began.elapsed() >= Duration::from_secs(3), "there was patience");
}

#[test]
fn a_second_ctrl_c_does_not_wait() {
    let mut two = TwoJobs::begin("1000");
    two.signal(Signal::INT);
    // Later than one that is sent twice, and while one of them still runs.
    thread::sleep(Duration::from_millis(50));
    assert!(two.jobs.try_wait().unwrap().is_none());
    eventually("one has ended", || test_kill_process(two.children[0]).is_err());
    two.signal(Signal::INT);
    two.end(130);
}

#[test]
fn a_request_to_terminate_does_the_same() {
    let two = TwoJobs::begin("3");
    two.signal(Signal::TERM);
    two.end(143);
}

#[test]
fn a_terminal_shows_how_far_it_is() {
    let mut command = Command::new(JOBS);
    command.args(["-j1", "true", "exit 4", "sleep 0.3"]);
    let (status, shown) = terminal::shown_by(command);
    assert_eq!(status.code(), Some(1));
    assert!(shown.contains("jobs: exit 4: exit status: 4"), "{shown:?}");
    assert!(shown.contains("2 of 3, 1 failed  sleep 0.3"), "{shown:?}");
}
