//! Accepting when there are no descriptors left. Runs in a process of its own, since descriptors
//! belong to the whole process.

#![cfg(target_os = "linux")]

use crate::rig::{
    MS, child_of, expect_success, is_child, panic_on_purpose, reporting_runtime, within_limit,
};
use std::fs::File;
use std::process::Command;
use std::time::{Duration, Instant};
use weftline::net::{TcpListener, TcpStream, serve};
use weftline::task::UnhandledKind;
use weftline::time::sleep;

/// Set in the process of its own.
const MARK: &str = "WEFTLINE_TEST_SHORTAGE";

#[test]
fn a_server_survives_running_out_of_descriptors_without_spinning() {
    if std::env::var_os(MARK).is_some() {
        return weftline::run(starve());
    }
    let test = "net::shortage::a_server_survives_running_out_of_descriptors_without_spinning";
    let exe = std::env::current_exe().unwrap();
    let status = Command::new("sh")
        .arg("-c")
        .arg("ulimit -n 128; exec \"$0\" \"$@\"")
        .arg(exe)
        .args([test, "--exact", "--nocapture"])
        .env(MARK, "1")
        .status()
        .unwrap();
    assert!(status.success());
}

async fn starve() {
    const STARVED: Duration = Duration::from_millis(600);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let _client = std::net::TcpStream::connect(address).unwrap();
    let mut hoard = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        hoard.push(file);
    }
    let start = Instant::now();
    let accepting = weftline::spawn(async move {
        let accepted = listener.accept().await;
        (accepted.map(|(stream, _)| stream), Instant::now())
    });
    sleep(STARVED).await;
    assert!(!accepting.is_finished(), "there is no descriptor to accept with");
    drop(hoard);
    let (accepted, when) = accepting.await.unwrap();
    accepted.unwrap();
    assert!(when - start >= STARVED);
    let busy = cpu_time();
    assert!(busy < STARVED / 3, "{busy:?} of processor time in {STARVED:?} of waiting");
}

// AT-SV-05
#[test]
fn a_server_tells_of_a_shortage_and_survives_a_hook_that_panics() {
    let name = "net::shortage::a_server_tells_of_a_shortage_and_survives_a_hook_that_panics";
    if is_child() {
        return within_limit(tell);
    }
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -n 128; exec \"$0\" \"$@\""]);
    limited.arg(std::env::current_exe().expect("this binary has a path"));
    expect_success(name, child_of(limited, name).output().expect("the test binary runs"));
}

fn tell() {
    let (runtime, reports) = reporting_runtime(2);
    runtime.block_on(async {
        let greet = |stream: TcpStream| async move { stream.write_all(b"x").await };
        let without = serve("127.0.0.1:0", greet).paused().await.unwrap();
        let with = serve("127.0.0.1:0", greet).paused();
        let with = with.on_accept_error(|_| panic_on_purpose("a hook")).await.unwrap();
        let clients = [&without, &with]
            .map(|server| std::net::TcpStream::connect(server.local_addrs()[0]).unwrap());
        let hoard: Vec<_> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
        without.start_serving();
        with.start_serving();
        let is_told = |kind, what: &str| {
            let all = reports.all();
            all.iter().any(|report| report.kind == kind && report.message.contains(what))
        };
        while !is_told(UnhandledKind::TaskFailed, "a connection was not accepted: ")
            || !is_told(UnhandledKind::TaskPanicked, "a hook")
        {
            sleep(MS).await;
        }
        drop(hoard);
        for client in clients {
            TcpStream::from_std(client).unwrap().read_exact(&mut [0; 1]).await.unwrap();
        }
        assert!(without.is_serving() && with.is_serving());
    });
}

/// The processor time of this process so far.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let ticks = |index: usize| fields.split(' ').nth(index).unwrap().parse::<u64>().unwrap();
    // User and system time, in hundredths of a second.
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}
