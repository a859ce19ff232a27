//! The program that a user's `main` becomes: a worker, and a look at what there is.

mod args;
mod bench;
mod enqueue;
mod fsck;
mod health;
mod output;
mod stats;
mod target;
mod tasks;
mod worker;

#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, FromArgMatches as _};

use crate::error::Error;
use crate::handler::DataMap;

use args::{Arguments, Command};

/// How long the runtime waits at the end for tasks that block a thread.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(1);

/// The command line of a program with tasks, in one line of `main`:
///
/// ```no_run
/// use std::process::ExitCode;
/// use task_runtime::prelude::*;
///
/// /// Sends one e-mail.
/// #[task(queue = "mail", timeout = 30)]
/// async fn send_email(to: String) {}
///
/// fn main() -> ExitCode {
///     task_runtime::App::new().main()
/// }
/// ```
///
/// The program then has the sub-commands `worker`, `tasks`, `enqueue`, `stats`, `fsck` and `bench`;
/// `--help` says more of each. The server is the one of `TASK_REDIS_URL`, else of `REDIS_URL`, in the
/// environment.
///
/// # Exit codes
/// 0 all went well; 1 it failed; 2 the command line or the environment is wrong, or the server too old;
/// 3 no task of this name, or no such queue was used (`fsck`); 6 the server is not available; 7 something
/// is wrong with stored jobs, or was not decided (`fsck`).
#[must_use = "an application does nothing until `main` or `run` is called"]
#[derive(Clone, Default)]
pub struct App {
    data: DataMap,
}

impl App {
    /// An application without state.
    pub fn new() -> Self {
        Self::default()
    }

    /// State for tasks that ask for `#[inject] Data<T>`; one value a type.
    pub fn data<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.data.insert(value);
        self
    }

    /// Does what the command line says, on a Tokio runtime of its own.
    ///
    /// # Panics
    /// Inside a Tokio runtime: there, await [`run`](Self::run).
    pub fn main(self) -> ExitCode {
        let runtime = match tokio::runtime::Runtime::new() {
            Ok(runtime) => runtime,
            Err(error) => {
                eprintln!("error: no runtime: {error}");
                return ExitCode::from(Exit::FAILURE);
            }
        };
        let code = runtime.block_on(self.run());
        // A blocking task that goes on must not keep the process from ending.
        runtime.shutdown_timeout(SHUTDOWN_LIMIT);
        code
    }

    /// Does what the command line says, for programs that have to be async before: when state must
    /// be connected first, for example.
    ///
    /// # Cancel safety
    /// When the future is dropped, what a worker runs is dropped too, and runs again after the
    /// lease.
    pub async fn run(self) -> ExitCode {
        let arguments = match parse() {
            Ok(arguments) => arguments,
            Err(code) => return code,
        };
        match self.command(arguments).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(exit) => {
                eprintln!("error: {}", output::shown(&exit.message));
                ExitCode::from(exit.code)
            }
        }
    }

    async fn command(self, arguments: Arguments) -> Result<(), Exit> {
        let target = arguments.target;
        match arguments.command {
            Command::Worker(options) => worker::run(self.data, target, options).await,
            Command::Tasks(options) => tasks::run(&options),
            Command::Enqueue(options) => enqueue::run(target, options).await,
            Command::Stats(options) => stats::run(target, &options).await,
            Command::Fsck(options) => fsck::run(target, &options).await,
            Command::Bench(options) => bench::run(target, options).await,
        }
    }
}

/// Reads the command line; `--help` and mistakes are printed here.
fn parse() -> Result<Arguments, ExitCode> {
    let parsed = Arguments::command().try_get_matches().and_then(|matches| Arguments::from_arg_matches(&matches));
    parsed.map_err(|error| {
        // Nothing is left to do when the terminal is gone.
        let _ = error.print();
        match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
            _ => ExitCode::from(Exit::USAGE),
        }
    })
}

/// Why a command did not do what it was to do.
struct Exit {
    code: u8,
    message: String,
}

impl Exit {
    const FAILURE: u8 = 1;
    const USAGE: u8 = 2;
    const NOT_FOUND: u8 = 3;
    const UNREACHABLE: u8 = 6;
    const FINDINGS: u8 = 7;

    fn new(code: u8, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    fn code_of(error: &Error) -> u8 {
        match error {
            Error::Unavailable { .. } => Self::UNREACHABLE,
            Error::InvalidName { .. } | Error::InvalidOption { .. } | Error::Limit { .. } | Error::Encode { .. } => {
                Self::USAGE
            }
            _ => Self::FAILURE,
        }
    }
}

impl From<Error> for Exit {
    fn from(error: Error) -> Self {
        Self::new(Self::code_of(&error), error.to_string())
    }
}

/// The registered tasks; a program whose tasks contradict each other does nothing with them.
fn registry() -> Result<Arc<crate::handler::Registry>, Exit> {
    let (registry, faults) = crate::handler::Registry::linked();
    if faults.is_empty() {
        return Ok(Arc::new(registry));
    }
    let lines: String = faults.iter().map(|fault| format!("\n  - {fault}")).collect();
    Err(Exit::new(Exit::FAILURE, format!("the tasks of this program contradict each other:{lines}")))
}
