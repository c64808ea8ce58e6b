//! [`Lane`]: a thread of the process that makes calls one after the other, and that nobody waits for.

use crate::platform::fork::Generation;
use crate::sync::{Audience, Place};
use std::sync::mpsc::{self, SyncSender, TrySendError};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::{io, thread};

/// How many calls may wait to be made: whoever gives up leaves its call there, so that without a limit they would
/// pile up while one of them takes for ever. Value picked out of thin air.
const MOST_CALLS: usize = 64;

/// A call to be made.
type Call = Box<dyn FnOnce() + Send>;

/// The way to a thread that is started with the first call, and stays.
pub(super) struct Lane {
    /// The name of the thread.
    name: &'static str,
    /// Where calls are sent, and the process that the thread is in: it does not survive a fork.
    thread: Mutex<Option<(Generation, SyncSender<Call>)>>,
    /// Who waits to send one.
    audience: LazyLock<Audience>,
}

impl Lane {
    pub(super) const fn new(name: &'static str) -> Self {
        Self { name, thread: Mutex::new(None), audience: LazyLock::new(Audience::new) }
    }

    /// Has a call made, after those that were sent before. Waits, at `place`, while too many are: where the caller does not
    /// come back, its call is not made.
    pub(super) fn poll_send(
        &'static self,
        place: &mut Place,
        cx: &mut Context<'_>,
        call: impl FnOnce() + Send + 'static,
    ) -> Poll<io::Result<()>> {
        let mut call: Option<Call> = Some(Box::new(call));
        self.audience.poll_until(place, cx, || {
            let sent = self.try_send(call.take()?).map(|refused| call = refused);
            if call.is_none() { Some(sent) } else { None }
        })
    }

    /// As [`Lane::poll_send`], for the only one who sends, once its call before was made.
    pub(super) fn send(&'static self, call: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let refused = self.try_send(Box::new(call))?;
        assert!(refused.is_none(), "there is room for {MOST_CALLS} calls");
        Ok(())
    }

    /// Whoever waits at this place does so no more.
    pub(super) fn leave(&self, place: &mut Place) {
        self.audience.leave(place);
    }

    /// Sends a call; gives it back where there is no room.
    fn try_send(&'static self, call: Call) -> io::Result<Option<Call>> {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        let generation = Generation::watch();
        let sender = match &*thread {
            Some((process, sender)) if *process == generation => sender,
            _ => {
                let (sender, calls) = mpsc::sync_channel::<Call>(MOST_CALLS);
                let make_all = move || {
                    for call in calls {
                        // There is room for one more.
                        self.audience.wake_all();
                        call();
                    }
                };
                thread::Builder::new().name(self.name.to_owned()).spawn(make_all)?;
                &thread.insert((generation, sender)).1
            }
        };
        match sender.try_send(call) {
            Ok(()) => Ok(None),
            Err(TrySendError::Full(call)) => Ok(Some(call)),
            Err(TrySendError::Disconnected(_)) => Err(io::Error::other("the thread has ended")),
        }
    }
}
