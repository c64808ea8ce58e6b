//! [`Chain`]: a list through the nodes of a [`Nodes`], by their numbers. A node stands in one chain
//! at a time, or in none, and can leave it from any place at no cost.

use slab::Slab;

/// No node.
const NOBODY: usize = usize::MAX;

/// Nodes by number, each with its neighbours in a chain.
#[derive(Debug)]
pub(in crate::sync) struct Nodes<T>(Slab<Node<T>>);

/// A node.
#[derive(Debug)]
struct Node<T> {
    /// The neighbour that came before, where it stands in a chain.
    before: usize,
    /// The neighbour that came after, where it stands in a chain.
    after: usize,
    /// What it carries.
    item: T,
}

impl<T> Nodes<T> {
    /// None yet.
    pub(in crate::sync) const fn new() -> Self {
        Self(Slab::new())
    }

    /// Adds a node, which stands in no chain.
    pub(in crate::sync) fn insert(&mut self, item: T) -> usize {
        self.0.insert(Node { before: NOBODY, after: NOBODY, item })
    }

    /// Takes out a node that stands in no chain.
    pub(in crate::sync) fn remove(&mut self, key: usize) -> T {
        self.0.remove(key).item
    }

    pub(in crate::sync) fn get(&self, key: usize) -> &T {
        &self.0[key].item
    }

    pub(in crate::sync) fn get_mut(&mut self, key: usize) -> &mut T {
        &mut self.0[key].item
    }

    /// How many there are, in whatever chain.
    pub(in crate::sync) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Nodes in an order.
#[derive(Debug)]
pub(in crate::sync) struct Chain {
    /// The first node.
    first: usize,
    /// The last one.
    last: usize,
    /// How many there are.
    len: usize,
}

impl Chain {
    /// Without nodes.
    pub(in crate::sync) const fn new() -> Self {
        Self { first: NOBODY, last: NOBODY, len: 0 }
    }

    pub(in crate::sync) fn is_empty(&self) -> bool {
        self.first == NOBODY
    }

    pub(in crate::sync) fn len(&self) -> usize {
        self.len
    }

    pub(in crate::sync) fn first(&self) -> Option<usize> {
        some(self.first)
    }

    pub(in crate::sync) fn last(&self) -> Option<usize> {
        some(self.last)
    }

    /// The node after `key` in this chain.
    pub(in crate::sync) fn after<T>(&self, nodes: &Nodes<T>, key: usize) -> Option<usize> {
        some(nodes.0[key].after)
    }

    /// Puts a node of no chain at the end.
    pub(in crate::sync) fn push<T>(&mut self, nodes: &mut Nodes<T>, key: usize) {
        self.insert_before(nodes, key, None);
    }

    /// Puts a node of no chain before `next`, which is in this one; without it, at the end.
    pub(in crate::sync) fn insert_before<T>(
        &mut self,
        nodes: &mut Nodes<T>,
        key: usize,
        next: Option<usize>,
    ) {
        let before = match next {
            Some(next) => std::mem::replace(&mut nodes.0[next].before, key),
            None => std::mem::replace(&mut self.last, key),
        };
        match some(before) {
            Some(before) => nodes.0[before].after = key,
            None => self.first = key,
        }
        let node = &mut nodes.0[key];
        node.before = before;
        node.after = next.unwrap_or(NOBODY);
        self.len += 1;
    }

    /// Takes a node out of this chain, in which it stands.
    pub(in crate::sync) fn unlink<T>(&mut self, nodes: &mut Nodes<T>, key: usize) {
        let node = &mut nodes.0[key];
        let before = std::mem::replace(&mut node.before, NOBODY);
        let after = std::mem::replace(&mut node.after, NOBODY);
        match some(before) {
            Some(before) => nodes.0[before].after = after,
            None => self.first = after,
        }
        match some(after) {
            Some(after) => nodes.0[after].before = before,
            None => self.last = before,
        }
        self.len -= 1;
    }
}

fn some(key: usize) -> Option<usize> {
    (key != NOBODY).then_some(key)
}
