//! What real processes do on a real server: crashes, signals, the command line.

mod bench;
mod cli;
mod clocks;
mod crashes;
mod damaged;
mod eviction;
mod fleet;
mod fleets;
mod hostile;
mod outages;
mod parts;
mod poison;
mod quickstart;
mod readiness;
mod signals;
mod sizes;
mod stuck;
#[path = "../programs/tasks.rs"]
mod tasks;

use std::time::Duration;

use support::{Program, Running, namespace, shared_redis};
use task_runtime::Client;
use task_runtime::job::{Namespace, QueueName};

/// Nothing that a test waits for may take longer.
const BOUND: Duration = Duration::from_secs(60);

/// A namespace of its own on the shared server.
struct Bench {
    url: String,
    namespace: String,
    client: Client,
}

impl Bench {
    async fn new() -> Self {
        let (url, namespace) = (shared_redis().url(), namespace());
        let name = Namespace::new(&namespace).expect("the namespace of a test is valid");
        let client = Client::connect_in(&url, name).await.expect("a test server answers");
        Self { url, namespace, client }
    }

    /// The program, told where the jobs are.
    fn program(&self, arguments: &[&str]) -> Program {
        self.at(Program::new(env!("CARGO_BIN_EXE_test-worker")).args(arguments))
    }

    /// Tells a program where the jobs are.
    fn at(&self, program: Program) -> Program {
        unset(program).env("REDIS_URL", &self.url).env("TASK_NAMESPACE", &self.namespace)
    }

    fn start(&self, arguments: &[&str]) -> Running {
        self.program(arguments).start()
    }

    /// A worker that has begun.
    fn worker(&self, arguments: &[&str]) -> Running {
        let mut worker = self.start(&[&["worker"], arguments].concat());
        worker.wait_for_line("worker started", BOUND);
        worker
    }
}

fn program(arguments: &[&str]) -> Program {
    unset(Program::new(env!("CARGO_BIN_EXE_test-worker")).args(arguments))
}

/// What the person at this machine has set must not count.
fn unset(program: Program) -> Program {
    program.env("REDIS_URL", "").env("TASK_REDIS_URL", "").env("RUST_LOG", "")
}

fn queue(name: &str) -> QueueName {
    QueueName::new(name).expect("the name is valid")
}

/// Lets some time go by, in which nothing is to happen that could be waited for.
async fn pass(time: Duration) {
    let _ = tokio::time::timeout(time, std::future::pending::<()>()).await;
}

/// Waits for the end of a program; its exit code and what it printed.
fn ended(mut running: Running) -> (i32, String) {
    let status = running.wait(BOUND);
    (status.code().expect("it was not killed"), running.lines().join("\n"))
}

/// The JSON that a program printed, without the lines for people that may come in between on the other stream.
fn json_in(text: &str) -> serde_json::Value {
    let lines: String = text.lines().filter(|line| line.starts_with(['{', '}', '[', ']', ' '])).collect();
    serde_json::from_str(&lines).unwrap_or_else(|error| panic!("{error}: {text}"))
}
