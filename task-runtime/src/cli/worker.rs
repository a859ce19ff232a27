//! `worker`: runs jobs until it is stopped.

use std::fmt::{self, Debug, Write as _};
use std::io::IsTerminal as _;

use tracing::field::Field;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::format::{Writer, debug_fn};

use crate::handler::DataMap;
use crate::worker::{Worker, WorkerBuilder};

use super::Exit;
use super::args::{LogForm, TargetOptions, WorkerOptions};
use super::health::Health;
use super::output::OneLine;

pub(super) async fn run(data: DataMap, target: TargetOptions, options: WorkerOptions) -> Result<(), Exit> {
    log_to_stderr(options.log)?;
    let client = target.connect("a worker").await?;
    // Tasks that enqueue further jobs do it here too.
    crate::client::set_default_client(client.clone());
    let worker = Worker::builder(client)
        .concurrency(options.concurrency)
        .burst(options.burst)
        .grace(options.grace)
        .lease(options.lease)
        .allow_eviction(options.allow_eviction)
        .data_map(data);
    let worker = with_queues(worker, &options.queues)?.build()?;
    // Dropped at the end, and with it the thread.
    let _health = options.health.map(|address| Health::serve(address, worker.handle())).transpose()?;
    Ok(worker.run().await?)
}

fn with_queues(mut worker: WorkerBuilder, queues: &[String]) -> Result<WorkerBuilder, Exit> {
    for queue in queues {
        worker = match queue.split_once(':') {
            None => worker.queue(queue),
            Some((name, weight)) => {
                let weight = weight.parse().map_err(|_| {
                    let message =
                        format!("the weight of queue `{name}` is `{weight}`, expected a whole number of 1 to 1000");
                    Exit::new(Exit::USAGE, message)
                })?;
                worker.weighted_queue(name, weight)
            }
        };
    }
    Ok(worker)
}

/// Logs to stderr, unless the program has seen to that itself.
fn log_to_stderr(form: LogForm) -> Result<(), Exit> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(text) if !text.is_empty() => EnvFilter::try_new(&text)
            .map_err(|error| Exit::new(Exit::USAGE, format!("RUST_LOG is not understood: {error}")))?,
        _ => EnvFilter::new("info"),
    };
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none());
    // An error says that the program has a subscriber of its own.
    let _ = match form {
        LogForm::Text => log.with_target(false).fmt_fields(debug_fn(field).delimited(" ")).try_init(),
        LogForm::Json => log.json().try_init(),
    };
    Ok(())
}

/// One field of a line of the log. What is in it may come from anyone: an id or a name that another
/// program stored, an error of a server, what a task logs.
fn field(line: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> fmt::Result {
    if field.name() != "message" {
        write!(line, "{field}=")?;
    }
    write!(OneLine(line), "{value:?}")
}
