//! A wall clock that a test moves: it adds to the time of day what a file says.
//!
//! The file is mapped, so that the process sees a new shift with its next look at the clock, and the look costs no
//! more than a load. The monotonic clock is left alone. Nothing here allocates, because the allocator of a server may
//! itself ask for the time.

use std::ffi::{CStr, c_int, c_long};
use std::ptr;
use std::sync::atomic::{AtomicI64, AtomicPtr, Ordering};

use libc::{clockid_t, time_t, timespec, timeval};

/// Names the file: eight bytes, the shift in nanoseconds as a signed whole number of this machine. `support` writes it.
const SHIFT_FILE: &CStr = c"TASK_TEST_CLOCK_SHIFT";
/// The exit code of a process whose file cannot be read: a test with an unmoved clock would prove nothing.
const NO_SHIFT: c_int = 97;
const NANOS: i64 = 1_000_000_000;

static SHIFT: AtomicPtr<AtomicI64> = AtomicPtr::new(ptr::null_mut());

/// Called by the loader before the program begins. What asks for the time even before gets the true one.
#[used]
#[unsafe(link_section = ".init_array")]
static BEGIN: extern "C" fn() = begin;

extern "C" fn begin() {
    // SAFETY: the C library is there, since this library depends on it, and no other thread is yet. The mapping is
    // never undone, is as large as an i64 and begins on a page.
    unsafe {
        let path = libc::getenv(SHIFT_FILE.as_ptr());
        if path.is_null() {
            return;
        }
        let file = libc::open(path, libc::O_RDONLY | libc::O_CLOEXEC);
        let map = libc::mmap(ptr::null_mut(), size_of::<i64>(), libc::PROT_READ, libc::MAP_SHARED, file, 0);
        if file < 0 || map == libc::MAP_FAILED {
            libc::perror(SHIFT_FILE.as_ptr());
            libc::_exit(NO_SHIFT);
        }
        libc::close(file);
        SHIFT.store(map.cast(), Ordering::Release);
    }
}

fn shift() -> i64 {
    // SAFETY: null, or the mapping, which lasts; whoever writes the file writes all eight bytes at once.
    unsafe { SHIFT.load(Ordering::Acquire).as_ref() }.map_or(0, |shift| shift.load(Ordering::Relaxed))
}

/// The time of a clock, the time of day with the shift.
///
/// # Safety
/// As the function of C: `time` is a valid place, or an address that the kernel refuses.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: clockid_t, time: *mut timespec) -> c_int {
    // SAFETY: the kernel checks the address.
    let result = unsafe { libc::syscall(libc::SYS_clock_gettime, clock as c_long, time) };
    if result == 0 && matches!(clock, libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_COARSE) {
        // SAFETY: the kernel has just written there.
        let (time, shift) = (unsafe { &mut *time }, shift());
        let nanos = time.tv_nsec + shift % NANOS;
        time.tv_sec += shift / NANOS + nanos.div_euclid(NANOS);
        time.tv_nsec = nanos.rem_euclid(NANOS);
    }
    result as c_int
}

/// The time of day with the shift, in microseconds. Time zones are not told, as nowhere today.
///
/// # Safety
/// As the function of C: `time` is null or a valid place.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gettimeofday(time: *mut timeval, _zone: *mut libc::timezone) -> c_int {
    // SAFETY: `now` is a valid place, and the caller answers for its own.
    unsafe {
        let mut now = timespec { tv_sec: 0, tv_nsec: 0 };
        let result = clock_gettime(libc::CLOCK_REALTIME, &raw mut now);
        if result == 0 && !time.is_null() {
            *time = timeval { tv_sec: now.tv_sec, tv_usec: now.tv_nsec / 1_000 };
        }
        result
    }
}

/// The time of day with the shift, in seconds.
///
/// # Safety
/// As the function of C: `time` is null or a valid place.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn time(time: *mut time_t) -> time_t {
    // SAFETY: `now` is a valid place, and the caller answers for its own.
    unsafe {
        let mut now = timespec { tv_sec: 0, tv_nsec: 0 };
        clock_gettime(libc::CLOCK_REALTIME, &raw mut now);
        if !time.is_null() {
            *time = now.tv_sec;
        }
        now.tv_sec
    }
}
