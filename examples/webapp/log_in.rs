//! How a visitor becomes known and unknown again.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use task_runtime::Session;

use crate::csrf::{self, Checked};
use crate::refusal::Refusal;
use crate::visitor::{NAME, Visitor};
use crate::{pages, preferences, shelf};

/// The password of everybody, which the page shows: this is a demonstration. A real application keeps a hash of each
/// user's own, and slows down who guesses.
pub(crate) const PASSWORD: &str = "demo";

/// Longest name, in characters.
const MAX_NAME: usize = 40;

/// Takes the log-in in. The session gets a new id, so that one that was planted or seen before is of no use.
pub(crate) async fn log_in(session: Session, form: Checked) -> Result<Response, Refusal> {
    let name = form.field("name")?.trim();
    let fault = if name.is_empty() || name.chars().count() > MAX_NAME {
        "Give a name of 1 to 40 letters."
    } else if form.field("password")? != PASSWORD {
        "This is not the password."
    } else {
        // What another visitor left in this browser is not for this one.
        if session.user().await?.is_some_and(|before| before != name) {
            session.remove(preferences::FIELD)?;
            session.remove(shelf::FIELD)?;
            session.remove(shelf::ID)?;
        }
        session.set_user(name)?;
        session.set(NAME, name)?;
        csrf::renew(&session)?;
        return Ok(Redirect::to("/").into_response());
    };
    let page = pages::log_in(&csrf::token(&session).await?, Some(fault));
    Ok((StatusCode::UNAUTHORIZED, page).into_response())
}

/// Ends the session: its id is dead, and its fields are gone.
pub(crate) async fn log_out(visitor: Visitor, _form: Checked) -> Result<Redirect, Refusal> {
    visitor.session.destroy().await?;
    Ok(Redirect::to("/"))
}
