//! The notes of which ends are kept, and how many those are.

use std::hash::BuildHasher as _;

use super::answer::{self, Count, Numbers};
use super::{Check, MAX_PAGES, Part, RawId, Seen};
use crate::broker::Flaw;
use crate::broker::redis::script;
use crate::error::Error;

/// How often the notes are read again because they changed before they were counted.
const COUNTS: usize = 3;

impl Check<'_> {
    /// The ids of all ends that are noted; looks at the notes, and compares their numbers.
    pub(super) async fn noted(&mut self, part: Part) -> Result<Seen, Error> {
        if !self.first {
            return self.read(part).await.map(|(seen, ..)| seen);
        }
        let count = self.count(None).await?;
        if count.forgetful {
            self.tally.add(Flaw::Forgetful, "meta", "fencing tokens, counts, whether it is paused", self.repair);
        }
        let (mut seen, ..) = self.read(part).await?;
        self.first = false;
        let counted = self.compare(part, &mut seen).await;
        self.first = true;
        counted?;
        Ok(seen)
    }

    /// Compares what is written down with what is there, if that stands still for long enough.
    async fn compare(&mut self, part: Part, seen: &mut Seen) -> Result<(), Error> {
        for _ in 0..COUNTS {
            let mut count = self.count(None).await?;
            if count.there.done < 0 || count.there.kept < 0 {
                let (again, done, kept) = self.read(part).await?;
                *seen = again;
                (count.there.done, count.there.kept) = (done, kept);
                if self.count(None).await?.print != count.print {
                    continue;
                }
            }
            if count.there.done == 0 {
                // When the oldest was does not matter then.
                count.there.oldest.clone_from(&count.written.oldest);
            }
            if count.written == count.there {
                return Ok(());
            }
            if self.repair && self.count(Some(&count)).await?.written != count.there {
                // It changed in between.
                continue;
            }
            let numbers = |one: &Numbers| format!("done {} {}, kept {}", one.done, one.oldest, one.kept);
            let what = format!("{}; there are {}", numbers(&count.written), numbers(&count.there));
            self.tally.add(Flaw::Miscounted, "meta", what, self.repair);
            return Ok(());
        }
        self.tally.undecided.push("whether the ends are counted right: they changed while they were counted".into());
        Ok(())
    }

    async fn count(&self, correct: Option<&Count>) -> Result<Count, Error> {
        let call = self.call(&script::FSCK_COUNT, &[]).flag(self.repair).flag(self.on_loan);
        let call = match correct {
            Some(Count { print, there, .. }) => call.arg(&**print).arg(there.done).arg(&*there.oldest).arg(there.kept),
            None => call.arg(""),
        };
        self.ask(call, answer::count).await
    }

    /// The ids of one part that the notes name, and how many `done` and `kept` name in all.
    async fn read(&mut self, part: Part) -> Result<(Seen, i64, i64), Error> {
        let (mut seen, mut numbers) = (Seen::default(), [0; 2]);
        let hasher = self.hasher.clone();
        for (at, name) in ["done", "kept"].into_iter().enumerate() {
            let mut take = |id: RawId| {
                let hash = hasher.hash_one(&*id);
                if part.of == 1 || hash % part.of == part.at {
                    seen.add(hash);
                }
            };
            numbers[at] = self.notes_in(name, &mut take).await?;
        }
        Ok((seen, numbers[0], numbers[1]))
    }

    /// Every id that the notes name.
    pub(super) async fn notes(&mut self, each: &mut (dyn FnMut(RawId) + Send)) -> Result<(), Error> {
        for name in ["done", "kept"] {
            self.notes_in(name, each).await?;
        }
        Ok(())
    }

    /// The records that one of the two names; answers how many ids it names, also those of no record.
    async fn notes_in(&mut self, name: &str, each: &mut (dyn FnMut(RawId) + Send)) -> Result<i64, Error> {
        let (mut cursor, mut count) = ("0".to_owned(), 0);
        for _ in 0..MAX_PAGES {
            let call = self.call(&script::FSCK_ENDS, &[]).flag(self.mends()).arg(name).arg(&*cursor);
            let page = self.ask(call, |page| answer::page("fsck/ends", page)).await?;
            self.found(name, page.found);
            page.ids.into_iter().for_each(&mut *each);
            count += page.named;
            cursor = page.cursor;
            if cursor == "-1" {
                break;
            }
        }
        Ok(count)
    }
}
