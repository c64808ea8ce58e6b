//! [`Lane`]: a thread of the process that makes calls one after the other, and that nobody waits for.

use crate::platform::fork::Generation;
use std::sync::mpsc::{self, Sender};
use std::sync::{Mutex, PoisonError};
use std::{io, thread};

/// A call to be made.
type Call = Box<dyn FnOnce() + Send>;

/// The way to a thread that is started with the first call, and stays.
pub(super) struct Lane {
    /// The name of the thread.
    name: &'static str,
    /// Where calls are sent, and the process that the thread is in: it does not survive a fork.
    thread: Mutex<Option<(Generation, Sender<Call>)>>,
}

impl Lane {
    pub(super) const fn new(name: &'static str) -> Self {
        Self { name, thread: Mutex::new(None) }
    }

    /// Has a call made, after those that were sent before.
    pub(super) fn send(&self, call: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        let generation = Generation::watch();
        let sender = match &*thread {
            Some((process, sender)) if *process == generation => sender,
            _ => {
                let (sender, calls) = mpsc::channel::<Call>();
                let builder = thread::Builder::new().name(self.name.to_owned());
                builder.spawn(move || calls.into_iter().for_each(|call| call()))?;
                &thread.insert((generation, sender)).1
            }
        };
        sender.send(Box::new(call)).map_err(|_| io::Error::other("the thread has ended"))
    }
}
