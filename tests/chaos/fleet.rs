//! A server, the workers and producers around it, and what the supervisor writes down of them.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use support::redis::FromRedisValue as _;
use support::{Server, ServerOptions};
use task_runtime::broker::Repair;
use task_runtime::client::JobHandle;
use task_runtime::{Client, QueueName};

use crate::journal::{Act, Journal, Order, QUEUES, What, now_us};
use crate::process::{BOUND, Kind, Process};

/// The workers: what they serve, how much of it at a time, and their leases. Every queue has two at least.
const WORKERS: [&[&str]; 4] = [
    &["worker", "mail", "media", "--concurrency", "16", "--lease", "3s", "--grace", "2s"],
    &["worker", "mail:3", "media:1", "rough:1", "--concurrency", "8", "--lease", "3s", "--grace", "500ms"],
    &["worker", "rough", "mail", "--concurrency", "4", "--lease", "2s", "--grace", "2s"],
    &["worker", "media", "rough", "--concurrency", "1", "--lease", "3s", "--grace", "2s"],
];
/// The system is given each write before its caller is answered, so that a server that is killed loses none. With
/// `everysec`, writes are put off for up to two seconds while the disk is busy.
const WRITTEN: &str = "appendfsync no";
/// A long file takes long to be read again.
const SHORT_FILE: &str = "auto-aof-rewrite-min-size 4mb";
const PRODUCERS: usize = 3;
/// Within this time after the end of the faults everything has ended.
pub(crate) const DRAINED: Duration = Duration::from_secs(60);
/// Within this time after the end of the faults every worker says that it consumes.
const READY: Duration = Duration::from_secs(10);
/// How soon a job begins when workers wait for it, mostly. A worker that nobody wakes looks every 5 s.
const PICKED_UP: Duration = Duration::from_secs(1);
/// Jobs of which that is measured, in each queue.
const PROBES: usize = 5;
/// How much more a worker may have in memory at the end than when it began.
const MORE_MEMORY_KB: usize = 64 * 1024;

pub(crate) struct Fleet {
    pub(crate) server: Server,
    pub(crate) processes: Vec<Process>,
    pub(crate) journal: Journal,
    pub(crate) folder: PathBuf,
    /// A fault of the server goes on.
    pub(crate) server_disturbed: bool,
    /// Goes past the proxies.
    client: Client,
    runtime: tokio::runtime::Runtime,
}

impl Fleet {
    /// Everything runs, and nothing is to do yet.
    pub(crate) fn start(options: ServerOptions, folder: PathBuf, seed: u64) -> Fleet {
        let server = options.config("appendonly yes").config(WRITTEN).config(SHORT_FILE).start();
        let journal = Journal::open(&folder.join("supervisor.journal"), "chaos".into());
        let runtime = tokio::runtime::Runtime::new().expect("a process can have a runtime");
        let client = runtime.block_on(Client::connect(&server.url())).expect("the server is up");
        let seed_of = |at: usize| seed.wrapping_mul(1_000).wrapping_add(at as u64);
        let worker = |(at, arguments): (usize, &&[&str])| {
            let arguments = [*arguments, &["--health", "127.0.0.1:0"]].concat();
            Process::new(Kind::Worker, format!("w{at}"), &arguments, server.port(), &folder, seed_of(at))
        };
        let mut processes: Vec<Process> = WORKERS.iter().enumerate().map(worker).collect();
        for at in 0..PRODUCERS {
            let (name, seed) = (format!("p{at}"), seed_of(100 + at));
            processes.push(Process::new(Kind::Producer, name, &["produce"], server.port(), &folder, seed));
        }
        let mut fleet = Fleet { server, processes, journal, folder, server_disturbed: false, client, runtime };
        for process in fleet.of_kind(Kind::Worker) {
            process.start();
            process.wait_for_line("worker started", BOUND);
        }
        fleet.wait_until_idle();
        for process in fleet.of_kind(Kind::Worker) {
            process.level = process.holds();
        }
        fleet
    }

    pub(crate) fn of_kind(&mut self, kind: Kind) -> impl Iterator<Item = &mut Process> {
        self.processes.iter_mut().filter(move |process| process.kind == kind)
    }

    /// Has the producers enqueue, for so long also jobs that end their process.
    pub(crate) fn produce(&mut self, poison: Duration) {
        let until_us = now_us() + u64::try_from(poison.as_micros()).unwrap_or(u64::MAX);
        for process in self.of_kind(Kind::Producer) {
            process.poisons_until(until_us);
            process.start();
        }
    }

    /// Starts again what has ended.
    pub(crate) fn keep_up(&mut self) {
        for process in &mut self.processes {
            process.keep_up(&self.journal);
        }
    }

    pub(crate) fn fault(&self, of: &str, fault: &str, begins: bool) {
        self.journal.write(What::Fault { of: of.to_owned(), fault: fault.to_owned(), begins });
    }

    pub(crate) fn pause(&self, queue: &str, paused: bool) -> bool {
        let queue = QueueName::new(queue).expect("the name is valid");
        let asked = async { if paused { self.client.pause(&queue).await } else { self.client.resume(&queue).await } };
        self.runtime.block_on(asked).is_ok()
    }

    /// Has the producers end. One that has only just begun does so before it listens.
    pub(crate) fn stop_producers(&mut self) {
        for process in self.processes.iter_mut().filter(|process| process.kind == Kind::Producer) {
            process.stop(&self.journal);
        }
    }

    /// Has the workers end in good order, with nothing to do; which of them did not.
    pub(crate) fn stop_workers(&mut self) -> Vec<String> {
        let mut wrong = Vec::new();
        for process in self.processes.iter_mut().filter(|process| process.kind == Kind::Worker) {
            let (who, code) = (process.who(), process.stop(&self.journal));
            if code != Some(0) {
                wrong.push(format!("{who} ended with exit code {code:?}"));
            }
        }
        wrong
    }

    /// Waits until every worker says that it consumes, though none of them was told to start again for that; those that
    /// do not.
    pub(crate) fn not_ready(&mut self) -> Vec<String> {
        let start = Instant::now();
        loop {
            self.keep_up();
            let not_ready: Vec<_> = self.of_kind(Kind::Worker).filter_map(|process| process.not_ready()).collect();
            if not_ready.is_empty() || start.elapsed() > READY {
                return not_ready;
            }
            pass(Duration::from_millis(50));
        }
    }

    /// Waits until nothing waits or runs any more and nothing of dead workers is left; how long that took, or what is
    /// left.
    pub(crate) fn drain(&mut self) -> Result<Duration, String> {
        let start = Instant::now();
        loop {
            self.keep_up();
            let left = self.left();
            if left.is_empty() {
                return Ok(start.elapsed());
            }
            if start.elapsed() > DRAINED {
                return Err(left.join("; "));
            }
            pass(Duration::from_millis(50));
        }
    }

    fn left(&self) -> Vec<String> {
        let mut left = Vec::new();
        for queue in QUEUES {
            let name = QueueName::new(queue).expect("the name is valid");
            match self.runtime.block_on(self.client.counts(&name)) {
                Ok(counts) if counts.scheduled + counts.ready + counts.running + counts.parked > 0 => {
                    left.push(format!("{queue}: {counts:?}"));
                }
                Ok(counts) if counts.workers != lanes(queue) => {
                    left.push(format!("{queue}: {} leases of {} workers", counts.workers, lanes(queue)));
                }
                Ok(_) => {}
                Err(error) => left.push(format!("{queue}: {error}")),
            }
        }
        left
    }

    /// Enqueues a job into each queue while all workers wait, again and again; what began late.
    pub(crate) fn probe(&mut self) -> Vec<String> {
        let mut slow = Vec::new();
        for queue in QUEUES {
            let mut took: Vec<Duration> = (0..PROBES).map(|at| self.probed(queue, at)).collect();
            took.sort();
            if took[PROBES / 2] > PICKED_UP {
                slow.push(format!("queue {queue}: waiting workers began jobs after {took:?}"));
            }
        }
        slow
    }

    fn probed(&mut self, queue: &str, at: usize) -> Duration {
        self.wait_until_idle();
        let id = format!("probe-{queue}-{at}");
        let order = Order {
            queue: queue.to_owned(),
            act: Act::Works { millis: 0 },
            value: true,
            priority: 5,
            delay_ms: 0,
            max_attempts: 1,
            max_crashes: 50,
            pause_ms: 0,
            keep_s: None,
        };
        let start = Instant::now();
        self.journal.write(What::Call { id: id.clone(), order: order.clone() });
        let ran = async {
            let job: JobHandle<Option<u64>> = order.enqueue(&id).enqueue_on(&self.client).await.ok()?;
            job.result_within(BOUND).await.ok()
        };
        let ran = self.runtime.block_on(ran);
        assert!(ran.is_some(), "{id} did not run although the faults are over");
        start.elapsed()
    }

    /// Waits until every lane of every worker waits for a token, over no more connections than that takes: one for each
    /// queue, one for the heartbeat and one for all else.
    fn wait_until_idle(&mut self) {
        let all: usize = QUEUES.iter().map(|queue| lanes(queue)).sum();
        let line = format!("blocked_clients:{all}\r");
        let start = Instant::now();
        loop {
            self.keep_up();
            let info = String::from_redis_value(self.server.command(&["INFO", "clients"])).expect("INFO is text");
            let open = |process: &mut Process| (process.who(), process.proxy.open(), process.queues() + 2);
            let others: Vec<_> =
                self.of_kind(Kind::Worker).map(open).filter(|(_, open, expected)| open != expected).collect();
            if info.contains(&line) && others.is_empty() {
                return;
            }
            assert!(
                start.elapsed() < BOUND,
                "not all workers wait for jobs; other connections than expected: {others:?}; {info}"
            );
            pass(Duration::from_millis(5));
        }
    }

    /// What workers hold of the system beyond what they held when they began.
    pub(crate) fn leaks(&mut self) -> Vec<String> {
        self.wait_until_idle();
        let mut leaks = Vec::new();
        for process in self.of_kind(Kind::Worker) {
            let Some(level) = process.level else { continue };
            let start = Instant::now();
            while let Some(now) = process.holds() {
                if now.descriptors <= level.descriptors && now.resident_kb <= level.resident_kb + MORE_MEMORY_KB {
                    break;
                }
                if start.elapsed() > DRAINED / 2 {
                    leaks.push(format!("{} holds {now:?}, and held {level:?} when it began", process.who()));
                    break;
                }
                pass(Duration::from_millis(50));
            }
        }
        leaks
    }

    /// What the check of stored data finds when nothing moves.
    pub(crate) fn unsound(&self) -> Vec<String> {
        let check = |queue: &&str| {
            let name = QueueName::new(queue).expect("the name is valid");
            match self.runtime.block_on(self.client.fsck(&name, Repair::No)) {
                Ok(report) if report.findings.is_empty() && report.undecided.is_empty() => None,
                checked => Some(format!("queue {queue}: {checked:?}")),
            }
        };
        QUEUES.iter().filter_map(check).collect()
    }

    /// Ends all that still runs, but for the server.
    pub(crate) fn end(&mut self) {
        for process in &mut self.processes {
            process.kill9(&self.journal, Duration::ZERO);
        }
        let _ = fs::write(self.folder.join("server.log"), self.server.log());
    }
}

/// How many jobs a worker runs at a time, by its number.
pub(crate) fn places(number: usize) -> Option<usize> {
    let words = WORKERS.get(number)?;
    let at = words.iter().position(|word| *word == "--concurrency")?;
    words.get(at + 1)?.parse().ok()
}

/// How many workers serve a queue.
fn lanes(queue: &str) -> usize {
    let serves = |worker: &&[&str]| worker.iter().any(|word| word.split(':').next() == Some(queue));
    WORKERS.iter().filter(|worker| serves(worker)).count()
}

#[expect(clippy::disallowed_methods, reason = "faults take their time")]
pub(crate) fn pass(time: Duration) {
    std::thread::sleep(time);
}
