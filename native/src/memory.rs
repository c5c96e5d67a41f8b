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

/// What is all zeros to begin with.
///
/// # Safety
///
/// An object whose bytes are all zeros is one of this type.
pub unsafe trait Zeros: Copy {}

/// So many elements, zeros to begin with, on pages of their own: a table that grows leaves no holes
/// in the heap, which is full of what comes and goes, and gives back what it took.
///
/// Where it takes much, its pages are of 2 MiB if the system has such for who asks: a table that is
/// looked into everywhere has 5,000 of the usual ones, of which a processor remembers 2,000.
pub use pages::Pages;

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod pages {
    use super::Zeros;
    use std::alloc::{handle_alloc_error, Layout};
    use std::ops::{Deref, DerefMut};
    use std::ptr::{null_mut, NonNull};

    const LARGE_PAGE: usize = 2 << 20;
    /// Of these, a page more or less does not matter.
    const LARGE: usize = 4 * LARGE_PAGE;

    pub struct Pages<T> {
        begin: NonNull<T>,
        count: usize,
    }

    // SAFETY: it owns its elements, as a Vec does.
    unsafe impl<T: Send> Send for Pages<T> {}
    // SAFETY: as above.
    unsafe impl<T: Sync> Sync for Pages<T> {}

    impl<T: Zeros> Pages<T> {
        /// So many, and one at least.
        pub fn new(count: usize) -> Self {
            let layout = Layout::array::<T>(count.max(1)).expect("fewer than memory has bytes");
            let (size, flags) = (layout.size(), libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
            // SAFETY: new pages, which are nobody else's.
            let begin = unsafe {
                libc::mmap(null_mut(), size, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0)
            };
            let Some(begin) = NonNull::new(begin).filter(|at| at.as_ptr() != libc::MAP_FAILED)
            else {
                handle_alloc_error(layout)
            };
            ask_for_large_pages(begin.as_ptr() as usize, size);
            Pages { begin: begin.cast(), count: count.max(1) }
        }
    }

    fn ask_for_large_pages(begin: usize, size: usize) {
        let (from, to) =
            (begin.next_multiple_of(LARGE_PAGE), (begin + size) / LARGE_PAGE * LARGE_PAGE);
        if size >= LARGE {
            // SAFETY: these pages are ours as a whole, and the advice leaves what is in them.
            unsafe { libc::madvise(from as *mut libc::c_void, to - from, libc::MADV_HUGEPAGE) };
        }
    }

    impl<T> Deref for Pages<T> {
        type Target = [T];
        #[inline(always)]
        fn deref(&self) -> &[T] {
            // SAFETY: mapped for so many, aligned as pages are; zeros are elements (`Zeros`).
            unsafe { std::slice::from_raw_parts(self.begin.as_ptr(), self.count) }
        }
    }

    impl<T> DerefMut for Pages<T> {
        #[inline(always)]
        fn deref_mut(&mut self) -> &mut [T] {
            // SAFETY: as of `deref`; and it is borrowed by us alone.
            unsafe { std::slice::from_raw_parts_mut(self.begin.as_ptr(), self.count) }
        }
    }

    impl<T> Drop for Pages<T> {
        fn drop(&mut self) {
            let size = self.count * size_of::<T>();
            // SAFETY: as they were mapped; elements are Copy, and have nothing to drop.
            unsafe { libc::munmap(self.begin.as_ptr().cast(), size) };
        }
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
mod pages {
    use super::Zeros;
    use std::ops::{Deref, DerefMut};

    pub struct Pages<T>(Vec<T>);

    impl<T: Zeros> Pages<T> {
        /// So many, and one at least.
        pub fn new(count: usize) -> Self {
            // SAFETY: zeros are an element (`Zeros`).
            Pages(vec![unsafe { std::mem::zeroed() }; count.max(1)])
        }
    }

    impl<T> Deref for Pages<T> {
        type Target = [T];
        fn deref(&self) -> &[T] {
            &self.0
        }
    }

    impl<T> DerefMut for Pages<T> {
        fn deref_mut(&mut self) -> &mut [T] {
            &mut self.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // SAFETY: so it is.
    unsafe impl Zeros for [u64; 8] {}

    #[test]
    fn pages_are_zeros_that_are_kept() {
        for count in [1, 7, 100_000, 300_000] {
            let mut pages: Pages<[u64; 8]> = Pages::new(count);
            assert_eq!(pages.len(), count);
            assert!(pages.iter().all(|one| *one == [0; 8]));
            (0..count).for_each(|n| pages[n] = [n as u64; 8]);
            assert!((0..count).all(|n| pages[n] == [n as u64; 8]));
        }
    }
}
