//! Runs `dupes` on made-up trees with everything odd that a disk may hold.

mod terminal;

use rustix::fs::{CWD, FileType, Mode, OFlags, mkdirat, mknodat, openat};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use tempfile::{TempDir, tempdir};

/// Long beyond doubt: whoever takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(120);
/// More than the first block of a file.
const LARGE: usize = 100_000;

/// A folder that is removed in the end.
struct Tree(TempDir);

impl Tree {
    fn new() -> Self {
        Self(tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file, with the folders it is in.
    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    /// What `dupes` says of it, with the given options.
    fn dupes(&self, options: &[&str]) -> Output {
        finish(start(dupes().args(options).arg(self.0.path())))
    }

    /// The report as JSON, of a search that ended well.
    #[track_caller]
    fn report(&self, options: &[&str]) -> Value {
        let output = self.dupes(&[options, &["--json"]].concat());
        assert_eq!(code_and_errors(&output), (Some(0), String::new()));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// A group of the report: files, each with its hard links.
    fn group(&self, content: &[u8], files: &[&[&str]]) -> Value {
        let path = |name: &&str| json!({ "path": self.path(name) });
        let file = |names: &&[&str]| {
            let hard_links: Vec<_> = names[1..].iter().map(path).collect();
            json!({ "path": self.path(names[0]), "hard_links": hard_links })
        };
        json!({
            "size": content.len(),
            "wasted": content.len() * (files.len() - 1),
            "hash": blake3::hash(content).to_string(),
            "files": files.iter().map(file).collect::<Vec<_>>(),
        })
    }
}

fn dupes() -> Command {
    Command::new(env!("CARGO_BIN_EXE_dupes"))
}

fn start(command: &mut Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits for a program, but not for ever.
#[track_caller]
fn finish(child: Child) -> Output {
    let pid = Pid::from_child(&child);
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    receiver.recv_timeout(PATIENCE).map_or_else(
        |_| {
            let _ = kill_process(pid, Signal::KILL);
            panic!("the program hangs");
        },
        Result::unwrap,
    )
}

fn code_and_errors(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// How often something was skipped.
fn skipped(report: &Value, kind: &str) -> u64 {
    let counts = report["skipped"].as_array().unwrap();
    let count = counts.iter().find(|count| count["kind"] == kind);
    count.map_or(0, |count| count["count"].as_u64().unwrap())
}

fn large(last: u8) -> Vec<u8> {
    let mut content = vec![b'x'; LARGE];
    content[LARGE - 1] = last;
    content
}

#[test]
fn files_are_told_apart_by_size_start_and_end() {
    let tree = Tree::new();
    tree.write("a/one", "twin").write("b/two", "twin").write("b/other", "else");
    tree.write("longer", "longer").write("a/huge", large(1)).write("b/huge", large(1));
    tree.write("a/end", large(2)).write("b/end", large(3));
    let mut start = large(1);
    start[0] = b'y';
    tree.write("b/start", start).write("c/c/c/three", "twin");

    let report = tree.report(&[]);
    assert_eq!(
        report["groups"],
        json!([
            tree.group(&large(1), &[&["a/huge"], &["b/huge"]]),
            tree.group(b"twin", &[&["a/one"], &["b/two"], &["c/c/c/three"]]),
        ])
    );
    assert_eq!(
        report["totals"],
        json!({
            "folders": 6, "empty_folders": 0, "files": 10, "bytes": 5 * LARGE + 22,
            "groups": 2, "duplicates": 3, "wasted": LARGE + 8,
        })
    );
    assert_eq!(report["interrupted"], false);
    assert_eq!(report["skipped"], json!([]));
    assert_eq!(report["problems"], json!([]));
}

#[test]
fn hard_links_are_one_file() {
    let tree = Tree::new();
    tree.write("b", "linked").write("alone", large(1));
    fs::hard_link(tree.path("b"), tree.path("a")).unwrap();
    fs::hard_link(tree.path("alone"), tree.path("alone too")).unwrap();
    let report = tree.report(&[]);
    assert_eq!(report["groups"], json!([]));
    assert_eq!(skipped(&report, "hard_link"), 2);

    tree.write("c", "linked");
    let report = tree.report(&[]);
    assert_eq!(report["groups"], json!([tree.group(b"linked", &[&["a", "b"], &["c"]])]));
    assert_eq!(report["totals"]["wasted"], 6);
}

#[test]
fn what_is_no_file_is_skipped_and_counted() {
    let tree = Tree::new();
    tree.write("a", "twin").write("b", "twin").write("empty", "").write("empty too", "");
    fs::create_dir(tree.path("nothing inside")).unwrap();
    symlink("a", tree.path("link")).unwrap();
    symlink(".", tree.path("loop of folders")).unwrap();
    symlink("loop of links", tree.path("loop of links")).unwrap();
    symlink("nowhere", tree.path("broken")).unwrap();
    mknodat(CWD, tree.path("fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    let _socket = UnixListener::bind(tree.path("socket")).unwrap();

    let report = tree.report(&[]);
    assert_eq!(report["groups"], json!([tree.group(b"twin", &[&["a"], &["b"]])]));
    assert_eq!(skipped(&report, "empty_file"), 2);
    assert_eq!(skipped(&report, "symbolic_link"), 4);
    assert_eq!(skipped(&report, "special_file"), 2);
    assert_eq!(report["totals"]["folders"], 2);
    assert_eq!(report["totals"]["empty_folders"], 1);
    assert_eq!(report["problems"], json!([]));
}

#[test]
fn an_empty_folder_has_no_duplicates() {
    let output = Tree::new().dupes(&[]);
    assert_eq!(code_and_errors(&output), (Some(0), String::new()));
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "Searched 1 folder (1 empty) with 0 files, 0 B.\nFound no duplicates.\n"
    );
}

#[test]
fn people_get_groups_sums_and_what_was_skipped() {
    let tree = Tree::new();
    tree.write("small/a", "twin").write("small/b\n", "twin").write("empty", "");
    tree.write("large/1", large(1)).write("large/2", large(1)).write("large/3", large(1));
    fs::hard_link(tree.path("large/1"), tree.path("large/4")).unwrap();
    let output = tree.dupes(&[]);
    assert_eq!(code_and_errors(&output), (Some(0), String::new()));
    let root = tree.0.path().display().to_string();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).replace(&root, "ROOT"),
        "\
3 files of 97.66 KiB each, 195.31 KiB wasted
    ROOT/large/1
        also ROOT/large/4 (hard link)
    ROOT/large/2
    ROOT/large/3

2 files of 4 B each, 4 B wasted
    ROOT/small/a
    \"ROOT/small/b\\n\"

Searched 3 folders with 6 files, 390.63 KiB.
Found 2 groups with 3 files more than needed, 195.32 KiB wasted.
Skipped:
    1 hard link to a file counted already
    1 empty file
"
    );
}

#[test]
fn a_terminal_shows_how_far_it_is() {
    let tree = Tree::new();
    tree.write("a", large(1)).write("b", large(1));
    let mut command = dupes();
    command.arg(tree.0.path());
    let (status, shown) = terminal::shown_by(command);
    assert!(status.success());
    assert!(shown.contains("2 files found"), "{shown:?}");
    assert!(shown.contains("/195.31 KiB compared, "), "{shown:?}");
}

#[test]
fn the_least_size_may_be_chosen() {
    let tree = Tree::new();
    tree.write("a", "").write("b", "").write("c", "twin").write("d", "twin");
    tree.write("e", large(1)).write("f", large(1));
    let none = tree.group(b"", &[&["a"], &["b"]]);
    let small = tree.group(b"twin", &[&["c"], &["d"]]);
    let big = tree.group(&large(1), &[&["e"], &["f"]]);
    assert_eq!(tree.report(&["--min-size=0"])["groups"], json!([big, small, none]));
    let report = tree.report(&["--min-size", "1K"]);
    assert_eq!(report["groups"], json!([big]));
    assert_eq!((skipped(&report, "empty_file"), skipped(&report, "too_small")), (2, 2));
}

#[test]
fn a_file_may_be_given_and_nothing_counts_twice() {
    let tree = Tree::new();
    tree.write("in/a", "twin").write("in/deep/b", "twin").write("out", "twin");
    symlink("in", tree.path("link")).unwrap();
    let given = ["in", "out", "in/deep", "in/a", "link", "out"].map(|name| tree.path(name));
    let output = finish(start(dupes().arg("--json").args(&given)));
    assert_eq!(code_and_errors(&output), (Some(0), String::new()));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let group = tree.group(b"twin", &[&["in/a"], &["in/deep/b"], &["out"]]);
    assert_eq!(report["groups"], json!([group]));
    assert_eq!(skipped(&report, "given_twice"), 4);
    assert_eq!(skipped(&report, "hard_link"), 0);
}

#[test]
fn a_folder_that_is_not_there_spoils_only_the_exit_code() {
    let tree = Tree::new();
    tree.write("a", "twin").write("b", "twin");
    symlink("loop", tree.path("loop")).unwrap();
    mknodat(CWD, tree.path("fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    let given = ["", "missing", "loop", "fifo"].map(|name| tree.path(name));
    let output = finish(start(dupes().arg("--json").args(&given)));
    assert_eq!(code_and_errors(&output), (Some(1), String::new()));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["groups"], json!([tree.group(b"twin", &[&["a"], &["b"]])]));
    let problems = report["problems"].as_array().unwrap();
    let paths: Vec<_> = problems.iter().map(|problem| problem["path"].clone()).collect();
    // The fifo and the loop lie inside of the first one, which takes nothing away from the others.
    assert_eq!(paths, [json!(tree.path("loop")), json!(tree.path("missing"))]);
    assert!(problems.iter().all(|problem| problem["kind"] == "not_searchable"));

    let output = finish(start(dupes().arg(tree.path("fifo"))));
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("neither a folder nor a file"));
}

/// Makes folders in each other, until no path is short enough for the innermost.
fn bury(tree: &Tree) {
    let name = "a folder with a name that is not short ".repeat(4);
    let mut at = File::open(tree.0.path()).unwrap();
    for _ in 0..4096 / name.len() + 1 {
        mkdirat(&at, &name, Mode::RWXU).unwrap();
        at = openat(&at, &name, OFlags::DIRECTORY, Mode::empty()).unwrap().into();
    }
}

#[test]
fn what_cannot_be_read_is_told() {
    let tree = Tree::new();
    tree.write("a", "twin").write("b", "twin").write("locked/c", "twin");
    bury(&tree);
    fs::set_permissions(tree.path("locked"), Permissions::from_mode(0o000)).unwrap();
    // Some may read everything.
    let is_locked = fs::read_dir(tree.path("locked")).is_err();

    let report = tree.report(&[]);
    fs::set_permissions(tree.path("locked"), Permissions::from_mode(0o700)).unwrap();
    let files: &[&[&str]] =
        if is_locked { &[&["a"], &["b"]] } else { &[&["a"], &["b"], &["locked/c"]] };
    assert_eq!(report["groups"], json!([tree.group(b"twin", files)]));
    assert_eq!(skipped(&report, "unreadable"), 1 + u64::from(is_locked));
    let problem = &report["problems"][0];
    assert!(problem["path"].as_str().unwrap().len() >= 4096);
    assert_eq!(problem["kind"], "unreadable");
    assert!(problem["reason"].as_str().unwrap().contains("too long"), "{problem}");
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_are_no_text_keep_their_bytes() {
    let tree = Tree::new();
    let odd = tree.0.path().join(OsStr::from_bytes(b"odd \xff"));
    fs::write(&odd, "twin").unwrap();
    tree.write("plain", "twin");
    let report = tree.report(&[]);
    let files = &report["groups"][0]["files"];
    assert_eq!(files[0]["path"], json!(odd.to_string_lossy()));
    assert_eq!(files[0]["path_bytes"], json!(odd.as_os_str().as_bytes()));
    assert_eq!(files[1], json!({ "path": tree.path("plain"), "hard_links": [] }));
}

#[test]
fn few_descriptors_are_enough() {
    let tree = Tree::new();
    for folder in 0..40 {
        for file in 0..10 {
            tree.write(&format!("{folder}/{file}"), large(file));
        }
    }
    let limited = "ulimit -n 40 && exec \"$0\" \"$@\"";
    let dupes = env!("CARGO_BIN_EXE_dupes");
    let command = |option: &str| {
        let mut command = Command::new("sh");
        command.args(["-c", limited, dupes, "--json", option]).arg(tree.0.path());
        finish(start(&mut command))
    };
    for option in ["--min-size=1", "--open-files=1"] {
        let output = command(option);
        assert_eq!(code_and_errors(&output), (Some(0), String::new()));
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["totals"]["groups"], 10);
        assert_eq!(report["totals"]["duplicates"], 390);
        assert_eq!(report["problems"], json!([]));
    }
    let (code, errors) = code_and_errors(&command("--open-files=40"));
    assert_eq!(code, Some(2));
    assert!(errors.contains("--open-files is 40, but must be between 1 and "), "{errors}");
    assert!(errors.contains("the limit of open files is 40"), "{errors}");
}

#[test]
fn ctrl_c_gives_what_is_known() {
    let tree = Tree::new();
    tree.write("a", "twin").write("b", "twin");
    // Nothing but holes, and far too many of them to be read before the signal comes.
    for name in ["hole", "other hole"] {
        File::create(tree.path(name)).unwrap().set_len(1 << 38).unwrap();
    }
    for json in [true, false] {
        let mut command = dupes();
        command.args(json.then_some("--json")).arg("--verbose").arg(tree.0.path());
        let mut child = start(&mut command);
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        errors.read_line(&mut line).unwrap();
        assert!(line.starts_with("same content: "), "{line}");
        kill_process(Pid::from_child(&child), Signal::INT).unwrap();

        let output = finish(child);
        assert_eq!(output.status.code(), Some(130));
        line.clear();
        errors.read_to_string(&mut line).unwrap();
        assert_eq!(line, "");
        let twins = tree.group(b"twin", &[&["a"], &["b"]]);
        if json {
            let report: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(report["groups"], json!([twins]));
            assert_eq!(report["interrupted"], true);
            assert_eq!(report["problems"], json!([]));
            continue;
        }
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.starts_with("2 files of 4 B each, 4 B wasted\n"), "{text}");
        assert!(text.contains("\nInterrupted: "), "{text}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let tree = Tree::new();
    tree.write("a", "twin").write("b", "twin");
    let mut child = start(dupes().arg(tree.0.path()));
    drop(child.stdout.take());
    assert_eq!(code_and_errors(&finish(child)), (Some(0), String::new()));
}

#[test]
fn a_report_that_cannot_be_written_is_a_failure() {
    if !Path::new("/dev/full").exists() {
        return;
    }
    let full = File::options().write(true).open("/dev/full").unwrap();
    let child = dupes().arg(Tree::new().0.path()).stdout(full).stderr(Stdio::piped()).spawn();
    let (code, errors) = code_and_errors(&finish(child.unwrap()));
    assert_eq!(code, Some(1));
    assert!(errors.starts_with("dupes: "), "{errors}");
}

#[test]
fn the_command_line_is_explained() {
    let output = finish(start(dupes().arg("--help")));
    assert_eq!(code_and_errors(&output), (Some(0), String::new()));
    let help = String::from_utf8(output.stdout).unwrap();
    for word in ["--json", "--min-size", "--open-files", "--one-file-system", "130"] {
        assert!(help.contains(word), "{word} is not in {help}");
    }
    for wrong in [&[][..], &["--min-size=much", "."], &["--open-files=0", "."]] {
        assert_eq!(finish(start(dupes().args(wrong))).status.code(), Some(2), "{wrong:?}");
    }
}
