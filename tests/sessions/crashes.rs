//! Random requests of many visitors at the same time, to processes that are killed in the middle of them.
//!
//! Each visitor has a few fields that only one of its lanes writes, one after the other, and a counter and a list that
//! all of its lanes write. A request whose answer did not come may have been carried out. In the end every field holds
//! what its last acknowledged write gave it, or one that came after that and was not answered; nothing that was
//! acknowledged is missing; and no visitor has anything of another.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use support::{Place, Program, Running};

use crate::fixture::{BOUND, Raw};

/// Processes that serve all visitors.
const PROCESSES: usize = 2;
/// Visitors, and the lanes in which each sends its requests.
const VISITORS: usize = 4;
const LANES: usize = 3;
/// Histories that are played on each server.
const CASES: u32 = 4;
/// How often a visitor tries to reach a process, and the pause in between.
const MAX_TRIES: usize = 2_000;
const PAUSE: Duration = Duration::from_millis(10);

/// What a lane does next.
#[derive(Clone, Debug)]
enum Step {
    Set,
    Count,
    Append,
}

/// What a visitor does when all its lanes stand still.
#[derive(Clone, Debug)]
enum Turn {
    Nothing,
    LogIn,
    LogOut,
}

/// A round of a visitor: what each lane does, and what comes then.
#[derive(Clone, Debug)]
struct Round {
    lanes: Vec<Vec<Step>>,
    then: Turn,
}

#[derive(Clone, Debug)]
struct History {
    visitors: Vec<Vec<Round>>,
    /// After how many ms which process is killed, one after the other.
    kills: Vec<(u64, usize)>,
}

fn histories() -> impl Strategy<Value = History> {
    let step = prop_oneof![3 => Just(Step::Set), 1 => Just(Step::Count), 1 => Just(Step::Append)];
    let lanes = prop::collection::vec(prop::collection::vec(step, 1..6), LANES);
    let then = prop_oneof![3 => Just(Turn::Nothing), 2 => Just(Turn::LogIn), 1 => Just(Turn::LogOut)];
    let rounds = prop::collection::vec((lanes, then).prop_map(|(lanes, then)| Round { lanes, then }), 4..10);
    let kills = prop::collection::vec((1_u64..120, 0..PROCESSES), 4..12);
    (prop::collection::vec(rounds, VISITORS), kills).prop_map(|(visitors, kills)| History { visitors, kills })
}

/// The processes and where they listen.
struct Fleet {
    program: Box<dyn Fn() -> Program + Send + Sync>,
    places: RwLock<Vec<String>>,
    /// Whether there are crashes to come.
    crashing: AtomicBool,
    /// Requests whose answer did not come.
    unanswered: AtomicUsize,
}

impl Fleet {
    fn new(raw: &Raw) -> Self {
        let (url, namespace) = raw.place();
        let program = move || {
            Program::new(env!("CARGO_BIN_EXE_test-sessions"))
                .env("SESSIONS_URL", url.clone())
                .env("SESSIONS_NAMESPACE", namespace.clone())
        };
        Self {
            program: Box::new(program),
            places: RwLock::default(),
            crashing: AtomicBool::new(true),
            unanswered: AtomicUsize::new(0),
        }
    }

    fn start(&self) -> (Running, String) {
        let mut process = (self.program)().start();
        let line = process.wait_for_line("listens on ", BOUND);
        (process, format!("http://{}", line.rsplit(' ').next().expect("it says where")))
    }

    fn place(&self, number: usize) -> String {
        self.places.read().unwrap_or_else(PoisonError::into_inner)[number % PROCESSES].clone()
    }

    fn moved(&self, number: usize, place: String) {
        self.places.write().unwrap_or_else(PoisonError::into_inner)[number] = place;
    }
}

/// What is known of a field that one lane writes.
#[derive(Clone, Debug, Default)]
struct Known {
    /// What it may hold; `None` for not being there.
    may_hold: Vec<Option<String>>,
}

/// What a visitor has done, as far as it knows.
#[derive(Clone, Debug, Default)]
struct Ledger {
    fields: BTreeMap<String, Known>,
    counted: u64,
    maybe_counted: u64,
    appended: Vec<String>,
    maybe_appended: Vec<String>,
}

#[derive(Clone)]
struct Visitor {
    number: usize,
    fleet: Arc<Fleet>,
    client: reqwest::Client,
    cookie: Arc<Mutex<Option<String>>>,
    ledger: Arc<Mutex<Ledger>>,
}

impl Visitor {
    fn new(number: usize, fleet: &Arc<Fleet>) -> Self {
        // A connection that is kept may have been closed by a process that is gone.
        let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).timeout(BOUND);
        Self {
            number,
            fleet: Arc::clone(fleet),
            client: client.build().expect("a client can be built"),
            cookie: Arc::default(),
            ledger: Arc::default(),
        }
    }

    fn ledger(&self) -> std::sync::MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cookie(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.cookie.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a request to one of the processes; `false` when it is not known what became of it.
    async fn post(&self, process: usize, path: &str) -> bool {
        let request = self.client.post(format!("{}{path}", self.fleet.place(process)));
        let cookie = self.cookie().clone();
        let request = cookie.into_iter().fold(request, |request, cookie| request.header("cookie", cookie));
        let Ok(response) = request.send().await else {
            self.fleet.unanswered.fetch_add(1, Ordering::Relaxed);
            return false;
        };
        // What was not written, or may have been.
        let well = response.status().is_success();
        for cookie in response.headers().get_all("set-cookie") {
            let cookie = cookie.to_str().expect("a cookie is plain text");
            let pair = cookie.split(';').next().expect("a cookie begins with its name");
            *self.cookie() = (!cookie.contains("Max-Age=0")).then(|| pair.to_owned());
        }
        well
    }

    /// What the session holds, asked until a process answers.
    async fn all(&self) -> serde_json::Value {
        for process in 0..MAX_TRIES {
            let request = self.client.get(format!("{}/all", self.fleet.place(process)));
            let cookie = self.cookie().clone();
            let request = cookie.into_iter().fold(request, |request, cookie| request.header("cookie", cookie));
            if let Ok(response) = request.send().await
                && response.status().is_success()
                && let Ok(text) = response.text().await
            {
                return serde_json::from_str(&text).expect("the answer is JSON");
            }
            pass(PAUSE).await;
        }
        panic!("no process answers visitor {}", self.number);
    }

    async fn lane(self, lane: usize, round: usize, steps: Vec<Step>) {
        for (at, step) in steps.into_iter().enumerate() {
            let value = format!("{}-{lane}-{round}-{at}", self.number);
            let process = self.number + lane + at;
            match step {
                Step::Set => {
                    let field = format!("lane{lane}");
                    let well = self.post(process, &format!("/set/{field}?value={value}")).await;
                    let mut ledger = self.ledger();
                    let known = ledger.fields.entry(field).or_insert_with(|| Known { may_hold: vec![None] });
                    if well {
                        known.may_hold.clear();
                    }
                    known.may_hold.push(Some(value));
                }
                Step::Count => match self.post(process, "/count/count").await {
                    true => self.ledger().counted += 1,
                    false => self.ledger().maybe_counted += 1,
                },
                Step::Append => {
                    let well = self.post(process, &format!("/append/list?value={value}")).await;
                    let mut ledger = self.ledger();
                    let list = if well { &mut ledger.appended } else { &mut ledger.maybe_appended };
                    list.push(value);
                }
            }
        }
    }

    /// Plays the rounds, again and again while there are crashes.
    async fn play(self, rounds: Vec<Round>) {
        self.begin().await;
        let mut number = 0;
        while number < rounds.len() || self.fleet.crashing.load(Ordering::Relaxed) {
            let round = rounds[number % rounds.len()].clone();
            number += 1;
            let lanes = round.lanes.into_iter().enumerate();
            let lanes = lanes.map(|(lane, steps)| tokio::spawn(self.clone().lane(lane, number, steps)));
            for lane in lanes.collect::<Vec<_>>() {
                lane.await.expect("a lane does not panic");
            }
            let path = match round.then {
                Turn::Nothing => continue,
                Turn::LogIn => format!("/log-in/user{}", self.number),
                Turn::LogOut => "/log-out".into(),
            };
            let well = self.post(number, &path).await;
            match round.then {
                Turn::LogOut if well => {
                    *self.ledger() = Ledger::default();
                    self.begin().await;
                }
                _ if well => self.check(&self.all().await),
                // The session may have another id, of which the visitor was not told, or be gone: then it is dead.
                _ => {
                    let all = self.all().await;
                    if all["fields"].as_object().is_some_and(serde_json::Map::is_empty) {
                        *self.cookie() = None;
                        *self.ledger() = Ledger::default();
                        self.begin().await;
                    } else {
                        self.check(&all);
                    }
                }
            }
        }
    }

    /// A session, before several requests at the same time would each begin one.
    async fn begin(&self) {
        for process in 0..MAX_TRIES {
            if self.post(process, &format!("/set/owner?value={}", self.number)).await {
                return;
            }
            pass(PAUSE).await;
        }
        panic!("visitor {} gets no session", self.number);
    }

    fn check(&self, all: &serde_json::Value) {
        let ledger = self.ledger().clone();
        let told = format!("visitor {}: {all:#}\n{ledger:#?}", self.number);
        let fields = all["fields"].as_object().expect("fields have names");
        assert_eq!(fields["owner"], self.number.to_string(), "{told}");
        let own = format!("{}-", self.number);
        for (name, value) in fields.iter().filter(|(name, _)| name.starts_with("lane")) {
            assert!(value.as_str().is_some_and(|value| value.starts_with(&own)), "{name}: {told}");
        }
        for (name, known) in &ledger.fields {
            let held = fields.get(name).and_then(|value| value.as_str()).map(str::to_owned);
            assert!(known.may_hold.contains(&held), "{name} was lost: {told}");
        }
        let counted = fields.get("count").and_then(serde_json::Value::as_u64).unwrap_or(0);
        let most = ledger.counted + ledger.maybe_counted;
        assert!((ledger.counted..=most).contains(&counted), "counted: {told}");
        let list: Vec<String> = fields
            .get("list")
            .map_or(Vec::new(), |list| serde_json::from_value(list.clone()).expect("it is a list of texts"));
        for value in &list {
            assert!(ledger.appended.contains(value) || ledger.maybe_appended.contains(value), "{value}: {told}");
            assert_eq!(list.iter().filter(|other| *other == value).count(), 1, "{value} twice: {told}");
        }
        for value in &ledger.appended {
            assert!(list.contains(value), "{value} was lost: {told}");
        }
        let user = &all["user"];
        assert!(user.is_null() || *user == format!("user{}", self.number), "{told}");
    }
}

/// Lets time pass in which there is nothing to wait for.
async fn pass(time: Duration) {
    let _ = tokio::time::timeout(time, std::future::pending::<()>()).await;
}

async fn play(raw: &Raw, history: History) {
    let fleet = Arc::new(Fleet::new(raw));
    let mut processes = Vec::new();
    for _ in 0..PROCESSES {
        let (process, place) = fleet.start();
        processes.push(process);
        fleet.places.write().unwrap_or_else(PoisonError::into_inner).push(place);
    }
    let visitors: Vec<_> = (0..VISITORS).map(|number| Visitor::new(number, &fleet)).collect();
    let playing: Vec<_> = visitors
        .iter()
        .zip(history.visitors)
        .map(|(visitor, rounds)| tokio::spawn(visitor.clone().play(rounds)))
        .collect();
    for (after, number) in history.kills {
        // A crash comes whenever it comes.
        pass(Duration::from_millis(after)).await;
        processes[number].kill9();
        let (process, place) = tokio::task::block_in_place(|| fleet.start());
        processes[number] = process;
        fleet.moved(number, place);
        raw.every_key_has_its_end();
    }
    fleet.crashing.store(false, Ordering::Relaxed);
    for one in playing {
        one.await.expect("a visitor does not panic");
    }
    for visitor in &visitors {
        visitor.check(&visitor.all().await);
    }
    assert!(raw.every_key_has_its_end() >= VISITORS);
    assert!(fleet.unanswered.load(Ordering::Relaxed) > 0, "no request was in the middle of a crash");
}

fn histories_hold(place: fn() -> Place) {
    let config = Config { cases: CASES, max_shrink_iters: 8, failure_persistence: None, ..Config::default() };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime can be built");
    let played = TestRunner::new(config).run(&histories(), |history| {
        runtime.block_on(async {
            let raw = Raw::at(place());
            let whole = tokio::time::timeout(4 * BOUND, play(&raw, history));
            whole.await.expect("a history comes to its end");
        });
        Ok(())
    });
    if let Err(failure) = played {
        panic!("{failure}");
    }
}

#[test]
fn whatever_processes_are_killed_no_field_is_lost_or_anothers_and_no_key_is_without_an_end_on_redis() {
    histories_hold(Place::redis);
}

#[test]
fn whatever_processes_are_killed_no_field_is_lost_or_anothers_and_no_key_is_without_an_end_on_valkey() {
    histories_hold(Place::valkey);
}
