//! Many workers, of which some are killed or frozen all the time: each job is settled once, and runs again in time.

use std::time::{Duration, Instant};

use support::goes_on_for;

use crate::fleet::{End, Fleet, all_are_settled_once, enqueue, state};
use crate::{Bench, pass, queue};

/// Crashes that no test comes to, so that no job has to wait for a worker that runs nothing else.
const MANY_CRASHES: u32 = 100;

#[tokio::test]
async fn whichever_workers_are_killed_each_job_is_settled_once_and_runs_again_in_time() {
    // One and a half leases of 3 s until it can be claimed, and as long as others take that are claimed before.
    const AGAIN: u64 = 20_000;
    let bench = Bench::new().await;
    let time = goes_on_for(Duration::from_secs(8), Duration::from_secs(60));
    let count = 50 * time.as_secs();
    let jobs = enqueue(&bench, MANY_CRASHES, (0..count).map(|_| fastrand::u64(200..2_000))).await;
    let mut fleet = Fleet::start(&bench, 4, &["--lease", "3s", "--concurrency", "16"], "");
    let (start, mut kills) = (Instant::now(), 0);
    while start.elapsed() < time {
        pass(Duration::from_millis(fastrand::u64(1_500..3_000))).await;
        fleet.kill(fastrand::usize(..4));
        fleet.add();
        kills += 1;
    }
    all_are_settled_once(&bench, &jobs, 0).await;
    let gaps = fleet.history().gaps(count);
    let longest = gaps.iter().map(|(_, gap)| *gap).max().unwrap_or(0);
    println!("{kills} kills, {} runs again, after at most {longest} ms, {:?}", gaps.len(), start.elapsed());
    assert!(gaps.len() > 10 && longest < AGAIN, "{gaps:?}");
}

#[tokio::test]
async fn of_workers_that_are_started_alike_only_the_dead_one_loses_its_jobs() {
    let bench = Bench::new().await;
    let jobs = enqueue(&bench, MANY_CRASHES, [4_000; 8]).await;
    let mut fleet = Fleet::start(&bench, 2, &["--lease", "1s", "--concurrency", "4"], "");
    fleet.began(8).await;
    assert_eq!(bench.client.counts(&queue("fleet")).await.unwrap().workers, 2);
    fleet.kill(0);
    fleet.began(9).await;
    let history = fleet.history();
    let again: Vec<_> = history.0.iter().filter(|(_, runs)| runs.len() > 1).map(|(number, _)| *number).collect();
    let mut charged = 0;
    for (number, job) in (0..).zip(&jobs) {
        let of_the_dead = history.0[&number][0].process == 0;
        let expected = of_the_dead.then(|| r#"{"attempts":0,"crashes":1}"#.to_owned());
        charged += usize::from(of_the_dead);
        assert_eq!(state(&bench, job), expected, "job {number}; again: {again:?}");
    }
    assert_eq!(charged, 4);
    all_are_settled_once(&bench, &jobs, 0).await;
    let history = fleet.history();
    assert_eq!(history.gaps(8).len(), 4);
    assert_eq!(history.0.values().flatten().count(), 12, "{history:?}");
}

#[tokio::test]
async fn a_frozen_worker_settles_nothing_that_another_ran_and_its_attempts_are_stopped() {
    let bench = Bench::new().await;
    let frozen = goes_on_for(Duration::ZERO, Duration::from_secs(30));
    // The first ends while its worker is frozen, the second would go on after it.
    let jobs = enqueue(&bench, MANY_CRASHES, [1_500, 20_000 + frozen.as_millis() as u64]).await;
    let mut fleet = Fleet::start(&bench, 1, &["--lease", "1s"], "");
    fleet.began(2).await;
    fleet.freeze(0);
    fleet.add();
    fleet.began(4).await;
    pass(frozen).await;
    fleet.thaw(0);
    assert_eq!(fleet.tells("the lease was lost", &[0, 0]).await, 1);
    assert_eq!(fleet.tells("dropped 1 ", &[0, 0]).await, 1);
    all_are_settled_once(&bench, &jobs, 0).await;
    let history = fleet.history();
    let of = |number, run: usize| (history.0[&number][run].process, history.0[&number][run].end);
    assert_eq!([of(0, 1), of(1, 0), of(1, 1)], [(1, Some(End::Ended)), (0, Some(End::Dropped)), (1, Some(End::Ended))]);
    assert_eq!(history.gaps(2).len(), 2);
    assert_eq!(fleet.told("the lease was lost"), [0, 1]);
}

#[tokio::test]
async fn recoverers_that_die_freeze_or_come_all_at_once_put_no_job_back_twice() {
    const VANISHED: &str = "a worker vanished";
    let bench = Bench::new().await;
    let time = goes_on_for(Duration::from_secs(12), Duration::from_secs(60));
    let count = 30 * time.as_secs();
    let jobs = enqueue(&bench, MANY_CRASHES, (0..count).map(|_| fastrand::u64(200..2_000))).await;
    // Between what a recoverer learns and what it does about it, the others learn the same.
    let mut fleet = Fleet::start(&bench, 8, &["--lease", "2s", "--concurrency", "6"], "condemned=70%sleep(900)");
    let (start, mut rounds) = (Instant::now(), 0);
    while start.elapsed() < time {
        // One of those that have been there for longest.
        fleet.kill(fastrand::usize(..4));
        fleet.add();
        let recoverer = fleet.tells(VANISHED, &fleet.told(VANISHED)).await;
        if rounds % 2 == 0 {
            fleet.kill(recoverer);
            fleet.add();
        } else {
            fleet.freeze(recoverer);
            pass(Duration::from_secs(2)).await;
            fleet.thaw(recoverer);
        }
        rounds += 1;
    }
    all_are_settled_once(&bench, &jobs, 0).await;
    let gaps = fleet.history().gaps(count);
    let together = fleet.recoverers_of_one();
    println!("{rounds} rounds, up to {together} recoverers of one, {} runs again, {:?}", gaps.len(), start.elapsed());
    assert!(together > 1 && gaps.len() > 10, "{together}, {gaps:?}");
}
