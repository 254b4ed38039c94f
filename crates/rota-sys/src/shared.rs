//! Memory that a process shares with those that it forks.

use std::io;
use std::ptr;
use std::sync::atomic::AtomicU64;

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};

/// Makes so many words, all zero, that this process and its later children see alike. They stay for the life
/// of the process: what refers to them needs no count. Memory is used where they are touched, page by page.
///
/// # Errors
/// `InvalidInput` for none at all, or more than the address space holds; otherwise what `mmap` says.
pub fn words(count: usize) -> io::Result<&'static [AtomicU64]> {
    let bytes = count
        .checked_mul(size_of::<AtomicU64>())
        .filter(|bytes| (1..=isize::MAX.unsigned_abs()).contains(bytes))
        .ok_or(io::ErrorKind::InvalidInput)?;
    let access = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: the kernel chooses the place: nothing that is mapped is touched.
    let start = unsafe { mmap_anonymous(ptr::null_mut(), bytes, access, MapFlags::SHARED) }?;
    // SAFETY: fresh, zeroed, aligned to a page, as long as said, and never unmapped. Every bit pattern is a
    // value, and all who can reach it (this process and its children) go through these atomics.
    Ok(unsafe { std::slice::from_raw_parts(start.cast(), count) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering;

    #[test]
    fn words_are_zero_and_keep_what_is_stored() {
        let words = words(100_000).unwrap();
        assert_eq!(words.len(), 100_000);
        assert!(words.iter().all(|word| word.load(Ordering::Relaxed) == 0));
        words[99_999].store(u64::MAX, Ordering::Relaxed);
        assert_eq!(words[99_999].load(Ordering::Relaxed), u64::MAX);
        assert!(super::words(0).is_err());
        assert!(super::words(usize::MAX).is_err());
    }
}
