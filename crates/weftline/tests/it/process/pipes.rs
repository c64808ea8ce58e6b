//! What a child is given and what it says.

use super::cat;
use crate::rig::{alone, runtime, within_limit};
use futures_io::{AsyncRead, AsyncWrite};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use weftline::process::{Command, Output, Stdio};
use weftline::runtime::Grace;
use weftline::{gather, spawn};

/// More than any pipe holds.
const LARGE: usize = 4 << 20;

/// What a command says on its output.
async fn said(command: &mut Command) -> String {
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

// AT-SP-01
#[test]
fn what_a_child_is_fed_comes_back() {
    alone(async {
        let mut cat = cat();
        let stdin = cat.stdin.take().unwrap();
        stdin.write_all(b"some data").await.unwrap();
        drop(stdin);
        let mut data = Vec::new();
        cat.stdout.as_ref().unwrap().read_to_end(&mut data).await.unwrap();
        assert_eq!(data, b"some data");
        assert_eq!(cat.wait().await.unwrap().code(), Some(0));
    });
}

// AT-SP-01
#[test]
fn communicating_feeds_closes_reads_and_waits() {
    alone(async {
        let output = cat().communicate("some data").await.unwrap();
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"some data"[..]));
        // Without input stdin is closed as well: else `cat` would go on for ever.
        let output = cat().communicate("").await.unwrap();
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b""[..]));
    });
}

// AT-SP-01
#[test]
fn a_shell_ends_with_its_code() {
    alone(async {
        let child = Command::shell("exit 7").spawn().unwrap();
        assert_eq!(child.wait().await.unwrap().code(), Some(7));
        assert_eq!(Command::shell("exit 8").status().await.unwrap().code(), Some(8));
    });
}

// AT-SP-01
#[test]
fn a_child_sees_the_environment_and_the_directory_it_was_given() {
    alone(async {
        let mut shell = Command::shell("echo $FOO $PWD");
        shell.env("FOO", "bar").current_dir("/");
        assert_eq!(said(&mut shell).await, "bar /\n");
        let mut env = Command::new("/usr/bin/env");
        env.env_clear().env("FOO", "baz");
        assert_eq!(said(&mut env).await, "FOO=baz\n");
        env.envs([("A", "1"), ("B", "2")]).env_remove("FOO").env_remove("A");
        assert_eq!(said(&mut env).await, "B=2\n");
    });
}

// AT-SP-03
#[test]
fn writing_to_a_child_that_has_gone_is_a_broken_pipe() {
    alone(async {
        let mut child = Command::shell("read line").stdin(Stdio::piped()).spawn().expect("a shell");
        let stdin = child.stdin.take().unwrap();
        let mut large = vec![b'x'; LARGE];
        large[0] = b'\n';
        let error = stdin.write_all(&large).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        assert!(child.wait().await.is_ok());
    });
}

// AT-SP-03
#[test]
fn communicating_with_a_child_that_does_not_listen_is_no_error() {
    alone(async {
        let large = vec![b'x'; LARGE];
        for line in ["true", "exec <&-; echo deaf"] {
            let mut child = Command::shell(line);
            let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            let output = child.communicate(&large).await.unwrap();
            assert!(output.status.success());
            assert!(child.wait().await.unwrap().success());
        }
    });
}

#[test]
fn both_directions_move_at_once_however_much_there_is() {
    alone(async {
        let large: Vec<u8> = (0..LARGE).map(|n| u8::try_from(n % 251).unwrap()).collect();
        let mut child = Command::shell("tee /dev/stderr");
        child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let Output { status, stdout, stderr } =
            child.spawn().unwrap().communicate(&large).await.unwrap();
        assert!(status.success());
        assert!(stdout == large && stderr == large);
    });
}

#[test]
fn what_was_said_can_be_read_after_the_end() {
    alone(async {
        let mut child = Command::shell("head -c 30000 /dev/zero; exit 1");
        let child = child.stdout(Stdio::piped()).spawn().unwrap();
        assert_eq!(child.wait().await.unwrap().code(), Some(1));
        let mut all = Vec::new();
        assert_eq!(child.stdout.as_ref().unwrap().read_to_end(&mut all).await.unwrap(), 30_000);
    });
}

#[test]
fn input_without_a_pipe_is_refused_and_says_how_much_it_is() {
    alone(async {
        let mut child = Command::new("true").spawn().unwrap();
        let error = child.communicate("abc").await.unwrap_err();
        let text = "the input is 3 bytes long, but the child's stdin is not a pipe";
        assert_eq!(error.to_string(), text);
        assert!(child.communicate("").await.unwrap().status.success());
    });
}

#[test]
fn nothing_can_be_read_and_nobody_hears_where_it_was_chosen_so() {
    alone(async {
        let count = || {
            let mut wc = Command::new("wc");
            wc.arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            wc
        };
        let output = count().stdin(Stdio::null()).spawn().unwrap().communicate("").await.unwrap();
        assert_eq!(output.stdout.trim_ascii(), b"0");
        let mut child = count().stdout(Stdio::null()).spawn().unwrap();
        assert!(child.stdout.is_none() && child.stderr.is_some());
        let output = child.communicate("abc").await.unwrap();
        assert!(output.status.success() && output.stdout.is_empty());
        let mut child = count().stderr(Stdio::null()).spawn().unwrap();
        assert_eq!(child.communicate("abc").await.unwrap().stdout.trim_ascii(), b"3");
        // Chosen by the caller, also where the output is asked for.
        let output = Command::shell("echo lost; echo kept >&2").stdout(Stdio::null()).output();
        let output = output.await.unwrap();
        assert_eq!((output.stdout, output.stderr), (Vec::new(), b"kept\n".to_vec()));
    });
}

#[test]
#[cfg(target_os = "linux")]
fn the_pipes_of_a_child_can_be_opened_by_name() {
    alone(async {
        let mut child = Command::shell("cat /dev/stdin > /dev/stdout");
        let child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        assert_eq!(child.unwrap().communicate("abc").await.unwrap().stdout, b"abc");
    });
}

#[test]
fn a_child_inherits_no_pipe_of_another_one() {
    alone(async {
        let mut first = cat();
        // It would hold the first one's input open, and the first one would never end.
        let other = super::sleeper();
        assert_eq!(first.communicate("abc").await.unwrap().stdout, b"abc");
        assert_eq!(other.try_wait().unwrap(), None);
    });
}

#[test]
fn many_at_once_each_say_their_own() {
    alone(async {
        let echo = |n: usize| async move {
            let output = Command::new("echo").arg(format!("foo{n}")).output().await?;
            io::Result::Ok(output.stdout)
        };
        let all = gather((0..10).map(echo)).await.unwrap();
        let expected: Vec<_> = (0..10).map(|n| format!("foo{n}\n").into_bytes()).collect();
        assert_eq!(all, expected);
    });
}

#[test]
fn the_output_of_one_child_can_be_the_input_of_another() {
    alone(async {
        let mut words = Command::new("echo").arg("b\na").stdout(Stdio::piped()).spawn().unwrap();
        let words = Stdio::try_from(words.stdout.take().unwrap()).unwrap();
        let output = Command::new("sort").stdin(words).output().await.unwrap();
        assert_eq!(output.stdout, b"a\nb\n");
    });
}

#[test]
fn merged_output_keeps_the_order_and_its_end_comes() {
    alone(async {
        let mut shell = Command::shell("for n in 1 2 3; do echo $n; echo -$n >&2; done");
        shell.merge_output(true).stdin(Stdio::null());
        for _ in 0..2 {
            let mut child = shell.spawn().unwrap();
            assert!(child.stderr.is_none());
            let output = child.communicate("").await.unwrap();
            assert_eq!(output.stdout, b"1\n-1\n2\n-2\n3\n-3\n");
        }
    });
}

#[test]
fn the_pipes_have_the_traits_of_the_ecosystem_and_closing_one_closes_it() {
    alone(async {
        let mut cat = cat();
        let mut stdin = cat.stdin.take().unwrap();
        let n = poll_fn(|cx| Pin::new(&mut stdin).poll_write(cx, b"abc")).await.unwrap();
        assert_eq!(n, 3);
        poll_fn(|cx| Pin::new(&mut stdin).poll_flush(cx)).await.unwrap();
        poll_fn(|cx| Pin::new(&mut stdin).poll_close(cx)).await.unwrap();
        assert!(stdin.as_async().is_none());
        assert_eq!(stdin.write(b"d").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        let mut stdout = cat.stdout.take().unwrap();
        let (mut all, mut buf) = (Vec::<u8>::new(), [0; 2]);
        loop {
            match poll_fn(|cx| Pin::new(&mut stdout).poll_read(cx, &mut buf)).await.unwrap() {
                0 => break,
                n => all.extend(&buf[..n]),
            }
        }
        assert_eq!(all, b"abc");
        assert!(cat.wait().await.unwrap().success());
    });
}

#[test]
fn a_reader_that_is_cancelled_has_taken_nothing() {
    alone(async {
        let cat = cat();
        let (stdin, stdout) = (cat.stdin.as_ref().unwrap(), cat.stdout.as_ref().unwrap());
        let mut buf = [0; 8];
        let limit = std::time::Duration::from_millis(5);
        assert!(weftline::time::timeout(limit, stdout.read(&mut buf)).await.is_err());
        stdin.write_all(b"abc").await.unwrap();
        let n = stdout.read(&mut buf).await.unwrap();
        assert_eq!(&buf[..n], b"abc");
    });
}

#[test]
fn a_command_that_cannot_be_started_says_so_and_leaves_nothing() {
    within_limit(|| {
        let runtime = runtime();
        let error = runtime.block_on(async {
            let mut missing = Command::new("/no/such/program");
            missing.stdin(Stdio::piped()).stdout(Stdio::piped()).merge_output(true);
            missing.spawn().unwrap_err()
        });
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        let error = Command::new("true").spawn().unwrap_err();
        assert!(error.to_string().contains("runtime"), "{error}");
        let error = runtime.block_on(async { Command::new("/").output().await.unwrap_err() });
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
    });
}

#[test]
fn a_runtime_that_has_shut_down_starts_what_has_no_pipes_and_leaves_nothing_else() {
    within_limit(|| {
        let ended = runtime();
        let handle = ended.handle().clone();
        assert!(ended.shutdown(Grace::Forever).is_clean());
        let entered = handle.enter();
        let child = Command::shell("exit 3").stdin(Stdio::null()).spawn().unwrap();
        // It would write for ever, were anybody left to read.
        let error = Command::new("yes").stdout(Stdio::piped()).spawn().unwrap_err();
        assert!(error.to_string().contains("shut down"), "{error}");
        drop(entered);
        assert_eq!(runtime().block_on(child.wait()).unwrap().code(), Some(3));
    });
}

#[test]
fn what_std_s_command_was_told_stays() {
    alone(async {
        let mut told = std::process::Command::new("sh");
        std::os::unix::process::CommandExt::arg0(&mut told, "other");
        told.args(["-c", "echo $0"]).stdin(Stdio::null());
        let mut command = Command::from(told);
        assert_eq!(command.as_std().get_program(), "sh");
        assert_eq!(said(&mut command).await, "other\n");
    });
}

#[test]
fn futures_of_commands_are_owned_and_begin_at_once() {
    alone(async {
        let output = spawn(Command::new("echo").arg("owned").output());
        assert_eq!(output.await.unwrap().unwrap().stdout, b"owned\n");
    });
}
