//! The check of a queue in this process: one look at all of it, while it stands still.

use std::collections::{BTreeMap, BTreeSet};

use super::queue::{Mark, Queue};
use crate::broker::fsck::Tally;
use crate::broker::{Flaw, Incarnation, Report};
use crate::job::{Header, JobId, PutBack, State, after_loss};

/// The lease of a condemned incarnation, and of one that has none until it moves it on.
const CONDEMNED: i64 = 0;
const LEASE_MS: i64 = 30_000;

/// Where a job stands; where it stands twice, the first of these counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Running(Incarnation),
    Ready(u8),
    Few,
    Alone,
    Scheduled,
    Parked(String, u8),
    Dead,
}

impl Place {
    fn name(&self) -> String {
        match self {
            Self::Running(incarnation) => format!("running:{incarnation}"),
            Self::Ready(priority) => format!("ready:{priority}"),
            Self::Few => "few".into(),
            Self::Alone => "alone".into(),
            Self::Scheduled => "scheduled".into(),
            Self::Parked(..) => "parked".into(),
            Self::Dead => "dead".into(),
        }
    }

    fn is_list(&self) -> bool {
        matches!(self, Self::Ready(_) | Self::Few | Self::Alone)
    }
}

impl Queue {
    pub(super) fn fsck(&mut self, repair: bool, now: i64) -> Report {
        let mut tally = Tally::default();
        (tally.jobs, tally.ended) = (self.jobs.len() as u64, self.finished.len() as u64);
        self.check_workers(repair, now, &mut tally);
        let places = self.places();
        for (id, places) in &places {
            self.check_places(id, places, repair, &mut tally);
        }
        self.check_parked(&places, repair, now, &mut tally);
        self.check_beside(&places, repair, &mut tally);
        let lost: Vec<JobId> = self.jobs.keys().filter(|id| !places.contains_key(*id)).cloned().collect();
        for id in lost {
            if repair {
                self.put_back(&id, now);
            }
            tally.add(Flaw::Lost, "jobs", id.as_str(), repair);
        }
        self.check_ends(repair, now, &mut tally);
        tally.report()
    }

    fn places(&self) -> BTreeMap<JobId, Vec<Place>> {
        let mut all = BTreeMap::<JobId, Vec<Place>>::new();
        let mut add = |id: &JobId, place| all.entry(id.clone()).or_default().push(place);
        for (incarnation, running) in &self.running {
            running.iter().for_each(|id| add(id, Place::Running(incarnation.clone())));
        }
        for (priority, list) in (0..).zip(&self.ready) {
            list.iter().for_each(|id| add(id, Place::Ready(priority)));
        }
        self.few.iter().for_each(|id| add(id, Place::Few));
        self.alone.iter().for_each(|id| add(id, Place::Alone));
        self.scheduled.ids().for_each(|id| add(id, Place::Scheduled));
        self.parked.iter().for_each(|(task, priority, id)| add(id, Place::Parked(task.clone(), *priority)));
        self.dead.ids().for_each(|id| add(id, Place::Dead));
        all.values_mut().for_each(|places| places.sort());
        all
    }

    /// A job stands in one place, an ended one in none; what was cancelled leaves one entry in a list.
    fn check_places(&mut self, id: &JobId, places: &[Place], repair: bool, tally: &mut Tally) {
        let there = self.jobs.contains_key(id);
        let cancelled = matches!(self.marks.get(id), Some(Mark::Cancelled));
        let stays = match there {
            true => Some(0),
            false => places.iter().position(|place| cancelled && place.is_list()),
        };
        for (_, place) in places.iter().enumerate().filter(|(at, _)| Some(*at) != stays) {
            let flaw = match there {
                true => Flaw::Twice,
                false if self.finished.contains_key(id) => Flaw::Ended,
                false => Flaw::Dangling,
            };
            // A worker that can still make turns may yet tell how it ended.
            let left = matches!(place, Place::Running(who) if flaw == Flaw::Dangling && self.steps.contains_key(who));
            if repair && !left {
                self.take_out(id, place);
            }
            tally.add(flaw, &place.name(), id.as_str(), repair && !left);
        }
    }

    fn take_out(&mut self, id: &JobId, place: &Place) {
        let list = match place {
            Place::Running(who) => {
                if let Some(running) = self.running.get_mut(who) {
                    running.remove(id);
                }
                return;
            }
            Place::Scheduled => {
                self.scheduled.remove(id);
                return;
            }
            Place::Dead => {
                self.dead.remove(id);
                return;
            }
            Place::Parked(task, priority) => {
                self.parked.remove(&(task.clone(), *priority, id.clone()));
                return;
            }
            Place::Ready(priority) => self.list(*priority),
            Place::Few => &mut self.few,
            Place::Alone => &mut self.alone,
        };
        if let Some(last) = list.iter().rposition(|one| one == id) {
            list.remove(last);
        }
    }

    /// A lease and a step belong together, and whoever has jobs on loan has a lease.
    fn check_workers(&mut self, repair: bool, now: i64, tally: &mut Tally) {
        let on_loan = self.running.iter().filter(|(_, running)| !running.is_empty()).map(|(who, _)| who);
        let all: BTreeSet<Incarnation> =
            on_loan.chain(self.workers.keys()).chain(self.steps.keys()).chain(self.on_board.keys()).cloned().collect();
        for who in all {
            let (ends, step) = (self.workers.get(&who).copied(), self.steps.contains_key(&who));
            let flaw = match ends {
                None if step || self.running.get(&who).is_some_and(|running| !running.is_empty()) => Flaw::Unwatched,
                Some(ends) if (ends == CONDEMNED) == step => Flaw::HalfRegistered,
                ends if ends != Some(CONDEMNED) && self.on_board.contains_key(&who) => Flaw::Leftover,
                _ => continue,
            };
            if repair {
                match flaw {
                    Flaw::Unwatched if step => drop(self.workers.insert(who.clone(), now.saturating_add(LEASE_MS))),
                    Flaw::Leftover => drop(self.on_board.remove(&who)),
                    _ => {
                        self.end_steps(&who);
                        self.workers.insert(who.clone(), CONDEMNED);
                    }
                }
            }
            tally.add(flaw, if flaw == Flaw::Leftover { "meta" } else { "workers" }, who.as_str(), repair);
        }
    }

    /// A parked job is marked as such, and its task is told to workers.
    fn check_parked(&mut self, places: &BTreeMap<JobId, Vec<Place>>, repair: bool, now: i64, tally: &mut Tally) {
        for (id, places) in places {
            let Place::Parked(task, priority) = &places[0] else { continue };
            let marked = matches!(self.marks.get(id), Some(Mark::Parked(name, of)) if name == task && of == priority);
            if !self.jobs.contains_key(id) || (marked && self.parked_tasks.contains_key(task)) {
                continue;
            }
            if repair {
                self.marks.insert(id.clone(), Mark::Parked(task.clone(), *priority));
                self.parked_tasks.insert(task.clone(), now);
            }
            tally.add(Flaw::Untold, "parked", id.as_str(), repair);
        }
    }

    /// What stands beside jobs goes with them.
    fn check_beside(&mut self, places: &BTreeMap<JobId, Vec<Place>>, repair: bool, tally: &mut Tally) {
        let gone = |id: &&JobId| !self.jobs.contains_key(*id);
        let states: BTreeSet<JobId> = self.states.keys().filter(gone).cloned().collect();
        let over = |id: &&JobId| gone(id) || self.dead.get(id).is_some();
        let asked: BTreeSet<JobId> = self.asked.iter().filter(over).cloned().collect();
        let watched: BTreeSet<JobId> = self.watched.iter().filter(over).cloned().collect();
        let marks = self.marks.iter().filter(|(id, mark)| match mark {
            Mark::Parked(task, priority) => !self.parked.contains(&(task.clone(), *priority, (*id).clone())),
            Mark::Cancelled => !gone(id) || !places.get(*id).is_some_and(|places| places.iter().any(Place::is_list)),
        });
        let marks: BTreeSet<JobId> = marks.map(|(id, _)| id.clone()).collect();
        if repair {
            self.states.retain(|id, _| !states.contains(id));
            self.asked.retain(|id| !asked.contains(id));
            self.watched.retain(|id| !watched.contains(id));
            self.marks.retain(|id, _| !marks.contains(id));
        }
        for (name, ids) in [("state", states), ("asked", asked), ("watched", watched), ("marks", marks)] {
            ids.iter().for_each(|id| tally.add(Flaw::Leftover, name, id.as_str(), repair));
        }
    }

    fn put_back(&mut self, id: &JobId, now: i64) {
        if self.asked.contains(id) {
            let record = crate::job::EndRecord::CANCELLED.to_vec();
            return self.finish(id, record, None, None, now);
        }
        let header = self.jobs.get(id).and_then(|envelope| Header::decode(envelope).ok());
        match after_loss(header.as_ref(), &State::decode(self.states.get(id).map(Vec::as_slice))) {
            Some(PutBack::Ready(priority)) => self.list(priority).push_back(id.clone()),
            Some(PutBack::Few) => self.few.push_back(id.clone()),
            Some(PutBack::Alone) => self.alone.push_back(id.clone()),
            None => {
                self.dead.insert(id.clone(), now);
                return;
            }
        }
        self.push_tokens(1);
    }

    /// Each record is named by one of the two orders in which they are forgotten, and each name has one.
    fn check_ends(&mut self, repair: bool, now: i64, tally: &mut Tally) {
        let of_nothing = |id: &&JobId| !self.finished.contains_key(*id);
        let done: Vec<JobId> = self.done.iter().map(|(_, id)| id).filter(of_nothing).cloned().collect();
        let kept: Vec<JobId> = self.kept.ids().filter(of_nothing).cloned().collect();
        if repair {
            let finished = &self.finished;
            self.done.retain(|(_, id)| finished.contains_key(id));
            for id in &kept {
                self.kept.remove(id);
            }
        }
        done.iter().for_each(|id| tally.add(Flaw::EndOfNothing, "done", id.as_str(), repair));
        kept.iter().for_each(|id| tally.add(Flaw::EndOfNothing, "kept", id.as_str(), repair));
        let named: BTreeSet<&JobId> = self.done.iter().map(|(_, id)| id).chain(self.kept.ids()).collect();
        let unnamed: Vec<JobId> = self.finished.keys().filter(|id| !named.contains(id)).cloned().collect();
        for id in unnamed {
            tally.add(Flaw::NeverForgotten, "jobs", id.as_str(), repair);
            if repair {
                self.done.push_back((now, id));
            }
        }
    }
}

#[cfg(test)]
#[path = "fsck_tests.rs"]
mod tests;
