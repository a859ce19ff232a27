//! The tasks of the program that the tests of processes run; the tests enqueue them.
#![expect(clippy::disallowed_methods, reason = "a task that takes a while is what is tested")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use task_runtime::prelude::*;

/// Takes a while, and says when it begins and ends.
#[task(queue = "work")]
pub(crate) async fn work(number: u64, millis: u64) -> Result<u64, String> {
    println!("begin {number}");
    tokio::time::sleep(Duration::from_millis(millis)).await;
    println!("end {number}");
    Ok(number)
}

/// Takes a while, and has the loop that lent it die meanwhile, once.
#[task(queue = "work")]
pub(crate) async fn undermine(millis: u64) -> Result<(), String> {
    static ONCE: std::sync::Once = std::sync::Once::new();
    println!("begin undermine");
    ONCE.call_once(|| fail::cfg("turn-answered", "1*panic->off").expect("an action"));
    tokio::time::sleep(Duration::from_millis(millis)).await;
    println!("end undermine");
    Ok(())
}

/// Ends its process at once, as a bug in foreign code would.
#[task(queue = "work")]
pub(crate) async fn crash() {
    println!("crash");
    std::process::abort();
}

/// Ends its process after a while.
#[task(queue = "work")]
pub(crate) async fn crash_later(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
    println!("crash");
    std::process::abort();
}

/// Panics, as a bug does.
#[task(queue = "work", max_attempts = 1)]
pub(crate) async fn panic_at_once() {
    panic!("no such row");
}

/// Takes so much memory, and writes to all of it.
#[task(queue = "work", max_attempts = 1)]
pub(crate) async fn devour(bytes: usize) {
    println!("devour");
    drop(std::hint::black_box(vec![1_u8; bytes]));
}

/// Takes a while and fails, and is tried again long after.
#[task(queue = "work", backoff = ["1h"])]
pub(crate) async fn stumble(number: u64, millis: u64) -> Result<(), String> {
    println!("began {number}");
    tokio::time::sleep(Duration::from_millis(millis)).await;
    Err(format!("{number} stumbled"))
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

/// Takes a while, and tells the history of its job, a line each time: `began`, then `ended` or `dropped`, with the
/// number of the job, the token of the claim and the time in ms.
#[task(queue = "fleet")]
pub(crate) async fn trace(number: u64, millis: u64, #[inject] ctx: &Context) {
    let mut run = Run { number, token: ctx.fencing_token(), end: "dropped" };
    run.tell("began");
    tokio::time::sleep(Duration::from_millis(millis)).await;
    run.end = "ended";
}

struct Run {
    number: u64,
    token: u64,
    end: &'static str,
}

impl Run {
    fn tell(&self, what: &str) {
        println!("{what} {} {} {}", self.number, self.token, now_ms());
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.tell(self.end);
    }
}

/// All processes of one machine have the same.
pub(crate) fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    u64::try_from(now.as_millis()).expect("it is not the end of time")
}
