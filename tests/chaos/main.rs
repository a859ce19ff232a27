//! Real workers, producers and servers under a schedule of faults, and a checker of what they wrote down.
//!
//! A supervisor runs several workers and producers, each behind a proxy of its own, around one server with an
//! append-only file. A nemesis, whose schedule is drawn from a seed, kills, freezes and restarts them and the server,
//! disturbs their lines, and has them crash at exact places. Handlers and producers append what they see to journals.
//! When the faults are over everything must drain within a minute; then the checker reads all journals, and what the
//! server holds, and looks for what may not be: a job that is lost, ended twice or by somebody who no longer had it,
//! began too early, too often, without a reason or beside more than its worker may run, is stuck, or left something
//! behind.
//!
//! The short form, part of all tests, takes half a minute on each server. The long form draws a seed of its own:
//!
//! ```text
//! tests/run chaos [SECONDS] [SEED]
//! ```
//!
//! | variable | |
//! |---|---|
//! | `TASK_CHAOS_SECONDS` | how long the faults go on, on each server |
//! | `TASK_CHAOS_SEED` | what the schedule is drawn from |
//!
//! A violation prints the whole history of its job, and the line that repeats the run; the journals and the logs of all
//! processes are kept. The same seed gives the same schedule, but not the same instants.

mod checker;
#[cfg(test)]
mod checker_tests;
mod fleet;
mod history;
mod journal;
mod nemesis;
mod outages;
mod process;
mod report;
mod stock;
#[path = "../programs/chaos/tasks.rs"]
mod tasks;

use std::env;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use support::{Server, ServerOptions, goes_on_for};

use checker::{Checker, Violation};
use fleet::Fleet;
use history::History;
use journal::{SEED, now_us};
use nemesis::Nemesis;
use report::Report;
use stock::Stock;

/// How long the faults go on in the short form.
const SHORT: Duration = Duration::from_secs(20);
/// So long before their end, or for half the time, there are no more jobs that end their process, which take long to be
/// dead.
const POISON_ENDS: Duration = Duration::from_secs(60);
/// So many jobs there are in each second, usually some sixty, and a fault in so many seconds, usually in each.
const LEAST_JOBS: u64 = 10;
const LEAST_FAULT: u64 = 2;
/// The seed of the short form.
const ANY_SEED: u64 = 1;

#[test]
fn whatever_fails_nothing_is_lost_doubled_or_stuck_on_redis() {
    survives("redis", Server::redis());
}

#[test]
fn whatever_fails_nothing_is_lost_doubled_or_stuck_on_valkey() {
    survives("valkey", Server::valkey());
}

fn survives(name: &str, options: ServerOptions) {
    // One at a time: what is measured is faults, and not how many processes a machine can run.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let time = goes_on_for(SHORT, Duration::MAX);
    let seed = match env::var(SEED) {
        Ok(seed) if !seed.is_empty() => seed.parse().unwrap_or_else(|_| panic!("{SEED} is {seed}, expected a number")),
        _ => ANY_SEED,
    };
    let again = format!(
        "TASK_CHAOS_SECONDS={} TASK_CHAOS_SEED={seed} cargo test -p task-tests --test chaos {name}",
        time.as_secs()
    );
    println!("{name}: {time:?} of faults, seed {seed}; again with: {again}");
    let folder = tempfile::Builder::new().prefix("task-chaos-").tempdir().expect("the temporary folder is writable");
    // Whatever goes wrong, what was written down stays.
    let folder = folder.keep();
    println!("journals and logs: {}", folder.display());
    let mut fleet = Fleet::start(options, folder.clone(), seed);
    let mut nemesis = Nemesis::new(seed);
    fleet.produce(time - POISON_ENDS.min(time / 2));
    nemesis.rage(&mut fleet, time);

    let mut violations = Vec::new();
    let mut note = |rule: &'static str, what: Vec<String>| {
        violations.extend(what.into_iter().map(|what| Violation { rule, id: None, what }));
    };
    note("ready", fleet.not_ready());
    fleet.stop_producers();
    let drained = fleet.drain();
    match &drained {
        Ok(_) => {
            note("wake", fleet.probe());
            note("leak", fleet.leaks());
            note("end of a worker", fleet.stop_workers());
            note("fsck", fleet.unsound());
        }
        Err(left) => note("drain", vec![format!("not drained within {:?}: {left}", fleet::DRAINED)]),
    }
    // What still runs must not go on between the two looks.
    fleet.end();
    let history = History::read(&folder);
    let mut stock = Stock::take(&fleet.server);
    if drained.is_err() {
        // Much is left of what has not ended.
        stock.faults.clear();
    }
    let checker = Checker { history: &history, stock: &stock, now_us: now_us() };
    violations.extend(checker.violations());
    let (jobs, struck) = (history.jobs.len() as u64, nemesis.struck.values().sum::<usize>() as u64);
    if jobs < LEAST_JOBS * time.as_secs() || struck < time.as_secs() / LEAST_FAULT {
        let what = format!("only {jobs} jobs and {struck} faults in {time:?}: a run that proves little");
        violations.push(Violation { rule: "too little", id: None, what });
    }
    println!("{}", Report { checker: &checker, struck: &nemesis.struck, drained: drained.ok() });
    if !violations.is_empty() {
        let told = report::violations(&violations, &history);
        panic!("{told}seed {seed}; again with: {again}\njournals and logs: {}", folder.display());
    }
    let _ = std::fs::remove_dir_all(folder);
}
