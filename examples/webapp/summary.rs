//! The reports of a visitor in numbers: slow to make, so what it gives is kept in the cache.

use std::time::Duration;

use axum::extract::State;
use maud::Markup;
use serde::{Deserialize, Serialize};
use task_runtime::{JobHandle, Session, cached};
use tokio::time::sleep;

use crate::app::App;
use crate::pages;
use crate::refusal::Refusal;
use crate::report::Report;
use crate::shelf::{self, Standing};
use crate::tasks::{self, MAX_REPORT_TIME, STEPS};
use crate::upload::now;
use crate::visitor::Visitor;

/// The reports of a visitor in numbers.
#[derive(Serialize, Deserialize)]
pub(crate) struct Summary {
    /// All of them.
    pub(crate) reports: usize,
    /// Those that can be looked at.
    pub(crate) ready: usize,
    pub(crate) failed: usize,
    /// What was uploaded.
    pub(crate) bytes: u64,
    /// Rows of the tables and lines of the texts that are ready.
    pub(crate) rows: u64,
    /// When they were counted, in milliseconds since 1970.
    pub(crate) at: u64,
}

/// The page. It knows nothing of the cache: to call the function is all there is to do.
pub(crate) async fn page(visitor: Visitor, State(app): State<App>) -> Result<Markup, Refusal> {
    let shelf = shelf::id(&visitor.session).await?;
    let summary = summary(shelf, visitor.session.clone(), app).await?;
    Ok(pages::numbers(&visitor, &summary))
}

/// Counts the reports on a shelf, once for all requests that ask for them at the same time and for those of a minute.
/// Then, for some minutes more, nobody waits either: they get what there was, while it is counted anew.
///
/// The list is read in here and is no parameter, or one that was read before an upload could be kept after it.
#[cached(name = "summary", by = "shelf", ttl = "1m", stale = "10m")]
async fn summary(shelf: String, session: Session, app: App) -> Result<Summary, Refusal> {
    tracing::debug!(shelf, "counting");
    let uploads = shelf::all(&session).await?;
    let asked = uploads.iter().map(async |upload| shelf::standing(&tasks::report(&app.client, &upload.id)).await);
    let reports = futures_util::future::try_join_all(asked).await?;
    // For a query that takes its time.
    sleep(app.workshop.pace * STEPS).await;
    let failed = reports.iter().filter(|report| matches!(report, Standing::Failed(_))).count();
    let ready =
        reports.iter().filter_map(|report| if let Standing::Done(report) = report { Some(report) } else { None });
    Ok(Summary {
        reports: uploads.len(),
        ready: ready.clone().count(),
        failed,
        bytes: uploads.iter().map(|upload| upload.bytes).sum(),
        rows: ready.map(|report| report.rows).sum(),
        at: u64::try_from(now().as_millis()).unwrap_or(u64::MAX),
    })
}

/// Has a shelf counted anew when it is asked for next.
pub(crate) async fn forget(shelf: String) {
    // Without its cache it is counted each time, so nothing old is shown but for the minutes that it may be.
    if let Err(error) = summary::invalidate(shelf).await {
        tracing::warn!(%error, "a summary may be old for a while");
    }
}

/// Has a shelf counted anew when a report on it has ended: not before its result is there for all to see.
pub(crate) fn forget_after(report: JobHandle<Report>, shelf: String) {
    tokio::spawn(async move {
        let _ended = report.result_within(MAX_REPORT_TIME + Duration::from_secs(10)).await;
        forget(shelf).await;
    });
}
