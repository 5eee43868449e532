//! What happens when the system gives no more memory: an error in words and exit status 1, instead of
//! the abort that the standard library ends with.

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Write;

/// The system's allocator, with words for its end.
pub struct Telling;

#[global_allocator]
static ALLOCATOR: Telling = Telling;

/// Ends the program, without allocating.
#[cold]
fn end(bytes: usize) -> ! {
    let mut digits = [0u8; 20];
    let mut left = bytes;
    let mut at = digits.len();
    while at > 0 {
        at -= 1;
        digits[at] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    let mut stderr = std::io::stderr();
    let _ = stderr.write_all(b"error: not enough memory: the system refuses ");
    let _ = stderr.write_all(&digits[at..]);
    let _ = stderr.write_all(b" more bytes\n  fix:   give a smaller --memory, select fewer points, or raise the limit (`ulimit -v`)\n");
    signal_hook::low_level::exit(1)
}

#[expect(unsafe_code, reason = "an allocator has no safe interface")]
// SAFETY: every call is passed on to the system's allocator as it is; a null pointer is either returned,
// as the interface allows, or the program ends.
unsafe impl GlobalAlloc for Telling {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the rules of `GlobalAlloc`, which are those of `System`.
        told(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn dealloc(&self, p: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(p, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        told(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, p: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        told(unsafe { System.realloc(p, layout, size) }, size)
    }
}

#[inline]
fn told(p: *mut u8, bytes: usize) -> *mut u8 {
    if p.is_null() {
        end(bytes);
    }
    p
}

#[cfg(test)]
mod tests {
    #[test]
    fn memory_that_the_system_gives_can_be_used() {
        let mut bytes = vec![1u8; 1 << 20];
        bytes.resize(3 << 20, 2);
        assert_eq!(bytes.iter().map(|b| u64::from(*b)).sum::<u64>(), (1 << 20) + 2 * (2 << 20));
        assert_eq!(vec![0u64; 1000].iter().sum::<u64>(), 0);
    }
}
