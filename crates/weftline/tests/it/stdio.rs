//! The standard streams. Each test has them in a process of its own.

use crate::rig::{LONG, child, is_child, until_waiting, within_limit};
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind, Read, Write};
use std::pin::pin;
use std::process::{Child, ChildStdin, ExitStatus, Stdio};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};
use weftline::io::{BufReader, BufWriter, stderr, stdin, stdout};
use weftline::{Runtime, run, spawn, yield_now};

/// What a child says where its input is to begin.
const READY: &str = "ready for input";
/// The code a child ends with that has done all.
const DONE: i32 = 42;
/// More than any pipe holds.
const LARGE: usize = 4 << 20;

/// Runs the test `name` again in a process with pipes for its streams.
fn piped(name: &str) -> Child {
    let mut command = child(name);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the test binary runs")
}

/// How a child ends that is not to wait for its streams.
#[track_caller]
fn end_of(child: &mut Child) -> ExitStatus {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("it is a child") {
            return status;
        }
        if began.elapsed() > LONG {
            child.kill().expect("it is a child");
            panic!("it does not end");
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Reads what a child says until it has said `text`.
fn read_until(source: &mut impl Read, text: &str) -> String {
    let mut said = Vec::new();
    let mut byte = [0];
    while !String::from_utf8_lossy(&said).contains(text) {
        assert_eq!(source.read(&mut byte).expect("the pipe is open"), 1, "the child has ended");
        said.push(byte[0]);
    }
    String::from_utf8(said).expect("it says texts")
}

/// Ends this process without a word of the test's own.
fn done() -> ! {
    std::process::exit(DONE)
}

/// Writes to a child and gives what it says until its end, and how that is.
fn fed(mut child: Child, feed: impl FnOnce(ChildStdin)) -> (String, Option<i32>) {
    feed(child.stdin.take().expect("it is piped"));
    let mut said = String::new();
    child.stdout.take().expect("it is piped").read_to_string(&mut said).expect("texts");
    let mut errors = String::new();
    child.stderr.take().expect("it is piped").read_to_string(&mut errors).expect("texts");
    (said + &errors, end_of(&mut child).code())
}

#[test]
fn a_read_that_waits_for_input_holds_no_end() {
    if is_child() {
        // Whoever waited for it here would do so for ever.
        let runtime = Runtime::new().unwrap();
        let reading = runtime.spawn(async { stdin().read(&mut [0; 16]).await });
        runtime.block_on(until_waiting(&reading));
        assert!(runtime.shutdown(weftline::runtime::Grace::Forever).is_clean());
        run(async {
            let reading = spawn(async { stdin().read(&mut [0; 16]).await });
            until_waiting(&reading).await;
            drop(reading);
        });
        return;
    }
    let mut child = piped("stdio::a_read_that_waits_for_input_holds_no_end");
    let input = child.stdin.take();
    assert!(end_of(&mut child).success());
    drop(input);
}

#[test]
fn a_cancelled_read_loses_no_input() {
    if is_child() {
        run(async {
            let mut all = Vec::new();
            let mut reader = stdin();
            println!("{READY}");
            loop {
                // One handle gives up, and another one goes on.
                let mut buf = [0; 7];
                drop(pin!(stdin().read(&mut [0; 0])).poll(&mut Context::from_waker(Waker::noop())));
                let abandoned =
                    pin!(reader.read(&mut buf)).poll(&mut Context::from_waker(Waker::noop()));
                let count = match abandoned {
                    Poll::Ready(count) => count.unwrap(),
                    Poll::Pending => stdin().read(&mut buf).await.unwrap(),
                };
                if count == 0 {
                    break;
                }
                all.extend_from_slice(&buf[..count]);
            }
            let expected: Vec<u8> = (0..100_u8).flat_map(|round| [round; 50]).collect();
            assert!(all == expected, "{} bytes came", all.len());
        });
        done();
    }
    within_limit(|| {
        let child = piped("stdio::a_cancelled_read_loses_no_input");
        let (said, code) = fed(child, |mut input| {
            for round in 0..100 {
                input.write_all(&[round; 50]).unwrap();
                if round % 10 == 0 {
                    thread::sleep(Duration::from_millis(1));
                }
            }
        });
        assert_eq!(code, Some(DONE), "{said}");
    });
}

#[test]
fn lines_come_one_by_one_and_the_end_after_the_last() {
    if is_child() {
        run(async {
            let mut lines = BufReader::new(stdin());
            let mut out = stdout();
            out.write_all(format!("{READY}\n").as_bytes()).await.unwrap();
            loop {
                let line = lines.read_line().await.unwrap().to_vec();
                if line.is_empty() {
                    break;
                }
                out.write_all(b"echo ").await.unwrap();
                out.write_all(&line).await.unwrap();
                out.flush().await.unwrap();
            }
            assert_eq!(stdin().read(&mut [0; 1]).await.unwrap(), 0, "the end stays");
        });
        done();
    }
    within_limit(|| {
        let mut child = piped("stdio::lines_come_one_by_one_and_the_end_after_the_last");
        let mut out = child.stdout.take().unwrap();
        let mut input = child.stdin.take().unwrap();
        read_until(&mut out, READY);
        for number in 0..50 {
            writeln!(input, "{number}").unwrap();
            read_until(&mut out, &format!("echo {number}\n"));
        }
        write!(input, "last").unwrap();
        drop(input);
        read_until(&mut out, "echo last");
        assert_eq!(end_of(&mut child).code(), Some(DONE));
    });
}

#[test]
fn output_comes_in_the_order_of_its_writes_and_to_its_end() {
    if is_child() {
        run(async {
            let (mut one, mut other) = (stdout(), stdout());
            for number in (0..300).step_by(3) {
                one.write_all(format!("<{number}>\n").as_bytes()).await.unwrap();
                println!("<{}>", number + 1);
                other.write_all(format!("<{}>\n", number + 2).as_bytes()).await.unwrap();
            }
            let mut buffered = BufWriter::new(stdout());
            buffered.write_all(&[b'x'; LARGE]).await.unwrap();
            buffered.write_all(b"<300>").await.unwrap();
            buffered.flush().await.unwrap();
            // Not even a line, and not flushed: std has it when the program ends.
            other.write_all(b"<301>").await.unwrap();
            let mut errors = stderr();
            errors.write_all(b"no ").await.unwrap();
            eprint!("error ");
            errors.write_all(b"at all").await.unwrap();
        });
        done();
    }
    within_limit(|| {
        let child = piped("stdio::output_comes_in_the_order_of_its_writes_and_to_its_end");
        let (said, code) = fed(child, drop);
        assert_eq!(code, Some(DONE));
        let mut from = 0;
        for number in 0..302 {
            let text = format!("<{number}>");
            let at = said[from..].find(&text).unwrap_or_else(|| panic!("{text} is missing"));
            from += at + text.len();
        }
        assert!(said.contains(&"x".repeat(LARGE)) && said.contains("no error at all"));
    });
}

#[test]
fn output_that_nobody_reads_holds_no_end() {
    if is_child() {
        run(async {
            let writing = spawn(async {
                stdout().write_all(&vec![b'x'; LARGE]).await.unwrap();
            });
            for _ in 0..100 {
                yield_now().await;
            }
            until_waiting(&writing).await;
            drop(writing);
        });
        done();
    }
    let mut child = piped("stdio::output_that_nobody_reads_holds_no_end");
    assert_eq!(end_of(&mut child).code(), Some(DONE));
}

#[test]
fn output_whose_reader_has_gone_is_a_broken_pipe() {
    if is_child() {
        run(async {
            println!("{READY}");
            // It is told to go on once the other side is closed.
            assert_eq!(stdin().read(&mut [0; 1]).await.unwrap(), 0);
            let mut out = stdout();
            let error = out.write_all(&vec![b'x'; LARGE]).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        });
        done();
    }
    let mut child = piped("stdio::output_whose_reader_has_gone_is_a_broken_pipe");
    let mut out = child.stdout.take().unwrap();
    read_until(&mut out, READY);
    drop(out);
    drop(child.stdin.take());
    assert_eq!(end_of(&mut child).code(), Some(DONE));
}

#[test]
fn a_cancelled_write_is_made_before_the_next() {
    if is_child() {
        run(async {
            let mut out = stdout();
            println!();
            for number in (0..200).step_by(2) {
                // One of two is left as soon as it has begun, with a whole time slice, if it waits.
                yield_now().await;
                let text = format!("<{number}>\n");
                poll_fn(|cx| {
                    let _ = pin!(out.write(text.as_bytes())).poll(cx);
                    Poll::Ready(())
                })
                .await;
                out.write_all(format!("<{}>\n", number + 1).as_bytes()).await.unwrap();
            }
        });
        done();
    }
    within_limit(|| {
        let (said, code) = fed(piped("stdio::a_cancelled_write_is_made_before_the_next"), drop);
        assert_eq!(code, Some(DONE));
        let lines: Vec<_> = said.lines().filter(|line| line.starts_with('<')).collect();
        let expected: Vec<_> = (0..200).map(|number| format!("<{number}>")).collect();
        assert_eq!(lines, expected);
    });
}

#[test]
fn the_error_of_a_cancelled_flush_is_told_by_the_next_write() {
    if is_child() {
        run(async {
            println!("{READY}");
            let mut out = stdout();
            // Not a line, so std holds it back.
            out.write_all(b"x").await.unwrap();
            assert_eq!(stdin().read(&mut [0; 1]).await.unwrap(), 0);
            let held = io::stdout().lock();
            let flush = poll_fn(|cx| Poll::Ready(pin!(out.flush()).poll(cx).is_pending())).await;
            assert!(flush, "the thread that flushes has to wait");
            drop(held);
            let error = out.write(b"y").await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        });
        done();
    }
    let mut child = piped("stdio::the_error_of_a_cancelled_flush_is_told_by_the_next_write");
    let mut out = child.stdout.take().unwrap();
    read_until(&mut out, READY);
    drop(out);
    drop(child.stdin.take());
    assert_eq!(end_of(&mut child).code(), Some(DONE));
}

#[test]
fn what_nobody_reads_does_not_pile_up() {
    /// How many begin to write and give up.
    const WRITERS: usize = 5000;
    if is_child() {
        run(async {
            let filling = spawn(async { stdout().write_all(&vec![b'x'; LARGE]).await.unwrap() });
            until_waiting(&filling).await;
            for number in 0..WRITERS {
                yield_now().await;
                let text = format!("\n<{number}>\n");
                poll_fn(|cx| {
                    let _ = pin!(stdout().write(text.as_bytes())).poll(cx);
                    Poll::Ready(())
                })
                .await;
            }
            eprintln!("{READY}");
            // Whoever does not give up comes to it.
            let last =
                (0..100).map(|_| spawn(async { stdout().write_all(b"last\n").await.unwrap() }));
            for write in last.collect::<Vec<_>>() {
                write.await.unwrap();
            }
            filling.await.unwrap();
        });
        done();
    }
    within_limit(|| {
        let mut child = piped("stdio::what_nobody_reads_does_not_pile_up");
        read_until(child.stderr.as_mut().unwrap(), READY);
        let (said, code) = fed(child, drop);
        assert_eq!(code, Some(DONE));
        assert_eq!(said.matches("last\n").count(), 100);
        let made = said.matches('<').count();
        assert!(made < WRITERS / 10, "{made} of {WRITERS} were kept");
    });
}

#[test]
fn no_runtime_is_needed() {
    within_limit(|| {
        let mut errors = stderr();
        let write = pin!(errors.write(b""));
        let polled = write.poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(polled, Poll::Ready(io::Result::Ok(0))));
    });
}
