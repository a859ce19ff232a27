//! What a stretch of work cost: time, and what the server and this process did meanwhile.

use std::time::{Duration, Instant};

use crate::broker::redis::{RedisBroker, Usage};
use crate::cli::Exit;
use crate::job::QueueName;

/// A measurement under way.
pub(super) struct Meter<'a> {
    broker: &'a RedisBroker,
    queue: &'a QueueName,
    usage: Usage,
    cpu: Duration,
    begun: Instant,
}

/// What one job cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    /// Jobs in a second.
    pub(super) per_second: f64,
    /// Processor time of the server, in microseconds.
    pub(super) server_us: f64,
    /// Processor time of this process, in microseconds.
    pub(super) own_us: f64,
    /// Commands of the server, those inside of scripts included.
    pub(super) commands: f64,
    /// Bytes over its connections, both ways.
    pub(super) wire_bytes: f64,
}

impl<'a> Meter<'a> {
    pub(super) async fn start(broker: &'a RedisBroker, queue: &'a QueueName) -> Result<Self, Exit> {
        let usage = broker.usage(queue).await?;
        Ok(Self { broker, queue, usage, cpu: own_cpu(), begun: Instant::now() })
    }

    /// The cost of each of `jobs` that were done since the start.
    pub(super) async fn stop(self, jobs: u64) -> Result<Cost, Exit> {
        let (elapsed, own) = (self.begun.elapsed(), own_cpu().saturating_sub(self.cpu));
        let usage = self.broker.usage(self.queue).await?.since(&self.usage).ok_or_else(counts_anew)?;
        let jobs = jobs.max(1) as f64;
        let a_job = |time: Duration| time.as_secs_f64() * 1e6 / jobs;
        Ok(Cost {
            per_second: jobs / elapsed.as_secs_f64(),
            server_us: a_job(usage.cpu),
            own_us: a_job(own),
            commands: usage.commands as f64 / jobs,
            wire_bytes: usage.wire_bytes as f64 / jobs,
        })
    }
}

impl Cost {
    /// Of each figure the middle one: a machine that does something else for a moment spoils a round.
    pub(super) fn median(rounds: &[Self]) -> Self {
        let middle = |figure: fn(&Self) -> f64| {
            let mut all: Vec<f64> = rounds.iter().map(figure).collect();
            all.sort_by(f64::total_cmp);
            all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
        };
        Self {
            per_second: middle(|cost| cost.per_second),
            server_us: middle(|cost| cost.server_us),
            own_us: middle(|cost| cost.own_us),
            commands: middle(|cost| cost.commands),
            wire_bytes: middle(|cost| cost.wire_bytes),
        }
    }
}

/// Why there is no figure when what a server counts became less.
pub(super) fn counts_anew() -> Exit {
    let message = "the server began to count anew while it was measured (CONFIG RESETSTAT, or a restart); run it again";
    Exit::new(Exit::FAILURE, message)
}

/// Processor time of this process, of all its threads; zero where the system does not say.
fn own_cpu() -> Duration {
    #[cfg(unix)]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
    }
    #[cfg(not(unix))]
    Duration::ZERO
}
