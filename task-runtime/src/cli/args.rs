//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::worker::DEFAULT_CONCURRENCY;

/// Runs the background jobs of this program, and shows them.
#[derive(Parser)]
#[command(
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_help = "The server is given by the environment:\n  \
                  TASK_REDIS_URL, else REDIS_URL   redis://[user:password@]host[:port][/database],\n                                   \
                  rediss://… (TLS) or unix:///path\n  \
                  TASK_NAMESPACE                   keeps applications on one server apart (default: task)\n\n\
                  Exit codes: 0 all went well, 1 it failed, 2 the command line or the environment is wrong, or the\n\
                  server too old, 3 no task of this name, or no such queue was used (fsck), 6 the server is not\n\
                  available, 7 something is wrong with stored jobs, or was not decided (fsck)"
)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) target: TargetOptions,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Where the jobs are.
#[derive(Args)]
pub(super) struct TargetOptions {
    /// A file that holds the server's URL, instead of the environment
    #[arg(long, value_name = "FILE", global = true)]
    pub(super) redis_url_file: Option<PathBuf>,
    /// Keeps applications on one server apart
    #[arg(long, value_name = "NAME", env = "TASK_NAMESPACE", default_value = "task", global = true)]
    pub(super) namespace: String,
}

#[derive(Subcommand)]
pub(super) enum Command {
    /// Runs jobs until it is stopped
    #[command(
        after_help = "Ctrl-C or SIGTERM: no new jobs, what runs may finish within the grace, the rest goes back to \
                            the queue.\nOnce more: what runs goes back at once.\n\n\
                            RUST_LOG sets what is logged, for example RUST_LOG=task_runtime=debug (default: info)"
    )]
    Worker(WorkerOptions),
    /// Lists the tasks of this program
    Tasks(ListOptions),
    /// Enqueues one job
    #[command(after_help = "Example: enqueue send_email --args '{\"to\":\"a@b.c\",\"subject\":\"Hi\"}' --delay 5m")]
    Enqueue(EnqueueOptions),
    /// Shows how many jobs are where
    Stats(ListOptions),
    /// Checks the stored jobs, and repairs them when it is told to
    #[command(
        after_help = "It may run beside workers and producers, and changes nothing without --repair. It looks at every \
                      job in small steps.\n\n\
                      --repair puts right what loses no job; when in doubt, a job is put back to run again. What it \
                      does not know it never touches. A job that was put back begins at once, whatever its delay \
                      was. If a queue has lost its facts, it is no longer paused.\n\n\
                      It needs the primary and the rights of a worker, also without --repair.\n\n\
                      Exit codes: 0 all is sound, or all was repaired; 3 a queue that was named was never used; 7 something \
                      is still wrong, or was not decided: run it again then"
    )]
    Fsck(FsckOptions),
    /// Measures how fast jobs are on this server
    #[command(
        after_help = "It works on queues of a namespace of its own, which it removes at the end, and leaves everything \
                      else alone; but it takes all the time of the server that it can get. Each figure stands beside \
                      what it is compared with: the floor is what a bare client with minimal scripts reaches in the \
                      same run."
    )]
    Bench(BenchOptions),
}

#[derive(Args)]
pub(super) struct WorkerOptions {
    /// Queues in the order in which they are served: one waits while one before it has jobs. With
    /// weights (mail:3 default:1) all are served, in that proportion. Without any: every queue that
    /// a task of this program names
    #[arg(value_name = "QUEUE[:WEIGHT]")]
    pub(super) queues: Vec<String>,
    /// How many jobs run at a time, over all queues
    #[arg(long, short, value_name = "N", default_value_t = DEFAULT_CONCURRENCY)]
    pub(super) concurrency: usize,
    /// Stop by itself when no job is ready and none runs
    #[arg(long)]
    pub(super) burst: bool,
    /// How long running jobs may go on after the first signal to stop, such as 25s or 5m
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "25s")]
    pub(super) grace: Duration,
    /// How long others wait before they take over the jobs of this worker if it vanishes
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "30s")]
    pub(super) lease: Duration,
    /// Serve queues also when their server throws keys away when it is full, and jobs with them
    #[arg(long)]
    pub(super) allow_eviction: bool,
    /// Answers over HTTP there whether the worker consumes: GET /health/ready and /health/live, 200 or 503
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(super) health: Option<SocketAddr>,
    /// The form of the log on stderr
    #[arg(long, value_enum, default_value_t = LogForm::Text)]
    pub(super) log: LogForm,
}

#[derive(Args)]
pub(super) struct BenchOptions {
    /// Only these parts, with commas between them
    #[arg(long, value_enum, value_name = "PART", value_delimiter = ',')]
    pub(super) only: Vec<BenchPart>,
    /// How many jobs a measurement of speed takes; fewer where a job is large or runs alone
    #[arg(long, value_name = "N", default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1_000..=10_000_000))]
    pub(super) jobs: u64,
    /// The most jobs that wait while cost under a backlog is measured
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1_000..=100_000_000))]
    pub(super) backlog: u64,
    /// Threads of the bench; without it one less than there are cores, so that a server on this
    /// machine has one too
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) threads: Option<u16>,
    /// A tenth of all that, for a first look
    #[arg(long)]
    pub(super) quick: bool,
    /// Go through a stand-in for a network of this round trip, such as 1ms
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) round_trip: Option<Duration>,
    /// As JSON, for programs
    #[arg(long)]
    pub(super) json: bool,
}

/// What `bench` measures, in this order: the pick-up first, since an allocator can stay slower after many jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum BenchPart {
    /// From the call of `enqueue` to the start of the task
    PickUp,
    /// Jobs enqueued, in bulk and one at a time
    Enqueue,
    /// Jobs that do nothing, claimed, run and settled
    Drain,
    /// What a waiting job takes of memory, and an idle worker of the server
    Idle,
    /// What jobs cost beside many that wait, and a heartbeat beside many that run
    Backlog,
}

/// The form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LogForm {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

#[derive(Args)]
pub(super) struct ListOptions {
    /// As JSON, for programs
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Args)]
pub(super) struct FsckOptions {
    /// The queues; without any, all that were used
    #[arg(value_name = "QUEUE")]
    pub(super) queues: Vec<String>,
    /// Put right what is wrong, where that loses no job
    #[arg(long)]
    pub(super) repair: bool,
    /// As JSON, for programs
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Args)]
pub(super) struct EnqueueOptions {
    /// The name of the task, as `tasks` lists it
    pub(super) task: String,
    /// Its arguments: a JSON object, @FILE, or - for standard input
    #[arg(long, value_name = "JSON", default_value = "{}")]
    pub(super) args: String,
    /// The queue, instead of the task's
    #[arg(long)]
    pub(super) queue: Option<String>,
    /// The id of the job; enqueueing the same id again changes nothing
    #[arg(long)]
    pub(super) id: Option<String>,
    /// When it becomes ready, from now, such as 30s, 5m or 2h
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) delay: Option<Duration>,
    /// 0 to 9; 9 is claimed first
    #[arg(long, value_name = "N")]
    pub(super) priority: Option<u8>,
    /// Time limit of one attempt
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) timeout: Option<Duration>,
    /// Attempts in all
    #[arg(long, value_name = "N")]
    pub(super) max_attempts: Option<u32>,
    /// How long the result is kept
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) result_ttl: Option<Duration>,
    /// Wait at most so long for the job to end, and print its result
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) wait: Option<Duration>,
}

/// The longest time that is read (100 years); each option has a limit of its own below it.
const MAX_TIME: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
/// The longest text of a time, and the most digits of a number in it: `humantime` panics when the
/// sum of all parts overflows, and within these it cannot.
const MAX_TEXT: usize = 64;
const MAX_DIGITS: usize = 10;

/// Reads a time: seconds, or with units.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let fault = |fault: &str| format!("{fault}; expected a time such as 30, 30s, 5m or 2h");
    let digits = text.split(|c: char| !c.is_ascii_digit()).map(str::len).max().unwrap_or(0);
    if text.len() > MAX_TEXT || digits > MAX_DIGITS {
        return Err(fault("it is too long"));
    }
    let time = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => humantime::parse_duration(text).map_err(|error| fault(&error.to_string()))?,
    };
    if time > MAX_TIME { Err(fault("it is more than 100 years")) } else { Ok(time) }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::worker::{DEFAULT_GRACE, DEFAULT_LEASE};

    #[test]
    fn what_is_not_said_is_the_default_of_the_worker() {
        let arguments = Arguments::try_parse_from(["program", "worker"]).unwrap();
        let Command::Worker(options) = arguments.command else { panic!("another command") };
        assert_eq!((options.grace, options.lease), (DEFAULT_GRACE, DEFAULT_LEASE));
    }

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn times_are_seconds_or_have_units() {
        assert_eq!(duration("30").unwrap(), Duration::from_secs(30));
        assert_eq!(duration("1m 30s").unwrap(), Duration::from_secs(90));
        for text in ["soon", "101years", "18446744073709551615s 1s", "9999999999years 9999999999years"] {
            let error = duration(text).unwrap_err();
            assert!(error.contains("expected a time such as"), "{error}");
        }
    }
}
