//! What the handles of a queue share: the items, the count of what is to be done, and who waits.
//!
//! For each item that can be got there is a permit in the line `items`, for each free place one in
//! the line `room`. Whoever has the permit does its part under the lock and gives the other permit
//! then, so that an item never depends on somebody who waits. A shutdown closes both lines; what is
//! left is got without permits.

use super::Shutdown;
use super::store::Store;
use crate::platform::Mutex;
use crate::sync::audience::Audience;
use crate::sync::line::Line;
use crate::task::budget;
use std::future::poll_fn;

/// The shared part of a queue.
pub(super) struct Stock<T> {
    /// How many items there may be; `None`: any number.
    pub(super) capacity: Option<usize>,
    /// What the lock guards.
    shelf: Mutex<Shelf<T>>,
    /// Items that can be got, and those who wait to get one.
    pub(super) items: Line,
    /// Free places, and those who wait to put something; unused without a capacity.
    pub(super) room: Line,
    /// Those who wait until all is done.
    joiners: Audience,
}

/// What is there, and what is to be done.
struct Shelf<T> {
    /// The items.
    store: Store<T>,
    /// Items that were put and not marked as done.
    undone: usize,
    /// How often the last of them was marked.
    completions: u64,
    /// Nothing is put any more.
    is_shut: bool,
}

/// Why something was not done at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No room, or no item, or others wait for it.
    NotNow,
    /// The queue was shut down.
    Shut,
}

impl<T> Shelf<T> {
    /// So many are marked as done; true: all are.
    fn mark_done(&mut self, count: usize) -> bool {
        self.undone -= count;
        let all = self.undone == 0;
        self.completions += u64::from(all);
        all
    }
}

impl<T> Stock<T> {
    pub(super) fn new(capacity: Option<usize>, store: Store<T>) -> Self {
        let shelf = Shelf { store, undone: 0, completions: 0, is_shut: false };
        Self {
            capacity,
            shelf: Mutex::new(shelf),
            items: Line::new(0),
            room: Line::new(capacity.unwrap_or(0)),
            joiners: Audience::new(),
        }
    }

    /// Waits for room, and puts the item there. It comes back from a queue that was shut down.
    pub(super) async fn put(&self, item: T) -> Result<(), T> {
        if self.capacity.is_none() {
            poll_fn(budget::poll_proceed).await;
        } else if self.room.acquire(1).await.is_err() {
            return Err(item);
        }
        self.shelve(item)
    }

    /// Puts the item if there is room.
    pub(super) fn try_put(&self, item: T) -> Result<(), (Refusal, T)> {
        if self.capacity.is_some() && !self.room.try_acquire(1) {
            return Err((self.why_not(), item));
        }
        self.shelve(item).map_err(|item| (Refusal::Shut, item))
    }

    fn why_not(&self) -> Refusal {
        if self.is_shut() { Refusal::Shut } else { Refusal::NotNow }
    }

    /// Puts the item by a permit for its place. After a shutdown no place is worth anything.
    fn shelve(&self, item: T) -> Result<(), T> {
        let mut shelf = self.shelf.lock();
        if shelf.is_shut {
            return Err(item);
        }
        shelf.store.push(item);
        shelf.undone += 1;
        drop(shelf);
        self.items.release(1);
        Ok(())
    }

    /// Waits for an item, and gets it. `None` from a queue that was shut down.
    pub(super) async fn get(&self) -> Option<T> {
        // Without a permit the queue was shut down; what is left can be got all the same.
        let _permit = self.items.acquire(1).await;
        self.unshelve()
    }

    /// Gets an item if there is one.
    pub(super) fn try_get(&self) -> Result<T, Refusal> {
        if !self.items.try_acquire(1) && !self.is_shut() {
            return Err(Refusal::NotNow);
        }
        self.unshelve().ok_or(Refusal::Shut)
    }

    /// Gets an item, by a permit or after a shutdown, which may have left none.
    fn unshelve(&self) -> Option<T> {
        let item = self.shelf.lock().store.pop()?;
        if self.capacity.is_some() {
            self.room.release(1);
        }
        Some(item)
    }

    /// Marks an item as done. False: all are.
    pub(super) fn mark_done(&self) -> bool {
        let mut shelf = self.shelf.lock();
        if shelf.undone == 0 {
            return false;
        }
        let all = shelf.mark_done(1);
        drop(shelf);
        if all {
            self.joiners.wake_all();
        }
        true
    }

    /// Waits until all items are marked as done, or were since this began.
    pub(super) async fn join(&self) {
        let mut began = None;
        let look = || {
            let shelf = self.shelf.lock();
            let is_over =
                shelf.undone == 0 || *began.get_or_insert(shelf.completions) != shelf.completions;
            is_over.then_some(())
        };
        self.joiners.wait_until(look).await;
    }

    /// From now on nothing is put; those who wait are told.
    pub(super) fn shut(&self, how: Shutdown) {
        let mut shelf = self.shelf.lock();
        shelf.is_shut = true;
        let (mut left, mut all) = (None, false);
        if how == Shutdown::Immediate {
            let empty = shelf.store.another();
            let store = std::mem::replace(&mut shelf.store, empty);
            // Items that were marked without having been got may be more than the marks left.
            let unmarked = store.len().min(shelf.undone);
            all = unmarked > 0 && shelf.mark_done(unmarked);
            left = Some(store);
        }
        drop(shelf);
        drop(left);
        self.room.close();
        self.items.close();
        if all {
            self.joiners.wake_all();
        }
    }

    pub(super) fn is_shut(&self) -> bool {
        self.shelf.lock().is_shut
    }

    /// How many items are there.
    pub(super) fn len(&self) -> usize {
        self.shelf.lock().store.len()
    }

    /// How many items are not marked as done.
    pub(super) fn undone(&self) -> usize {
        self.shelf.lock().undone
    }

    /// What the order is called.
    pub(super) fn order(&self) -> &'static str {
        self.shelf.lock().store.order()
    }
}
