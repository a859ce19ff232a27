//! A worker or a producer behind a proxy of its own, which is started again whenever it ends.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use support::{Health, Program, Proxy, Running};

use crate::journal::{JOURNAL, Journal, NAME, POISON_UNTIL, SEED, What};

/// How soon what ended by itself is started again, as a service manager does it.
const AGAIN: Duration = Duration::from_millis(300);

/// What a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Worker,
    Producer,
}

/// One process, over all its starts.
pub(crate) struct Process {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    arguments: Vec<String>,
    pub(crate) proxy: Proxy,
    folder: PathBuf,
    seed: u64,
    poison_until_us: u64,
    starts: u32,
    running: Option<Running>,
    /// When it is started next, if it does not run.
    again: Option<Instant>,
    /// Where it is to fail once it is started again.
    pub(crate) points: Option<String>,
    /// Whether it was started so that it fails somewhere.
    armed: bool,
    /// A fault of it goes on.
    pub(crate) disturbed: bool,
    /// What it held when nothing had happened yet.
    pub(crate) level: Option<Level>,
}

/// What a process holds of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Level {
    pub(crate) descriptors: usize,
    pub(crate) resident_kb: usize,
}

impl Process {
    pub(crate) fn new(kind: Kind, name: String, arguments: &[&str], port: u16, folder: &Path, seed: u64) -> Process {
        let arguments = arguments.iter().map(ToString::to_string).collect();
        let (proxy, folder) = (Proxy::seeded(port, seed), folder.to_owned());
        Process {
            kind,
            name,
            arguments,
            proxy,
            folder,
            seed,
            poison_until_us: 0,
            starts: 0,
            running: None,
            again: None,
            points: None,
            armed: false,
            disturbed: false,
            level: None,
        }
    }

    /// Its name, and which start of it this is.
    pub(crate) fn who(&self) -> String {
        format!("{}.{}", self.name, self.starts)
    }

    /// How many queues a worker serves.
    pub(crate) fn queues(&self) -> usize {
        self.arguments.iter().skip(1).take_while(|word| !word.starts_with('-')).count()
    }

    pub(crate) fn poisons_until(&mut self, until_us: u64) {
        self.poison_until_us = until_us;
    }

    pub(crate) fn start(&mut self) {
        self.starts += 1;
        self.again = None;
        let mut program = Program::new(env!("CARGO_BIN_EXE_test-chaos"))
            .args(&self.arguments)
            .env("REDIS_URL", self.proxy.url())
            .env("TASK_REDIS_URL", "")
            .env("TASK_NAMESPACE", "task")
            .env("RUST_LOG", "info")
            .env("RUST_BACKTRACE", "0")
            .env(NAME, self.who())
            .env(JOURNAL, self.folder.join(format!("{}.journal", self.who())))
            .env(SEED, (self.seed ^ u64::from(self.starts)).to_string())
            .env(POISON_UNTIL, self.poison_until_us.to_string());
        self.armed = self.points.is_some();
        if let Some(points) = self.points.take() {
            program = program.env("FAILPOINTS", points);
        }
        self.running = Some(program.start());
    }

    pub(crate) fn wait_for_line(&mut self, text: &str, bound: Duration) {
        if let Some(running) = &mut self.running {
            running.wait_for_line(text, bound);
        }
    }

    pub(crate) fn runs(&self) -> bool {
        self.running.is_some()
    }

    /// Sends a signal, if it runs.
    pub(crate) fn signal(&mut self, signal: i32) {
        if let Some(running) = &mut self.running
            && !running.has_ended()
        {
            running.signal(signal);
        }
    }

    /// Keeps what it has printed so far beside the journals.
    pub(crate) fn keep_log(&self) {
        if let Some(running) = &self.running {
            let _ = fs::write(self.folder.join(format!("{}.log", self.who())), running.lines().join("\n"));
        }
    }

    /// Ends it at once, and has it started again after a while.
    pub(crate) fn kill9(&mut self, journal: &Journal, again: Duration) {
        if let Some(running) = &mut self.running {
            running.kill9();
            self.bury(journal, "killed", again);
        }
    }

    /// Sees whether it has ended, and starts it when it is time.
    pub(crate) fn keep_up(&mut self, journal: &Journal) {
        if self.running.as_mut().is_some_and(Running::has_ended) {
            self.bury(journal, "ended", AGAIN);
        }
        if self.again.is_some_and(|again| again <= Instant::now()) {
            self.start();
        }
    }

    /// Has it run, and fail nowhere any more.
    pub(crate) fn start_now(&mut self, journal: &Journal) {
        self.points = None;
        if self.armed {
            self.kill9(journal, Duration::ZERO);
        }
        if self.running.is_none() {
            self.start();
        }
    }

    /// Takes down that it is gone; what it printed is kept beside the journals.
    fn bury(&mut self, journal: &Journal, why: &str, again: Duration) {
        let Some(running) = &mut self.running else { return };
        let status = running.wait(BOUND);
        journal.write(What::Gone { process: self.who(), why: format!("{why}, {status}") });
        self.keep_log();
        self.running = None;
        self.again = Some(Instant::now() + again);
    }

    /// Has it end in good order and not start again; its exit code.
    pub(crate) fn stop(&mut self, journal: &Journal) -> Option<i32> {
        let running = self.running.as_mut()?;
        running.signal(libc::SIGTERM);
        let code = running.wait(BOUND).code();
        self.bury(journal, "stopped", Duration::ZERO);
        self.again = None;
        code
    }

    /// Why it does not consume, as it says itself.
    pub(crate) fn not_ready(&self) -> Option<String> {
        let lines = self.running.as_ref().map(Running::lines).unwrap_or_default();
        let answer = match lines.iter().find_map(|line| Health::told(line)) {
            Some(health) => health.try_get("/health/ready").map_err(|error| error.to_string()),
            None => Err("it has not begun".into()),
        };
        match answer {
            Ok((200, _)) => None,
            Ok((_, text)) => Some(format!("{}: {text}", self.who())),
            Err(error) => Some(format!("{}: {error}", self.who())),
        }
    }

    /// What it holds now; nothing on systems that do not tell.
    pub(crate) fn holds(&self) -> Option<Level> {
        let pid = self.running.as_ref()?.pid();
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let resident_kb = line.trim().trim_end_matches(" kB").parse().ok()?;
        Some(Level { descriptors, resident_kb })
    }
}

/// Nothing that is waited for may take longer.
pub(crate) const BOUND: Duration = Duration::from_secs(60);
