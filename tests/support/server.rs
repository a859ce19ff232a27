//! One private server: a real process in a folder of its own, on ports of its own.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use redis::{Connection, RedisResult, Value};
use tempfile::TempDir;

use crate::binary::{self, Engine};
use crate::eventually_blocking;
use crate::lifeline::Lifeline;
use crate::options::{HARNESS_USER, Ports, ServerOptions, socket};
use crate::port::free_port;

/// How long a server may take until it answers, and a command until it is answered.
const BOUND: Duration = Duration::from_secs(20);

/// How often another port is tried when somebody else was faster.
const PORT_TRIES: usize = 10;

/// A running server. What ends or freezes it needs `&mut`, so a test cannot do that to a shared one.
#[derive(Debug)]
pub struct Server {
    // Before `folder`, so that the process has ended when its folder is removed.
    process: Option<Lifeline>,
    folder: TempDir,
    ports: Ports,
    options: ServerOptions,
}

impl Server {
    /// Redis 7.0, the floor.
    pub fn redis() -> ServerOptions {
        ServerOptions::new(Engine::Redis)
    }

    /// Valkey 9, the modern end. It is built without TLS.
    pub fn valkey() -> ServerOptions {
        ServerOptions::new(Engine::Valkey)
    }

    pub(crate) fn start(options: ServerOptions) -> Server {
        let folder = tempfile::Builder::new().prefix("task-").tempdir().expect("the temporary folder is writable");
        if let Some(certificates) = &options.certificates {
            certificates.write_to(folder.path());
        }
        let ports = Ports { plain: 0, second: 0 };
        let mut server = Server { process: None, folder, ports, options };
        for _ in 0..PORT_TRIES {
            server.ports = Ports { plain: free_port(), second: free_port() };
            match server.launch() {
                Ok(()) => return server,
                Err(log) if log.contains("Address already in use") => {}
                Err(log) => panic!("{:?} ended while starting; its log:\n{log}", server.options.engine),
            }
        }
        panic!("{:?} found each of {PORT_TRIES} ports taken", server.options.engine);
    }

    /// Starts the process and waits until it answers. `Err` holds its log when it ended instead.
    fn launch(&mut self) -> Result<(), String> {
        let folder = self.folder.path();
        let log = folder.join("log");
        let file = folder.join("server.conf");
        fs::write(&file, self.options.file(folder, self.ports)).expect("the server's folder is writable");

        let binary = binary::find(self.options.engine);
        // A mistake in the configuration is told on stderr, everything else in the log; both append to one file.
        let _ = fs::remove_file(&log);
        let output =
            File::options().create(true).append(true).open(&log).and_then(|output| Ok((output.try_clone()?, output)));
        let (stdout, stderr) = output.expect("the server's folder is writable");
        let mut command = Command::new(&binary);
        command.arg(&file).stdin(Stdio::null()).stdout(stdout).stderr(stderr);
        if let Some(clock) = &self.options.clock {
            command.envs(clock.environment());
        }
        let mut process = Lifeline::start(command, Some(folder))
            .unwrap_or_else(|error| panic!("{} cannot be started: {error}", binary.display()));

        let what = format!("{} answers PING", binary.display());
        let answered = eventually_blocking(&what, BOUND, || match process.ended() {
            Some(_) => Some(false),
            None => answers(folder).then_some(true),
        });
        if !answered {
            return Err(fs::read_to_string(&log).unwrap_or_default());
        }
        self.process = Some(process);
        Ok(())
    }

    /// The port for plain connections, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.ports.plain
    }

    /// The port for TLS connections, when [`ServerOptions::tls`] was given.
    pub fn tls_port(&self) -> u16 {
        assert!(self.options.certificates.is_some(), "this server was started without TLS");
        self.ports.second
    }

    pub(crate) fn second_port(&self) -> u16 {
        self.ports.second
    }

    /// `redis://…`, with the password if there is one.
    pub fn url(&self) -> String {
        format!("redis://{}127.0.0.1:{}/", self.login(), self.port())
    }

    /// `rediss://…`, with the password if there is one.
    pub fn tls_url(&self) -> String {
        format!("rediss://{}127.0.0.1:{}/", self.login(), self.tls_port())
    }

    /// `redis+unix://…`, with the password if there is one.
    pub fn unix_url(&self) -> String {
        let login = self.options.password.as_ref().map(|password| format!("?pass={password}"));
        format!("redis+unix://{}{}", socket(self.folder.path()), login.unwrap_or_default())
    }

    fn login(&self) -> String {
        self.options.password.as_ref().map(|password| format!(":{password}@")).unwrap_or_default()
    }

    /// The folder with the server's data, configuration and log.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The pid of the running process.
    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("the server runs").pid()
    }

    /// A new connection over the private socket, as a user that may do everything.
    pub fn connection(&self) -> RedisResult<Connection> {
        connect(self.folder.path())
    }

    /// Runs one command as a user that may do everything, and panics when it fails.
    #[track_caller]
    pub fn command(&self, words: &[&str]) -> Value {
        self.try_command(words).unwrap_or_else(|error| panic!("command {words:?} failed: {error}"))
    }

    /// Runs one command as a user that may do everything.
    pub fn try_command(&self, words: &[&str]) -> RedisResult<Value> {
        let (name, arguments) = words.split_first().expect("a command has a name");
        redis::cmd(name).arg(arguments).query(&mut self.connection()?)
    }

    /// Ends the process with SIGKILL, as a crash would.
    pub fn kill9(&mut self) {
        self.end(libc::SIGKILL);
    }

    /// Ends the process with SIGTERM, as an orderly stop would.
    pub fn terminate(&mut self) {
        self.end(libc::SIGTERM);
    }

    fn end(&mut self, signal: i32) {
        self.process.take().expect("the server runs").end(signal);
    }

    /// Stops the process with SIGSTOP: its connections stay open and nothing answers until [`Server::thaw`].
    pub fn freeze(&mut self) {
        self.process.as_ref().expect("the server runs").freeze();
    }

    /// Lets a frozen process go on.
    pub fn thaw(&mut self) {
        self.process.as_ref().expect("the server runs").thaw();
    }

    /// Starts the server again on the same ports and in the same folder, ending it with SIGKILL first if it runs.
    pub fn restart(&mut self) {
        if self.process.is_some() {
            self.kill9();
        }
        if let Err(log) = self.launch() {
            panic!("{:?} ended while starting again; its log:\n{log}", self.options.engine);
        }
    }

    /// What the server has logged since it was last started.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

/// The private socket leaves no doubt which server answers, and it opens after the ports.
fn answers(folder: &Path) -> bool {
    let ping = || redis::cmd("PING").query::<String>(&mut connect(folder)?);
    ping().is_ok()
}

fn connect(folder: &Path) -> RedisResult<Connection> {
    let url = format!("redis+unix://{}?user={HARNESS_USER}&pass={HARNESS_USER}", socket(folder));
    let connection = redis::Client::open(url)?.get_connection_with_timeout(BOUND)?;
    connection.set_read_timeout(Some(BOUND))?;
    connection.set_write_timeout(Some(BOUND))?;
    Ok(connection)
}
