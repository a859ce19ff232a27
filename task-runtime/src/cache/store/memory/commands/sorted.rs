//! Members with scores, as in a sorted set of Redis: by score, and those of one score by their bytes.

use std::cmp::Ordering;
use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use super::{Collection, Told, Value, bytes, count, float, int, integer, server, wrong_arguments};
use crate::cache::error::CacheError;
use crate::cache::raw::Reply;

/// Bytes that a member costs beside itself, roughly.
const MEMBER_COST: usize = 100;

type Scored = (f64, Arc<[u8]>);

/// The members of a sorted set. A new one moves those on its shorter side by one place, which is a copy of memory.
#[derive(Default)]
pub(in super::super) struct Scores {
    ranks: VecDeque<Scored>,
    scores: HashMap<Arc<[u8]>, f64>,
    /// What they cost together.
    cost: usize,
}

impl Scores {
    pub(in super::super) fn is_empty(&self) -> bool {
        self.ranks.is_empty()
    }

    pub(in super::super) fn cost(&self) -> usize {
        self.cost
    }

    fn rank(&self, member: &[u8]) -> Option<usize> {
        self.scores.get(member).map(|score| self.place(*score, member))
    }

    /// The place of a member, or the one that it would have.
    fn place(&self, score: f64, member: &[u8]) -> usize {
        self.ranks.partition_point(|(other, name)| by_rank((*other, name), (score, member)) == Ordering::Less)
    }

    fn put(&mut self, member: &[u8], score: f64) {
        let held = self.rank(member).and_then(|rank| self.ranks.remove(rank));
        let name = held.map_or_else(|| member.into(), |(_, name)| name);
        let place = self.place(score, member);
        self.ranks.insert(place, (score, Arc::clone(&name)));
        if self.scores.insert(name, score).is_none() {
            self.cost += MEMBER_COST + member.len();
        }
    }

    fn remove(&mut self, ranks: Range<usize>) -> Vec<Scored> {
        let removed: Vec<Scored> = self.ranks.drain(ranks).collect();
        for (_, member) in &removed {
            self.scores.remove(member);
            self.cost -= MEMBER_COST + member.len();
        }
        removed
    }

    fn remove_member(&mut self, member: &[u8]) -> bool {
        let rank = self.rank(member);
        rank.is_some_and(|rank| !self.remove(rank..rank + 1).is_empty())
    }

    /// `ZADD [NX | XX] [GT | LT] [CH] score member …`.
    fn add(&mut self, args: &[Vec<u8>]) -> Told {
        let is_option = |arg: &Vec<u8>| [&b"NX"[..], b"XX", b"GT", b"LT", b"CH"].contains(&arg.as_slice());
        let (options, pairs) = args.split_at(args.iter().take_while(|arg| is_option(arg)).count());
        let has = |option: &[u8]| options.iter().any(|given| given == option);
        let (pairs, []) = pairs.as_chunks() else { return Err(wrong_arguments("ZADD")) };
        let scores = pairs.iter().map(|[score, _]| float(score)).collect::<Result<Vec<_>, CacheError>>()?;
        let (mut added, mut updated) = (0, 0);
        for ([_, member], score) in pairs.iter().zip(scores) {
            match self.scores.get(member.as_slice()) {
                None if has(b"XX") => {}
                None => {
                    self.put(member, score);
                    added += 1;
                }
                Some(held) if has(b"NX") || (has(b"GT") && score <= *held) || (has(b"LT") && score >= *held) => {}
                Some(held) => {
                    updated += usize::from(*held != score);
                    self.put(member, score);
                }
            }
        }
        Ok(int(if has(b"CH") { added + updated } else { added }))
    }

    /// `ZRANGE from to [REV | BYSCORE] [LIMIT from count] [WITHSCORES]`.
    fn range(&self, from: &[u8], to: &[u8], options: &[Vec<u8>]) -> Told {
        let (options, with_scores) = match options {
            [options @ .., last] if last == b"WITHSCORES" => (options, true),
            options => (options, false),
        };
        let options: Vec<&[u8]> = options.iter().map(Vec::as_slice).collect();
        let found: Vec<&Scored> = match *options {
            [] => self.ranks.range(self.ranks_of(from, to)?).collect(),
            [b"REV"] => {
                let (ranks, count) = (self.ranks_of(from, to)?, self.ranks.len());
                self.ranks.range(count - ranks.end..count - ranks.start).rev().collect()
            }
            [b"BYSCORE"] => self.ranks.range(self.scored(from, to)?).collect(),
            [b"BYSCORE", b"LIMIT", skipped, most] => {
                self.ranks.range(self.scored(from, to)?).skip(count(skipped)?).take(count(most)?).collect()
            }
            _ => return Err(wrong_arguments("ZRANGE")),
        };
        Ok(match with_scores {
            true => pairs(found),
            false => Reply::List(found.into_iter().map(|(_, member)| bytes(member)).collect()),
        })
    }

    /// The places from one to the other, both included; those below zero count from the end.
    fn ranks_of(&self, from: &[u8], to: &[u8]) -> Result<Range<usize>, CacheError> {
        let count = i64::try_from(self.ranks.len()).unwrap_or(i64::MAX);
        let place = |rank: i64| if rank < 0 { rank.saturating_add(count) } else { rank };
        let (from, to) = (place(integer(from)?).max(0), place(integer(to)?).saturating_add(1).min(count));
        Ok(if from < to { usize::try_from(from).unwrap_or(0)..usize::try_from(to).unwrap_or(0) } else { 0..0 })
    }

    /// The places of those with a score between these bounds.
    fn scored(&self, min: &[u8], max: &[u8]) -> Result<Range<usize>, CacheError> {
        let ((min, without_min), (max, without_max)) = (bound(min)?, bound(max)?);
        let from = self.ranks.partition_point(|(score, _)| *score < min || (without_min && *score == min));
        let to = self.ranks.partition_point(|(score, _)| *score < max || (!without_max && *score == max));
        Ok(from..to.max(from))
    }
}

impl Collection for Scores {
    const LOOKS: &'static [&'static str] = &["ZSCORE", "ZRANK", "ZREVRANK", "ZRANGE", "ZCOUNT", "ZCARD"];
    const CHANGES: &'static [&'static str] = &["ZADD", "ZINCRBY", "ZREM", "ZREMRANGEBYSCORE", "ZPOPMIN", "ZPOPMAX"];

    fn of(value: &mut Value) -> Option<&mut Self> {
        match value {
            Value::Sorted(scores) => Some(scores),
            _ => None,
        }
    }

    fn into_value(self) -> Value {
        Value::Sorted(self)
    }

    fn look(&self, name: &str, args: &[Vec<u8>]) -> Told {
        Ok(match (name, args) {
            ("ZSCORE", [member]) => self.scores.get(member.as_slice()).map_or(Reply::Nil, |score| text(*score)),
            ("ZRANK", [member]) => self.rank(member).map_or(Reply::Nil, int),
            ("ZREVRANK", [member]) => self.rank(member).map_or(Reply::Nil, |rank| int(self.ranks.len() - 1 - rank)),
            ("ZRANGE", [from, to, options @ ..]) => self.range(from, to, options)?,
            ("ZCOUNT", [min, max]) => int(self.scored(min, max)?.len()),
            ("ZCARD", []) => int(self.ranks.len()),
            _ => return Err(wrong_arguments(name)),
        })
    }

    fn change(&mut self, name: &str, args: &[Vec<u8>]) -> Told {
        Ok(match (name, args) {
            ("ZADD", args) => self.add(args)?,
            ("ZINCRBY", [by, member]) => {
                let score = self.scores.get(member.as_slice()).copied().unwrap_or_default() + float(by)?;
                if score.is_nan() {
                    return Err(server("resulting score is not a number (NaN)"));
                }
                self.put(member, score);
                text(score)
            }
            ("ZREM", members @ [_, ..]) => int(members.iter().filter(|member| self.remove_member(member)).count()),
            ("ZREMRANGEBYSCORE", [min, max]) => {
                let ranks = self.scored(min, max)?;
                int(self.remove(ranks).len())
            }
            ("ZPOPMIN", [most]) => {
                let most = count(most)?.min(self.ranks.len());
                pairs(&self.remove(0..most))
            }
            ("ZPOPMAX", [most]) => {
                let count = self.ranks.len() - count(most)?.min(self.ranks.len());
                pairs(self.remove(count..self.ranks.len()).iter().rev())
            }
            _ => return Err(wrong_arguments(name)),
        })
    }
}

fn by_rank(one: (f64, &[u8]), other: (f64, &[u8])) -> Ordering {
    // No score is NaN.
    one.0.partial_cmp(&other.0).unwrap_or(Ordering::Equal).then_with(|| one.1.cmp(other.1))
}

/// One end of a range of scores, and whether it is not part of it: `(1.5`.
fn bound(text: &[u8]) -> Result<(f64, bool), CacheError> {
    match text.strip_prefix(b"(") {
        Some(rest) => Ok((float(rest)?, true)),
        None => Ok((float(text)?, false)),
    }
}

/// A score as it is written: the shortest digits that mean it, `inf` or `-inf`.
fn text(score: f64) -> Reply {
    Reply::Bytes(score.to_string().into_bytes())
}

fn pairs<'s>(members: impl IntoIterator<Item = &'s Scored>) -> Reply {
    Reply::List(members.into_iter().flat_map(|(score, member)| [bytes(member), text(*score)]).collect())
}
