//! [`Receiver`]: the one end that receives, of channels with and without a bound. Next: `mailbox.rs`.

use super::error::TryRecvError;
use super::mailbox::{Found, Mailbox};
use crate::sync::counted::CountsSenders;
use crate::task::{budget, drive};
use futures_core::Stream;
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// A drained buffer with room for more messages than this is not kept for the next ones.
const KEPT_CAPACITY: usize = 4096;

/// The receiving end of a channel; made by [`channel`](super::channel) and
/// [`unbounded_channel`](super::unbounded_channel).
///
/// It is also a `Stream`, which ends when nothing will come any more. Dropping it closes the channel
/// and drops what was not received.
///
/// # Examples
///
/// ```
/// use weftline::sync::mpsc;
///
/// weftline::run(async {
///     let (sender, mut receiver) = mpsc::channel(8);
///     let producer = weftline::spawn(async move {
///         for n in 1..=3 {
///             sender.send(n).await.expect("somebody receives");
///         }
///     });
///     let mut sum = 0;
///     while let Some(n) = receiver.recv().await {
///         sum += n;
///     }
///     assert_eq!(sum, 6);
///     producer.await.unwrap();
/// });
/// ```
pub struct Receiver<T> {
    /// The shared part.
    mailbox: Arc<Mailbox<T>>,
    /// Messages that were fetched and not given away yet; they come before those in the mailbox.
    fetched: VecDeque<T>,
}

// As for the receiver of `std::sync::mpsc`: a panic meanwhile leaves nothing half done.
impl<T> UnwindSafe for Receiver<T> {}
impl<T> RefUnwindSafe for Receiver<T> {}

impl<T> Unpin for Receiver<T> {}

impl<T> Receiver<T> {
    pub(super) fn new(mailbox: Arc<Mailbox<T>>) -> Self {
        Self { mailbox, fetched: VecDeque::new() }
    }

    /// The next message; `None` when nothing will come any more: all senders are gone, or the
    /// channel was closed, and all that was sent has been received.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped before it is ready has taken nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::mpsc;
    ///
    /// weftline::run(async {
    ///     let (sender, mut receiver) = mpsc::unbounded_channel();
    ///     sender.send("hello").unwrap();
    ///     drop(sender);
    ///     assert_eq!(receiver.recv().await, Some("hello"));
    ///     assert_eq!(receiver.recv().await, None);
    /// });
    /// ```
    pub async fn recv(&mut self) -> Option<T> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// As [`recv`](Self::recv), for one who writes a future by hand: `Pending` arranges for the task
    /// of `cx` to be woken, and no longer for that of an earlier call.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::poll_fn;
    /// use weftline::sync::mpsc;
    ///
    /// weftline::run(async {
    ///     let (sender, mut receiver) = mpsc::channel(1);
    ///     sender.send(5).await.unwrap();
    ///     assert_eq!(poll_fn(|cx| receiver.poll_recv(cx)).await, Some(5));
    /// });
    /// ```
    #[inline]
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        ready!(budget::poll_proceed(cx));
        if self.fetched.is_empty() {
            let found = ready!(self.mailbox.poll_fetch(&mut self.fetched, cx.waker()));
            debug_assert_eq!(found == Found::Items, !self.fetched.is_empty());
        }
        Poll::Ready(self.next())
    }

    /// The next of what was fetched.
    #[inline]
    fn next(&mut self) -> Option<T> {
        let message = self.fetched.pop_front()?;
        if self.fetched.is_empty() && self.fetched.capacity() > KEPT_CAPACITY {
            self.fetched = VecDeque::new();
        }
        self.mailbox.give_back(1);
        Some(message)
    }

    /// Appends to `buffer` what is there, at most `limit` messages, and says how many; waits where
    /// nothing is there. 0 when nothing will come any more, and where `limit` is 0.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped before it is ready has taken nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::mpsc;
    ///
    /// weftline::run(async {
    ///     let (sender, mut receiver) = mpsc::unbounded_channel();
    ///     for n in 0..5 {
    ///         sender.send(n).unwrap();
    ///     }
    ///     let mut numbers = Vec::new();
    ///     assert_eq!(receiver.recv_many(&mut numbers, 3).await, 3);
    ///     assert_eq!(receiver.recv_many(&mut numbers, 3).await, 2);
    ///     assert_eq!(numbers, [0, 1, 2, 3, 4]);
    /// });
    /// ```
    pub async fn recv_many(&mut self, buffer: &mut Vec<T>, limit: usize) -> usize {
        poll_fn(|cx| self.poll_recv_many(cx, buffer, limit)).await
    }

    /// As [`recv_many`](Self::recv_many), for one who writes a future by hand; see
    /// [`poll_recv`](Self::poll_recv).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::poll_fn;
    /// use weftline::sync::mpsc;
    ///
    /// weftline::run(async {
    ///     let (sender, mut receiver) = mpsc::channel(2);
    ///     sender.send(5).await.unwrap();
    ///     let mut numbers = Vec::new();
    ///     assert_eq!(poll_fn(|cx| receiver.poll_recv_many(cx, &mut numbers, 9)).await, 1);
    /// });
    /// ```
    pub fn poll_recv_many(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut Vec<T>,
        limit: usize,
    ) -> Poll<usize> {
        if limit == 0 {
            return Poll::Ready(0);
        }
        ready!(budget::poll_proceed(cx));
        if self.fetched.is_empty() {
            ready!(self.mailbox.poll_fetch(&mut self.fetched, cx.waker()));
        }
        let mut count = self.take_up_to(buffer, limit);
        if count < limit && self.mailbox.fetch(&mut self.fetched) == Found::Items {
            count += self.take_up_to(buffer, limit - count);
        }
        self.mailbox.give_back(count);
        Poll::Ready(count)
    }

    fn take_up_to(&mut self, buffer: &mut Vec<T>, limit: usize) -> usize {
        let count = limit.min(self.fetched.len());
        buffer.extend(self.fetched.drain(..count));
        count
    }

    /// The next message, if one is there. It does not wait.
    ///
    /// # Errors
    ///
    /// [`TryRecvError::Empty`] if none is there, [`TryRecvError::Disconnected`] if none will come.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::mpsc::{self, error::TryRecvError};
    ///
    /// let (sender, mut receiver) = mpsc::unbounded_channel();
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    /// sender.send(5).unwrap();
    /// assert_eq!(receiver.try_recv(), Ok(5));
    /// ```
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        if self.fetched.is_empty() {
            match self.mailbox.fetch(&mut self.fetched) {
                Found::Items => {}
                Found::Nothing => return Err(TryRecvError::Empty),
                Found::End => return Err(TryRecvError::Disconnected),
            }
        }
        self.next().ok_or(TryRecvError::Empty)
    }

    /// As [`recv`](Self::recv), blocking the calling thread. For plain threads: on a worker it keeps
    /// the worker from running anything else, the senders perhaps included.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::mpsc;
    ///
    /// let (sender, mut receiver) = mpsc::channel(1);
    /// std::thread::spawn(move || sender.blocking_send("hello"));
    /// assert_eq!(receiver.blocking_recv(), Some("hello"));
    /// ```
    pub fn blocking_recv(&mut self) -> Option<T> {
        drive(pin!(self.recv()), None).expect("without a deadline the wait ends with the result")
    }

    /// As [`recv_many`](Self::recv_many), blocking the calling thread; see
    /// [`blocking_recv`](Self::blocking_recv).
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::mpsc;
    ///
    /// let (sender, mut receiver) = mpsc::channel(4);
    /// std::thread::spawn(move || (0..4).for_each(|n| sender.blocking_send(n).unwrap()));
    /// let mut numbers = Vec::new();
    /// while receiver.blocking_recv_many(&mut numbers, 3) > 0 {}
    /// assert_eq!(numbers, [0, 1, 2, 3]);
    /// ```
    pub fn blocking_recv_many(&mut self, buffer: &mut Vec<T>, limit: usize) -> usize {
        drive(pin!(self.recv_many(buffer, limit)), None)
            .expect("without a deadline the wait ends with the result")
    }

    /// Closes the channel: nothing more can be sent, except by permits that are there already. What
    /// was sent before can still be received.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::mpsc;
    ///
    /// weftline::run(async {
    ///     let (sender, mut receiver) = mpsc::channel(1);
    ///     sender.send("just in time").await.unwrap();
    ///     receiver.close();
    ///     assert!(sender.send("too late").await.is_err());
    ///     assert_eq!(receiver.recv().await, Some("just in time"));
    ///     assert_eq!(receiver.recv().await, None);
    /// });
    /// ```
    pub fn close(&mut self) {
        self.mailbox.close();
    }

    /// Whether nothing more will be sent: the channel was closed, or all senders are gone. What was
    /// sent before can still be received, as can what comes by permits that are there already.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = weftline::sync::mpsc::channel::<u32>(1);
    /// assert!(!receiver.is_closed());
    /// drop(sender);
    /// assert!(receiver.is_closed());
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.mailbox.is_left()
    }

    /// How many messages were sent and not received.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = weftline::sync::mpsc::channel(8);
    /// sender.try_send(5).unwrap();
    /// assert_eq!(receiver.len(), 1);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.fetched.len() + self.mailbox.len()
    }

    /// Whether there is no message, now.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = weftline::sync::mpsc::channel(8);
    /// assert!(receiver.is_empty());
    /// sender.try_send(5).unwrap();
    /// assert!(!receiver.is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fetched.is_empty() && self.mailbox.len() == 0
    }

    /// For how many more messages there is room, now; `usize::MAX` without a bound. Permits and
    /// messages on their way take room.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = weftline::sync::mpsc::channel(4);
    /// sender.try_send("message").unwrap();
    /// assert_eq!(receiver.capacity(), 3);
    /// ```
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.mailbox.capacity().unwrap_or(usize::MAX)
    }

    /// How many messages may be on their way, as the channel was made; `usize::MAX` without a bound.
    ///
    /// # Examples
    ///
    /// ```
    /// let (_sender, receiver) = weftline::sync::mpsc::channel::<u32>(4);
    /// assert_eq!(receiver.max_capacity(), 4);
    /// ```
    #[must_use]
    pub fn max_capacity(&self) -> usize {
        self.mailbox.max_capacity().unwrap_or(usize::MAX)
    }

    /// How many senders keep the channel open.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = weftline::sync::mpsc::channel::<u32>(8);
    /// let _another = sender.clone();
    /// assert_eq!(receiver.sender_strong_count(), 2);
    /// ```
    #[must_use]
    pub fn sender_strong_count(&self) -> usize {
        self.mailbox.senders()
    }

    /// How many weak senders there are, which do not keep the channel open.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = weftline::sync::mpsc::channel::<u32>(1);
    /// let _weak = sender.downgrade();
    /// assert_eq!(receiver.sender_weak_count(), 1);
    /// ```
    #[must_use]
    pub fn sender_weak_count(&self) -> usize {
        Arc::weak_count(&self.mailbox)
    }
}

impl<T> Stream for Receiver<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.poll_recv(cx)
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        // What was fetched goes after it, and before anything that may panic can lose it.
        let _unreceived = self.mailbox.leave();
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
