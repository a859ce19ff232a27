//! Errors of a server, and URLs.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| task_runtime::fuzzing::check("server")(data));
