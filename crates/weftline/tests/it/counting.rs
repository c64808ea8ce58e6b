//! An allocator that counts, for the whole test binary: per thread how often, in all how much.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicIsize, Ordering};

#[global_allocator]
static COUNTING: Counting = Counting;

/// Bytes that are allocated now.
static BYTES: AtomicIsize = AtomicIsize::new(0);

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

/// How often the calling thread has allocated.
pub(crate) fn allocations_of_this_thread() -> usize {
    ALLOCATIONS.with(Cell::get)
}

/// How many bytes the process has allocated at this moment.
pub(crate) fn bytes_in_use() -> isize {
    BYTES.load(Ordering::Relaxed)
}

fn count(allocations: usize, bytes: usize, taken: bool) {
    // An allocation in the last breath of a thread is nobody's.
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + allocations));
    let bytes = isize::try_from(bytes).unwrap_or(isize::MAX);
    BYTES.fetch_add(if taken { bytes } else { -bytes }, Ordering::Relaxed);
}

struct Counting;

// SAFETY: all is passed on to the system's allocator; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size(), true);
        // SAFETY: passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        count(0, layout.size(), false);
        // SAFETY: passed on.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        count(1, bytes, true);
        count(0, layout.size(), false);
        // SAFETY: passed on.
        unsafe { System.realloc(place, layout, bytes) }
    }
}
