//! Where connections come in: the listeners of a server, which its task accepts from and anybody may
//! close.

use super::clients::{Clients, Seat};
use crate::net::accept::Patience;
use crate::net::{TcpListener, TcpStream};
use crate::platform::Mutex;
use crate::task::wake_all;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// What connections come in at.
pub(super) trait Listen: Send + 'static {
    /// A connection.
    type Stream: Send + 'static;

    /// Waits for one, as the only one that does so. With the name of the task for it.
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Self::Stream, String)>>;
}

impl Listen for TcpListener {
    type Stream = TcpStream;

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, String)>> {
        Self::poll_accept(self, cx).map_ok(|(stream, peer)| (stream, format!("client {peer}")))
    }
}

/// The listeners of a server.
pub(super) struct Doors<L> {
    /// Whether they are open.
    state: Mutex<State<L>>,
    /// The handlers of those who came in.
    clients: Arc<Clients>,
}

/// Whether the doors are open.
struct State<L> {
    /// The listeners; none once they are closed.
    doors: Vec<Door<L>>,
    /// Connections are accepted, as long as there are doors.
    is_begun: bool,
    /// The task that accepts.
    acceptor: Option<Waker>,
}

/// One listener.
struct Door<L> {
    /// Where they come in.
    listener: L,
    /// What becomes of failures.
    patience: Patience,
}

/// Who comes in next: a connection and a place for its handler, or a failure.
type Next<S> = io::Result<(S, Seat)>;

/// What a server does with its doors, whatever they are.
pub(super) trait Entrance: Send + Sync {
    /// Begins to accept.
    fn begin(&self);

    /// Closes all listeners, for good.
    fn close(&self);

    /// Whether connections are accepted.
    fn is_serving(&self) -> bool;

    /// Whether the listeners are closed.
    fn is_closed(&self) -> bool;
}

impl<L: Listen> Doors<L> {
    pub(super) fn new(listeners: Vec<L>, is_begun: bool, clients: Arc<Clients>) -> Arc<Self> {
        let door = |listener| Door { listener, patience: Patience::new() };
        let doors = listeners.into_iter().map(door).collect();
        Arc::new(Self { state: Mutex::new(State { doors, is_begun, acceptor: None }), clients })
    }

    /// Waits for who comes in next; `None` once the doors are closed.
    pub(super) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<Next<L::Stream>>> {
        let waker = cx.waker().clone();
        let mut state = self.state.lock();
        let old = state.acceptor.replace(waker);
        let next = state.poll_next(cx, &self.clients);
        drop(state);
        drop(old); // outside of the lock: a waker is foreign code
        next
    }

    /// Changes the state; afterwards the task that accepts looks at it.
    fn change<R>(&self, change: impl FnOnce(&mut State<L>) -> R) -> R {
        let mut state = self.state.lock();
        let result = change(&mut state);
        let acceptor = state.acceptor.take();
        drop(state);
        wake_all(acceptor);
        result
    }
}

impl<L: Listen> State<L> {
    /// Who comes in next. A place is taken under the lock, so that whoever has closed the doors finds
    /// everybody who came through them.
    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        clients: &Arc<Clients>,
    ) -> Poll<Option<Next<L::Stream>>> {
        if self.doors.is_empty() {
            return Poll::Ready(None);
        }
        if !self.is_begun {
            return Poll::Pending;
        }
        for index in 0..self.doors.len() {
            let Door { listener, patience } = &mut self.doors[index];
            let Poll::Ready(next) = patience.poll(cx, |cx| listener.poll_accept(cx)) else {
                continue;
            };
            // The next look begins behind this one, so that no door keeps the others waiting.
            self.doors.rotate_left(index + 1);
            let next = next.map(|(stream, name)| (stream, clients.seat(name)));
            return Poll::Ready(Some(next.map_err(|refusal| refusal.error)));
        }
        Poll::Pending
    }
}

impl<L: Listen> Entrance for Doors<L> {
    fn begin(&self) {
        self.change(|state| state.is_begun = true);
    }

    fn close(&self) {
        let doors = self.change(|state| std::mem::take(&mut state.doors));
        // Closed before it is told that nobody will come.
        drop(doors);
        self.clients.close();
    }

    fn is_serving(&self) -> bool {
        let state = self.state.lock();
        state.is_begun && !state.doors.is_empty()
    }

    fn is_closed(&self) -> bool {
        self.state.lock().doors.is_empty()
    }
}
