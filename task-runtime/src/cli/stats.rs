//! `stats`: how many jobs are where.

use serde_json::json;

use crate::broker::Counts;
use crate::job::QueueName;

use super::Exit;
use super::args::{ListOptions, TargetOptions};
use super::output::{print, table};

const HEAD: [&str; 9] = ["QUEUE", "STATE", "READY", "RUNNING", "SCHEDULED", "PARKED", "DEAD", "FINISHED", "WORKERS"];
const NUMBERS: [usize; 7] = [2, 3, 4, 5, 6, 7, 8];

pub(super) async fn run(target: TargetOptions, options: &ListOptions) -> Result<(), Exit> {
    let client = target.connect("`stats`").await?;
    let mut queues = Vec::new();
    for queue in client.queues().await? {
        let counts = client.counts(&queue).await?;
        queues.push((queue, counts));
    }
    if options.json {
        let queues: Vec<_> = queues.iter().map(|(queue, counts)| as_json(queue, counts)).collect();
        return print(&format!("{:#}", json!(queues)));
    }
    if queues.is_empty() {
        return print("no queue has been used yet");
    }
    let rows: Vec<_> = queues.iter().map(|(queue, counts)| row(queue, counts)).collect();
    print(&table(&HEAD, &rows, &NUMBERS))
}

/// What someone should know of a queue, in one word.
fn state(counts: &Counts) -> &'static str {
    match counts {
        Counts { paused: true, .. } => "paused",
        Counts { workers: 0, ready, running, .. } if ready + running > 0 => "no worker",
        _ => "ok",
    }
}

fn row(queue: &QueueName, counts: &Counts) -> Vec<String> {
    let numbers =
        [counts.ready, counts.running, counts.scheduled, counts.parked, counts.dead, counts.finished, counts.workers];
    let text = [queue.to_string(), state(counts).to_owned()];
    text.into_iter().chain(numbers.map(|number| number.to_string())).collect()
}

fn as_json(queue: &QueueName, counts: &Counts) -> serde_json::Value {
    json!({
        "queue": queue.as_str(),
        "state": state(counts),
        "ready": counts.ready,
        "running": counts.running,
        "scheduled": counts.scheduled,
        "parked": counts.parked,
        "dead": counts.dead,
        "finished": counts.finished,
        "workers": counts.workers,
    })
}
