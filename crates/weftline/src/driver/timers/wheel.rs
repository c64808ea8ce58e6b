//! Deadlines sorted into slots: a hierarchical timing wheel.
//!
//! Level 0 has 64 slots of one tick (2^15 ns, about 33 µs); a slot of each level above spans a
//! whole turn of the level below. An entry lies at the lowest level where its tick and the
//! wheel's own (`elapsed`) still differ, so whatever lies at a lower level is due earlier, and
//! the first occupied slot of the lowest occupied level is the earliest. When time reaches a slot
//! of a higher level, its entries move down. Entries live in two vectors and are linked by index;
//! nothing here is shared, locks or calls foreign code. `Timers` is the shared face.

use crate::driver::clock::NEVER_NS;
use std::task::Waker;

/// A tick is 2 to this many nanoseconds. Within a tick entries expire together once it is over
/// (an entry alone in its tick: at its own deadline), so this bounds how late the wheel is.
pub(super) const TICK_SHIFT: u32 = 15;
/// One level tells apart 2 to this many slots.
const SLOT_BITS: u32 = 6;
/// How many slots a level has.
const SLOTS: usize = 1 << SLOT_BITS;
/// Enough levels to tell apart all ticks of 64 bits of nanoseconds.
const LEVELS: usize = (u64::BITS - TICK_SHIFT).div_ceil(SLOT_BITS) as usize;
/// The place of entries that never expire: the only slot of one more level.
const NEVER_PLACE: usize = LEVELS * SLOTS;
/// A link with this bit names a place: the list of that place ends there.
const END: u32 = 1 << 31;
/// The serial of a vacant entry.
const VACANT: u64 = 0;
/// How many entries a call may move down for each that it may expire. Value picked out of thin
/// air: a move costs about a quarter of what running the woken task does, or less.
const MOVES_PER_EXPIRY: usize = 8;
/// Room for this many entries is kept for good.
const FEW: usize = 1024;

/// Names one entry of one wheel; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimerKey {
    /// Counts the insertions of the wheel, so that a key outlives its entry without harm.
    serial: u64,
    /// Where in the vectors the entry lies.
    index: u32,
}

impl TimerKey {
    /// Names no entry.
    pub(crate) const GONE: Self = Self { serial: u64::MAX, index: u32::MAX };
}

/// The half of an entry that sorting looks at: small, so that many stay in the cache.
#[derive(Clone, Copy, Debug)]
struct Node {
    /// When to expire.
    deadline_ns: u64,
    /// The entry before this one in its slot, or the place.
    previous: u32,
    /// The entry behind this one in its slot, or the place; of a free entry the next free one.
    next: u32,
}

/// The half of an entry that its user looks at.
#[derive(Debug)]
struct Entry {
    /// The key's serial, [`VACANT`] if the entry is free.
    serial: u64,
    /// Present unless the entry is free.
    waker: Option<Waker>,
}

/// The entries of one place, oldest first.
#[derive(Clone, Copy, Debug)]
struct Slot {
    /// No entry here is due earlier. May be too early once entries were removed.
    bound_ns: u64,
    /// The first entry, or the place itself.
    first: u32,
    /// The last entry, or the place itself.
    last: u32,
}

/// Entries by deadline. All ticks are nanoseconds divided by 2^[`TICK_SHIFT`].
#[derive(Debug)]
pub(super) struct Wheel {
    /// All entries, free ones too.
    entries: Vec<Entry>,
    /// Their other halves, by the same index.
    nodes: Vec<Node>,
    /// The first free entry, or [`END`].
    free: u32,
    /// How many entries are not free.
    live: usize,
    /// The serial of the latest insertion.
    serial: u64,
    /// The tick the places are relative to. Never ahead of time; no entry lies at an earlier tick.
    elapsed: u64,
    /// One bit for each level that has an entry.
    levels: u32,
    /// For each level one bit for each slot that has an entry.
    occupied: [u64; LEVELS + 1],
    /// The slots, level by level.
    slots: Box<[Slot]>,
    /// The place that time has reached and whose entries have not all moved down yet.
    moving_down: Option<usize>,
}

impl Wheel {
    pub(super) fn new() -> Self {
        let slots = (0..=NEVER_PLACE).map(|place| {
            let end = END | place as u32;
            Slot { bound_ns: NEVER_NS, first: end, last: end }
        });
        Self {
            entries: Vec::new(),
            nodes: Vec::new(),
            free: END,
            live: 0,
            serial: VACANT,
            elapsed: 0,
            levels: 0,
            occupied: [0; LEVELS + 1],
            slots: slots.collect(),
            moving_down: None,
        }
    }

    /// How many entries there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.live
    }

    /// How many entries fit without asking for memory.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.entries.capacity()
    }

    pub(super) fn insert(&mut self, deadline_ns: u64, waker: Waker) -> TimerKey {
        self.serial += 1;
        let serial = self.serial;
        let entry = Entry { serial, waker: Some(waker) };
        let node = Node { deadline_ns, previous: END, next: END };
        let index = self.free;
        let index = if index == END {
            // 2^31 entries are 86 GB; memory ends before.
            let index = u32::try_from(self.entries.len()).unwrap_or(END);
            assert!(index < END, "more than 2147483647 timers on one worker");
            self.entries.push(entry);
            self.nodes.push(node);
            index
        } else {
            self.entries[index as usize] = entry;
            self.free = std::mem::replace(&mut self.nodes[index as usize], node).next;
            index
        };
        self.live += 1;
        self.link(index, self.place(deadline_ns), deadline_ns);
        TimerKey { serial, index }
    }

    /// The waker of the entry that `key` names, if that has not expired.
    pub(super) fn waker(&mut self, key: TimerKey) -> Option<&mut Waker> {
        self.find(key)?.waker.as_mut()
    }

    /// Moves an entry's deadline back. Returns false if it has expired.
    pub(super) fn postpone(&mut self, key: TimerKey, by_ns: u64) -> bool {
        if self.find(key).is_none() {
            return false;
        }
        let node = &mut self.nodes[key.index as usize];
        let deadline_ns = node.deadline_ns.saturating_add(by_ns);
        node.deadline_ns = deadline_ns;
        self.unlink(key.index);
        self.link(key.index, self.place(deadline_ns), deadline_ns);
        true
    }

    /// Takes an entry out before it expires.
    pub(super) fn remove(&mut self, key: TimerKey) -> Option<Waker> {
        let waker = self.find(key)?.waker.take();
        self.unlink(key.index);
        self.release(key.index);
        self.released();
        waker
    }

    /// Takes all entries out.
    pub(super) fn clear(&mut self, wakers: &mut Vec<Waker>) {
        wakers.extend(self.entries.iter_mut().filter_map(|entry| entry.waker.take()));
        *self = Self { serial: self.serial, elapsed: self.elapsed, ..Self::new() };
    }

    /// Takes out what is due at `now_ns`, earliest tick first, at most `limit` entries; moves
    /// entries down where time has reached their slot. If [`Self::next_ns`] was not after
    /// `now_ns` and `limit` is not zero, some entry expires or moves down or `next_ns` grows.
    pub(super) fn expire(&mut self, now_ns: u64, limit: usize, wakers: &mut Vec<Waker>) {
        let now_tick = now_ns >> TICK_SHIFT;
        let mut expiries = limit;
        let mut moves = limit.saturating_mul(MOVES_PER_EXPIRY);
        while let Some(place) = self.moving_down.or_else(|| self.first_place()) {
            if place < SLOTS {
                if now_ns < self.due_ns(place) {
                    break;
                }
                self.elapsed = self.start_tick(place);
                expiries -= self.expire_slot(place, expiries, wakers);
            } else {
                if place == NEVER_PLACE || now_tick < self.start_tick(place) {
                    break;
                }
                self.elapsed = self.start_tick(place);
                moves -= self.move_down(place, moves);
            }
            if expiries == 0 || moves == 0 {
                self.released();
                return;
            }
        }
        // Every slot that begins by now has been emptied, so no entry changes its place.
        self.elapsed = self.elapsed.max(now_tick);
        self.released();
    }

    /// When `expire` has something to do; [`NEVER_NS`]: not before the next insertion. At most a
    /// tick after the earliest deadline; before it only if entries were removed.
    #[inline]
    pub(super) fn next_ns(&self) -> u64 {
        let next = self.first_place().map_or(NEVER_NS, |place| self.due_ns(place));
        match self.moving_down {
            None => next,
            Some(place) => next.min(self.slots[place].bound_ns),
        }
    }

    /// The earliest deadline to the nanosecond, as far as it can be known by looking not beyond
    /// `bound_ns`; for a time that jumps. `None`: ask again with the new [`Self::next_ns`].
    pub(super) fn earliest_ns(&mut self, bound_ns: u64) -> Option<u64> {
        while let Some(place) = self.moving_down.or_else(|| self.first_place()) {
            if place < SLOTS {
                return self.entries_of(place).map(|index| self.deadline_of(index)).min();
            }
            if place == NEVER_PLACE || self.start_tick(place) > bound_ns >> TICK_SHIFT {
                break;
            }
            self.elapsed = self.start_tick(place);
            self.move_down(place, usize::MAX);
        }
        None
    }

    /// Takes out what is due at `now_ns` exactly as [`Self::earliest_ns`] has found it: to the
    /// nanosecond, in the order of insertion.
    pub(super) fn expire_exactly(&mut self, now_ns: u64, wakers: &mut Vec<Waker>) {
        let Some(place) = self.first_place().filter(|place| *place < SLOTS) else { return };
        let due = |index: &u32| self.deadline_of(*index) <= now_ns;
        let due: Vec<_> = self.entries_of(place).filter(due).collect();
        for index in due {
            wakers.extend(self.entries[index as usize].waker.take());
            self.unlink(index);
            self.release(index);
        }
        self.released();
    }

    /// The entries of a place, oldest first.
    fn entries_of(&self, place: usize) -> impl Iterator<Item = u32> {
        let is_entry = |index: &u32| index & END == 0;
        let first = Some(self.slots[place].first).filter(is_entry);
        std::iter::successors(first, move |index| {
            Some(self.nodes[*index as usize].next).filter(is_entry)
        })
    }

    fn deadline_of(&self, index: u32) -> u64 {
        self.nodes[index as usize].deadline_ns
    }

    /// When the first occupied `place` has something to do.
    #[inline]
    fn due_ns(&self, place: usize) -> u64 {
        let slot = &self.slots[place];
        if place >= SLOTS {
            slot.bound_ns
        } else if slot.first == slot.last {
            self.nodes[slot.first as usize].deadline_ns
        } else {
            // The last nanosecond of the tick: all of the slot at once.
            let end_ns = (self.start_tick(place) << TICK_SHIFT) | ((1 << TICK_SHIFT) - 1);
            end_ns.min(NEVER_NS - 1)
        }
    }

    /// Where an entry with this deadline belongs now. What is past lies in the current tick.
    #[inline]
    fn place(&self, deadline_ns: u64) -> usize {
        if deadline_ns == NEVER_NS {
            return NEVER_PLACE;
        }
        let tick = (deadline_ns >> TICK_SHIFT).max(self.elapsed);
        let level = ((tick ^ self.elapsed) | 1).ilog2() / SLOT_BITS;
        let slot = (tick >> (level * SLOT_BITS)) as usize % SLOTS;
        level as usize * SLOTS + slot
    }

    /// The first tick of an occupied place.
    #[inline]
    fn start_tick(&self, place: usize) -> u64 {
        let shift = (place / SLOTS) as u32 * SLOT_BITS;
        // Above its own level a place agrees with `elapsed`.
        let above = self.elapsed >> shift >> SLOT_BITS << SLOT_BITS;
        (above | (place % SLOTS) as u64) << shift
    }

    /// The occupied place that is due first, apart from the one that is moving down.
    #[inline]
    fn first_place(&self) -> Option<usize> {
        if self.levels == 0 {
            return None;
        }
        let level = self.levels.trailing_zeros() as usize;
        Some(level * SLOTS + self.occupied[level].trailing_zeros() as usize)
    }

    #[inline]
    fn find(&mut self, key: TimerKey) -> Option<&mut Entry> {
        self.entries.get_mut(key.index as usize).filter(|entry| entry.serial == key.serial)
    }

    /// Appends an entry to the list of `place`.
    #[inline]
    fn link(&mut self, index: u32, place: usize, deadline_ns: u64) {
        let slot = &mut self.slots[place];
        let last = std::mem::replace(&mut slot.last, index);
        if last & END == 0 {
            slot.bound_ns = slot.bound_ns.min(deadline_ns);
            self.nodes[last as usize].next = index;
        } else {
            slot.bound_ns = deadline_ns;
            slot.first = index;
            self.occupied[place / SLOTS] |= 1 << (place % SLOTS);
            self.levels |= 1 << (place / SLOTS);
        }
        let node = &mut self.nodes[index as usize];
        node.previous = last;
        node.next = END | place as u32;
    }

    /// Takes an entry out of its list.
    #[inline]
    fn unlink(&mut self, index: u32) {
        let Node { previous, next, .. } = self.nodes[index as usize];
        if previous & END == 0 {
            self.nodes[previous as usize].next = next;
        } else {
            self.slots[(previous ^ END) as usize].first = next;
        }
        if next & END == 0 {
            self.nodes[next as usize].previous = previous;
        } else {
            self.slots[(next ^ END) as usize].last = previous;
        }
        if previous & next & END != 0 {
            self.vacate((next ^ END) as usize);
        }
    }

    /// Notes that a place has lost its last entry.
    #[inline]
    fn vacate(&mut self, place: usize) {
        let level = place / SLOTS;
        self.occupied[level] &= !(1 << (place % SLOTS));
        if self.occupied[level] == 0 {
            self.levels &= !(1 << level);
        }
        if self.moving_down == Some(place) {
            self.moving_down = None;
        }
    }

    /// Gives an entry that is in no list back for reuse.
    #[inline]
    fn release(&mut self, index: u32) {
        self.entries[index as usize].serial = VACANT;
        self.nodes[index as usize].next = std::mem::replace(&mut self.free, index);
        self.live -= 1;
    }

    /// Starts over with large vectors when the last entry has gone, so that they stay dense, and
    /// gives memory back that the last round did not need.
    #[inline]
    fn released(&mut self) {
        if self.live == 0 && self.entries.capacity() > FEW {
            self.start_over();
        }
    }

    #[cold]
    fn start_over(&mut self) {
        let used = self.entries.len();
        self.entries.clear();
        self.nodes.clear();
        self.free = END;
        if used < self.entries.capacity() / 4 {
            self.entries.shrink_to(self.entries.capacity() / 2);
            self.nodes.shrink_to(self.nodes.capacity() / 2);
        }
    }

    /// Expires the entries of a slot of level 0, at most `limit`; returns how many.
    fn expire_slot(&mut self, place: usize, limit: usize, wakers: &mut Vec<Waker>) -> usize {
        let mut expired = 0;
        let mut index = self.slots[place].first;
        while index & END == 0 && expired < limit {
            let next = self.nodes[index as usize].next;
            wakers.extend(self.entries[index as usize].waker.take());
            self.release(index);
            expired += 1;
            index = next;
        }
        self.slots[place].first = index;
        if index & END == 0 {
            self.nodes[index as usize].previous = END | place as u32;
        } else {
            self.slots[place].last = index;
            self.vacate(place);
        }
        expired
    }

    /// Moves the entries of a slot that time has reached to where they belong now, which is
    /// below; at most `limit`; returns how many.
    fn move_down(&mut self, place: usize, limit: usize) -> usize {
        self.moving_down = Some(place);
        let mut moved = 0;
        while self.moving_down.is_some() && moved < limit {
            let index = self.slots[place].first;
            self.unlink(index);
            let deadline_ns = self.nodes[index as usize].deadline_ns;
            self.link(index, self.place(deadline_ns), deadline_ns);
            moved += 1;
        }
        moved
    }
}
