//! Words of the command line.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| task_runtime::fuzzing::check("command_line")(data));
