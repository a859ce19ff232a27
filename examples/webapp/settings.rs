//! What the application is told by its environment.

use std::env::{VarError, temp_dir, var};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};

/// Where it serves unless told else.
const DEFAULT_ADDRESS: &str = "127.0.0.1:8080";
/// The pause after a step of a task, in milliseconds, unless told else, and the longest.
const DEFAULT_PACE: u64 = 50;
const MAX_PACE: u64 = 10_000;

/// The settings; each is one variable of the environment.
pub(crate) struct Settings {
    /// `ADDRESS`: where it serves; port 0 takes a free one.
    pub(crate) address: String,
    /// `REDIS_URL`: the server of jobs and sessions; in the memory of the process without it.
    pub(crate) redis_url: Option<String>,
    /// `CACHE_URL`: the server of the cache; that of jobs and sessions without it. One that throws away what was not used
    /// for longest is right for a cache, and wrong for jobs.
    pub(crate) cache_url: Option<String>,
    /// `WEBAPP_FOLDER`: where uploads are stored; a folder of its own below that for temporary files without it.
    /// All processes on one server need the same, because any of them may make a report.
    pub(crate) folder: PathBuf,
    /// `WEBAPP_PACE`: the pause after each of about 40 steps of a task, in milliseconds; 50 without it.
    pub(crate) pace: Duration,
    /// `WEBAPP_BEHIND_TLS=1`: a proxy before it speaks TLS with the browsers, so that cookies are for TLS only.
    pub(crate) behind_tls: bool,
}

impl Settings {
    /// Reads them.
    ///
    /// # Errors
    /// A variable that is no text, or not of its form.
    pub(crate) fn from_environment() -> Result<Self> {
        let behind_tls = match text("WEBAPP_BEHIND_TLS")?.as_deref() {
            None | Some("0") => false,
            Some("1") => true,
            Some(other) => bail!("WEBAPP_BEHIND_TLS is `{other}`, expected 0 or 1"),
        };
        let pace = match text("WEBAPP_PACE")? {
            None => DEFAULT_PACE,
            Some(pace) => match pace.parse() {
                Ok(pace) if pace <= MAX_PACE => pace,
                _ => bail!("WEBAPP_PACE is `{pace}`, expected 0 to {MAX_PACE} ms"),
            },
        };
        let folder = text("WEBAPP_FOLDER")?.map_or_else(|| temp_dir().join("task-webapp"), PathBuf::from);
        let address = text("ADDRESS")?.unwrap_or_else(|| DEFAULT_ADDRESS.to_owned());
        let redis_url = text("REDIS_URL")?;
        let cache_url = text("CACHE_URL")?.or_else(|| redis_url.clone());
        Ok(Self { address, redis_url, cache_url, folder, pace: Duration::from_millis(pace), behind_tls })
    }
}

/// A variable; one that is empty counts as not there.
fn text(name: &str) -> Result<Option<String>> {
    match var(name) {
        Ok(text) if text.is_empty() => Ok(None),
        Ok(text) => Ok(Some(text)),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => bail!("{name} is no text"),
    }
}
