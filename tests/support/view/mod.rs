//! What a server holds of a queue, and what must be true of it at any moment.

mod read;

use std::collections::{BTreeMap, BTreeSet};

use redis::{Value, from_redis_value};
use task_runtime::broker::{Counts, Status};
use task_runtime::job::{EndRecord, JobId};

use read::{list, pairs, set};

/// The keys of a queue, read; the table of keys says what each of them is.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "each is the key of its name")]
pub struct View {
    pub jobs: BTreeMap<JobId, String>,
    pub states: BTreeMap<JobId, String>,
    pub lists: BTreeMap<String, Vec<JobId>>,
    pub scheduled: BTreeMap<JobId, i64>,
    pub workers: BTreeMap<String, i64>,
    pub steps: BTreeMap<String, u64>,
    pub running: BTreeMap<String, BTreeSet<JobId>>,
    pub asked: BTreeSet<JobId>,
    pub marks: BTreeMap<JobId, String>,
    pub parked: BTreeSet<String>,
    pub parked_tasks: BTreeSet<String>,
    pub finished: BTreeMap<JobId, String>,
    pub done: BTreeMap<JobId, i64>,
    pub kept: BTreeMap<JobId, i64>,
    pub dead: BTreeMap<JobId, i64>,
    pub watched: BTreeSet<JobId>,
    pub wake: usize,
    pub meta: BTreeMap<String, String>,
}

fn id(text: &str) -> Result<JobId, String> {
    JobId::new(text).map_err(|error| error.to_string())
}

fn by_id<T>(value: Value, read: impl Fn(String) -> Result<T, String>) -> Result<BTreeMap<JobId, T>, String> {
    pairs(value)?.into_iter().map(|(name, value)| Ok((id(&name)?, read(value)?))).collect()
}

fn number(text: String) -> Result<i64, String> {
    // A sorted set answers large numbers in the form of a float.
    let number: f64 = text.parse().map_err(|_| format!("`{text}` is no number"))?;
    Ok(number as i64)
}

/// The index of records kept by number and age: an entry for those of one call, which counts them.
fn done(value: Value) -> Result<BTreeMap<JobId, i64>, String> {
    let entries: Vec<String> = from_redis_value(value).map_err(|error| error.to_string())?;
    let mut all = BTreeMap::new();
    for entry in entries {
        let mut parts = entry.split('\0');
        let mut read = || number(parts.next().unwrap_or_default().to_owned());
        let (ms, count) = (read()?, read()?);
        let ids: Vec<JobId> = parts.map(id).collect::<Result<_, _>>()?;
        if ids.len() as i64 != count {
            return Err(format!("`{entry:?}` does not count what it holds"));
        }
        all.extend(ids.into_iter().map(|id| (id, ms)));
    }
    Ok(all)
}

impl View {
    /// Takes down what one key holds.
    fn set(&mut self, name: &str, value: Value) -> Result<(), String> {
        match name {
            "jobs" => {
                for (id, text) in by_id(value, Ok)? {
                    match text.strip_prefix('=') {
                        Some(record) => drop(self.finished.insert(id, record.to_owned())),
                        None => drop(self.jobs.insert(id, text)),
                    }
                }
            }
            "state" => self.states = by_id(value, Ok)?,
            "scheduled" => self.scheduled = by_id(value, number)?,
            "workers" => {
                let all = pairs(value)?;
                self.workers =
                    all.into_iter().map(|(name, end)| Ok((name, number(end)?))).collect::<Result<_, String>>()?;
            }
            "steps" => {
                let all = pairs(value)?;
                self.steps = all.into_iter().map(|(name, step)| (name, step.parse().unwrap_or(u64::MAX))).collect();
            }
            "asked" => self.asked = set(value)?,
            "marks" => self.marks = by_id(value, Ok)?,
            "parked" => self.parked = pairs(value)?.into_keys().collect(),
            "parked_tasks" => self.parked_tasks = pairs(value)?.into_keys().collect(),
            "done" => self.done = done(value)?,
            "kept" => {
                let entries = pairs(value)?.into_iter();
                let each = |(ids, score): (String, String)| -> Result<Vec<(JobId, i64)>, String> {
                    ids.split('\0').map(|name| Ok((id(name)?, number(score.clone())?))).collect()
                };
                self.kept = entries.map(each).collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
            }
            "dead" => self.dead = by_id(value, number)?,
            "watched" => self.watched = set(value)?,
            "wake" => self.wake = list(value)?.len(),
            "meta" => self.meta = pairs(value)?,
            _ => match name.strip_prefix("running:") {
                Some(incarnation) => drop(self.running.insert(incarnation.to_owned(), set(value)?)),
                None => drop(self.lists.insert(name.to_owned(), list(value)?)),
            },
        }
        Ok(())
    }

    /// The job of each parked entry.
    fn parked_ids(&self) -> impl Iterator<Item = &str> {
        self.parked.iter().filter_map(|member| member.splitn(3, '\0').nth(2))
    }

    /// Every place in which an id stands.
    fn places(&self, id: &JobId) -> Vec<String> {
        let lists = self.lists.iter();
        let mut places: Vec<String> =
            lists.flat_map(|(name, list)| list.iter().filter(|one| *one == id).map(|_| name.clone())).collect();
        places.extend(self.scheduled.contains_key(id).then(|| "scheduled".into()));
        places.extend(self.dead.contains_key(id).then(|| "dead".into()));
        places.extend(self.parked_ids().filter(|one| *one == id.as_str()).map(|_| "parked".into()));
        places.extend(self.running.iter().filter(|(_, set)| set.contains(id)).map(|(who, _)| format!("running:{who}")));
        places
    }

    fn ids(&self) -> BTreeSet<JobId> {
        let mut ids: BTreeSet<JobId> = self.jobs.keys().cloned().collect();
        ids.extend(self.lists.values().flatten().cloned());
        ids.extend(self.running.values().flatten().cloned());
        ids.extend([&self.scheduled, &self.dead].into_iter().flat_map(BTreeMap::keys).cloned());
        ids.extend(self.marks.keys().cloned());
        ids
    }

    /// What is wrong, if anything: each job is in the one place that its state says, nothing is left
    /// of one that ended, and every set on loan can be recovered.
    pub fn fault(&self) -> Option<String> {
        self.fault_of_jobs().or_else(|| self.fault_of_workers()).or_else(|| self.fault_beside())
    }

    fn fault_of_jobs(&self) -> Option<String> {
        for id in self.ids() {
            let places = self.places(&id);
            let mark = self.marks.get(&id).map(String::as_str);
            let in_a_list = places.len() == 1 && self.lists.contains_key(&places[0]);
            let parked = places == ["parked"];
            if self.jobs.contains_key(&id) {
                if places.len() != 1 || mark.is_some() != parked {
                    return Some(format!("job {id} is in {places:?}, marked {mark:?}"));
                }
                if self.finished.contains_key(&id) {
                    return Some(format!("job {id} has ended, and is in {places:?}"));
                }
            } else if !in_a_list || mark != Some("cancelled") {
                return Some(format!("job {id} is not there, is in {places:?}, marked {mark:?}"));
            }
        }
        None
    }

    fn fault_of_workers(&self) -> Option<String> {
        for (who, jobs) in &self.running {
            if !jobs.is_empty() && !self.workers.contains_key(who) {
                return Some(format!("{jobs:?} run on {who}, which nobody can recover"));
            }
        }
        for (who, ends) in &self.workers {
            if (*ends == 0) == self.steps.contains_key(who) {
                return Some(format!("{who} has a lease until {ends} and a step {:?}", self.steps.get(who)));
            }
        }
        if let Some(who) = self.steps.keys().find(|who| !self.workers.contains_key(*who)) {
            return Some(format!("{who} has a step and no lease"));
        }
        let boards = self.meta.keys().filter_map(|field| field.strip_prefix("board:"));
        boards.filter(|who| self.workers.get(*who) != Some(&0)).map(|who| format!("a board of {who} is left")).next()
    }

    fn fault_beside(&self) -> Option<String> {
        let gone = |ids: Vec<&JobId>, what: &str| ids.first().map(|id| format!("{what} of {id} is left"));
        let without_job = |ids: &mut dyn Iterator<Item = &JobId>| -> Vec<JobId> {
            ids.filter(|id| !self.jobs.contains_key(*id)).cloned().collect()
        };
        let states = without_job(&mut self.states.keys());
        let watched = without_job(&mut self.watched.iter());
        let asked: Vec<_> =
            self.asked.iter().filter(|id| !self.running.values().any(|set| set.contains(*id))).collect();
        let ended: Vec<_> = self
            .finished
            .keys()
            .chain(self.done.keys())
            .chain(self.kept.keys())
            .filter(|id| {
                let indexes = usize::from(self.done.contains_key(*id)) + usize::from(self.kept.contains_key(*id));
                indexes != 1 || !self.finished.contains_key(*id)
            })
            .collect();
        let tasks = self.parked.iter().filter_map(|member| member.split('\0').next());
        let unseen =
            tasks.filter(|task| !self.parked_tasks.contains(*task)).map(|task| format!("`{task}` is not told"));
        let known = ["paused", "token", "timer", "step", "forgotten", "done", "kept"];
        let field = self.meta.keys().find(|field| !known.contains(&field.as_str()) && !field.starts_with("board:"));
        gone(states.iter().collect(), "the state")
            .or_else(|| gone(watched.iter().collect(), "the watch"))
            .or_else(|| gone(asked, "the asked cancel"))
            .or_else(|| gone(ended, "one half of the end"))
            .or_else(|| unseen.into_iter().next())
            .or_else(|| field.map(|field| format!("the field `{field}` of meta is in no table")))
            .or_else(|| (self.counted("kept") != self.kept.len()).then(|| "the number in `kept` is wrong".into()))
            .or_else(|| (self.counted("done") != self.done.len()).then(|| "the number in `done` is wrong".into()))
            .or_else(|| (self.wake > 8).then(|| format!("{} wake tokens", self.wake)))
    }

    /// What `status` must answer.
    pub fn status(&self, id: &JobId) -> Status {
        let state = || self.states.get(id).map(|state| state.clone().into_bytes());
        if let Some(record) = self.finished.get(id) {
            return Status::Ended { record: record.clone().into_bytes() };
        }
        match self.places(id).first().map(String::as_str) {
            _ if self.marks.get(id).is_some_and(|mark| mark == "cancelled") => {
                Status::Ended { record: EndRecord::CANCELLED.to_vec() }
            }
            None => Status::Unknown,
            Some("scheduled") => Status::Scheduled { due_ms: self.scheduled[id] / 10, state: state() },
            Some("dead") => Status::Dead { state: state() },
            Some("parked") => Status::Parked { state: state() },
            Some(place) if place.starts_with("running:") => Status::Running,
            Some(_) => Status::Ready,
        }
    }

    /// What `counts` must answer.
    pub fn counts(&self) -> Counts {
        let running = self.running.values().map(BTreeSet::len).sum();
        let elsewhere = self.scheduled.len() + self.parked.len() + self.dead.len() + running;
        Counts {
            scheduled: self.scheduled.len(),
            ready: self.jobs.len() - elsewhere,
            running,
            parked: self.parked.len(),
            dead: self.dead.len(),
            finished: self.finished.len(),
            workers: self.steps.len(),
            paused: self.meta.contains_key("paused"),
        }
    }

    /// Whether `id` is on loan to `who`.
    pub fn runs_on(&self, id: &JobId, who: &str) -> bool {
        self.running.get(who).is_some_and(|set| set.contains(id))
    }

    /// How many records an index has, as it is written down beside it.
    fn counted(&self, index: &str) -> usize {
        let count = self.meta.get(index).and_then(|text| text.split(' ').next());
        count.map_or(0, |count| count.parse().unwrap_or(usize::MAX))
    }

    /// Whether nothing is left to run.
    pub fn is_drained(&self) -> bool {
        self.running.is_empty()
            && self.lists.is_empty()
            && self.scheduled.is_empty()
            && self.parked.is_empty()
            && self.jobs.len() == self.dead.len()
    }
}
