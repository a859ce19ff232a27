//! A client of its own for each test, the tasks that the tests run, and workers that run them.

use std::sync::Arc;
use std::time::Duration;

use support::{eventually, namespace, shared_cluster, shared_redis, shared_valkey};
use task_runtime::broker::{Due, NewJob};
use task_runtime::client::JobStatus;
use task_runtime::job::{JobId, Namespace, QueueName};
use task_runtime::prelude::*;
use task_runtime::{Error, WorkerBuilder, WorkerHandle};
use tokio::sync::watch;

/// Nothing that a test waits for may take longer.
pub(crate) const BOUND: Duration = Duration::from_secs(20);

pub(crate) async fn memory() -> Client {
    Client::in_memory()
}

pub(crate) async fn redis() -> Client {
    on(&shared_redis().url()).await
}

pub(crate) async fn valkey() -> Client {
    on(&shared_valkey().url()).await
}

pub(crate) async fn cluster() -> Client {
    on(&shared_cluster().nodes()[0].url()).await
}

async fn on(url: &str) -> Client {
    let namespace = Namespace::new(namespace()).expect("the namespace of a test is valid");
    Client::connect_in(url, namespace).await.expect("a test server answers")
}

/// What tasks write down, in order.
#[derive(Clone, Default)]
pub(crate) struct Notes(Arc<watch::Sender<Vec<String>>>);

impl Notes {
    pub(crate) fn add(&self, note: impl Into<String>) {
        self.0.send_modify(|notes| notes.push(note.into()));
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.0.borrow().clone()
    }

    /// Waits until the note was made.
    pub(crate) async fn wait_for(&self, note: &str) {
        let mut notes = self.0.subscribe();
        let made = notes.wait_for(|notes| notes.iter().any(|one| one == note));
        let made = tokio::time::timeout(BOUND, made).await;
        assert!(made.is_ok(), "nobody noted {note:?}");
    }
}

/// A broker without jobs, and notes.
pub(crate) struct Bench {
    pub(crate) client: Client,
    pub(crate) notes: Notes,
}

/// A worker that runs. Dropping it without `stop` leaves its jobs as a crash would.
pub(crate) struct Running {
    pub(crate) handle: WorkerHandle,
    ended: tokio::task::JoinHandle<Result<(), Error>>,
}

impl Bench {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, notes: Notes::default() }
    }

    /// A worker of the queue `q`.
    pub(crate) fn worker(&self) -> WorkerBuilder {
        self.bare_worker().queue("q")
    }

    /// A worker without queues of its own.
    pub(crate) fn bare_worker(&self) -> WorkerBuilder {
        Worker::builder(self.client.clone()).data(self.notes.clone()).data(self.client.clone()).concurrency(8)
    }

    pub(crate) fn start(&self, worker: WorkerBuilder) -> Running {
        let worker = worker.build().expect("the worker of a test is well described");
        let handle = worker.handle();
        Running { handle, ended: tokio::spawn(worker.run_until(std::future::pending())) }
    }

    /// Puts bytes into the queue `q` as a job.
    pub(crate) async fn enqueue_bytes(&self, id: &str, envelope: &[u8]) -> JobHandle<()> {
        let id = JobId::new(id).unwrap();
        let job = NewJob { id: id.clone(), priority: 5, due: Due::Now, envelope: envelope.to_vec() };
        self.client.broker().enqueue(&queue(), &[job], None).await.unwrap();
        self.client.handle(queue(), id)
    }

    pub(crate) async fn status_is<T>(
        &self,
        job: &JobHandle<T>,
        what: &str,
        is: impl Fn(&JobStatus) -> bool,
    ) -> JobStatus {
        eventually(&format!("job {} is {what}", job.id()), BOUND, async || {
            let status = job.status().await.unwrap();
            is(&status).then_some(status)
        })
        .await
    }
}

impl Running {
    pub(crate) async fn ended(self) {
        tokio::time::timeout(BOUND, self.ended).await.expect("the worker ends").unwrap().unwrap();
    }

    pub(crate) async fn stop(self) {
        self.handle.stop();
        self.ended().await;
    }
}

pub(crate) fn queue() -> QueueName {
    QueueName::new("q").unwrap()
}

#[task(queue = "q")]
pub(crate) async fn note(text: String, #[inject] notes: Data<Notes>) {
    notes.add(text);
}

#[task(queue = "q")]
pub(crate) async fn add(a: u64, b: u64) -> Result<u64, String> {
    a.checked_add(b).ok_or_else(|| "too large".into())
}

#[task(queue = "q", max_attempts = 2, backoff = ["10ms"])]
pub(crate) async fn fail(why: String) -> Result<(), String> {
    Err(why)
}

#[task(queue = "q", max_attempts = 1)]
pub(crate) async fn panic_with(text: String) {
    panic!("{text}")
}

#[task(queue = "q", max_attempts = 1, blocking)]
pub(crate) fn panic_blocking(text: String) {
    panic!("{text}")
}

/// Goes on until it is cancelled, or for a minute.
#[task(queue = "q")]
pub(crate) async fn wait_for_cancel(
    #[inject] notes: Data<Notes>,
    #[inject] cancelled: CancellationToken,
) -> Result<(), String> {
    notes.add("waiting");
    let minute = Duration::from_secs(60);
    match tokio::time::timeout(minute, cancelled.cancelled()).await {
        Ok(()) => {
            notes.add("cancelled");
            Err("was cancelled".into())
        }
        Err(_) => Ok(()),
    }
}

/// Ends when someone notes `go`, whatever else happens.
#[task(queue = "q")]
pub(crate) async fn wait_for_go(name: String, #[inject] notes: Data<Notes>) {
    notes.add(format!("begin {name}"));
    notes.wait_for("go").await;
    notes.add(format!("end {name}"));
}

#[task(queue = "q", timeout = "50ms", max_attempts = 1)]
pub(crate) async fn too_slow(#[inject] notes: Data<Notes>) {
    notes.wait_for("never").await;
}

#[task(queue = "q", name = "new_name", aliases = ["old_name"])]
pub(crate) async fn renamed() {}

/// Tells which attempt it is and what it is given.
#[task(queue = "q")]
pub(crate) async fn tell(
    #[inject] ctx: &Context,
    #[inject] notes: &Data<Notes>,
) -> Result<(String, u32, bool), String> {
    notes.add("told");
    Ok((ctx.queue().to_string(), ctx.attempt(), ctx.fencing_token() > 0))
}

/// Enqueues a note into another queue, just before it ends.
#[task(queue = "q")]
pub(crate) async fn pass_on(text: String, #[inject] client: Data<Client>) -> Result<(), Error> {
    Note::new(text).options().queue("other").enqueue_on(&client).await.map(drop)
}

/// Writes down how many run at a time.
#[task(queue = "q")]
pub(crate) async fn count_company(#[inject] notes: Data<Notes>) {
    notes.add("+");
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    notes.add("-");
}

/// Panics, or something of it does.
#[task(queue = "q", max_attempts = 1)]
pub(crate) async fn panic_somewhere(place: String, #[inject] notes: Data<Notes>) -> Result<(), String> {
    match &*place {
        "itself" => panic!("the task fell"),
        "drop" => drop(Bomb),
        "child" => tokio::spawn(async { panic!("the child fell") }).await.unwrap(),
        "told child" => {
            let child: Result<(), _> = tokio::spawn(async { panic!("the child fell") }).await;
            child.map_err(|error| error.to_string())?;
        }
        "thread" => {
            let thread = std::thread::spawn(|| panic!("the thread falls"));
            thread.join().map_err(|_: Box<_>| "the thread fell")?;
        }
        _ => drop(tokio::spawn(async move {
            notes.add("the child falls");
            panic!("the child fell")
        })),
    }
    Ok(())
}

/// What panics when a stopped attempt is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("the lock is poisoned");
    }
}

#[task(queue = "q", timeout = "50ms", max_attempts = 1)]
pub(crate) async fn panic_when_dropped() {
    let _bomb = Bomb;
    std::future::pending::<()>().await;
}
