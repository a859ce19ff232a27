//! What a worker says of itself over HTTP.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::{Running, eventually_blocking};

/// What begins the line of a worker that says where it answers.
const SERVED: &str = "health is served";
/// An answer may take so long.
const ANSWERED: Duration = Duration::from_secs(60);

/// Where a worker answers.
pub struct Health(String);

impl Health {
    /// Waits until `worker` says where that is.
    pub fn of(worker: &mut Running) -> Self {
        let line = worker.wait_for_line(SERVED, ANSWERED);
        Self::told(&line).expect("the line ends with the address")
    }

    /// What one line of a worker says of it.
    #[must_use]
    pub fn told(line: &str) -> Option<Self> {
        let address = line.contains(SERVED).then(|| line.split("address=").nth(1))??;
        Some(Self(address.trim().to_owned()))
    }

    /// The status and the text of one answer.
    #[must_use]
    pub fn get(&self, path: &str) -> (u16, String) {
        self.try_get(path).expect("the worker answers")
    }

    /// The same of a worker that may not be there.
    ///
    /// # Errors
    /// When nobody answers.
    pub fn try_get(&self, path: &str) -> io::Result<(u16, String)> {
        answered(self.try_connect()?, format!("GET {path} HTTP/1.1\r\nhost: here\r\n\r\n").as_bytes())
    }

    /// The answer to these bytes.
    #[must_use]
    pub fn ask(&self, question: &[u8]) -> (u16, String) {
        answered(self.connect(), question).expect("the worker answers")
    }

    /// A connection that has not said anything.
    #[must_use]
    pub fn connect(&self) -> TcpStream {
        self.try_connect().expect("the worker listens")
    }

    fn try_connect(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(&self.0)?;
        stream.set_read_timeout(Some(ANSWERED))?;
        Ok(stream)
    }

    /// Waits for an answer of `/health/ready` with this status; its text.
    #[track_caller]
    pub fn wait_for(&self, status: u16, bound: Duration) -> String {
        eventually_blocking(&format!("the worker answers {status}"), bound, || {
            let (now, text) = self.get("/health/ready");
            (now == status).then_some(text)
        })
    }
}

fn answered(mut stream: TcpStream, question: &[u8]) -> io::Result<(u16, String)> {
    stream.write_all(question)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    let text = answer.split("\r\n\r\n").nth(1).unwrap_or_default();
    Ok((status.ok_or_else(|| io::Error::other("no status line"))?, text.trim().to_owned()))
}
