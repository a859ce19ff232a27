//! `worker --health`: whether the worker consumes, over HTTP, for whatever watches its process.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};

use crate::worker::{Readiness, WorkerHandle};

use super::Exit;

/// Most questions that are answered at a time; further ones wait.
const MAX_CONNECTIONS: usize = 16;
/// Most bytes of a question.
const MAX_QUESTION: usize = 4096;
/// How long one question may take, from the connection to the end of the answer.
const LIMIT: Duration = Duration::from_secs(2);
/// Pause when the system gives no more connections.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// Answers until it is dropped.
///
/// It has a thread of its own, so that it also answers while tasks block the runtime of the worker.
pub(super) struct Health {
    _alive: oneshot::Sender<()>,
}

impl Health {
    /// Listens at `address`; port 0 is any free one, and the log says which.
    pub(super) fn serve(address: SocketAddr, worker: WorkerHandle) -> Result<Self, Exit> {
        let refused =
            |error: io::Error| Exit::new(Exit::FAILURE, format!("no health can be served at {address}: {error}"));
        let listener = std::net::TcpListener::bind(address).map_err(refused)?;
        listener.set_nonblocking(true).map_err(refused)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(refused)?;
        let local = listener.local_addr().map_err(refused)?;
        let listener = {
            let _inside = runtime.enter();
            TcpListener::from_std(listener).map_err(refused)?
        };
        let (alive, dropped) = oneshot::channel::<()>();
        let serve = move || {
            runtime.block_on(async {
                tokio::select! {
                    () = answer_all(listener, worker) => {}
                    _ = dropped => {}
                }
            });
        };
        std::thread::Builder::new().name("task-health".into()).spawn(serve).map_err(refused)?;
        tracing::info!(address = %local, "health is served at /health/ready and /health/live");
        Ok(Self { _alive: alive })
    }
}

async fn answer_all(listener: TcpListener, worker: WorkerHandle) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let place = Arc::clone(&places).acquire_owned().await.expect("it is never closed");
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(AFTER_FAILURE).await;
            continue;
        };
        let worker = worker.clone();
        tokio::spawn(async move {
            // Whoever is too slow or gone gets no answer.
            let _ = tokio::time::timeout(LIMIT, answer(stream, &worker)).await;
            drop(place);
        });
    }
}

async fn answer(mut stream: TcpStream, worker: &WorkerHandle) -> io::Result<()> {
    let (status, text) = match read_question(&mut stream).await? {
        Some(question) => reply(&question, &worker.readiness()),
        None => ("400 Bad Request", "expected a short HTTP request".into()),
    };
    let length = text.len() + 1;
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {length}\r\n\
         cache-control: no-store\r\nx-content-type-options: nosniff\r\nconnection: close\r\n\r\n{text}\n"
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

/// The first line of a request, once all of its head is there; none when it is too long or no text.
async fn read_question(stream: &mut TcpStream) -> io::Result<Option<String>> {
    let (mut head, mut some) = (Vec::new(), [0; 512]);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let count = stream.read(&mut some).await?;
        if count == 0 || head.len() + count > MAX_QUESTION {
            return Ok(None);
        }
        head.extend_from_slice(&some[..count]);
    }
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    Ok(String::from_utf8(line.to_vec()).ok())
}

/// The status line and the text for `question`.
fn reply(question: &str, readiness: &Readiness) -> (&'static str, String) {
    const OK: &str = "200 OK";
    const UNAVAILABLE: &str = "503 Service Unavailable";
    let mut words = question.split(' ');
    let (method, path) = (words.next(), words.next().unwrap_or_default());
    if method != Some("GET") {
        return ("405 Method Not Allowed", "only GET is answered".into());
    }
    match path.split('?').next() {
        Some("/health/ready") => (if readiness.is_ready() { OK } else { UNAVAILABLE }, readiness.to_string()),
        Some("/health/live") if readiness.needs_restart() => (UNAVAILABLE, readiness.to_string()),
        Some("/health/live") => (OK, "live".into()),
        _ => ("404 Not Found", "there is /health/ready and /health/live".into()),
    }
}
