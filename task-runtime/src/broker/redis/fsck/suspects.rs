//! Jobs that no index seems to hold, ends that nothing seems to note, marks without an entry.

use std::collections::{BTreeMap, BTreeSet};

use super::answer::{self, Lost};
use super::{Check, MAX_PAGES, MAX_SUSPECTS, Part, ROUNDS, RawId, Seen, shown};
use crate::broker::redis::script;
use crate::broker::redis::verbs::{WORKER_ROUNDS, workers_keep_changing};
use crate::broker::{Flaw, Incarnation};
use crate::error::Error;
use crate::job::{Header, PutBack, State, after_loss};

/// Jobs of one page of `jobs`, unless their envelopes are large.
const MAX_JOBS: u32 = 100;
const MIN_JOBS: u32 = 5;
/// What one page is to read, about.
const PAGE_BYTES: u64 = 256 * 1024;
/// Suspects that one script judges; and how often it may look into a running set.
const MAX_JUDGED: usize = 40;
const MAX_LOOKS: usize = 4_000;

impl Check<'_> {
    /// Every job is in an index, every end noted.
    pub(super) async fn jobs(&mut self, part: Part, line: &Seen, noted: &Seen) -> Result<(), Error> {
        let (mut cursor, mut most) = ("0".to_owned(), MIN_JOBS);
        let (mut lost, mut unnoted) = (BTreeSet::new(), BTreeSet::new());
        for _ in 0..MAX_PAGES {
            let call = self.call(&script::FSCK_JOBS, &[]).arg(&*cursor).arg(most);
            let page = self.ask(call, answer::jobs_page).await?;
            if self.first {
                self.tally.jobs += page.jobs;
                self.tally.ended += page.ended.len() as u64;
            }
            most = if page.bytes > PAGE_BYTES { most / 2 } else { most * 2 }.clamp(MIN_JOBS, MAX_JOBS);
            let belongs = |id: &RawId, seen: &Seen| self.belongs(id, part) && !seen.has(self.hash(id));
            lost.extend(page.elsewhere.into_iter().filter(|id| belongs(id, line) && !self.unmarked.has(self.hash(id))));
            unnoted.extend(page.ended.into_iter().filter(|id| belongs(id, noted)));
            cursor = page.cursor;
            if lost.len() >= MAX_SUSPECTS || cursor == "0" {
                self.lost(std::mem::take(&mut lost)).await?;
            }
            if unnoted.len() >= MAX_SUSPECTS || cursor == "0" {
                self.unnoted(std::mem::take(&mut unnoted)).await?;
            }
            if cursor == "0" {
                break;
            }
        }
        Ok(())
    }

    /// Judges jobs that were in no index when their page was read: jobs move meanwhile. One is lost if it
    /// was not met on another way through the lists, stands nowhere before and after, and did not change.
    async fn lost(&mut self, suspects: BTreeSet<RawId>) -> Result<(), Error> {
        let mut suspects: BTreeMap<RawId, u64> = suspects.into_iter().map(|id| (id, 0)).collect();
        self.stand_nowhere(&mut suspects, false).await?;
        for _ in 0..ROUNDS {
            if suspects.is_empty() {
                return Ok(());
            }
            self.again(&mut |_, _, id| _ = suspects.remove(&id)).await?;
            self.stand_nowhere(&mut suspects, true).await?;
        }
        let ids: Vec<RawId> = suspects.into_keys().collect();
        for ids in ids.chunks(self.judged()) {
            self.put_back(ids).await?;
        }
        Ok(())
    }

    /// Keeps the suspects that stand nowhere at this moment, and that are as they were.
    async fn stand_nowhere(&mut self, suspects: &mut BTreeMap<RawId, u64>, compare: bool) -> Result<(), Error> {
        let ids: Vec<RawId> = suspects.keys().cloned().collect();
        for ids in ids.chunks(self.judged()) {
            let lost = self.look_for(ids).await?;
            let prints: BTreeMap<_, _> =
                lost.iter().map(|one| (&one.id, self.hash(one.state.as_deref().unwrap_or_default()))).collect();
            for id in ids {
                match (prints.get(id), suspects.get_mut(id)) {
                    (Some(print), Some(before)) if !compare || before == print => *before = *print,
                    _ => drop(suspects.remove(id)),
                }
            }
        }
        Ok(())
    }

    /// How many suspects one script may judge: each is looked for in every running set.
    fn judged(&self) -> usize {
        (MAX_LOOKS / (self.incarnations.len() + 1)).clamp(1, MAX_JUDGED)
    }

    /// Those of `ids` that stand nowhere.
    async fn look_for(&mut self, ids: &[RawId]) -> Result<Vec<Lost>, Error> {
        for _ in 0..WORKER_ROUNDS {
            let mut call = self.call(&script::FSCK_LOST, &self.incarnations).arg(ids.len());
            call = ids.iter().fold(call, |call, id| call.arg(&**id)).incarnations(&self.incarnations);
            match self.ask(call, answer::lost).await? {
                Ok(lost) => return Ok(lost),
                Err(missing) => self.learn(missing),
            }
        }
        Err(workers_keep_changing())
    }

    fn learn(&mut self, incarnations: Vec<Incarnation>) {
        let new: Vec<_> = incarnations.into_iter().filter(|one| !self.incarnations.contains(one)).collect();
        self.incarnations.extend(new);
    }

    /// Tells lost jobs, and puts them where they belong.
    async fn put_back(&mut self, ids: &[RawId]) -> Result<(), Error> {
        for _ in 0..WORKER_ROUNDS {
            let lost = self.look_for(ids).await?;
            let moved: BTreeSet<RawId> = match self.repair && !lost.is_empty() {
                true => {
                    let channel = self.of.endings();
                    let mut call = self.call(&script::FSCK_PUT_BACK, &self.incarnations).arg(channel).arg(lost.len());
                    for one in &lost {
                        call = call.arg(&*one.id).arg(place_of(one));
                    }
                    let call = call.incarnations(&self.incarnations);
                    self.ask(call, |moved| answer::ids("fsck/put_back", moved)).await?.into_iter().collect()
                }
                false => BTreeSet::new(),
            };
            if self.repair && moved.is_empty() && !lost.is_empty() {
                // A worker came in between.
                continue;
            }
            for one in lost {
                self.tally.add(Flaw::Lost, "jobs", shown(&one.id), moved.contains(&one.id));
            }
            return Ok(());
        }
        Err(workers_keep_changing())
    }

    /// Marks of cancelled jobs stay as long as a list holds an entry of them, and no longer.
    pub(super) async fn marks(&mut self, part: Part, line: &Seen, marked: &[RawId]) -> Result<(), Error> {
        let suspect = |id: &&RawId| self.belongs(id, part) && !line.has(self.hash(id));
        let mut suspects: BTreeSet<RawId> = marked.iter().filter(suspect).cloned().collect();
        if suspects.is_empty() {
            return Ok(());
        }
        self.again(&mut |_, _, id| _ = suspects.remove(&id)).await?;
        self.judge(&script::FSCK_UNMARK, "fsck/unmark", suspects, (Flaw::Leftover, "marks")).await
    }

    /// Has a script judge what is left of the suspects; those that it names have the flaw.
    async fn judge(
        &mut self,
        script: &'static script::Script,
        name: &str,
        suspects: BTreeSet<RawId>,
        (flaw, place): (Flaw, &str),
    ) -> Result<(), Error> {
        let ids: Vec<RawId> = suspects.into_iter().collect();
        for ids in ids.chunks(MAX_JUDGED) {
            let call = self.call(script, &[]).flag(self.repair);
            let call = ids.iter().fold(call, |call, id| call.arg(&**id));
            for id in self.ask(call, |ids| answer::ids(name, ids)).await? {
                self.tally.add(flaw, place, shown(&id), self.repair);
            }
        }
        Ok(())
    }

    /// Judges ends that no note named when their page was read.
    async fn unnoted(&mut self, mut suspects: BTreeSet<RawId>) -> Result<(), Error> {
        if suspects.is_empty() {
            return Ok(());
        }
        let first = std::mem::replace(&mut self.first, false);
        let walked = self.notes(&mut |id| _ = suspects.remove(&id)).await;
        self.first = first;
        walked?;
        self.judge(&script::FSCK_REMEMBER, "fsck/remember", suspects, (Flaw::NeverForgotten, "jobs")).await
    }
}

/// Where a lost job goes, as the script names it.
fn place_of(lost: &Lost) -> String {
    let header = Header::decode(&lost.header).ok();
    match after_loss(header.as_ref(), &State::decode(lost.state.as_deref())) {
        Some(PutBack::Ready(priority)) => priority.to_string(),
        Some(PutBack::Few) => "few".into(),
        Some(PutBack::Alone) => "alone".into(),
        None => "dead".into(),
    }
}
