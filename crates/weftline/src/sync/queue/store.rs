//! [`Store`]: the items of a queue, and in which order they come out.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};

/// The items that were put and not got.
pub(super) enum Store<T> {
    /// The oldest comes first.
    Fifo(VecDeque<T>),
    /// The newest comes first.
    Lifo(Vec<T>),
    /// The least comes first, and the older one of equals.
    Priority {
        /// The items.
        ranked: BinaryHeap<Ranked<T>>,
        /// How two of them compare.
        compare: Compare<T>,
        /// How many were put.
        count: u64,
    },
}

/// How two items compare. As a function, so that only who makes a priority queue needs items that
/// can be compared.
type Compare<T> = fn(&T, &T) -> Ordering;

/// An item with its rank: of two the one that comes first is the greater, as the heap wants it.
pub(super) struct Ranked<T> {
    /// The item.
    item: T,
    /// How many were put before it.
    place: u64,
    /// As in the store.
    compare: Compare<T>,
}

impl<T> Store<T> {
    pub(super) fn fifo() -> Self {
        Store::Fifo(VecDeque::new())
    }

    pub(super) fn lifo() -> Self {
        Store::Lifo(Vec::new())
    }

    pub(super) fn priority() -> Self
    where
        T: Ord,
    {
        Store::Priority { ranked: BinaryHeap::new(), compare: T::cmp, count: 0 }
    }

    pub(super) fn push(&mut self, item: T) {
        match self {
            Store::Fifo(items) => items.push_back(item),
            Store::Lifo(items) => items.push(item),
            Store::Priority { ranked, compare, count } => {
                ranked.push(Ranked { item, place: *count, compare: *compare });
                *count += 1;
            }
        }
    }

    pub(super) fn pop(&mut self) -> Option<T> {
        match self {
            Store::Fifo(items) => items.pop_front(),
            Store::Lifo(items) => items.pop(),
            Store::Priority { ranked, .. } => ranked.pop().map(|ranked| ranked.item),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Store::Fifo(items) => items.len(),
            Store::Lifo(items) => items.len(),
            Store::Priority { ranked, .. } => ranked.len(),
        }
    }

    /// An empty one of the same order.
    pub(super) fn another(&self) -> Self {
        match self {
            Store::Fifo(_) => Self::fifo(),
            Store::Lifo(_) => Self::lifo(),
            Store::Priority { compare, count, .. } => {
                Store::Priority { ranked: BinaryHeap::new(), compare: *compare, count: *count }
            }
        }
    }

    /// What the order is called.
    pub(super) fn order(&self) -> &'static str {
        match self {
            Store::Fifo(_) => "fifo",
            Store::Lifo(_) => "lifo",
            Store::Priority { .. } => "priority",
        }
    }
}

impl<T> Ord for Ranked<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.compare)(&other.item, &self.item).then(other.place.cmp(&self.place))
    }
}

impl<T> PartialOrd for Ranked<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Ranked<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<T> Eq for Ranked<T> {}
