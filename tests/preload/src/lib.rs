//! What a test changes of the system around a process into which this is preloaded: its wall clock, and one name.
#![cfg(target_os = "linux")]
#![allow(unsafe_code, reason = "functions of C are replaced")]

pub mod clock;
pub mod name;
