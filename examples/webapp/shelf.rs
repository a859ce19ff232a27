//! The reports of a visitor: a list in a field of the session, and how far each of them is.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use task_runtime::{JobError, JobHandle, JobId, JobStatus, Session};

use crate::app::App;
use crate::refusal::Refusal;
use crate::visitor::Visitor;

/// The field of the session.
pub(crate) const FIELD: &str = "uploads";
/// The field with the name of the list for what is kept of it elsewhere. The id of a session is a secret, and changes.
pub(crate) const ID: &str = "shelf";

/// Most reports in the list; the oldest make room.
const MAX_UPLOADS: usize = 100;
/// How long the result of a job that has ended may take to arrive.
const RESULT_TIME: Duration = Duration::from_secs(2);

/// A file that a visitor uploaded, and its report.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Upload {
    /// The id of the report, which is also that of the job that makes it.
    pub(crate) id: JobId,
    /// What the visitor calls the file.
    pub(crate) name: String,
    pub(crate) bytes: u64,
    /// When it came, in seconds since 1970.
    pub(crate) at: u64,
}

/// How far a job is that gives a `T`.
pub(crate) enum Standing<T> {
    /// It waits for a place, or for its next attempt.
    Waits,
    Runs,
    Done(T),
    Failed(String),
    /// It is no longer kept, or never was.
    Gone,
}

impl<T> Standing<T> {
    /// Whether there will be something else to see without anybody's doing.
    pub(crate) fn goes_on(&self) -> bool {
        matches!(self, Self::Waits | Self::Runs)
    }
}

/// Adds to the list of a session. Uploads at the same time lose nothing of each other.
///
/// # Errors
/// What the session store says.
pub(crate) async fn add(session: &Session, upload: Upload) -> Result<(), Refusal> {
    let add = |held: Option<Vec<Upload>>| {
        let mut uploads = held.unwrap_or_default();
        uploads.insert(0, upload.clone());
        uploads.truncate(MAX_UPLOADS);
        Some(uploads)
    };
    session.update(FIELD, add).await?;
    Ok(())
}

/// The list, the newest first.
///
/// # Errors
/// What the session store says.
pub(crate) async fn all(session: &Session) -> Result<Vec<Upload>, Refusal> {
    Ok(session.get(FIELD).await?.unwrap_or_default())
}

/// The name of the list, which no other has: also not that of another visitor of the same name.
///
/// # Errors
/// What the session store says.
pub(crate) async fn id(session: &Session) -> Result<String, Refusal> {
    if let Some(id) = session.get(ID).await? {
        return Ok(id);
    }
    // Of two requests at the same time, both get that of the first.
    let new = JobId::random().to_string();
    let held = session.update(ID, |held: Option<String>| Some(held.unwrap_or_else(|| new.clone()))).await?;
    Ok(held.unwrap_or(new))
}

/// The upload of this id, if it is the visitor's.
///
/// # Errors
/// [`Refusal::NotFound`] for one of nobody, and for one of somebody else; what the session store says.
pub(crate) async fn find(visitor: &Visitor, id: &str) -> Result<Upload, Refusal> {
    let mine = all(&visitor.session).await?.into_iter().find(|upload| upload.id.as_str() == id);
    mine.ok_or(Refusal::NotFound)
}

/// How far a job is.
///
/// # Errors
/// When the broker cannot tell.
pub(crate) async fn standing<T: serde::de::DeserializeOwned>(job: &JobHandle<T>) -> Result<Standing<T>, Refusal> {
    Ok(match job.status().await? {
        JobStatus::Running => Standing::Runs,
        JobStatus::Dead { error, .. } => Standing::Failed(error),
        JobStatus::Cancelled => Standing::Failed("It was cancelled.".into()),
        JobStatus::Unknown => Standing::Gone,
        JobStatus::Completed { .. } => match job.result_within(RESULT_TIME).await {
            Ok(value) => Standing::Done(value),
            Err(JobError::Broker(error)) => return Err(error.into()),
            Err(JobError::NotKept { .. }) => Standing::Gone,
            Err(error) => Standing::Failed(error.to_string()),
        },
        _ => Standing::Waits,
    })
}

/// The word for where each of some reports is.
///
/// # Errors
/// When the broker cannot tell.
pub(crate) async fn words(app: &App, uploads: &[Upload]) -> Result<Vec<&'static str>, Refusal> {
    let asked = uploads.iter().map(async |upload| crate::tasks::report(&app.client, &upload.id).status().await);
    let told = futures_util::future::try_join_all(asked).await?;
    Ok(told.iter().map(word).collect())
}

fn word(status: &JobStatus) -> &'static str {
    match status {
        JobStatus::Completed { .. } => "ready",
        JobStatus::Running => "running",
        JobStatus::Dead { .. } | JobStatus::Cancelled => "failed",
        JobStatus::Unknown => "no longer kept",
        _ => "waiting",
    }
}
