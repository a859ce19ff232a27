//! A namespace of its own for each test, so that tests share a server and still run beside each other.

use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

/// A name that no other call in any test process returns, made of `[A-Za-z0-9_.-]` only.
pub fn namespace() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("test-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
