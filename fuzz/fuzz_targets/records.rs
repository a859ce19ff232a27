//! Records beside jobs of any bytes, and what is decided by them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| task_runtime::fuzzing::check("records")(data));
