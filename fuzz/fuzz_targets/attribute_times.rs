//! Durations and delays as the attribute takes them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| attribute::fuzzing::attribute_times(data));
