//! [`Counted`]: a sender's reference to what the ends of a channel share. It counts: with the last one
//! the channel ends. [`Uncounted`] is a weak sender's, which does not.

use std::ops::Deref;
use std::sync::{Arc, Weak};

/// What the ends of a channel share, as far as its senders are counted.
pub(super) trait CountsSenders {
    /// Does something with the count of the senders, under its lock.
    fn with_senders<R>(&self, act: impl FnOnce(&mut usize) -> R) -> R;

    /// There is no sender, and never will be: whoever waits for what is sent is to be told.
    fn end(&self);

    /// The senders that keep the channel open.
    fn senders(&self) -> usize {
        self.with_senders(|count| *count)
    }
}

/// A reference that counts as a sender.
pub(super) struct Counted<C: CountsSenders>(Arc<C>);

impl<C: CountsSenders> Counted<C> {
    /// The first one, which the channel has counted already.
    pub(super) fn first(channel: Arc<C>) -> Self {
        Self(channel)
    }

    pub(super) fn downgrade(&self) -> Uncounted<C> {
        Uncounted(Arc::downgrade(&self.0))
    }
}

impl<C: CountsSenders> Clone for Counted<C> {
    fn clone(&self) -> Self {
        self.0.with_senders(|count| *count += 1);
        Self(self.0.clone())
    }
}

impl<C: CountsSenders> Drop for Counted<C> {
    fn drop(&mut self) {
        let is_last = self.0.with_senders(|count| {
            *count -= 1;
            *count == 0
        });
        if is_last {
            self.0.end();
        }
    }
}

impl<C: CountsSenders> Deref for Counted<C> {
    type Target = Arc<C>;

    fn deref(&self) -> &Arc<C> {
        &self.0
    }
}

/// A reference that does not count.
pub(super) struct Uncounted<C>(Weak<C>);

impl<C: CountsSenders> Uncounted<C> {
    /// One that counts; none where the channel has ended.
    pub(super) fn upgrade(&self) -> Option<Counted<C>> {
        let channel = self.0.upgrade()?;
        let is_open = channel.with_senders(|count| {
            let is_open = *count > 0;
            *count += usize::from(is_open);
            is_open
        });
        // Not `then_some`: what is made counts down when it is dropped.
        is_open.then(|| Counted(channel))
    }

    /// The senders that keep the channel open.
    pub(super) fn senders(&self) -> usize {
        self.0.upgrade().map_or(0, |channel| channel.senders())
    }

    /// The weak senders, this one included; 0 once nobody has the channel any more.
    pub(super) fn weak_senders(&self) -> usize {
        self.0.weak_count()
    }
}

impl<C> Clone for Uncounted<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}
