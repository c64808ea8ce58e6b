//! Twenty thousand connections opened, used and closed; afterwards nothing is left of them. Runs in
//! a process of its own, since descriptors and memory belong to the whole process.
//!
//! As many connections are open at once as the descriptor limit allows, which the child's shell
//! raises where it may.

use crate::counting::bytes_in_use;
use crate::rig::{child_of, eventually, expect_success, is_child, runtime};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use weftline::net::{TcpListener, TcpStream};
use weftline::{Handle, Runtime, spawn, yield_now};

/// How many connections in all; a debug build opens fewer.
const CONNECTIONS: usize = if cfg!(debug_assertions) { 4_000 } else { 20_000 };
/// Client addresses: each has its own ports, so that those which wait for their end are no loss.
const CLIENT_ADDRESSES: usize = 8;
/// What the rest of the process may have open.
const OTHER_DESCRIPTORS: usize = 100;
/// Raises the limit as far as it goes, and becomes the test binary.
const RAISE: &str =
    "ulimit -n 45000 2>/dev/null || ulimit -n \"$(ulimit -Hn)\"; exec \"$0\" \"$@\"";

#[test]
fn twenty_thousand_connections_leave_nothing_behind() {
    let name = "connections::twenty_thousand_connections_leave_nothing_behind";
    if !is_child() {
        let mut shell = Command::new("sh");
        shell.args(["-c", RAISE]).arg(std::env::current_exe().expect("a path"));
        return expect_success(name, child_of(shell, name).output().expect("a shell"));
    }
    let runtime = runtime();
    // The first round pays for what is kept for ever: queues, slabs, buffers of the system.
    open_use_and_close(&runtime, CONNECTIONS / 4);
    let (bytes, descriptors) = (bytes_in_use(), open_descriptors());
    open_use_and_close(&runtime, CONNECTIONS);
    eventually("no descriptor is left", || open_descriptors() == descriptors);
    eventually("no task is left", || runtime.handle().tasks().is_empty());
    let kept = bytes_in_use() - bytes;
    let a_trace = isize::try_from(CONNECTIONS * 64).unwrap();
    assert!(kept < a_trace, "{kept} bytes are left of {CONNECTIONS} connections");
}

/// All of it, in waves as large as the descriptor limit allows.
fn open_use_and_close(runtime: &Runtime, connections: usize) {
    let most_open = (descriptor_limit() - OTHER_DESCRIPTORS) / 2;
    let mut left = connections;
    while left > 0 {
        let wave = left.min(most_open);
        runtime.block_on(one_wave(wave));
        left -= wave;
    }
}

/// Opens all connections, then uses all, then closes all.
async fn one_wave(connections: usize) {
    let listener = TcpListener::builder().backlog(4096).bind("0.0.0.0:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = spawn(async move {
        let mut echoes = Vec::with_capacity(connections);
        for _ in 0..connections {
            let (stream, _) = listener.accept().await.unwrap();
            echoes.push(spawn(echo(stream)));
        }
        for task in echoes {
            task.await.unwrap();
        }
    });
    let mut clients = Vec::with_capacity(connections);
    for n in 0..connections {
        let address = Ipv4Addr::new(127, 0, 0, 1 + u8::try_from(n % CLIENT_ADDRESSES).unwrap());
        clients.push(TcpStream::connect(SocketAddr::from((address, port))).await.unwrap());
    }
    // All are open at once: the server's task, and one for each connection.
    while Handle::current().tasks().len() <= connections {
        yield_now().await;
    }
    let users: Vec<_> =
        clients.into_iter().enumerate().map(|(n, client)| spawn(ask(client, n))).collect();
    for user in users {
        user.await.unwrap();
    }
    server.await.unwrap();
}

/// Sends back what comes until the other side closes.
async fn echo(stream: TcpStream) {
    let mut buffer = [0; 64];
    loop {
        match stream.read(&mut buffer).await.unwrap() {
            0 => return,
            read => stream.write_all(&buffer[..read]).await.unwrap(),
        }
    }
}

/// One question and its answer.
async fn ask(client: TcpStream, n: usize) {
    let question = n.to_be_bytes();
    client.write_all(&question).await.unwrap();
    let mut answer = [0; size_of::<usize>()];
    client.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, question);
}

fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn descriptor_limit() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    line.split_whitespace().nth(3).unwrap().parse().unwrap()
}
