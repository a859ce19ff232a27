//! Options of the attribute, a line, then the item that it stands on.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| attribute::fuzzing::attribute(data));
