//! How much memory something takes: an allocator that counts, for targets that hold what they read to a bound.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes in use, and the most that there were since [`peak_of`] began to look.
static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

struct Counting;

fn more(bytes: usize) {
    let live = LIVE.fetch_add(bytes, Ordering::Relaxed) + bytes;
    PEAK.fetch_max(live, Ordering::Relaxed);
}

fn less(bytes: usize) {
    LIVE.fetch_sub(bytes, Ordering::Relaxed);
}

// SAFETY: all of it is the system's; only the sizes are counted.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        more(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        less(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both are there while it is copied.
        more(size);
        // SAFETY: the caller's promise.
        let place = unsafe { System.realloc(place, layout, size) };
        less(layout.size());
        place
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// How much more memory was in use while this ran than before it.
pub fn peak_of<T>(run: impl FnOnce() -> T) -> (T, usize) {
    let before = LIVE.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let value = run();
    (value, PEAK.load(Ordering::Relaxed) - before)
}

/// Runs it with input of this length, and panics if it takes more than `times` as much memory (and 16 KiB).
#[allow(dead_code)]
pub fn bounded<T>(length: usize, times: usize, run: impl FnOnce() -> T) -> T {
    let (value, peak) = peak_of(run);
    let most = 16 * 1024 + length * times;
    assert!(peak <= most, "{peak} bytes for {length} of input");
    value
}
