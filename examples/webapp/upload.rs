//! A file that a visitor sends: taken in, checked, stored, and given to the workers.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::multipart::{Field, Multipart};
use axum::extract::{FromRequest, Request, State};
use axum::response::Redirect;
use task_runtime::JobId;
use tokio::time::{sleep, timeout};

use crate::app::App;
use crate::csrf;
use crate::refusal::Refusal;
use crate::shelf::{self, Upload};
use crate::summary;
use crate::tasks::BuildReport;
use crate::visitor::Visitor;

/// Largest file that is taken, in bytes.
const MAX_FILE_BYTES: usize = 5 * 1024 * 1024;
/// Most bytes of a request that are read. A file that is too large is read on up to here and thrown away, because a
/// browser shows the page that says so only when it could send all of it.
pub(crate) const MAX_REQUEST_BYTES: usize = 64 * 1024 * 1024;
/// How long an upload may take.
const MAX_UPLOAD_TIME: Duration = Duration::from_secs(120);
/// Longest name of a file that is kept, in characters.
const MAX_NAME: usize = 80;
/// How long uploaded files are kept: as long as the result of a report.
const KEPT: Duration = Duration::from_secs(24 * 3600);
/// How often the folder is looked through for older ones.
const SWEEP: Duration = Duration::from_secs(3600);

/// Takes a file in, and sends the visitor to the page of its report at once: the report is made meanwhile.
pub(crate) async fn upload(visitor: Visitor, State(app): State<App>, request: Request) -> Result<Redirect, Refusal> {
    let received = timeout(MAX_UPLOAD_TIME, receive(&visitor, request)).await.map_err(|_| Refusal::TooSlow)?;
    let (name, bytes) = received?;
    let text = text(bytes)?;
    let id = JobId::random();
    let upload = Upload { id: id.clone(), name: name.clone(), bytes: text.len() as u64, at: now().as_secs() };

    tokio::fs::write(app.workshop.file(&id), text).await?;
    // With an id of our own, which names file, job and page.
    let shelf = shelf::id(&visitor.session).await?;
    BuildReport::new(name, shelf.as_str()).options().id(id.as_str()).enqueue_on(&app.client).await?;
    shelf::add(&visitor.session, upload).await?;
    summary::forget(shelf).await;
    Ok(Redirect::to(&format!("/reports/{id}")))
}

/// Reads the form: its token first, so that nothing of a forged one is read, then the file.
async fn receive(visitor: &Visitor, request: Request) -> Result<(String, Vec<u8>), Refusal> {
    let form = |error: &dyn std::fmt::Display| Refusal::Form(error.to_string());
    let mut fields = Multipart::from_request(request, &()).await.map_err(|error| form(&error.body_text()))?;
    let mut genuine = false;
    while let Some(field) = fields.next_field().await.map_err(|error| form(&error.body_text()))? {
        match field.name() {
            Some(csrf::FIELD) => {
                let (given, _) = read(field, csrf::TOKEN_CHARACTERS).await?;
                csrf::check(&visitor.session, &String::from_utf8_lossy(&given)).await?;
                genuine = true;
            }
            Some("file") if genuine => {
                let name = file_name(field.file_name().unwrap_or_default());
                return match read(field, MAX_FILE_BYTES).await? {
                    (_, true) => Err(Refusal::TooLarge),
                    (bytes, false) => Ok((name, bytes)),
                };
            }
            _ if genuine => {}
            _ => return Err(Refusal::Forged),
        }
    }
    Err(if genuine { Refusal::Form("it has no `file`".into()) } else { Refusal::Forged })
}

/// The first `most` bytes of a field, and whether it has more; it is read to its end.
async fn read(mut field: Field<'_>, most: usize) -> Result<(Vec<u8>, bool), Refusal> {
    let mut bytes = Vec::new();
    let mut over = false;
    loop {
        match field.chunk().await {
            Ok(Some(chunk)) => {
                over = over || bytes.len() + chunk.len() > most;
                if !over {
                    bytes.extend_from_slice(&chunk);
                }
            }
            Ok(None) => return Ok((bytes, over)),
            Err(error) if error.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE => return Err(Refusal::TooLarge),
            Err(error) => return Err(Refusal::Form(error.body_text())),
        }
    }
}

/// The text that a file is, without the mark that some programs put before it.
fn text(bytes: Vec<u8>) -> Result<String, Refusal> {
    let text = String::from_utf8(bytes).map_err(|_| Refusal::NoText)?;
    let text = text.strip_prefix('\u{feff}').map_or_else(|| text.clone(), str::to_owned);
    if text.contains('\0') {
        return Err(Refusal::NoText);
    }
    if text.trim().is_empty() { Err(Refusal::Empty) } else { Ok(text) }
}

/// What a browser says of the name, without folders and not too long.
fn file_name(given: &str) -> String {
    let name = given.rsplit(['/', '\\']).next().unwrap_or_default().trim();
    let characters = name.chars().count();
    match name {
        "" => "a file".into(),
        // The end says what it is.
        name => name.chars().skip(characters.saturating_sub(MAX_NAME)).collect(),
    }
}

/// How long 1970 began ago.
pub(crate) fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Removes files that are older than their reports can be, now and every hour.
pub(crate) async fn sweep(folder: std::path::PathBuf) {
    loop {
        if let Err(error) = sweep_once(&folder).await {
            tracing::warn!(%error, "old uploads cannot be removed");
        }
        sleep(SWEEP).await;
    }
}

async fn sweep_once(folder: &Path) -> std::io::Result<()> {
    let mut files = tokio::fs::read_dir(folder).await?;
    while let Some(file) = files.next_entry().await? {
        let age = file.metadata().await?.modified()?.elapsed().unwrap_or_default();
        if age > KEPT && file.path().extension().is_some_and(|extension| extension == "upload") {
            tokio::fs::remove_file(file.path()).await?;
        }
    }
    Ok(())
}
