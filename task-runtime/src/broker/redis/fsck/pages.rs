//! The keys of which each page can be judged by itself: sorted sets, and what stands beside jobs.

use std::hash::BuildHasher as _;

use super::{Check, MAX_PAGES, MAX_SUSPECTS, RawId, answer};
use crate::broker::Incarnation;
use crate::broker::redis::script;
use crate::broker::redis::script::Script;
use crate::error::Error;

impl Check<'_> {
    /// What is due later, parked or dead. A parked job that is not marked as such can be found in no
    /// other way, and is not to be taken for a lost one.
    pub(super) async fn indexes(&mut self) -> Result<(), Error> {
        for name in ["scheduled", "parked", "dead"] {
            let (mut unmarked, hasher) = (Vec::new(), self.hasher.clone());
            self.pages(&script::FSCK_INDEX, &[], name, name, &mut |id| unmarked.push(hasher.hash_one(&*id))).await?;
            unmarked.into_iter().for_each(|hash| _ = self.unmarked.add(hash));
        }
        Ok(())
    }

    /// What stands beside jobs; answers the ids that are marked as cancelled.
    pub(super) async fn beside(&mut self) -> Result<Vec<RawId>, Error> {
        let (mut marked, mut more) = (Vec::new(), 0);
        for name in ["state", "watched", "asked", "marks"] {
            let mut take = |id: RawId| match marked.len() < MAX_SUSPECTS {
                true => marked.push(id),
                false => more += 1,
            };
            self.pages(&script::FSCK_BESIDE, &[], name, name, &mut take).await?;
        }
        if more > 0 {
            self.tally.undecided.push(format!("whether {more} of the marks of cancelled jobs are still needed"));
        }
        Ok(marked)
    }

    /// What is on loan to one incarnation.
    pub(super) async fn running(
        &mut self,
        incarnation: &Incarnation,
        each: &mut (dyn FnMut(RawId) + Send),
    ) -> Result<(), Error> {
        let place = format!("running:{incarnation}");
        self.pages(&script::FSCK_RUNNING, std::slice::from_ref(incarnation), incarnation.as_str(), &place, each).await
    }

    /// All pages of one key, by a script that answers the next cursor, what it found, and perhaps ids.
    async fn pages(
        &mut self,
        script: &'static Script,
        running: &[Incarnation],
        name: &str,
        place: &str,
        each: &mut (dyn FnMut(RawId) + Send),
    ) -> Result<(), Error> {
        let mut cursor = "0".to_owned();
        for _ in 0..MAX_PAGES {
            let call = self.call(script, running).flag(self.mends()).arg(name).arg(&*cursor);
            let page = self.ask(call, |page| answer::page("fsck", page)).await?;
            self.found(place, page.found);
            page.ids.into_iter().for_each(&mut *each);
            cursor = page.cursor;
            if cursor == "0" {
                break;
            }
        }
        Ok(())
    }
}
