//! How much memory something holds at most while it runs, on its own thread.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    static NOW: Cell<usize> = const { Cell::new(0) };
    static MOST: Cell<usize> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn taken(bytes: usize) {
    // A thread that ends frees after its cells are gone.
    let _ = NOW.try_with(|now| {
        now.set(now.get().saturating_add(bytes));
        MOST.with(|most| most.set(most.get().max(now.get())));
    });
}

fn given_back(bytes: usize) {
    let _ = NOW.try_with(|now| now.set(now.get().saturating_sub(bytes)));
}

// SAFETY: all is left to the system's allocator; the cells are constant and allocate nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        taken(layout.size());
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        given_back(layout.size());
        // SAFETY: the pointer is one of ours, which are the system's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// The most bytes that `run` held at a time.
pub(crate) fn most_allocated(run: impl FnOnce()) -> usize {
    let before = NOW.get();
    MOST.set(before);
    run();
    MOST.get() - before
}

#[test]
fn what_is_held_is_counted_and_what_was_given_back_is_not() {
    let most = most_allocated(|| {
        drop(vec![0_u8; 1_000]);
        drop(vec![0_u8; 3_000]);
    });
    assert!((3_000..4_000).contains(&most), "{most}");
}
