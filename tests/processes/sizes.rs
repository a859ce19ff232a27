//! What is too large is refused before it is sent; what others stored of any size is not carried around.

use std::fs;

use support::redis::{self, Connection, FromRedisValue as _};
use support::{Server, eventually};
use task_runtime::client::{JobError, JobStatus};
use task_runtime::job::{JobId, MAX_ARGS_BYTES, MAX_ENVELOPE_BYTES, Namespace};
use task_runtime::{Client, Error};

use crate::tasks::{AddNumbers, Repeat};
use crate::{BOUND, ended, program, queue};

const MIB: usize = 1 << 20;
/// The most memory of a process that carries nothing large around.
const MOST_MEMORY: usize = 100 * MIB;
/// The most bytes that some small requests and answers have.
const FEW_BYTES: u64 = 1 << 20;
/// `{"text":""}`, which is around a text.
const AROUND: usize = 11;

/// A server with nothing on it.
struct Bench {
    server: Server,
    client: Client,
}

impl Bench {
    async fn new() -> Self {
        let server = Server::redis().start();
        let client = Client::connect_in(&server.url(), Namespace::new("n").unwrap()).await.unwrap();
        Self { server, client }
    }

    fn program(&self, arguments: &[&str]) -> support::Running {
        program(arguments).env("REDIS_URL", self.server.url()).env("TASK_NAMESPACE", "n").start()
    }

    /// What the server was sent so far, and what it answered.
    fn traffic(&self) -> (u64, u64) {
        let info = String::from_redis_value(self.server.command(&["INFO", "stats"])).expect("INFO is text");
        let field = |name: &str| {
            let line = info.lines().find_map(|line| line.strip_prefix(name)).expect("INFO tells the traffic");
            line.trim().parse::<u64>().unwrap()
        };
        (field("total_net_input_bytes:"), field("total_net_output_bytes:"))
    }
}

/// The most memory that a process has held, in bytes.
fn most_memory(pid: u32) -> usize {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

#[tokio::test]
async fn arguments_of_any_size_over_the_limit_are_refused_and_nothing_is_sent() {
    let bench = Bench::new().await;
    let fits = Repeat::new("x".repeat(MAX_ARGS_BYTES - AROUND)).options().enqueue_on(&bench.client).await.unwrap();
    let before = bench.traffic();
    for bytes in [MAX_ARGS_BYTES + 1, MIB, 64 * MIB, 300 * MIB] {
        let text = "x".repeat(bytes - AROUND);
        let error = Repeat::new(text).options().enqueue_on(&bench.client).await.unwrap_err();
        assert!(matches!(error, Error::Limit { .. }), "{error:?}");
        let expected = format!("{bytes} bytes is over the limit of {MAX_ARGS_BYTES} bytes; store the data elsewhere");
        assert!(error.to_string().contains(&expected), "{error}");
    }
    // One that is too large keeps all others of its call from being sent.
    let mixed = [8, MIB].map(|bytes| Repeat::new("x".repeat(bytes)));
    assert!(bench.client.enqueue_all(mixed).await.is_err());
    assert!(bench.traffic().0 - before.0 < FEW_BYTES, "{:?}, {before:?} before", bench.traffic());
    assert_eq!(bench.client.counts(&queue("sums")).await.unwrap().ready, 1);
    assert_eq!(fits.status().await.unwrap(), JobStatus::Ready);
}

#[tokio::test]
async fn the_command_line_takes_arguments_up_to_the_limit_and_shows_results_up_to_it() {
    let (bench, folder) = (Bench::new().await, tempfile::tempdir().unwrap());
    let worker = bench.program(&["worker", "sums"]);
    let file = folder.path().join("args");
    let with = |bytes: usize| {
        fs::write(&file, format!("{{\"text\":\"{}\"}}", "x".repeat(bytes - AROUND))).unwrap();
        let args = format!("@{}", file.display());
        ended(bench.program(&["enqueue", "repeat", "--wait", "30s", "--args", &args]))
    };
    let (code, text) = with(MAX_ARGS_BYTES);
    assert_eq!(code, 0, "{text}");
    assert_eq!(text.lines().last().unwrap().len(), MAX_ARGS_BYTES - AROUND + 2);
    for bytes in [MAX_ARGS_BYTES + 1, MIB, 300 * MIB] {
        let (code, text) = with(bytes);
        assert_eq!(code, 2, "{text}");
        assert!(text.contains(&format!("more than {MAX_ARGS_BYTES} bytes")), "{text}");
    }
    assert_eq!(bench.client.counts(&queue("sums")).await.unwrap().finished, 1);
    drop(worker);
}

/// Stores bytes as another program would.
fn store(connection: &mut Connection, words: &[&str], bytes: &[u8]) {
    redis::cmd(words[0]).arg(&words[1..]).arg(bytes).exec(connection).unwrap();
}

#[tokio::test]
async fn envelopes_of_another_program_of_any_size_neither_fill_a_worker_nor_stop_it() {
    let bench = Bench::new().await;
    let mut connection = bench.server.connection().unwrap();
    for (id, megabytes) in [("large", 64), ("huge", 300)] {
        let envelope = [b"{\"v\":1,\"task\":\"add_numbers\"}\n", &vec![b'x'; megabytes * MIB][..]].concat();
        store(&mut connection, &["HSET", "{n:sums}:jobs", id], &envelope);
        store(&mut connection, &["RPUSH", "{n:sums}:ready:5"], id.as_bytes());
    }
    let good = AddNumbers::new(40_u64, 2_u64).options().enqueue_on(&bench.client).await.unwrap();
    let worker = bench.program(&["worker", "sums"]);
    assert_eq!(good.result_within(BOUND).await.unwrap(), 42);
    for id in ["large", "huge"] {
        let job = bench.client.handle::<u64>(queue("sums"), JobId::new(id).unwrap());
        let dead = eventually("the job is dead", BOUND, async || {
            let status = job.status().await.unwrap();
            status.has_ended().then_some(status)
        });
        let JobStatus::Dead { error, .. } = dead.await else { panic!("{id} is not dead") };
        assert!(error.contains(&format!("more than {MAX_ENVELOPE_BYTES} bytes")), "{error}");
    }
    let most = most_memory(worker.pid());
    assert!(most < MOST_MEMORY, "the worker held {} MiB", most / MIB);
}

#[tokio::test]
async fn records_of_another_program_of_any_size_reach_neither_workers_nor_callers() {
    let bench = Bench::new().await;
    let mut connection = bench.server.connection().unwrap();
    let envelope = b"{\"v\":1,\"task\":\"add_numbers\"}\n{\"a\":40,\"b\":2}";
    let far = "90000000000000000";
    let places: [&[&str]; 4] = [
        &["RPUSH", "{n:sums}:ready:5"],
        &["ZADD", "{n:sums}:dead", far],
        &["ZADD", "{n:sums}:scheduled", far],
        &["RPUSH", "{n:sums}:few"],
    ];
    let state = format!("{{\"attempts\":1,\"error\":\"{}\"}}", "x".repeat(64 * MIB));
    let names = ["ready", "dead", "scheduled", "few"];
    for (id, place) in names.iter().zip(places) {
        store(&mut connection, &["HSET", "{n:sums}:jobs", id], envelope);
        store(&mut connection, &["HSET", "{n:sums}:state", id], state.as_bytes());
        store(&mut connection, place, id.as_bytes());
    }
    let record = format!("={{\"end\":\"completed\",\"result\":\"{}\"}}", "x".repeat(300 * MIB));
    store(&mut connection, &["HSET", "{n:sums}:jobs", "ended"], record.as_bytes());
    let before = bench.traffic();
    let handle = |id: &str| bench.client.handle::<u64>(queue("sums"), JobId::new(id).unwrap());
    let worker = bench.program(&["worker", "sums"]);
    for id in ["ready", "few"] {
        assert_eq!(handle(id).result_within(BOUND).await.unwrap(), 42, "{id}");
    }
    // The record is as if it were not there.
    let dead = JobStatus::Dead { attempts: 0, error: "no reason was kept".into() };
    assert_eq!(handle("dead").status().await.unwrap(), dead);
    assert!(matches!(handle("dead").result_within(BOUND).await, Err(JobError::Failed { .. })));
    let scheduled = handle("scheduled").status().await.unwrap();
    assert!(matches!(scheduled, JobStatus::Scheduled { attempts: 0, error: None, .. }));
    assert!(handle("ended").result_within(BOUND / 20).await.is_err());
    let (code, text) = ended(bench.program(&["stats"]));
    assert!(code == 0 && text.contains("sums"), "{text}");
    assert!(bench.traffic().1 - before.1 < FEW_BYTES, "{:?}, {before:?} before", bench.traffic());
    let most = most_memory(worker.pid());
    assert!(most < MOST_MEMORY, "the worker held {} MiB", most / MIB);
}
