//! Plays histories: makes them, finds the shortest one that fails, and says how to see it again.

use std::env;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use support::Server;
use task_runtime::broker::memory::MemoryBroker;
use task_runtime::broker::redis::RedisBroker;
use task_runtime::broker::{Broker, Clock};
use task_runtime::job::{Namespace, QueueName};
use tokio::runtime::{Builder, Runtime};

use crate::operation::{History, Profile};
use crate::site::{Raw, Site};
use crate::world::World;

/// The seed of the short form.
const SEED: u64 = 1;
/// Most time that is taken to find a shorter history.
const SHRINK_MS: u32 = 60_000;
/// Most histories that are tried for it.
const MAX_SHRINKS: u32 = 1_000_000;

/// The servers of one test, and whether the in-process broker takes part.
pub(crate) struct Stage {
    servers: [(&'static str, Server); 2],
    memory: bool,
    runtime: Runtime,
}

impl Stage {
    /// The in-process broker and the servers.
    pub(crate) fn everywhere() -> Self {
        Self { memory: true, ..Self::servers() }
    }

    /// The servers alone.
    pub(crate) fn servers() -> Self {
        let servers = [("Redis", Server::redis().start()), ("Valkey", Server::valkey().start())];
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
        Self { servers, memory: false, runtime }
    }

    /// Plays one history from beginning to end; the error says what is wrong, and after which
    /// operation.
    pub(crate) fn play(&self, history: &History) -> Result<u64, String> {
        self.runtime.block_on(async {
            let mut world = self.world(history)?;
            for (at, op) in history.ops.iter().enumerate() {
                let played = world.play(op).await.and_then(|()| world.stranded());
                played.map_err(|fault| format!("operation {at}, {op:?}: {fault}"))?;
            }
            world.drain().await?;
            Ok(world.carried_out)
        })
    }

    fn world(&self, history: &History) -> Result<World, String> {
        let (clock, queue) = (Clock::given(0), QueueName::new("histories").expect("the name is valid"));
        let namespace = Namespace::new("test").expect("the name is valid");
        let mut sites = Vec::new();
        if self.memory {
            sites.push(Site { name: "memory", broker: Arc::new(MemoryBroker::new(clock.clone())), raw: None });
        }
        for (name, server) in &self.servers {
            let broker = RedisBroker::new(&server.url(), namespace.clone(), clock.clone());
            let broker: Arc<dyn Broker> = Arc::new(broker.expect("the URL of a test server is valid"));
            let mut raw =
                Raw::new(server.connection().expect("the server answers"), format!("{{{namespace}:{queue}}}"));
            raw.clear()?;
            sites.push(Site { name, broker, raw: Some(raw) });
        }
        Ok(World::new(history, sites, clock, queue))
    }
}

/// Plays `short` histories of each profile, or as the environment says.
pub(crate) fn explore(stage: &Stage, profiles: &[Profile], short: u32) {
    let number = |name| env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")));
    let seconds: Option<u64> = number("TASK_HISTORIES_SECONDS");
    let seed: u64 = number("TASK_HISTORIES_SEED").unwrap_or(SEED);
    let start = Instant::now();
    let (mut histories, mut requests) = (0, 0);
    // A long form begins elsewhere each time.
    let mut seed = if seconds.is_some() { seed ^ start_seed() } else { seed };
    loop {
        for profile in profiles {
            requests += round(stage, *profile, seed, short);
            histories += u64::from(short);
        }
        seed = seed.wrapping_add(1);
        if seconds.is_none_or(|seconds| start.elapsed() >= Duration::from_secs(seconds)) {
            break;
        }
    }
    println!("{histories} histories, {requests} requests carried out by each broker, in {:?}", start.elapsed());
}

fn start_seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| u64::try_from(now.as_micros()).unwrap_or(0))
}

/// Plays `cases` histories of one profile; answers how many requests they made.
fn round(stage: &Stage, profile: Profile, seed: u64, cases: u32) -> u64 {
    let (max_shrink_time, max_shrink_iters) = (SHRINK_MS, MAX_SHRINKS);
    let config = Config { cases, failure_persistence: None, max_shrink_time, max_shrink_iters, ..Config::default() };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, random);
    let requests = std::cell::Cell::new(0);
    let outcome = runner.run(&profile.histories(), |history| {
        let made = stage.play(&history).map_err(TestCaseError::fail)?;
        requests.set(requests.get() + made);
        Ok(())
    });
    if let Err(TestError::Fail(fault, history)) = &outcome {
        panic!(
            "a history breaks a rule: {fault}\n\nits shortest form:\n{history:?}\n\nto play it again:\n\
             TASK_HISTORIES_SEED={seed} cargo test -p task-tests --test histories"
        );
    }
    outcome.expect("histories can be made");
    requests.get()
}
