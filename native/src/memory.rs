//! What is said to the processor and to the system about memory. It changes the cost, and nothing
//! else.

/// Have what is at this place brought near.
#[inline(always)]
pub fn prefetch<T>(place: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_mm_prefetch, _MM_HINT_T0};
        let place: *const T = place;
        // SAFETY: SSE is part of x86-64, and a prefetch does not touch what it is given.
        unsafe { _mm_prefetch(place.cast(), _MM_HINT_T0) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

/// So many of an element, on pages of 2 MiB where they take much and the system has such for who asks:
/// a table that is looked into everywhere has 5,000 of the usual pages, of which a processor
/// remembers 2,000.
pub fn on_large_pages<T: Clone>(element: T, count: usize) -> Vec<T> {
    let mut elements = Vec::with_capacity(count);
    ask_for_large_pages(elements.as_ptr(), count * std::mem::size_of::<T>());
    elements.resize(count, element);
    elements
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn ask_for_large_pages<T>(begin: *const T, size_bytes: usize) {
    const PAGE: usize = 2 << 20;
    // What is as large as that is a mapping of its own (`pipeline/process/memory.py`), and goes with
    // it; the advice would stay with a heap, and have free memory come back.
    const LARGE: usize = 8 << 20;
    if size_bytes < LARGE {
        return;
    }
    let begin = begin as usize;
    let (from, to) = (begin.next_multiple_of(PAGE), (begin + size_bytes) / PAGE * PAGE);
    if from < to {
        // SAFETY: these pages are ours as a whole, and the advice leaves what is in them.
        unsafe { libc::madvise(from as *mut libc::c_void, to - from, libc::MADV_HUGEPAGE) };
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn ask_for_large_pages<T>(_: *const T, _: usize) {}
