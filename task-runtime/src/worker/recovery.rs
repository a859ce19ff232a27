//! Finds workers that vanished, on evidence that does not trust one clock, and frees their jobs.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::broker::{Broker, Claim, Incarnation, Lease, Recovered};
use crate::error::Error;
use crate::job::{DEFAULT_MAX_CRASHES, Header, QueueName, State, Verdict, after_crash};

use super::builder::DEFAULT_LEASE;
use super::heartbeat::Own;
use super::lane::Shared;

/// How often retention of an idle queue and parked jobs are seen to.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);
/// A lease that does not move for so many times its length is over whatever its end says: the
/// server's clock may have been set back.
const STALE_LEASES: u32 = 3;
/// How long after the end of a lease its worker is looked for; drawn anew each time, so that not
/// all workers come at once.
const AFTER_END: Duration = Duration::from_millis(500);

/// Watches the workers of one queue.
pub(super) struct Recovery {
    pub(super) shared: Arc<Shared>,
    pub(super) queue: QueueName,
    pub(super) own: Own,
    pub(super) unknown_grace: Duration,
}

impl Recovery {
    /// Looks again and again, at jittered intervals of a fourth to a third of the lease, and sooner
    /// when a lease ends before.
    pub(super) async fn run(self) {
        self.shared.deaths.outlive("recovery", || self.watch()).await;
    }

    async fn watch(&self) {
        fail_point!("recovery");
        let mut evidence = Evidence::new(self.shared.lease);
        let mut next_sweep = Instant::now() + SWEEP_INTERVAL.mul_f64(fastrand::f64());
        loop {
            let interval = self.shared.lease.mul_f64(1.0 / 4.0 + fastrand::f64() / 12.0);
            let next_end = evidence.next_end.map(|left| left + AFTER_END.mul_f64(fastrand::f64()));
            sleep(next_end.map_or(interval, |end| end.min(interval))).await;
            if let Err(error) = self.look(&mut evidence).await {
                // Whatever was seen before the gap proves nothing after it.
                evidence.clear();
                tracing::debug!(queue = %self.queue, %error, "the workers could not be looked at");
            }
            if Instant::now() >= next_sweep {
                next_sweep = Instant::now() + SWEEP_INTERVAL;
                if let Err(error) = self.sweep().await {
                    tracing::debug!(queue = %self.queue, %error, "not swept");
                }
            }
        }
    }

    async fn look(&self, evidence: &mut Evidence) -> Result<(), Error> {
        let leases = self.broker().workers(&self.queue).await?;
        for (lease, stale) in evidence.judge(leases, |one| self.own.is(one), Instant::now()) {
            self.recover(lease, stale).await?;
        }
        Ok(())
    }

    /// Ends an incarnation and frees its jobs, part by part; another worker goes on where this
    /// one stops.
    async fn recover(&self, mut lease: Lease, stale: bool) -> Result<(), Error> {
        let mut freed = 0;
        while let Some(condemned) = self.broker().condemn(&self.queue, &lease, stale).await? {
            if freed == 0 {
                tracing::warn!(
                    queue = %self.queue, incarnation = %lease.incarnation, jobs = condemned.on_board,
                    "a worker vanished, its jobs are freed"
                );
            }
            if condemned.jobs.is_empty() {
                break;
            }
            freed += condemned.jobs.len();
            fail_point!("condemned");
            let decide = |job: &Claim| decide(job, condemned.on_board, lease.incarnation.is_in_company());
            let decided: Vec<_> = condemned.jobs.iter().map(decide).collect();
            self.broker().settle_for(&self.queue, &lease.incarnation, &decided).await?;
            lease.ends_ms = 0;
        }
        Ok(())
    }

    async fn sweep(&self) -> Result<(), Error> {
        self.broker().sweep(&self.queue, &self.shared.retention, self.unknown_grace).await
    }

    fn broker(&self) -> &dyn Broker {
        &*self.shared.broker
    }
}

/// What becomes of one job of a worker that vanished with `on_board` jobs of this queue, and perhaps
/// with some of others.
fn decide(job: &Claim, on_board: usize, others: bool) -> Recovered {
    let max_crashes = Header::decode(&job.envelope).map_or(DEFAULT_MAX_CRASHES, |header| header.max_crashes());
    let id = job.id.clone();
    let state = State::decode(job.state.as_deref());
    // One on its last chance ran alone in the whole worker; of any other that is not known.
    let alone = on_board == 1 && (!others || (state.crashes > 0 && state.crashes + 1 >= max_crashes));
    match after_crash(state, if alone { 1 } else { on_board.max(2) }, max_crashes) {
        Verdict::Few(state) => Recovered::Few { id, state: state.encode() },
        Verdict::Alone(state) => Recovered::Alone { id, state: state.encode() },
        Verdict::Dead(state) => {
            tracing::error!(%id, error = state.error.as_deref().unwrap_or_default(), "dead");
            Recovered::Dead { id, state: state.encode() }
        }
    }
}

/// What was seen of the leases of a queue, by this machine's monotonic clock.
struct Evidence {
    lease: Duration,
    seen: HashMap<Incarnation, (i64, Instant)>,
    last: Option<Instant>,
    /// How long after the last look the next lease ends.
    next_end: Option<Duration>,
}

impl Evidence {
    fn new(lease: Duration) -> Self {
        Self { lease, seen: HashMap::new(), last: None, next_end: None }
    }

    fn clear(&mut self) {
        *self = Self::new(self.lease);
    }

    /// Takes down what is seen now; answers which leases are over, and whether against their own
    /// end: those that have ended and were seen unchanged for half a lease, and those that were
    /// seen unchanged for several.
    fn judge(&mut self, leases: Vec<Lease>, own: impl Fn(&Incarnation) -> bool, now: Instant) -> Vec<(Lease, bool)> {
        // A look that comes late would see as unchanged what only this process did not look at.
        let longest = self.lease * 2 / 3;
        if self.last.is_some_and(|last| now - last > longest) {
            self.clear();
        }
        self.last = Some(now);
        let stale_after = self.lease.max(DEFAULT_LEASE) * STALE_LEASES;
        let before = std::mem::take(&mut self.seen);
        let others = leases.iter().filter(|lease| !own(&lease.incarnation));
        self.next_end = others.map(|lease| lease.left).filter(|left| !left.is_zero()).min();
        let mut over = Vec::new();
        for lease in leases {
            if own(&lease.incarnation) {
                continue;
            }
            let unchanged = before.get(&lease.incarnation).filter(|(ends, _)| *ends == lease.ends_ms);
            let since = unchanged.map_or(now, |(_, since)| *since);
            self.seen.insert(lease.incarnation.clone(), (lease.ends_ms, since));
            let still = now - since;
            if lease.left.is_zero() && still >= self.lease / 2 {
                over.push((lease, false));
            } else if still >= stale_after {
                over.push((lease, true));
            }
        }
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{Envelope, JobId};

    const LEASE: Duration = Duration::from_secs(30);

    fn lease(incarnation: &Incarnation, ends_ms: i64, ended: bool) -> Lease {
        let left = if ended { Duration::ZERO } else { LEASE };
        Lease { incarnation: incarnation.clone(), ends_ms, left }
    }

    /// Looks every eight seconds at one lease; answers after how many seconds it is over.
    fn over_after(looks: impl Fn(u64) -> (i64, bool)) -> Option<(u64, bool)> {
        let (mut evidence, start, other) = (Evidence::new(LEASE), Instant::now(), Incarnation::random());
        (0..=160).step_by(8).find_map(|second| {
            let (ends_ms, ended) = looks(second);
            let over =
                evidence.judge(vec![lease(&other, ends_ms, ended)], |_| false, start + Duration::from_secs(second));
            over.first().map(|(_, stale)| (second, *stale))
        })
    }

    #[test]
    fn a_job_that_kills_a_worker_of_several_queues_is_dead_after_its_last_chance() {
        for max_crashes in 1..5 {
            let envelope = Header { max_crashes: Some(max_crashes), ..Header::new("crash") };
            let envelope = Envelope { header: envelope, args: b"{}".to_vec() }.encode();
            let mut job = Claim { id: JobId::random(), envelope, state: None, token: 0 };
            let mut crashes = 1;
            // Of what the worker had of its other queues, this queue does not know.
            while let Recovered::Few { state, .. } | Recovered::Alone { state, .. } = decide(&job, 1, true) {
                job.state = Some(state);
                crashes += 1;
                assert!(crashes <= max_crashes.max(2), "{crashes} crashes of at most {max_crashes}");
            }
        }
    }

    #[test]
    fn an_ended_lease_is_over_when_it_stood_still_for_half_a_lease() {
        assert_eq!(over_after(|_| (7, true)), Some((16, false)));
        assert_eq!(over_after(|second| (7, second >= 30)), Some((32, false)));
    }

    #[test]
    fn a_lease_that_moves_is_never_over_even_if_a_clock_says_so() {
        assert_eq!(over_after(|second| (second as i64, true)), None);
    }

    #[test]
    fn a_lease_that_stands_still_for_long_is_over_whatever_its_end_says() {
        assert_eq!(over_after(|_| (i64::MAX, false)), Some((96, true)));
    }

    #[test]
    fn a_late_look_proves_nothing() {
        let (mut evidence, start, other) = (Evidence::new(LEASE), Instant::now(), Incarnation::random());
        let mut judge =
            |second| evidence.judge(vec![lease(&other, 7, true)], |_| false, start + Duration::from_secs(second)).len();
        assert_eq!([judge(0), judge(10), judge(40), judge(50), judge(56)], [0, 0, 0, 0, 1]);
    }

    #[test]
    fn the_own_incarnation_is_never_over() {
        let (mut evidence, start, own) = (Evidence::new(LEASE), Instant::now(), Incarnation::random());
        for second in (0..200).step_by(8) {
            let now = start + Duration::from_secs(second);
            assert!(evidence.judge(vec![lease(&own, 7, true)], |one| *one == own, now).is_empty());
        }
    }
}
