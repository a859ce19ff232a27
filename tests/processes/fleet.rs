//! Several workers that are started alike, killed, frozen and started again, and the history of what they ran.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;

use support::redis::FromRedisValue as _;
use support::{Program, Running, eventually, nothing_is_wrong, shared_redis};
use task_runtime::client::{JobHandle, JobStatus};

use crate::tasks::{Trace, now_ms};
use crate::{BOUND, Bench, queue};

/// Workers of the queue `fleet`.
pub(crate) struct Fleet<'a> {
    program: Box<dyn Fn() -> Program + 'a>,
    /// Those that began to run last are last.
    live: Vec<Member>,
    past: Vec<Member>,
    started: usize,
}

/// One process.
pub(crate) struct Member {
    process: Running,
    /// The how manieth it was to be started, from 0 on.
    number: usize,
    /// When it was killed, frozen or ended by itself, in ms.
    disturbed: Vec<u64>,
}

impl<'a> Fleet<'a> {
    /// So many workers that have begun. `points` are places at which they wait.
    pub(crate) fn start(bench: &'a Bench, workers: usize, arguments: &[&'a str], points: &'a str) -> Self {
        let arguments = [&["worker", "fleet"], arguments].concat();
        Self::of(workers, move || bench.program(&arguments).env("FAILPOINTS", points))
    }

    /// So many times this program, each of which has begun.
    pub(crate) fn of(workers: usize, program: impl Fn() -> Program + 'a) -> Self {
        let mut fleet = Self { program: Box::new(program), live: Vec::new(), past: Vec::new(), started: 0 };
        (0..workers).for_each(|_| fleet.add());
        for member in &mut fleet.live {
            member.process.wait_for_line("worker started", BOUND);
        }
        fleet
    }

    /// Starts another one.
    pub(crate) fn add(&mut self) {
        let process = (self.program)().start();
        self.live.push(Member { process, number: self.started, disturbed: Vec::new() });
        self.started += 1;
    }

    /// Kills one, and starts none in its place.
    pub(crate) fn kill(&mut self, at: usize) {
        let mut member = self.live.remove(at);
        member.process.kill9();
        member.disturbed.push(now_ms());
        self.past.push(member);
    }

    /// Starts a worker for each that ended by itself, as a service manager does; answers how many did.
    pub(crate) fn start_again(&mut self) -> usize {
        let ended: Vec<_> = self.live.extract_if(.., |member| member.process.has_ended()).collect();
        let count = ended.len();
        for mut member in ended {
            member.disturbed.push(now_ms());
            self.past.push(member);
            self.add();
        }
        count
    }

    pub(crate) fn freeze(&mut self, at: usize) {
        self.live[at].disturbed.push(now_ms());
        self.live[at].process.freeze();
    }

    /// Lets it go on, and puts it last.
    pub(crate) fn thaw(&mut self, at: usize) {
        let mut member = self.live.remove(at);
        member.process.thaw();
        self.live.push(member);
    }

    /// How many lines that contain `text` each of the live ones has printed.
    pub(crate) fn told(&self, text: &str) -> Vec<usize> {
        let count = |member: &Member| member.process.lines().iter().filter(|line| line.contains(text)).count();
        self.live.iter().map(count).collect()
    }

    /// How many of those that ended have printed `text`.
    pub(crate) fn ended_with(&self, text: &str) -> usize {
        self.past.iter().filter(|member| member.process.lines().iter().any(|line| line.contains(text))).count()
    }

    /// By which signals those ended that are no longer there, in this order.
    pub(crate) fn signals(&mut self) -> Vec<Option<i32>> {
        self.past.iter_mut().map(|member| member.process.wait(BOUND).signal()).collect()
    }

    /// Waits until another line that contains `text` is printed than `before`; which worker did.
    pub(crate) async fn tells(&self, text: &str, before: &[usize]) -> usize {
        eventually(&format!("a worker tells {text:?}"), BOUND, async || {
            self.told(text).iter().zip(before).position(|(now, before)| now > before)
        })
        .await
    }

    /// Waits until so many runs began, in all.
    pub(crate) async fn began(&self, runs: usize) {
        eventually(&format!("{runs} runs began"), BOUND, async || {
            (self.history().0.values().flatten().count() >= runs).then_some(())
        })
        .await;
    }

    /// What they have told so far.
    pub(crate) fn history(&self) -> History {
        let mut jobs: BTreeMap<u64, Vec<Run>> = BTreeMap::new();
        for member in self.past.iter().chain(&self.live) {
            for line in member.process.lines() {
                let Some((what, number, token, at)) = parse(&line) else { continue };
                let runs = jobs.entry(number).or_default();
                match what {
                    "began" => {
                        let disturbed = member.disturbed.clone();
                        runs.push(Run { process: member.number, token, began: at, end: None, disturbed });
                    }
                    end => {
                        let run = runs.iter_mut().find(|run| run.token == token);
                        let run = run.unwrap_or_else(|| panic!("what never began has {end}: {line}"));
                        assert_eq!(run.end, None, "it ended twice: {line}");
                        run.end = Some(if end == "ended" { End::Ended } else { End::Dropped });
                    }
                }
            }
        }
        for (number, runs) in &mut jobs {
            runs.sort_by_key(|run| run.token);
            assert!(runs.windows(2).all(|two| two[0].token < two[1].token), "job {number} had a token twice: {runs:?}");
        }
        History(jobs)
    }

    /// Most workers that said of one and the same other that it vanished.
    pub(crate) fn recoverers_of_one(&self) -> usize {
        let mut by_incarnation: BTreeMap<String, usize> = BTreeMap::new();
        for line in self.past.iter().chain(&self.live).flat_map(|member| member.process.lines()) {
            if let Some((_, rest)) =
                line.split_once("a worker vanished").and_then(|(_, rest)| rest.split_once("incarnation="))
            {
                let incarnation = rest.split(' ').next().expect("there is a first word");
                *by_incarnation.entry(incarnation.to_owned()).or_default() += 1;
            }
        }
        by_incarnation.into_values().max().unwrap_or(0)
    }
}

/// Enqueues jobs that may be on board of so many crashes, with the numbers from 0 on, that take so long in ms.
pub(crate) async fn enqueue(bench: &Bench, crashes: u32, millis: impl IntoIterator<Item = u64>) -> Vec<JobHandle<()>> {
    let jobs = (0..).zip(millis).map(|(number, millis)| Trace::new(number, millis).options().max_crashes(crashes));
    bench.client.enqueue_all(jobs).await.unwrap()
}

/// The record beside a job, when something went wrong with it.
pub(crate) fn state(bench: &Bench, job: &JobHandle<()>) -> Option<String> {
    let key = format!("{{{}:fleet}}:state", bench.namespace);
    Option::from_redis_value(shared_redis().command(&["HGET", &key, job.id().as_str()])).unwrap()
}

/// Waits until every job is completed in one attempt; nothing is left on its way in the queue, `dead` are dead, and
/// nothing that is stored is wrong.
pub(crate) async fn all_are_settled_once(bench: &Bench, jobs: &[JobHandle<()>], dead: usize) {
    for (number, job) in jobs.iter().enumerate() {
        job.result_within(3 * BOUND).await.unwrap_or_else(|error| panic!("job {number}: {error}"));
        let status = job.status().await.unwrap();
        assert!(matches!(status, JobStatus::Completed { attempts: 1, .. }), "job {number} is {status:?}");
    }
    let counts = bench.client.counts(&queue("fleet")).await.unwrap();
    let open = (counts.running, counts.ready, counts.scheduled, counts.dead);
    assert_eq!((counts.finished, open), (jobs.len(), (0, 0, 0, dead)), "{counts:?}");
    nothing_is_wrong(&bench.client, &queue("fleet"), BOUND).await;
}

fn parse(line: &str) -> Option<(&str, u64, u64, u64)> {
    let mut words = line.split(' ');
    let what = words.next().filter(|what| ["began", "ended", "dropped"].contains(what))?;
    let mut number = || words.next()?.parse().ok();
    Some((what, number()?, number()?, number()?))
}

/// The runs of each job, in the order of their claims.
#[derive(Debug)]
pub(crate) struct History(pub(crate) BTreeMap<u64, Vec<Run>>);

/// One attempt.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) process: usize,
    pub(crate) token: u64,
    began: u64,
    pub(crate) end: Option<End>,
    disturbed: Vec<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Ended,
    Dropped,
}

impl History {
    /// Checks that no job ran again unless the worker that ran it was disturbed meanwhile, and that each ended at last;
    /// answers how long after that it began again, in ms, by the number of the job.
    pub(crate) fn gaps(&self, jobs: u64) -> Vec<(u64, u64)> {
        let mut gaps = Vec::new();
        for number in 0..jobs {
            let runs = self.0.get(&number).unwrap_or_else(|| panic!("job {number} never ran"));
            for two in runs.windows(2) {
                let meanwhile = two[0].began..=two[1].began;
                let disturbed = two[0].disturbed.iter().rfind(|at| meanwhile.contains(at));
                let disturbed =
                    disturbed.unwrap_or_else(|| panic!("job {number} ran again without a reason: {runs:?}"));
                gaps.push((number, two[1].began - disturbed));
            }
            let last = runs.last().expect("there is one");
            assert_eq!(last.end, Some(End::Ended), "job {number} did not end at last: {runs:?}");
        }
        gaps
    }
}
