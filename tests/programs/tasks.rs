//! The tasks of the program that the tests of processes run; the tests enqueue them.
#![expect(clippy::disallowed_methods, reason = "a task that takes a while is what is tested")]

use std::time::Duration;

use task_runtime::prelude::*;

/// Takes a while, and says when it begins and ends.
#[task(queue = "work")]
pub(crate) async fn work(number: u64, millis: u64) -> Result<u64, String> {
    println!("begin {number}");
    tokio::time::sleep(Duration::from_millis(millis)).await;
    println!("end {number}");
    Ok(number)
}

/// Ends its process at once, as a bug in foreign code would.
#[task(queue = "work")]
pub(crate) async fn crash() {
    println!("crash");
    std::process::abort();
}

/// Adds two numbers.
#[task(queue = "sums", timeout = 5, max_attempts = 3)]
pub(crate) async fn add_numbers(a: u64, b: u64) -> Result<u64, String> {
    a.checked_add(b).ok_or_else(|| "too large".into())
}

/// Returns what it is given.
#[task(queue = "sums")]
pub(crate) async fn repeat(text: String) -> Result<String, String> {
    Ok(text)
}

/// Fails with text that would steer a terminal.
#[task(queue = "sums", max_attempts = 1)]
pub(crate) async fn fail_rudely() -> Result<(), String> {
    Err("\x1b]0;title\x07 no".into())
}

/// Blocks the thread that it runs on, as no task should.
#[task(queue = "work")]
pub(crate) async fn hog(millis: u64) {
    println!("hog");
    std::thread::sleep(Duration::from_millis(millis));
}

/// Blocks a thread of the blocking pool, and does not look whether it is to stop.
#[task(queue = "work", blocking)]
pub(crate) fn deaf(millis: u64) {
    println!("deaf");
    std::thread::sleep(Duration::from_millis(millis));
}
