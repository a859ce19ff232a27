//! Jobs that were met more than once in line or on loan.

use std::collections::BTreeMap;

use super::{Check, ROUNDS, RawId, answer, shown};
use crate::broker::Flaw;
use crate::broker::redis::script;
use crate::error::Error;

/// Most places that one script looks about.
const MAX_PLACES: usize = 4;

/// One that was met twice: it may also have moved meanwhile.
#[derive(Default)]
pub(super) struct Suspect {
    /// The pages of lists on which it was met, by the name of the list and their first entry.
    met: Vec<(&'static str, u64)>,
    /// How many places beyond the first are known.
    beyond: u64,
}

impl Check<'_> {
    /// Judges each by one script. Where a list is too long for that, it walks over the lists once more to
    /// tell the script where to look: what stands in the middle of a long list stays there for a while.
    pub(super) async fn judge_twice(&mut self, mut open: BTreeMap<RawId, Suspect>) -> Result<(), Error> {
        for round in 0..=ROUNDS {
            if open.is_empty() {
                return Ok(());
            }
            if round > 0 {
                self.look_for_places(&mut open).await?;
            }
            let mut still = BTreeMap::new();
            for (id, mut suspect) in open {
                match self.is_decided(&id, &mut suspect, round > 0).await? {
                    true => self.tell_twice(&id, &suspect),
                    false => drop(still.insert(id, suspect)),
                }
            }
            open = still;
        }
        open.iter().for_each(|(id, suspect)| self.tell_twice(id, suspect));
        if !open.is_empty() {
            let count = open.len();
            let what = format!("whether {count} jobs are in line twice: their lists are long, and moved meanwhile");
            self.tally.undecided.push(what);
        }
        Ok(())
    }

    async fn look_for_places(&mut self, open: &mut BTreeMap<RawId, Suspect>) -> Result<(), Error> {
        open.values_mut().for_each(|suspect| suspect.met.clear());
        let mut meet = |list, first, id: RawId| {
            if let Some(Suspect { met, .. }) = open.get_mut(&id)
                && met.last() != Some(&(list, first))
            {
                met.push((list, first));
            }
        };
        self.again(&mut meet).await
    }

    /// Whether one script has seen all that there is of one that was met twice: every list as a whole, or
    /// every place at which it was met on the way through them. One place alone that it did not see makes no
    /// two.
    async fn is_decided(&mut self, id: &RawId, suspect: &mut Suspect, walked: bool) -> Result<bool, Error> {
        let met = &suspect.met[..suspect.met.len().min(MAX_PLACES)];
        let mut call = self.call(&script::FSCK_TWICE, &self.incarnations).flag(self.repair).arg(&**id).arg(met.len());
        call = met.iter().fold(call, |call, (list, first)| call.arg(*list).arg(*first));
        let call = call.incarnations(&self.incarnations);
        let judged = self.ask(call, answer::twice).await?;
        suspect.beyond = if self.repair { suspect.beyond + judged.beyond } else { judged.beyond };
        let missed = judged.missed + (suspect.met.len() - met.len()) as u64;
        Ok(judged.whole || walked && (missed == 0 || missed + u64::from(judged.somewhere) < 2))
    }

    fn tell_twice(&mut self, id: &RawId, suspect: &Suspect) {
        for _ in 0..suspect.beyond {
            self.tally.add(Flaw::Twice, "in line", shown(id), self.repair);
        }
    }
}
