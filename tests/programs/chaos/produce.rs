//! A producer: enqueues jobs one at a time, several at once and in bulk, sends some again, cancels some, waits for some,
//! and writes down what it was told of each.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{env, iter};

use fastrand::Rng;
use futures_util::future::join_all;
use task_runtime::{Client, Error, JobId, QueueName};
use tokio::signal::unix::{SignalKind, signal};

use crate::journal::{Act, Answer, NAME, Order, POISON_UNTIL, QUEUES, SEED, What, journal, now_us};

/// Longest pause between two rounds.
const PAUSE: Duration = Duration::from_millis(150);
/// Pause before another try to connect.
const AWAY: Duration = Duration::from_millis(200);
/// Between two jobs that end their process: each of them ends several, and is dead only when one had nothing else to do.
const POISON_EVERY: Duration = Duration::from_secs(60);
/// How many of the jobs that were enqueued last are sent again, cancelled or waited for.
const RECENT: usize = 50;
/// How often a job of which it is not known whether it was enqueued is sent again at most.
const SENDS: usize = 3;
/// Most jobs of a queue that wait before no more are added: what there is when the faults are over must be done in
/// the time that is given for it, however long they went on.
const BACKLOG: usize = 1_000;
/// How often it is asked how many wait.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long a value is waited for.
const VALUE: Duration = Duration::from_secs(30);

pub(crate) fn main() -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().expect("a process can have a runtime");
    let producer = async {
        let mut producer = Producer::connect().await;
        let ended = stopped();
        while !ended.load(Ordering::SeqCst) {
            producer.round().await;
        }
    };
    runtime.block_on(producer);
    runtime.shutdown_background();
    ExitCode::SUCCESS
}

/// Becomes true with SIGTERM.
fn stopped() -> Arc<AtomicBool> {
    let ended = Arc::new(AtomicBool::new(false));
    let mut signals = signal(SignalKind::terminate()).expect("a process can listen to its signals");
    let told = Arc::clone(&ended);
    tokio::spawn(async move {
        signals.recv().await;
        told.store(true, Ordering::SeqCst);
    });
    ended
}

fn variable<T: std::str::FromStr>(name: &str) -> T {
    let text = env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
    text.parse().unwrap_or_else(|_| panic!("{name} is `{text}`"))
}

struct Producer {
    name: String,
    client: Client,
    random: Rng,
    next: u64,
    recent: Vec<(String, Order)>,
    poison_until_us: u64,
    poison_from_us: u64,
    /// Queues to which jobs may be added.
    open: Vec<&'static str>,
    look_at: Instant,
}

#[expect(clippy::disallowed_methods, reason = "a producer has a pace")]
async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

impl Producer {
    async fn connect() -> Producer {
        let url: String = variable("REDIS_URL");
        let client = loop {
            match Client::connect(&url).await {
                Ok(client) => break client,
                Err(_) => pass(AWAY).await,
            }
        };
        let name: String = variable(NAME);
        // One that is started again and again must not begin with such a job each time.
        let first_after = if name.ends_with(".1") { Duration::ZERO } else { POISON_EVERY };
        let poison_from_us = now_us() + first_after.as_micros() as u64;
        let (random, recent) = (Rng::with_seed(variable(SEED)), Vec::new());
        let poison_until_us = variable(POISON_UNTIL);
        let (open, look_at) = (QUEUES.to_vec(), Instant::now());
        Producer { name, client, random, next: 0, recent, poison_until_us, poison_from_us, open, look_at }
    }

    /// Leaves the queues alone that have enough. One that cannot be asked stays as it was.
    async fn look(&mut self) {
        if self.look_at > Instant::now() {
            return;
        }
        for name in QUEUES {
            let queue = QueueName::new(name).expect("the name is valid");
            if let Ok(counts) = self.client.counts(&queue).await {
                self.open.retain(|open| *open != name);
                if counts.ready + counts.scheduled < BACKLOG {
                    self.open.push(name);
                }
            }
        }
        self.look_at = Instant::now() + LOOK_EVERY;
    }

    async fn round(&mut self) {
        self.look().await;
        match self.random.u32(0..100) {
            0..82 if self.open.is_empty() => {}
            0..68 => {
                let (id, order) = self.draw();
                self.send(&id, &order).await;
            }
            68..75 => self.at_once().await,
            75..82 => self.bulk().await,
            82..87 => {
                if let Some((id, order)) = self.one_of_recent() {
                    self.send(&id, &order).await;
                }
            }
            87..96 => self.cancel().await,
            _ => self.wait(),
        }
        let pause = PAUSE.mul_f64(self.random.f64());
        pass(pause).await;
    }

    fn one_of_recent(&mut self) -> Option<(String, Order)> {
        let at = self.random.usize(0..self.recent.len().max(1));
        self.recent.get(at).cloned()
    }

    /// A new job.
    fn draw(&mut self) -> (String, Order) {
        self.next += 1;
        let id = format!("{}-{}", self.name, self.next);
        let order = self.order();
        if self.recent.len() == RECENT {
            self.recent.remove(0);
        }
        self.recent.push((id.clone(), order.clone()));
        (id, order)
    }

    fn order(&mut self) -> Order {
        let (random, open) = (&mut self.random, &self.open);
        let may_poison = now_us() >= self.poison_from_us && now_us() < self.poison_until_us;
        let (mut max_attempts, mut max_crashes) = (random.u32(2..5), 50);
        let act = match random.u32(0..1_000) {
            _ if may_poison => {
                self.poison_from_us = now_us() + POISON_EVERY.as_micros() as u64;
                max_crashes = random.u32(1..4);
                Act::Aborts
            }
            0..600 => Act::Works { millis: random.u64(0..50) },
            600..790 => Act::Works { millis: random.u64(50..800) },
            790..795 => Act::Works { millis: random.u64(4_000..6_000) },
            795..800 => Act::Blocks { millis: random.u64(50..1_500) },
            800..890 => Act::Fails { times: random.u32(1..6) },
            890..960 => Act::Panics { times: random.u32(1..4) },
            _ => Act::Hangs { times: random.u32(1..3) },
        };
        if let Act::Hangs { .. } = act {
            max_attempts = 3;
        }
        let delay_ms = if random.u8(0..5) == 0 { random.u64(1..4_000) } else { 0 };
        let keep_s = [None, None, None, Some(0), Some(60), Some(7_200)][random.usize(0..6)];
        Order {
            // Those that end their process would stop the others too often.
            queue: if act == Act::Aborts { QUEUES[2] } else { open[random.usize(0..open.len())] }.to_owned(),
            act,
            value: random.u8(0..8) > 0,
            // A backlog of what ends its process would still be there at the end.
            priority: if act == Act::Aborts { 9 } else { random.u8(0..10) },
            delay_ms,
            max_attempts,
            max_crashes,
            pause_ms: random.u64(0..1_500),
            keep_s,
        }
    }

    /// Enqueues a job, and again while it is not known whether that worked, at times.
    async fn send(&mut self, id: &str, order: &Order) {
        let sends = if self.random.bool() { SENDS } else { 1 };
        for _ in 0..sends {
            if !matches!(enqueue(&self.client, id, order).await, Answer::Unknown { .. }) {
                break;
            }
        }
    }

    /// Several calls at a time, which the client sends together.
    async fn at_once(&mut self) {
        let jobs: Vec<_> = iter::repeat_with(|| self.draw()).take(8).collect();
        join_all(jobs.iter().map(|(id, order)| enqueue(&self.client, id, order))).await;
    }

    async fn bulk(&mut self) {
        let count = self.random.usize(2..40);
        let jobs: Vec<_> = iter::repeat_with(|| self.draw()).take(count).collect();
        for (id, order) in &jobs {
            journal().write(What::Call { id: id.clone(), order: order.clone() });
        }
        let told = self.client.enqueue_all(jobs.iter().map(|(id, order)| order.enqueue(id))).await;
        // Which of them were enqueued is not said when some were.
        let answer = answer(told.err());
        for (id, _) in jobs {
            journal().write(What::Told { id, answer: answer.clone() });
        }
    }

    async fn cancel(&mut self) {
        // The last one has mostly not begun yet.
        let last = self.recent.last().cloned();
        let one = if self.random.bool() { last } else { self.one_of_recent() };
        let Some((id, order)) = one else { return };
        journal().write(What::Cancel { id: id.clone(), answer: None });
        let handle = self.client.handle::<Option<u64>>(queue(&order), JobId::new(&id).expect("the id is valid"));
        let answer = handle.cancel().await.map_or_else(|error| error.to_string(), |answer| format!("{answer:?}"));
        journal().write(What::Cancel { id, answer: Some(answer) });
    }

    fn wait(&mut self) {
        let Some((id, order)) = self.one_of_recent() else { return };
        let handle = self.client.handle::<Option<u64>>(queue(&order), JobId::new(&id).expect("the id is valid"));
        tokio::spawn(async move {
            if let Ok(token) = handle.result_within(VALUE).await {
                journal().write(What::Value { id, token });
            }
        });
    }
}

fn queue(order: &Order) -> QueueName {
    QueueName::new(&order.queue).expect("the name is valid")
}

/// One call of `enqueue`, written down before and after.
async fn enqueue(client: &Client, id: &str, order: &Order) -> Answer {
    journal().write(What::Call { id: id.to_owned(), order: order.clone() });
    let told = order.enqueue(id).enqueue_on(client).await;
    let answer = answer(told.err());
    journal().write(What::Told { id: id.to_owned(), answer: answer.clone() });
    answer
}

fn answer(error: Option<Error>) -> Answer {
    match error {
        None => Answer::Ok,
        Some(error) if error.outcome_unknown() || matches!(error, Error::Partial { .. }) => {
            Answer::Unknown { error: error.to_string() }
        }
        Some(error) => Answer::Rejected { error: error.to_string() },
    }
}
