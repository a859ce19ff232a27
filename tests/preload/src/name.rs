//! A name of a host that a test takes away and gives back: it has the address of this machine while a file is there.

use std::ffi::{CStr, c_char, c_int};

use libc::addrinfo;

/// The name, and the file. `support` sets them.
const NAME: &CStr = c"TASK_TEST_NAME";
const FILE: &CStr = c"TASK_TEST_NAME_FILE";
const HERE: &CStr = c"127.0.0.1";

type Lookup = unsafe extern "C" fn(*const c_char, *const c_char, *const addrinfo, *mut *mut addrinfo) -> c_int;

/// The addresses of a host; of the one name, as a resolver that nobody answers tells it, none while there is no file.
///
/// # Safety
/// As the function of C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn getaddrinfo(
    node: *const c_char,
    service: *const c_char,
    hints: *const addrinfo,
    found: *mut *mut addrinfo,
) -> c_int {
    // SAFETY: the caller answers for its own; the environment of a process under test does not change, and the symbol
    // that comes next is the function of C of this name.
    unsafe {
        let next = libc::dlsym(libc::RTLD_NEXT, c"getaddrinfo".as_ptr());
        assert!(!next.is_null(), "there is no C library");
        let lookup = std::mem::transmute::<*mut libc::c_void, Lookup>(next);
        let (name, file) = (libc::getenv(NAME.as_ptr()), libc::getenv(FILE.as_ptr()));
        if node.is_null() || name.is_null() || file.is_null() || libc::strcmp(node, name) != 0 {
            return lookup(node, service, hints, found);
        }
        if libc::access(file, libc::F_OK) != 0 {
            return libc::EAI_AGAIN;
        }
        lookup(HERE.as_ptr(), service, hints, found)
    }
}
