//! Runs `chat` with clients that behave and others that do not, and asks it to end.

use rustix::net::sockopt::set_socket_recv_buffer_size;
use rustix::net::{AddressFamily, SocketType, connect, socket};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};
use std::{fmt, io, thread};

const CHAT: &str = env!("CARGO_BIN_EXE_chat");
/// Far longer than anything here takes, also on a busy machine.
const LONG: Duration = Duration::from_secs(60);
/// So many long lines are far more than the buffers of a connection hold.
const MANY: usize = 10_000;
const FAREWELL: &str = "* the server is closing, goodbye";

/// A server that runs, killed when dropped.
struct Chat {
    server: Child,
    _out: BufReader<ChildStdout>,
    address: SocketAddr,
}

impl Chat {
    fn begin(options: &[&str]) -> Self {
        let mut chat = Command::new(CHAT);
        chat.args(options).arg("127.0.0.1:0").stdin(Stdio::null());
        let mut server = chat.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(server.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening at ").expect(&line).parse().unwrap();
        Self { server, _out: out, address }
    }

    /// A client that has read its welcome, and that it has joined, as the others have.
    fn join(&self, name: &str) -> Client {
        let client = Client::of(TcpStream::connect(self.address).unwrap());
        client.named(name)
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.server), signal).unwrap();
    }

    /// How it has ended: its exit code, and what it said of errors.
    #[track_caller]
    fn end(&mut self) -> (Option<i32>, String) {
        let began = Instant::now();
        while self.server.try_wait().unwrap().is_none() {
            assert!(began.elapsed() < LONG, "the server does not end");
            thread::sleep(Duration::from_millis(2));
        }
        let mut errors = String::new();
        self.server.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        (self.server.wait().unwrap().code(), errors)
    }
}

impl Drop for Chat {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Somebody who is connected.
struct Client {
    stream: TcpStream,
    heard: BufReader<TcpStream>,
}

impl Client {
    fn of(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream.set_write_timeout(Some(LONG)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { heard: BufReader::new(stream.try_clone().unwrap()), stream }
    }

    /// Takes a name, once it is welcome.
    fn named(mut self, name: &str) -> Self {
        assert!(self.next().unwrap().starts_with("* welcome, guest"));
        assert!(self.next().unwrap().ends_with(" has joined"));
        self.types(&format!("/nick {name}"));
        assert!(self.next().unwrap().ends_with(&format!(" is now {name}")));
        self
    }

    fn types(&mut self, line: &str) {
        self.stream.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// The next line; none at the end.
    #[track_caller]
    fn next(&mut self) -> Option<String> {
        let mut line = String::new();
        self.heard.read_line(&mut line).unwrap();
        line.strip_suffix('\n').map(str::to_owned)
    }

    #[track_caller]
    fn hears(&mut self, lines: impl IntoIterator<Item: fmt::Display>) {
        for line in lines {
            assert_eq!(self.next(), Some(line.to_string()));
        }
    }

    /// Says very much, and hears it.
    fn babbles(&mut self) {
        let text = ["blah"; 200].join(" ");
        for _ in 0..MANY {
            self.types(&text);
            self.hears([format_args!("ann: {text}")]);
        }
    }

    /// Reads until a line for which this is true, and gives that.
    #[track_caller]
    fn skip_until(&mut self, is_it: impl Fn(&str) -> bool) -> String {
        loop {
            let line = self.next().expect("it comes before the end");
            if is_it(&line) {
                return line;
            }
        }
    }
}

/// A connection that takes few bytes in on its own.
fn connect_narrowly(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    set_socket_recv_buffer_size(&socket, 4096)?;
    connect(&socket, &address)?;
    Ok(socket.into())
}

#[test]
fn everybody_sees_the_same_lines_and_notices() {
    let chat = Chat::begin(&[]);
    let mut ann = chat.join("ann");
    let mut bob = chat.join("bob");
    ann.hears(["* guest2 has joined", "* guest2 is now bob"]);
    ann.types("hello");
    bob.types("  oh, \x1b[31mit's you\r");
    let mut seen = [ann.next().unwrap(), ann.next().unwrap()];
    bob.hears(&seen);
    seen.sort();
    assert_eq!(seen, ["ann: hello", "bob: oh,  [31mit's you"]);

    bob.types("/who");
    bob.hears(["* here are ann, bob"]);
    bob.types("/nick ann");
    bob.hears(["* you are bob still: the name ann is taken"]);
    bob.types("/nick so many letters");
    bob.hears(["* you are bob still: a name has 1 to 16 letters, digits, - or _"]);
    bob.types("/what");
    bob.hears(["* /what is none of /nick NAME, /who and /quit"]);
    bob.types("/nick Bert");
    bob.types("/quit");
    bob.hears(["* bob is now Bert"]);
    assert_eq!(bob.next(), None);
    ann.hears(["* bob is now Bert", "* Bert has left"]);
}

#[test]
fn a_line_that_is_too_long_is_left_out_and_its_author_told() {
    let chat = Chat::begin(&["--line-limit", "20"]);
    let (mut ann, mut bob) = (chat.join("ann"), chat.join("bob"));
    ann.hears(["* guest2 has joined", "* guest2 is now bob"]);
    ann.types(&"x".repeat(20));
    ann.types(&"y".repeat(21));
    ann.hears([format!("ann: {}", "x".repeat(20)).as_str()]);
    ann.hears(["* a line has at most 20 bytes; yours was left out"]);
    // In pieces, far longer than what is read at once.
    for _ in 0..1_000 {
        ann.stream.write_all(&[b'z'; 100]).unwrap();
    }
    ann.types("");
    ann.hears(["* a line has at most 20 bytes; yours was left out"]);
    ann.stream.write_all(b"\xff\n").unwrap();
    assert!(ann.next().unwrap().starts_with("* your line was left out: invalid utf-8"));
    ann.types("short");
    bob.hears([format!("ann: {}", "x".repeat(20)).as_str(), "ann: short"]);
}

#[test]
fn one_who_types_a_byte_at_a_time_and_one_who_vanishes_hold_up_nobody() {
    let mut chat = Chat::begin(&[]);
    let (mut ann, mut slow) = (chat.join("ann"), chat.join("slow"));
    let gone = chat.join("gone");
    ann.skip_until(|line| line == "* guest3 is now gone");
    slow.skip_until(|line| line == "* guest3 is now gone");
    for (n, byte) in b"at last".iter().enumerate() {
        slow.stream.write_all(&[*byte]).unwrap();
        let line = format!("ann: {n}");
        ann.types(&n.to_string());
        ann.hears([&line]);
        slow.hears([&line]);
    }
    // Without a word, and with bytes that it has not read: the connection is reset.
    ann.types("are you there?");
    ann.hears(["ann: are you there?"]);
    drop(gone);
    ann.hears(["* gone has left"]);
    slow.types("");
    ann.hears(["slow: at last"]);
    chat.signal(Signal::INT);
    ann.hears([FAREWELL]);
    assert_eq!(chat.end(), (Some(0), String::new()));
}

#[test]
fn one_who_does_not_read_misses_lines_and_is_told_and_the_others_miss_nothing() {
    let chat = Chat::begin(&["--behind", "16"]);
    let mut ann = chat.join("ann");
    let mut deaf = Client::of(connect_narrowly(chat.address).unwrap());
    ann.hears(["* guest2 has joined"]);
    ann.babbles();
    let missed = deaf.skip_until(|line| line.starts_with("* you have missed "));
    let missed: usize = missed.split(' ').nth(4).unwrap().parse().unwrap();
    assert!((1..MANY).contains(&missed), "{missed}");
    // What comes after that is complete, and it can say something again.
    ann.types("back?");
    deaf.skip_until(|line| line == "ann: back?");
    deaf.types("yes");
    deaf.hears(["guest2: yes"]);
    ann.hears(["ann: back?", "guest2: yes"]);
}

#[test]
fn ctrl_c_tells_everybody_and_ends_well() {
    let mut chat = Chat::begin(&[]);
    let mut all = ["ann", "bob", "cid"].map(|name| chat.join(name));
    // Amid a line; it is never said.
    all[1].stream.write_all(b"I wanted to").unwrap();
    chat.signal(Signal::INT);
    for client in &mut all {
        client.skip_until(|line| line == FAREWELL);
        assert_eq!(client.next(), None);
    }
    assert_eq!(chat.end(), (Some(0), String::new()));
    let refused = TcpStream::connect(chat.address).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn one_who_does_not_take_the_farewell_in_is_cut_off_after_the_grace() {
    let mut chat = Chat::begin(&["--grace", "1"]);
    let mut ann = chat.join("ann");
    let _deaf = connect_narrowly(chat.address).unwrap();
    ann.hears(["* guest2 has joined"]);
    ann.babbles();
    let began = Instant::now();
    chat.signal(Signal::TERM);
    ann.hears([FAREWELL]);
    assert_eq!(ann.next(), None);
    let said = "chat: cut off before the farewell was taken in: 1\n";
    assert_eq!(chat.end(), (Some(0), said.to_owned()));
    assert!(began.elapsed() >= Duration::from_secs(1), "there was grace");
}

#[test]
fn a_second_ctrl_c_does_not_wait() {
    let mut chat = Chat::begin(&["--grace", "1000"]);
    let mut ann = chat.join("ann");
    let _deaf = connect_narrowly(chat.address).unwrap();
    ann.hears(["* guest2 has joined"]);
    ann.babbles();
    chat.signal(Signal::INT);
    ann.hears([FAREWELL]);
    // Later than one that is sent twice.
    thread::sleep(Duration::from_millis(150));
    chat.signal(Signal::INT);
    assert_eq!(chat.end().0, None, "the signal has ended it");
}

#[test]
fn what_is_wrong_is_told() {
    let run = |arguments: &[&str]| -> (Option<i32>, String) {
        let Output { status, stderr, .. } = Command::new(CHAT).args(arguments).output().unwrap();
        (status.code(), String::from_utf8(stderr).unwrap())
    };
    let chat = Chat::begin(&[]);
    let (code, errors) = run(&[&chat.address.to_string()]);
    assert_eq!(code, Some(1));
    assert!(errors.starts_with(&format!("chat: cannot listen at {}", chat.address)), "{errors}");
    let (code, errors) = run(&["127.0.0.1"]);
    assert_eq!(code, Some(1));
    assert!(errors.starts_with("chat: ") && errors.contains("127.0.0.1"), "{errors}");
    for (arguments, word) in
        [(["--line-limit", "0"], "--line-limit"), (["--grace", "never"], "--grace")]
    {
        let (code, errors) = run(&arguments);
        assert_eq!(code, Some(2), "{errors}");
        assert!(errors.contains(word), "{errors}");
    }
}
