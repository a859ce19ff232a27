//! A job that ends its process is dead after some crashes, and takes no neighbour along.

use std::io::Write as _;
use std::ops::Range;

use support::{MemoryLimit, Program, eventually};
use task_runtime::Task;
use task_runtime::client::{Enqueue, JobStatus};

use crate::fleet::{Fleet, all_are_settled_once, enqueue, state};
use crate::tasks::{Crash, CrashLater, Devour, PanicAtOnce, Stumble};
use crate::{BOUND, Bench, queue};

/// How often a job may be on board of a crash, unless told else.
const MAX_CRASHES: usize = 3;
/// What each of the workers is told.
const WORKER: [&str; 6] = ["worker", "fleet", "--lease", "1s", "--concurrency", "4"];

/// Runs `poison` beside others, on workers that are started again whenever they end; each says why, and ends by `signal`.
async fn dies_alone<T: Task>(bench: &Bench, mut fleet: Fleet<'_>, poison: Enqueue<T>, says: &str, signal: i32) {
    const NEIGHBOURS: u64 = 20;
    let neighbours = enqueue(bench, MAX_CRASHES as u32, [300; NEIGHBOURS as usize]).await;
    let poison = poison.queue("fleet").priority(9).enqueue_on(&bench.client).await.unwrap();
    let mut crashes = 0;
    let status = eventually("the poison job is dead", BOUND, async || {
        crashes += fleet.start_again();
        let status = poison.status().await.unwrap();
        matches!(status, JobStatus::Dead { .. }).then_some(status)
    })
    .await;
    let JobStatus::Dead { error, attempts: 0 } = status else { panic!("{status:?}") };
    assert_eq!(error, "crashed its worker: 3 workers vanished while it ran");
    assert_eq!(crashes, MAX_CRASHES);
    all_are_settled_once(bench, &neighbours, 1).await;
    // Whoever ran again was on board of one that crashed.
    let again = fleet.history().gaps(NEIGHBOURS).len();
    println!("{again} of {NEIGHBOURS} neighbours ran again");
    assert_eq!(fleet.signals(), [Some(signal); MAX_CRASHES]);
    assert_eq!(fleet.ended_with(says), MAX_CRASHES);
}

#[tokio::test]
async fn a_job_that_kills_its_process_is_dead_and_its_neighbours_complete() {
    let bench = Bench::new().await;
    let fleet = Fleet::start(&bench, 4, &["--lease", "1s", "--concurrency", "4"], "");
    dies_alone(&bench, fleet, Crash::new().options(), "crash", libc::SIGABRT).await;
}

#[tokio::test]
async fn a_job_that_takes_more_memory_than_there_is_is_dead_and_its_neighbours_complete() {
    takes_more_than_it_may_ask_for(&Bench::new().await).await;
}

/// An allocation fails, and the program aborts.
async fn takes_more_than_it_may_ask_for(bench: &Bench) {
    let fleet = Fleet::of(2, || {
        let limited = ["-c", "ulimit -v 4194304 && exec \"$@\"", "limited", env!("CARGO_BIN_EXE_test-worker")];
        bench.at(Program::new("/bin/sh").args(limited).args(WORKER))
    });
    let says = "memory allocation of 8589934592 bytes failed";
    dies_alone(bench, fleet, Devour::new(1_usize << 33).options(), says, libc::SIGABRT).await;
}

/// No allocation fails; the kernel kills the worker in the middle of the job. Where it gives us no cgroup for that,
/// the program is kept from asking for so much.
#[tokio::test]
async fn a_job_for_whose_memory_the_kernel_kills_its_worker_is_dead_and_its_neighbours_complete() {
    let bench = Bench::new().await;
    match MemoryLimit::of(512 << 20) {
        Ok(limit) => {
            let fleet = Fleet::of(2, || bench.at(limit.program(env!("CARGO_BIN_EXE_test-worker")).args(WORKER)));
            dies_alone(&bench, fleet, Devour::new(1_usize << 31).options(), "devour", libc::SIGKILL).await;
            assert_eq!(limit.kills(), MAX_CRASHES as u64);
        }
        Err(reason) => {
            let what = "NOT TESTED: that the kernel kills a worker for its memory; `ulimit -v` stands in for it";
            // Past the capture of the harness, which would keep it from being seen when the test passes.
            let _ = writeln!(std::io::stderr(), "{what}, because no cgroup can be made here: {reason}");
            takes_more_than_it_may_ask_for(&bench).await;
        }
    }
}

/// The program is really built with `panic = "abort"`: nothing unwinds, and nothing of it could catch a panic.
#[tokio::test]
async fn a_panic_that_ends_its_process_counts_as_a_crash() {
    let bench = Bench::new().await;
    let fleet = Fleet::of(2, || bench.at(Program::that_aborts("test-worker").args(WORKER)));
    dies_alone(&bench, fleet, PanicAtOnce::new().options(), "no such row", libc::SIGABRT).await;
}

#[tokio::test]
async fn neighbours_of_a_crash_are_charged_when_they_ran_until_an_attempt_ends_by_itself() {
    let bench = Bench::new().await;
    let stumble = |numbers: Range<u64>| {
        bench.client.enqueue_all(numbers.map(|number| Stumble::new(number, 1_500_u64).options().queue("fleet")))
    };
    let mut jobs = stumble(0..4).await.unwrap();
    // The second time it waits until it is alone.
    let poison = CrashLater::new(700_u64).options().queue("fleet").max_crashes(1);
    poison.enqueue_on(&bench.client).await.unwrap();
    let mut fleet = Fleet::start(&bench, 1, &["--lease", "1s", "--concurrency", "5"], "");
    eventually("they run", BOUND, async || (fleet.told("began ") == [4]).then_some(())).await;
    // Every place is taken.
    jobs.extend(stumble(4..8).await.unwrap());
    eventually("the worker crashes", BOUND, async || (fleet.start_again() > 0).then_some(())).await;
    assert_eq!(bench.client.counts(&queue("fleet")).await.unwrap().ready, 4);
    let charged = || jobs.iter().map(|job| state(&bench, job).is_some_and(|state| state.contains(r#""crashes":1"#)));
    eventually("those that ran are charged", BOUND, async || (charged().take(4).all(|is| is)).then_some(())).await;
    assert!(!charged().skip(4).any(|is| is));
    eventually("all have failed by themselves, and nothing is charged", BOUND, async || {
        fleet.start_again();
        let refunded = |number: usize| format!(r#"{{"attempts":1,"crashes":0,"error":"{number} stumbled"}}"#);
        (0..8).all(|number| state(&bench, &jobs[number]) == Some(refunded(number))).then_some(())
    })
    .await;
}
