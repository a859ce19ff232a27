//! What is in line or on loan: lists and running sets, walked over.

use std::collections::BTreeMap;
use std::hash::BuildHasher as _;

use super::twice::Suspect;
use super::{Check, MAX_PAGES, MAX_SUSPECTS, Part, RawId, Seen, answer};
use crate::broker::redis::script;
use crate::error::Error;

/// The lists by the names that the script knows, and their keys.
const LISTS: [(&str, &str); 12] = [
    ("9", "ready:9"),
    ("8", "ready:8"),
    ("7", "ready:7"),
    ("6", "ready:6"),
    ("5", "ready:5"),
    ("4", "ready:4"),
    ("3", "ready:3"),
    ("2", "ready:2"),
    ("1", "ready:1"),
    ("0", "ready:0"),
    ("few", "few"),
    ("alone", "alone"),
];

impl Check<'_> {
    /// About how many ids there are to remember.
    pub(super) async fn size(&self) -> Result<u64, Error> {
        let mut size: u64 = self.command(&["HLEN", &self.of.key("jobs")]).await?;
        for (_, key) in LISTS {
            size += self.command::<u64>(&["LLEN", &self.of.key(key)]).await?;
        }
        Ok(size)
    }

    /// The ids in line or on loan. What is met twice is judged.
    pub(super) async fn line(&mut self, part: Part) -> Result<Seen, Error> {
        let (mut seen, mut twice, mut more) = (Seen::default(), BTreeMap::new(), Seen::default());
        let hasher = self.hasher.clone();
        let mut take = |id: RawId| {
            let hash = hasher.hash_one(&*id);
            if (part.of == 1 || hash % part.of == part.at) && !seen.add(hash) {
                if twice.len() < MAX_SUSPECTS / 10 || twice.contains_key(&id) {
                    twice.insert(id, Suspect::default());
                } else {
                    more.add(hash);
                }
            }
        };
        for incarnation in self.incarnations.clone() {
            self.running(&incarnation, &mut take).await?;
        }
        self.lists(&mut |_, _, id| take(id)).await?;
        self.judge_twice(twice).await?;
        if !more.0.is_empty() {
            self.tally.undecided.push(format!("whether {} more jobs are in line twice", more.0.len()));
        }
        Ok(seen)
    }

    /// Every entry of the lists that stays while they are walked over, and most of the others: with the name
    /// of its list and the number, from the head, of the first entry of its page.
    pub(super) async fn lists(&mut self, each: &mut (dyn FnMut(&'static str, u64, RawId) + Send)) -> Result<(), Error> {
        for (name, key) in LISTS {
            let (mut passed, mut last): (u64, RawId) = (0, Vec::new());
            for _ in 0..MAX_PAGES {
                let call = self.call(&script::FSCK_LIST, &[]).flag(self.mends()).arg(name).arg(passed).arg(&*last);
                let page = self.ask(call, answer::list_page).await?;
                self.found(key, page.found);
                page.ids.into_iter().for_each(|id| each(name, page.first, id));
                let Some(next) = page.passed else { break };
                (passed, last) = (next, page.last);
            }
        }
        Ok(())
    }

    /// Walks over the lists again; nothing that is found on the way is new.
    pub(super) async fn again(&mut self, each: &mut (dyn FnMut(&'static str, u64, RawId) + Send)) -> Result<(), Error> {
        let first = std::mem::replace(&mut self.first, false);
        let walked = self.lists(each).await;
        self.first = first;
        walked
    }
}
