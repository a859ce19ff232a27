//! How a private server is configured before it starts.

use std::fmt::Write as _;
use std::path::Path;

use crate::binary::Engine;
use crate::certificates::Certificates;
use crate::{Server, WallClock};

/// The user the harness itself logs in as, so that a test may change the default user, its password and its rights.
pub(crate) const HARNESS_USER: &str = "harness";

/// A server that is described and not yet started.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    pub(crate) engine: Engine,
    pub(crate) password: Option<String>,
    pub(crate) certificates: Option<Certificates>,
    pub(crate) clock: Option<WallClock>,
    lines: Vec<String>,
}

impl ServerOptions {
    pub(crate) fn new(engine: Engine) -> ServerOptions {
        ServerOptions { engine, password: None, certificates: None, clock: None, lines: Vec::new() }
    }

    /// Adds a line of configuration, for example `"appendonly yes"`, `"maxmemory 8mb"` or `"user reader on …"`.
    /// A line given here wins over what the harness writes.
    pub fn config(mut self, line: impl Into<String>) -> ServerOptions {
        self.lines.push(line.into());
        self
    }

    /// Asks every client for this password. [`Server::url`] carries it.
    pub fn password(mut self, password: impl Into<String>) -> ServerOptions {
        self.password = Some(password.into());
        self
    }

    /// Listens with TLS on a second port as well, see [`Server::tls_url`].
    pub fn tls(mut self, certificates: Certificates) -> ServerOptions {
        assert_eq!(self.engine, Engine::Redis, "the Valkey of the test suite is built without TLS");
        self.certificates = Some(certificates);
        self
    }

    /// Gives the server a wall clock of its own.
    pub fn clock(mut self, clock: &WallClock) -> ServerOptions {
        self.clock = Some(clock.clone());
        self
    }

    /// Starts the server and waits until it answers.
    pub fn start(self) -> Server {
        Server::start(self)
    }

    /// The text of the configuration file.
    pub(crate) fn file(&self, folder: &Path, ports: Ports) -> String {
        let mut file = format!(
            "bind 127.0.0.1\n\
             port {}\n\
             unixsocket {socket}\n\
             unixsocketperm 700\n\
             dir {folder}\n\
             logfile {folder}/log\n\
             daemonize no\n\
             save \"\"\n\
             appendonly no\n\
             enable-debug-command yes\n\
             repl-diskless-sync-delay 0\n\
             user {HARNESS_USER} on >{HARNESS_USER} ~* &* +@all\n",
            ports.plain,
            folder = folder.display(),
            socket = socket(folder),
        );
        if let Some(password) = &self.password {
            let _ = writeln!(file, "requirepass \"{password}\"");
        }
        if self.certificates.is_some() {
            let _ = writeln!(
                file,
                "tls-port {}\n\
                 tls-cert-file {folder}/certificate.pem\n\
                 tls-key-file {folder}/key.pem\n\
                 tls-ca-cert-file {folder}/ca.pem\n\
                 tls-auth-clients no",
                ports.second,
                folder = folder.display(),
            );
        }
        for line in &self.lines {
            // The second port of a cluster node is its bus, see `Cluster`.
            let _ = writeln!(file, "{}", line.replace(SECOND_PORT, &ports.second.to_string()));
        }
        file
    }
}

/// Stands for the server's second port in a line of configuration.
pub(crate) const SECOND_PORT: &str = "{second-port}";

/// The two ports a server owns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    /// Commands in the clear.
    pub(crate) plain: u16,
    /// TLS, or the bus of a cluster node.
    pub(crate) second: u16,
}

/// The private socket in the server's folder. Its name is short because a socket's path is limited to 104 bytes.
pub(crate) fn socket(folder: &Path) -> String {
    format!("{}/s", folder.display())
}
