//! What the workers do: reports on the queue `default`, three at a time, and tickets on `jira`, one after the other.

use std::path::PathBuf;
use std::time::Duration;

use task_runtime::prelude::*;
use task_runtime::{Error, JobHandle, JobId, QueueName};
use tokio::time::sleep;

use crate::progress::Progress;
use crate::report::{Analysis, Report};
use crate::summary;

/// The queues, and how many jobs of each run at a time in this process.
pub(crate) const QUEUES: [(&str, usize); 2] = [(REPORTS, 3), (TICKETS, 1)];
/// The queue of reports.
pub(crate) const REPORTS: &str = "default";
/// The queue of tickets.
pub(crate) const TICKETS: &str = "jira";

/// How many steps a report or a ticket has, about.
pub(crate) const STEPS: u32 = 40;
/// How long a report may take in all: three attempts of 5 minutes.
pub(crate) const MAX_REPORT_TIME: Duration = Duration::from_secs(15 * 60);
/// How long others wait before they take over what a process that vanished was doing: short, because this is for people
/// who try it out.
const LEASE: Duration = Duration::from_secs(5);
/// How long what runs may go on after the signal to stop; then it goes back to its queue.
const GRACE: Duration = Duration::from_secs(3);

/// What the workers have: the state that tasks ask for.
#[derive(Clone)]
pub(crate) struct Workshop {
    /// Where jobs are followed.
    pub(crate) client: Client,
    /// Where uploaded files are.
    pub(crate) folder: PathBuf,
    /// The pause after each step, so that there is something to see; none for real work.
    pub(crate) pace: Duration,
    pub(crate) progress: Progress,
}

impl Workshop {
    /// Where the uploaded file of a report is.
    pub(crate) fn file(&self, report: &JobId) -> PathBuf {
        self.folder.join(format!("{report}.upload"))
    }

    /// A worker for each queue, with as many places as it has here.
    ///
    /// # Errors
    /// [`Error::WorkerSetup`] when something keeps one from starting.
    pub(crate) fn workers(&self, client: &Client) -> Result<Vec<Worker>, Error> {
        let worker = |(queue, places)| {
            let worker = Worker::builder(client.clone()).queue(queue).concurrency(places);
            worker.lease(LEASE).grace(GRACE).data(self.clone()).build()
        };
        QUEUES.into_iter().map(worker).collect()
    }

    /// Tells how far the job of an attempt is, until it is dropped.
    fn telling(&self, ctx: &Context) -> Telling {
        Telling { progress: self.progress.clone(), id: ctx.job_id().as_str().to_owned() }
    }
}

/// Forgets the progress of an attempt however it ends, also when it is cancelled in the middle.
struct Telling {
    progress: Progress,
    id: String,
}

impl Telling {
    fn report(&self, done: u64, total: u64) {
        self.progress.report(&self.id, done, total);
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        self.progress.end(&self.id);
    }
}

/// Makes the report of an uploaded file; the id of the job is that of the report.
#[task(queue = "default", timeout = "5m", max_attempts = 3, backoff = constant("1s"), result_ttl = "1d")]
pub(crate) async fn build_report(
    name: String,
    shelf: String,
    #[inject] ctx: Context,
    #[inject] workshop: &Data<Workshop>,
) -> Result<Report, Failure> {
    let telling = workshop.telling(&ctx);
    telling.report(0, 1);
    // Each attempt does so, because the process of the one before may be gone.
    summary::forget_after(report(&workshop.client, ctx.job_id()), shelf);
    let text = tokio::fs::read_to_string(workshop.file(ctx.job_id())).await;
    let text = text.map_err(|error| Failure::new(format!("the uploaded file cannot be read: {error}")))?;
    let unreadable = |error: csv::Error| Failure::new(format!("the table cannot be read: {error}"));
    let step = text.len() as u64 / u64::from(STEPS);
    let mut analysis = Analysis::begin(&name, text).map_err(unreadable)?;
    let mut before = 0;
    loop {
        let (done, total) = analysis.go_on(step).map_err(unreadable)?;
        telling.report(done, total);
        // At each pause others get their turn, and a job that is to stop is dropped. In all, files of every size have
        // equally long pauses: the rows of a short one are longer steps.
        let steps = f64::from(STEPS) * (done - before) as f64 / total as f64;
        sleep(workshop.pace.mul_f64(steps)).await;
        before = done;
        if done >= total {
            return Ok(analysis.end());
        }
    }
}

/// Files a ticket about a report, and gives its key. It stands for a call to a slow service that takes one at a time.
#[task(queue = "jira", timeout = "5m", result_ttl = "1d")]
pub(crate) async fn file_ticket(
    report: &JobId,
    #[inject] ctx: Context,
    #[inject] workshop: &Data<Workshop>,
) -> Result<String, Failure> {
    let telling = workshop.telling(&ctx);
    for step in 0..STEPS {
        telling.report(step.into(), STEPS.into());
        sleep(workshop.pace).await;
    }
    // An attempt that follows a crash must not make a second ticket, so the key follows from the report.
    let key: String = report.as_str().chars().rev().filter(char::is_ascii_alphanumeric).take(6).collect();
    Ok(format!("DEMO-{}", key.to_uppercase()))
}

/// The report of this id.
pub(crate) fn report(client: &Client, id: &JobId) -> JobHandle<Report> {
    client.handle(queue(REPORTS), id.clone())
}

/// The ticket about the report of this id.
///
/// # Errors
/// [`Error::InvalidName`] for an id that is too long for a report.
pub(crate) fn ticket(client: &Client, report: &JobId) -> Result<JobHandle<String>, Error> {
    Ok(client.handle(queue(TICKETS), JobId::new(ticket_id(report))?))
}

/// The id of the ticket about a report: a report has one ticket, however often it is asked for.
pub(crate) fn ticket_id(report: &JobId) -> String {
    format!("ticket-{report}")
}

/// The queue of that name.
pub(crate) fn queue(name: &str) -> QueueName {
    QueueName::new(name).expect("the names of our queues are allowed")
}
