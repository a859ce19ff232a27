//! The server that a command works on, from the environment.

use std::env;
use std::fs;
use std::sync::Arc;

use crate::broker::Clock;
use crate::broker::redis::RedisBroker;
use crate::client::Client;
use crate::job::Namespace;

use super::Exit;
use super::args::TargetOptions;
use super::output::shown;

/// Where the URL is looked for, in this order.
const VARIABLES: [&str; 2] = ["TASK_REDIS_URL", "REDIS_URL"];

impl TargetOptions {
    /// A client of the server, after a line on stderr that says which.
    pub(super) async fn connect(&self, what_for: &str) -> Result<Client, Exit> {
        let url = self.url(what_for)?;
        let namespace = Namespace::new(&self.namespace)?;
        eprintln!("{} · namespace {namespace}", shown(&without_password(&url)));
        let broker = Arc::new(RedisBroker::new(&url, namespace, Clock::default())?);
        reach(&broker).await?;
        Ok(Client::from_broker(broker))
    }

    pub(super) fn url(&self, what_for: &str) -> Result<String, Exit> {
        if let Some(file) = &self.redis_url_file {
            let text = fs::read_to_string(file)
                .map_err(|error| Exit::new(Exit::USAGE, format!("--redis-url-file {}: {error}", file.display())))?;
            return Ok(text.trim().to_owned());
        }
        let given = VARIABLES.into_iter().find_map(|name| env::var(name).ok().filter(|url| !url.is_empty()));
        given.ok_or_else(|| {
            let message = format!(
                "{what_for} needs a Redis or Valkey server: jobs in the memory of one process cannot be seen by another. \
                 Set TASK_REDIS_URL or REDIS_URL, for example REDIS_URL=redis://127.0.0.1:6379/"
            );
            Exit::new(Exit::USAGE, message)
        })
    }
}

/// Whether the server answers, and has what the scripts need.
pub(super) async fn reach(broker: &RedisBroker) -> Result<(), Exit> {
    match broker.too_old().await? {
        None => Ok(()),
        Some(server) => {
            let message = format!("the server is {server}; needed is Redis 7.0 or newer, or Valkey");
            Err(Exit::new(Exit::USAGE, message))
        }
    }
}

/// The URL as it may be shown. Whoever wrote it may have forgotten to encode a password that holds
/// `/`, `?`, `#` or `@`, so that nothing before the last `@` is shown, nor anything after a `?` or `#`.
pub(super) fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return "…".into() };
    if !scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+') {
        return "…".into();
    }
    let (login, place) = rest.rsplit_once('@').map_or((None, rest), |(login, place)| (Some(login), place));
    if login.is_some_and(|login| login.contains(['?', '#'])) {
        // What follows may be the end of a password in the query.
        return format!("{scheme}://…");
    }
    let place = place.split(['?', '#']).next().unwrap_or_default();
    format!("{scheme}://{}{place}", if login.is_some() { "…@" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        let cases = [
            ("redis://127.0.0.1:6379/2", "redis://127.0.0.1:6379/2"),
            ("redis://user:p@ss@host:1/0", "redis://…@host:1/0"),
            ("rediss://:secret@host", "rediss://…@host"),
            ("unix:///run/redis.sock?pass=secret", "unix:///run/redis.sock"),
            ("unix:///run/redis.sock?pass=sec@ret", "unix://…"),
            ("redis://:sec/ret@host:1/0", "redis://…@host:1/0"),
            ("redis://:sec?ret@host:1/0", "redis://…"),
            ("redis://host/#secret", "redis://host/"),
            ("user:secret@host://", "…"),
            ("secret", "…"),
        ];
        for (url, safe) in cases {
            assert_eq!(without_password(url), safe);
        }
    }
}
