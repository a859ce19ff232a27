//! A real child process of one of our programs, with its output line by line.

use std::env;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::lifeline::Lifeline;
use crate::{HostName, WallClock};

/// The most lines that are kept of one program's output.
const MAX_LINES: usize = 100_000;

/// Stdout and stderr.
const STREAMS: usize = 2;

/// A program that is described and not yet started.
#[derive(Debug)]
pub struct Program {
    command: Command,
}

impl Program {
    /// The program at `path`; for a binary of the test package, `env!("CARGO_BIN_EXE_name")`.
    pub fn new(path: impl Into<PathBuf>) -> Program {
        let path = path.into();
        assert!(path.is_file(), "there is no program {}", path.display());
        let mut command = Command::new(path);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Program { command }
    }

    /// The example `name`, as built beside this test by `cargo test --workspace`.
    pub fn example(name: &str) -> Program {
        let test = env::current_exe().expect("the test's own path is known");
        let profile = test.ancestors().nth(2).expect("a test is in target/<profile>/deps");
        let path = profile.join("examples").join(name);
        assert!(path.is_file(), "{} is not built; run `cargo build --workspace --examples`", path.display());
        Program::new(path)
    }

    /// The binary `name` of the test package as one whose panics end the process, built by `tests/run`. Cargo can build
    /// it only as a whole of its own, and builds it for no test by itself.
    pub fn that_aborts(name: &str) -> Program {
        let test = env::current_exe().expect("the test's own path is known");
        let path = test.ancestors().nth(3).expect("a test is in target/<profile>/deps").join("panic-abort").join(name);
        assert!(
            path.is_file(),
            "{} is not built; run `cargo build --profile panic-abort -p task-tests --bin {name}`",
            path.display()
        );
        Program::new(path)
    }

    /// Adds an argument.
    pub fn arg(mut self, argument: impl Into<OsString>) -> Program {
        self.command.arg(argument.into());
        self
    }

    /// Adds arguments.
    pub fn args<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Program {
        self.command.args(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Program {
        self.command.env(name, value.into());
        self
    }

    /// Gives the program a wall clock of its own.
    pub fn clock(mut self, clock: &WallClock) -> Program {
        self.command.envs(clock.environment());
        self
    }

    /// Has a name lead the program to this machine.
    pub fn host_name(mut self, name: &HostName) -> Program {
        self.command.envs(name.environment());
        self
    }

    /// Starts the program.
    pub fn start(self) -> Running {
        let name = self.command.get_program().to_string_lossy().into_owned();
        let mut process =
            Lifeline::start(self.command, None).unwrap_or_else(|error| panic!("{name} cannot be started: {error}"));
        let output = Arc::new(Output::default());
        let child = process.child();
        let stdout = child.stdout.take().expect("stdout is piped");
        let stderr = child.stderr.take().expect("stderr is piped");
        let readers = Vec::from([read(stdout, output.clone()), read(stderr, output.clone())] as [_; STREAMS]);
        Running { name, process, output, readers, seen: 0 }
    }
}

/// A program that was started. It is killed on drop.
#[derive(Debug)]
pub struct Running {
    name: String,
    process: Lifeline,
    output: Arc<Output>,
    readers: Vec<JoinHandle<()>>,
    /// The number of lines that [`Running::wait_for_line`] has passed.
    seen: usize,
}

impl Running {
    /// The pid.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The lines of stdout and stderr so far, in the order they arrived.
    pub fn lines(&self) -> Vec<String> {
        self.output.lock().lines.clone()
    }

    /// Waits for the next line that contains `text`, and returns it. Each line is looked at once.
    #[track_caller]
    pub fn wait_for_line(&mut self, text: &str, bound: Duration) -> String {
        let deadline = Instant::now() + bound;
        let mut state = self.output.lock();
        loop {
            while let Some(line) = state.lines.get(self.seen) {
                self.seen += 1;
                if line.contains(text) {
                    return line.clone();
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || state.ended == STREAMS {
                let end = if left.is_zero() { format!("within {bound:?}") } else { "before it ended".into() };
                // Indented, so that the lines of a test program are not taken for lines of this one.
                let printed: String = state.lines.iter().map(|line| format!("\n  {line}")).collect();
                panic!("{} did not print {text:?} {end}; it printed:{printed}", self.name);
            }
            state = self.output.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Sends a signal, for example `libc::SIGTERM`.
    pub fn signal(&self, signal: i32) {
        self.process.signal(signal);
    }

    /// Ends the program with SIGKILL, as a crash would.
    pub fn kill9(&mut self) {
        self.process.end(libc::SIGKILL);
    }

    /// Stops the program with SIGSTOP and returns when it stands still.
    pub fn freeze(&mut self) {
        self.process.freeze();
    }

    /// Lets a frozen program go on.
    pub fn thaw(&mut self) {
        self.process.thaw();
    }

    /// Whether the program has ended, by itself or by a signal.
    pub fn has_ended(&mut self) -> bool {
        self.process.ended().is_some()
    }

    /// Waits for the program's end. Afterwards [`Running::lines`] is complete.
    #[track_caller]
    pub fn wait(&mut self, bound: Duration) -> ExitStatus {
        let status = self.process.wait(&format!("{} ends", self.name), bound);
        for reader in self.readers.drain(..) {
            reader.join().expect("a reader does not panic");
        }
        status
    }
}

#[derive(Debug, Default)]
struct Output {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<String>,
    /// How many of the two streams have ended.
    ended: usize,
}

impl Output {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads a stream to its end, so that the program never waits for a full pipe.
fn read(stream: impl Read + Send + 'static, output: Arc<Output>) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        while stream.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            let mut state = output.lock();
            if state.lines.len() < MAX_LINES {
                state.lines.push(text);
            }
            output.changed.notify_all();
            line.clear();
        }
        output.lock().ended += 1;
        output.changed.notify_all();
    })
}
