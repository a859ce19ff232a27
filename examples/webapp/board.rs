//! A table of the queues, and of what runs in this process: the page for those who look after it.

use axum::extract::State;
use maud::Markup;
use task_runtime::QueueName;
use task_runtime::broker::Counts;

use crate::app::App;
use crate::refusal::Refusal;
use crate::tasks::{QUEUES, queue};
use crate::visitor::Visitor;
use crate::{pages, progress::Step};

/// What the page shows.
pub(crate) struct Board {
    /// The queues that this application serves, with the places of each in this process.
    pub(crate) queues: Vec<(QueueName, usize, Counts)>,
    /// The jobs that run in this process.
    pub(crate) running: Vec<(String, Step)>,
    /// Whether jobs outlive the process.
    pub(crate) on_server: bool,
}

/// The page. Every visitor may see it, because it tells nothing of what is in files; a real application would ask for
/// more than a log-in.
pub(crate) async fn page(visitor: Visitor, State(app): State<App>) -> Result<Markup, Refusal> {
    let mut queues = Vec::new();
    for (name, places) in QUEUES {
        let name = queue(name);
        let counts = app.client.counts(&name).await?;
        queues.push((name, places, counts));
    }
    let running = app.workshop.progress.running();
    Ok(pages::board(&visitor, &Board { queues, running, on_server: app.on_server }))
}
