//! What a user sees of the runtime, one module per subject, in one binary.

mod barrier;
mod blocking;
mod broadcast;
mod builder;
mod callbacks;
mod cancel;
mod combinations;
#[cfg(target_os = "linux")]
mod connections;
mod context;
mod copying;
mod corners;
#[expect(unsafe_code, reason = "a global allocator that counts")]
mod counting;
mod deterministic;
mod eager;
mod entry;
mod files;
#[expect(unsafe_code, reason = "a waker that tells when it is cloned")]
mod foreign;
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "forks")]
mod fork;
mod fork_join;
mod gather;
mod group;
mod halves;
mod handed_on;
mod hooks;
#[cfg(target_os = "linux")]
mod idle;
mod io;
mod join;
mod kept;
mod limits;
mod local;
mod locks;
mod meeting;
mod mpsc;
mod nested;
mod net;
mod notify;
mod oneshot;
mod order;
#[cfg(feature = "orx-parallel")]
mod orx;
mod own_threads;
mod panics;
mod par;
mod permits;
#[cfg(unix)]
mod pipes;
mod pressure;
mod probe;
#[cfg(unix)]
mod process;
mod queue;
mod race;
mod readers;
mod reading;
mod regions;
mod requests;
mod rig;
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "a system call filter is installed by C calls")]
mod sandbox;
mod selective;
mod shutdown;
#[cfg(unix)]
#[expect(unsafe_code, reason = "handlers are looked at by C calls, and a process forks")]
mod signal;
#[cfg(unix)]
#[expect(unsafe_code, reason = "signals are sent by C calls")]
mod signals;
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "the kernel's scheduler is asked by C calls")]
mod slices;
#[cfg(feature = "tracing")]
mod spans;
mod spawn;
#[cfg(target_os = "linux")]
mod stalls;
mod stdio;
mod storm;
mod stranded;
mod stress;
mod stress_cancel;
mod stress_channels;
mod stress_locks;
mod submitting;
mod task_set;
mod threads;
mod time;
#[cfg(feature = "tls")]
mod tls;
mod virtual_time;
mod watch;
mod writing;
