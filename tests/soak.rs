//! After many jobs of every kind a worker and its server hold no more than before.
//!
//! A program of its own, because what the worker holds is what this process does.

use std::fs;
use std::time::{Duration, Instant};

use support::redis::FromRedisValue as _;
use support::{Server, drained, eventually, goes_on_for, nothing_is_wrong, unknown_keys};
use task_runtime::broker::Retention;
use task_runtime::job::QueueName;
use task_runtime::prelude::*;

const BOUND: Duration = Duration::from_secs(120);
/// Jobs of one phase.
const JOBS: u64 = 6_000;
/// Jobs that are enqueued in one call.
const AT_ONCE: usize = 500;
/// Phases until everything that is kept at all is there.
const WARM_UP: usize = 2;
/// Further phases.
const PHASES: usize = 4;
/// What may be there besides: 5 %, and what an allocator leaves unused.
const MORE: f64 = 1.05;
const MORE_HERE: u64 = 3 << 20;
const MORE_THERE: u64 = 256 << 10;
/// Connections that are only made when there is need of them.
const MORE_CONNECTIONS: u64 = 2;

/// Ends in one of the ways that there are, by its number.
#[task(queue = "soak", max_attempts = 2, backoff = ["1ms"])]
async fn soak(number: u64, #[inject] ctx: &Context) -> Result<(), String> {
    match number % 10 {
        0 | 1 if ctx.attempt() == 1 => return Err(format!("{number} fails once")),
        2 if ctx.attempt() == 1 => panic!("{number} panics once"),
        // Only a cancel ends these.
        3 if number % 100 == 3 => ctx.cancellation().cancelled().await,
        _ => {}
    }
    Ok(())
}

/// What is held now.
#[derive(Clone, Copy, Debug)]
struct Held {
    /// Bytes of this process in memory.
    here: u64,
    /// Bytes that the server has allocated.
    there: u64,
    keys: u64,
    connections: u64,
    files: u64,
}

impl Held {
    fn now(server: &Server) -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let info = String::from_redis_value(server.command(&["INFO"])).unwrap();
        let field = |name: &str| {
            let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
            line.trim().parse().unwrap()
        };
        Self {
            here: kilobytes.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10,
            there: field("used_memory"),
            keys: u64::from_redis_value(server.command(&["DBSIZE"])).unwrap(),
            connections: field("connected_clients"),
            files: fs::read_dir("/proc/self/fd").unwrap().count() as u64,
        }
    }

    fn is_no_more_than(self, before: Self) -> bool {
        let most = |bytes: u64, more: u64| (bytes as f64 * MORE) as u64 + more;
        self.here <= most(before.here, MORE_HERE)
            && self.there <= most(before.there, MORE_THERE)
            && self.keys <= before.keys
            && self.connections <= before.connections + MORE_CONNECTIONS
            && self.files <= before.files + MORE_CONNECTIONS
    }
}

/// Runs jobs while every connection breaks once, and waits until nothing is left of them.
async fn phase(client: &Client, server: &Server, queue: &QueueName) {
    for first in (0..JOBS).step_by(AT_ONCE) {
        let some = (first..JOBS).take(AT_ONCE);
        let some = some.map(|number| Soak::new(number).options().delay(Duration::from_millis(number % 7)));
        let jobs = client.enqueue_all(some).await.unwrap();
        for job in jobs.iter().skip(3).step_by(100) {
            eventually("the job is cancelled", BOUND, async || job.cancel().await.ok()).await;
        }
    }
    // Not earlier: who keeps no records cannot say what became of an enqueue whose answer was lost.
    server.command(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    drained(client, queue, BOUND).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_many_jobs_a_worker_and_its_server_hold_what_they_held_before() {
    // Hundreds of panics that are to be are no news.
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !info.payload_as_str().is_some_and(|message| message.ends_with("panics once")) {
            tell(info);
        }
    }));
    let server = Server::redis().start();
    let client = Client::connect(&server.url()).await.unwrap();
    let queue = QueueName::new("soak").unwrap();
    let none = Duration::ZERO;
    let retention = Retention { finished: 0, age: none, dead: 0, dead_age: none };
    let worker = Worker::builder(client.clone()).queue("soak").retention(retention).build().unwrap();
    let handle = worker.handle();
    let running = tokio::spawn(worker.run_until(std::future::pending()));
    for _ in 0..WARM_UP {
        phase(&client, &server, &queue).await;
    }
    let before = Held::now(&server);
    println!("{before:?}");
    let (start, mut phases) = (Instant::now(), 0);
    let long = goes_on_for(Duration::ZERO, Duration::from_secs(6 * 60 * 60));
    while phases < PHASES || start.elapsed() < long {
        phase(&client, &server, &queue).await;
        phases += 1;
    }
    let mut now = Held::now(&server);
    let back = eventually("it is as before", BOUND, async || {
        now = Held::now(&server);
        now.is_no_more_than(before).then_some(())
    });
    // Sooner than that wait ends, so that what is held can be told.
    let back = tokio::time::timeout(Duration::from_secs(20), back).await;
    println!("{now:?} after {} jobs more in {:?}", phases as u64 * JOBS, start.elapsed());
    assert!(back.is_ok(), "{before:?} before, {now:?} now");
    handle.stop();
    running.await.unwrap().unwrap();
    assert_eq!(unknown_keys(&server), Vec::<String>::new());
    nothing_is_wrong(&client, &queue, BOUND).await;
}
