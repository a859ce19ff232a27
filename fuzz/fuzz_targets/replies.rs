//! Answers of scripts of any form.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| task_runtime::fuzzing::check("replies")(data));
