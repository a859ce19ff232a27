//! Names of any bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| task_runtime::fuzzing::check("names")(data));
