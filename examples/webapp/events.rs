//! The progress of a job as server-sent events, until it has ended.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;
use futures_util::stream::unfold;
use serde::de::DeserializeOwned;
use task_runtime::{JobError, JobHandle};
use tokio::sync::{mpsc, watch};

use crate::app::App;
use crate::progress::Step;
use crate::refusal::Refusal;
use crate::visitor::Visitor;
use crate::{shelf, tasks};

/// How long one answer goes on; browsers then ask again by themselves.
const LONGEST: Duration = Duration::from_secs(10 * 60);
/// What proxies may need to keep the connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The progress of a report.
pub(crate) async fn report(
    visitor: Visitor,
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Refusal> {
    let upload = shelf::find(&visitor, &id).await?;
    Ok(follow(&app, tasks::report(&app.client, &upload.id)))
}

/// The progress of the ticket about a report.
pub(crate) async fn ticket(
    visitor: Visitor,
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Refusal> {
    let upload = shelf::find(&visitor, &id).await?;
    Ok(follow(&app, tasks::ticket(&app.client, &upload.id)?))
}

/// An event `progress` for each step, with the percentage, and one `ended` when there is something else to see.
fn follow<T>(app: &App, job: JobHandle<T>) -> Sse<impl Stream<Item = Result<Event, Infallible>> + use<T>>
where
    T: DeserializeOwned + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(1);
    let steps = app.workshop.progress.watch(job.id().as_str());
    let stopping = app.stopping.clone();
    tokio::spawn(async move {
        tokio::select! {
            // The visitor has gone, or the application stops: browsers ask again when it is back.
            () = sender.closed() => {}
            () = stopping.cancelled() => {}
            () = tell_steps(steps, &sender) => {}
            ended = job.result_within(LONGEST) => {
                if !matches!(ended, Err(JobError::Timeout { .. } | JobError::Broker(_))) {
                    let _ = sender.send(Event::default().event("ended").data("100")).await;
                }
            }
        }
    });
    let events = unfold(receiver, async |mut receiver| Some((Ok(receiver.recv().await?), receiver)));
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}

/// Tells each step that the reader is quick enough for. It does not end by itself: the end of the job is told elsewhere.
async fn tell_steps(mut steps: watch::Receiver<Step>, sender: &mpsc::Sender<Event>) {
    steps.mark_changed();
    while steps.changed().await.is_ok() {
        let step = *steps.borrow_and_update();
        if step.total == 0 {
            continue;
        }
        let percent = step.percent();
        if sender.send(Event::default().event("progress").data(percent.to_string())).await.is_err() {
            break;
        }
    }
    std::future::pending().await
}
