//! How long the parts take that touch no server: envelopes, decisions, and how enqueues share calls.
//!
//! `cargo bench -p task-runtime` measures; as one of the tests each runs once, so that it keeps running.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use task_runtime::job::{
    Attempt, Backoff, Envelope, Header, JobOptions, Outcome, PutBack, State, TaskOptions, after_crash, settle,
};
use task_runtime::task::encode_args;
use task_runtime::{Client, Enqueue, Task};
use tokio::runtime::Runtime;

/// Sizes of arguments: a usual job, and a large one.
const SIZES: [usize; 2] = [100, 10 * 1024];
/// Callers that enqueue at the same time.
const CALLERS: usize = 64;

#[derive(Serialize, Deserialize)]
struct Letter {
    text: String,
}

impl Task for Letter {
    const NAME: &'static str = "letter";
    const OPTIONS: TaskOptions = TaskOptions::DEFAULT;
    type Output = ();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    envelopes(&mut criterion);
    headers(&mut criterion);
    decisions(&mut criterion);
    enqueues(&mut criterion);
    criterion.final_summary();
}

/// A job whose arguments have about `bytes`.
fn letter(bytes: usize) -> Letter {
    Letter { text: "x".repeat(bytes) }
}

fn envelopes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("envelope");
    for bytes in SIZES {
        group.throughput(Throughput::Bytes(bytes as u64));
        let job = letter(bytes);
        group.bench_with_input(BenchmarkId::new("encode", bytes), &job, |bencher, job| {
            bencher.iter(|| {
                let args = encode_args(black_box(job)).expect("the arguments are within the limits");
                Envelope { header: Header::new(Letter::NAME), args }.encode()
            });
        });
        let args = encode_args(&job).expect("the arguments are within the limits");
        let stored = Envelope { header: Header::new(Letter::NAME), args }.encode();
        group.bench_with_input(BenchmarkId::new("open", bytes), &stored, |bencher, stored| {
            bencher.iter_batched(|| stored.clone(), |stored| Envelope::open(black_box(stored)), BatchSize::SmallInput);
        });
        let opened = Envelope::open(stored).expect("what was encoded can be read");
        group.bench_with_input(BenchmarkId::new("arguments", bytes), &opened.args, |bencher, args| {
            bencher.iter(|| serde_json::from_slice::<Letter>(black_box(args)));
        });
    }
    group.finish();
}

fn headers(criterion: &mut Criterion) {
    let full = Header {
        created_ms: Some(1_700_000_000_123),
        priority: Some(7),
        max_crashes: Some(1),
        options: JobOptions {
            timeout: Some(Duration::from_secs(30)),
            max_attempts: Some(3),
            backoff: Some(Backoff::DEFAULT),
            result_ttl: Some(Duration::from_secs(60)),
        },
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
        ..Header::new(Letter::NAME)
    };
    let mut group = criterion.benchmark_group("header");
    for (name, header) in [("plain", Header::new(Letter::NAME)), ("full", full)] {
        let stored = Envelope { header, args: b"{}".to_vec() }.encode();
        group.bench_function(name, |bencher| bencher.iter(|| Header::decode(black_box(&stored))));
    }
    group.finish();
}

fn decisions(criterion: &mut Criterion) {
    let state = State { attempts: 3, crashes: 0, error: Some("no paper".into()) };
    let attempt = Attempt {
        state: state.clone(),
        priority: 5,
        max_attempts: 5,
        back: PutBack::Ready(5),
        backoff: Backoff::DEFAULT,
        result_ttl: Duration::from_secs(60),
        duration: Duration::from_millis(12),
    };
    let mut group = criterion.benchmark_group("decide");
    let value = serde_json::value::to_raw_value(&42).expect("a number is JSON");
    group.bench_function("completed", |bencher| {
        let outcome = || Outcome::Completed(value.clone());
        bencher.iter_batched(outcome, |outcome| settle(outcome, black_box(&attempt), 0.5), BatchSize::SmallInput);
    });
    group.bench_function("retry", |bencher| {
        let outcome = || Outcome::Failed("no paper".into());
        bencher.iter_batched(outcome, |outcome| settle(outcome, black_box(&attempt), 0.5), BatchSize::SmallInput);
    });
    group.bench_function("after_crash", |bencher| {
        bencher.iter_batched(|| state.clone(), |state| after_crash(black_box(state), 64, 3), BatchSize::SmallInput);
    });
    group.finish();
}

/// Callers at the same time share the calls of a broker, here that of the process.
fn enqueues(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime can be made");
    let mut group = criterion.benchmark_group("enqueue");
    for callers in [1, CALLERS] {
        group.throughput(Throughput::Elements(callers as u64));
        group.bench_with_input(BenchmarkId::new("callers", callers), &callers, |bencher, callers| {
            bencher.iter_batched(
                Client::in_memory,
                |client| runtime.block_on(enqueue_at_once(&client, *callers)),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

async fn enqueue_at_once(client: &Client, callers: usize) {
    let calls = (0..callers).map(|_| Enqueue::new(letter(SIZES[0])).enqueue_on(client));
    for handle in join_all(calls).await {
        handle.expect("the broker of the process takes every job");
    }
}
