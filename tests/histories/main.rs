//! Random histories of one queue: whatever happens in whatever order, the rules hold.
//!
//! A history is a list of operations: callers, workers, recoverers, lost and late messages, clocks,
//! a server that forgets. It is played on the in-process broker and on two servers at once. After
//! every request all of them must answer and hold the same, each job must be in the one place that
//! its state says, nothing acknowledged may be lost, end twice or run against a cancel, each is told
//! the attempts and crashes that it had, and none waits beside a worker that waits; and at the end
//! everything must drain with live workers. Where an older state comes back, only the servers
//! take part.
//!
//! The short form, part of all tests, plays the same histories each time. The long form plays new
//! ones:
//!
//! ```text
//! tests/run histories [SECONDS]
//! ```
//!
//! | variable | |
//! |---|---|
//! | `TASK_HISTORIES_SECONDS` | plays new histories for so long |
//! | `TASK_HISTORIES_SEED` | plays the histories of this seed, once |
//!
//! A failure prints the shortest history that shows it, as it is written in `kept.rs`, and the line
//! that plays it again. A history that found a bug is kept there.

mod aim;
mod drain;
mod kept;
mod ledger;
mod operation;
mod play;
mod request;
mod runner;
mod site;
mod worker;
mod world;

use operation::{FAILOVERS, PROFILES};
use runner::{Stage, explore};

/// Histories of each profile in the short form.
const SHORT: u32 = 20;

#[test]
fn whatever_happens_the_rules_hold_and_all_brokers_agree() {
    explore(&Stage::everywhere(), &PROFILES, SHORT);
}

#[test]
fn whatever_happens_the_rules_hold_when_an_older_state_comes_back() {
    explore(&Stage::servers(), &FAILOVERS, SHORT);
}
