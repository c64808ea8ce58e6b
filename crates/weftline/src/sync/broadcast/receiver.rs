//! [`Receiver`]: gets every message that is sent, if it keeps up.

use super::error::{RecvError, TryRecvError};
use super::ring::Ring;
use crate::sync::audience::Place;
use crate::sync::counted::CountsSenders;
use crate::task::drive;
use futures_core::Stream;
use std::fmt;
use std::future::poll_fn;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

/// The end that receives; made by [`channel`](super::channel), [`Sender::subscribe`] and
/// [`resubscribe`](Self::resubscribe).
///
/// It is also a `Stream` of messages and, as errors, of numbers of messages that were missed; it
/// ends when no sender is there any more.
///
/// [`Sender::subscribe`]: super::Sender::subscribe
///
/// # Examples
///
/// ```
/// use weftline::sync::broadcast::{self, error::RecvError};
///
/// weftline::run(async {
///     let (sender, mut receiver) = broadcast::channel(16);
///     let task = weftline::spawn(async move {
///         let mut sum = 0;
///         loop {
///             match receiver.recv().await {
///                 Ok(n) => sum += n,
///                 Err(RecvError::Lagged(missed)) => println!("{missed} messages were missed"),
///                 Err(RecvError::Closed) => return sum,
///             }
///         }
///     });
///     for n in 1..=3 {
///         sender.send(n).unwrap();
///     }
///     drop(sender);
///     assert_eq!(task.await.unwrap(), 6);
/// });
/// ```
pub struct Receiver<T> {
    /// The shared part.
    ring: Arc<Ring<T>>,
    /// The position of the next message to get.
    next: u64,
    /// Where its waker is, since it waited last.
    place: Place,
}

// As for the receiver of `std::sync::mpsc`: a panic meanwhile leaves nothing half done.
impl<T> UnwindSafe for Receiver<T> {}
impl<T> RefUnwindSafe for Receiver<T> {}

impl<T> Receiver<T> {
    /// One more receiver.
    pub(super) fn of(ring: Arc<Ring<T>>) -> Self {
        let next = ring.add_receiver();
        Self { ring, next, place: Place::default() }
    }

    /// How many messages were sent that this receiver has not got, those included that it has missed
    /// and not been told of.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = weftline::sync::broadcast::channel(2);
    /// for n in 0..5 {
    ///     sender.send(n).unwrap();
    /// }
    /// assert_eq!(receiver.len(), 5);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        usize::try_from(self.ring.sent_since(self.next)).unwrap_or(usize::MAX)
    }

    /// Whether it has got all that was sent.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = weftline::sync::broadcast::channel(2);
    /// assert!(receiver.is_empty());
    /// sender.send(1).unwrap();
    /// assert!(!receiver.is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there is no sender any more.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = weftline::sync::broadcast::channel::<u32>(2);
    /// assert!(!receiver.is_closed());
    /// drop(sender);
    /// assert!(receiver.is_closed());
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.ring.senders() == 0
    }

    /// How many senders keep the channel open.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = weftline::sync::broadcast::channel::<u32>(2);
    /// let _another = sender.clone();
    /// assert_eq!(receiver.sender_strong_count(), 2);
    /// ```
    #[must_use]
    pub fn sender_strong_count(&self) -> usize {
        self.ring.senders()
    }

    /// How many weak senders there are, which do not keep the channel open.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = weftline::sync::broadcast::channel::<u32>(2);
    /// let _weak = sender.downgrade();
    /// assert_eq!(receiver.sender_weak_count(), 1);
    /// ```
    #[must_use]
    pub fn sender_weak_count(&self) -> usize {
        Arc::weak_count(&self.ring)
    }

    /// One more receiver, which gets what is sent from now on.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = weftline::sync::broadcast::channel(2);
    /// sender.send(1).unwrap();
    /// assert!(receiver.resubscribe().is_empty());
    /// ```
    #[must_use]
    pub fn resubscribe(&self) -> Self {
        Self::of(self.ring.clone())
    }

    /// Whether both receive from the same senders.
    ///
    /// # Examples
    ///
    /// ```
    /// let (_sender, receiver) = weftline::sync::broadcast::channel::<u32>(2);
    /// assert!(receiver.same_channel(&receiver.resubscribe()));
    /// ```
    #[must_use]
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.ring, &other.ring)
    }
}

impl<T: Clone> Receiver<T> {
    /// The next message.
    ///
    /// # Errors
    ///
    /// [`RecvError::Lagged`] if messages were missed: the oldest that is there comes next.
    /// [`RecvError::Closed`] if all were received, and there is no sender any more.
    ///
    /// # Panics
    ///
    /// If cloning a message does. It counts as received then.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped before it is ready has taken nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::broadcast;
    ///
    /// weftline::run(async {
    ///     let (sender, mut receiver) = broadcast::channel(4);
    ///     sender.send("hello").unwrap();
    ///     assert_eq!(receiver.recv().await, Ok("hello"));
    /// });
    /// ```
    pub async fn recv(&mut self) -> Result<T, RecvError> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// As [`recv`](Self::recv), for one who writes a future by hand: `Pending` arranges for the task
    /// of `cx` to be woken, and no longer for that of an earlier call.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::poll_fn;
    /// use weftline::sync::broadcast;
    ///
    /// weftline::run(async {
    ///     let (sender, mut receiver) = broadcast::channel(4);
    ///     sender.send("hello").unwrap();
    ///     assert_eq!(poll_fn(|cx| receiver.poll_recv(cx)).await, Ok("hello"));
    /// });
    /// ```
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, RecvError>> {
        let Self { ring, next, place } = self;
        ring.listeners.poll_until(place, cx, || ring.receive(next)).map(cloned)
    }

    /// The next message, if one is there. It does not wait.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv), and [`TryRecvError::Empty`] if no message is there now.
    ///
    /// # Panics
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::broadcast::{self, error::TryRecvError};
    ///
    /// let (sender, mut receiver) = broadcast::channel(4);
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    /// sender.send(5).unwrap();
    /// assert_eq!(receiver.try_recv(), Ok(5));
    /// ```
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        let received = self.ring.receive(&mut self.next).ok_or(TryRecvError::Empty)?;
        Ok(cloned(received)?)
    }

    /// As [`recv`](Self::recv), blocking the calling thread. For plain threads: on a worker it keeps
    /// the worker from running anything else, the senders perhaps included.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Panics
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, mut receiver) = weftline::sync::broadcast::channel(4);
    /// std::thread::spawn(move || sender.send("hello"));
    /// assert_eq!(receiver.blocking_recv(), Ok("hello"));
    /// ```
    pub fn blocking_recv(&mut self) -> Result<T, RecvError> {
        drive(pin!(self.recv()), None).expect("without a deadline the wait ends with the result")
    }
}

/// The message itself for the last one who gets it, a clone for the others.
fn cloned<T: Clone>(received: Result<Arc<T>, RecvError>) -> Result<T, RecvError> {
    received.map(Arc::unwrap_or_clone)
}

impl<T: Clone> Stream for Receiver<T> {
    type Item = Result<T, RecvError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_recv(cx).map(|received| match received {
            Err(RecvError::Closed) => None,
            received => Some(received),
        })
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.ring.listeners.leave(&mut self.place);
        self.ring.remove_receiver(self.next);
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("len", &self.len())
            .field("is_closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}
