//! The pages of reports: the list, one report, its ticket.

use axum::extract::{Path, Query, State};
use axum::response::Redirect;
use maud::Markup;
use serde::Deserialize;
use task_runtime::Session;

use crate::app::App;
use crate::csrf::{self, Checked};
use crate::pages;
use crate::refusal::Refusal;
use crate::shelf::{self, Standing};
use crate::tasks::{self, FileTicket};
use crate::visitor::Visitor;

/// Which page of the list, the first being 1.
#[derive(Deserialize)]
pub(crate) struct Part {
    #[serde(default)]
    page: Option<usize>,
}

/// The first page: the reports of a visitor, so many a page as they want; the log-in for others.
pub(crate) async fn home(
    session: Session,
    State(app): State<App>,
    Query(part): Query<Part>,
) -> Result<Markup, Refusal> {
    let Some(visitor) = Visitor::of(&session).await? else {
        return Ok(pages::log_in(&csrf::token(&session).await?, None));
    };
    let (uploads, rows) = (shelf::all(&visitor.session).await?, visitor.preferences.rows);
    let pages = uploads.len().div_ceil(rows).max(1);
    let page = part.page.unwrap_or(1).clamp(1, pages);
    let shown: Vec<_> = uploads.into_iter().skip((page - 1) * rows).take(rows).collect();
    let words = shelf::words(&app, &shown).await?;
    Ok(pages::list(&visitor, &shown, &words, page, pages))
}

/// One report: how far it is, or what it says; and its ticket, if there is one.
pub(crate) async fn report(
    visitor: Visitor,
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Markup, Refusal> {
    let upload = shelf::find(&visitor, &id).await?;
    let report = shelf::standing(&tasks::report(&app.client, &upload.id)).await?;
    let ticket = match report {
        Standing::Done(_) => shelf::standing(&tasks::ticket(&app.client, &upload.id)?).await?,
        _ => Standing::Gone,
    };
    let job = if report.goes_on() { upload.id.as_str() } else { &tasks::ticket_id(&upload.id) };
    let done = app.workshop.progress.now(job).await;
    Ok(pages::report(&visitor, &upload, &report, &ticket, done))
}

/// Files a ticket about a report; asking twice files one.
pub(crate) async fn ticket(
    visitor: Visitor,
    State(app): State<App>,
    Path(id): Path<String>,
    _form: Checked,
) -> Result<Redirect, Refusal> {
    let upload = shelf::find(&visitor, &id).await?;
    let once = tasks::ticket_id(&upload.id);
    let ticket = FileTicket::new(upload.id).options().id(once);
    ticket.enqueue_on(&app.client).await?;
    Ok(Redirect::to(&format!("/reports/{id}")))
}
