//! Ids in the order of a number: the sorted set of the process.

use std::collections::{BTreeSet, HashMap};

use crate::job::JobId;

/// Each id once, with its score.
#[derive(Debug, Default)]
pub(super) struct Scores {
    by_id: HashMap<JobId, i64>,
    by_score: BTreeSet<(i64, JobId)>,
}

impl Scores {
    /// Adds `id`, or moves it to another score.
    pub(super) fn insert(&mut self, id: JobId, score: i64) {
        self.remove(&id);
        self.by_id.insert(id.clone(), score);
        self.by_score.insert((score, id));
    }

    /// Removes `id`; answers whether it was there.
    pub(super) fn remove(&mut self, id: &JobId) -> bool {
        let score = self.by_id.remove(id);
        score.is_some_and(|score| self.by_score.remove(&(score, id.clone())))
    }

    /// The score of `id`.
    pub(super) fn get(&self, id: &JobId) -> Option<i64> {
        self.by_id.get(id).copied()
    }

    /// The lowest score and its id.
    pub(super) fn first(&self) -> Option<(i64, &JobId)> {
        self.by_score.first().map(|(score, id)| (*score, id))
    }

    /// All ids, in no order.
    pub(super) fn ids(&self) -> impl Iterator<Item = &JobId> {
        self.by_id.keys()
    }

    /// How many ids there are.
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }
}
