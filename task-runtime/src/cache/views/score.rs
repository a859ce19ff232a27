//! Conditions, ranges and scores of sorted sets, as commands write them.

use std::ops::{Bound, RangeBounds};

use crate::cache::error::{CacheError, argument};

/// When a member is to get a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScoreIf {
    /// Only if it is not there.
    Absent,
    /// Only if it is there.
    Present,
    /// Only if its score is lower, or it is not there.
    Greater,
    /// Only if its score is higher, or it is not there.
    Less,
}

impl ScoreIf {
    pub(super) fn option(self) -> &'static str {
        match self {
            Self::Absent => "NX",
            Self::Present => "XX",
            Self::Greater => "GT",
            Self::Less => "LT",
        }
    }
}

/// The shortest digits that mean a score.
pub(super) fn score_text(score: f64) -> Result<Vec<u8>, CacheError> {
    if score.is_nan() {
        return Err(argument("a score", "NaN", "a number, which may be infinite"));
    }
    // The sum makes 0 of -0, of which servers of different versions keep the sign or not.
    Ok(format!("{:?}", score + 0.0).into_bytes())
}

/// The first and last place of a range, both included; `None` for a range without places.
pub(super) fn places(ranks: &impl RangeBounds<usize>) -> Option<[Vec<u8>; 2]> {
    let whole = |rank: usize| i64::try_from(rank).unwrap_or(i64::MAX);
    let first = match ranks.start_bound() {
        Bound::Included(rank) => whole(*rank),
        Bound::Excluded(rank) => whole(*rank).saturating_add(1),
        Bound::Unbounded => 0,
    };
    let last = match ranks.end_bound() {
        Bound::Included(rank) => whole(*rank),
        Bound::Excluded(rank) => whole(*rank) - 1,
        Bound::Unbounded => i64::MAX,
    };
    (first <= last).then(|| [first, last].map(|rank| rank.to_string().into_bytes()))
}

/// The lowest and the highest score of a range; `(` says that it is not part of it.
pub(super) fn bounds(scores: &impl RangeBounds<f64>) -> Result<[Vec<u8>; 2], CacheError> {
    let bound = |bound: Bound<&f64>, without: &str| match bound {
        Bound::Included(score) => score_text(*score),
        Bound::Excluded(score) => Ok([b"(", score_text(*score)?.as_slice()].concat()),
        Bound::Unbounded => Ok(without.into()),
    };
    Ok([bound(scores.start_bound(), "-inf")?, bound(scores.end_bound(), "inf")?])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(parts: [Vec<u8>; 2]) -> String {
        parts.map(|part| String::from_utf8(part).unwrap()).join(" ")
    }

    #[test]
    fn a_range_of_ranks_names_its_first_and_last_place() {
        assert_eq!(places(&(..)).map(text).unwrap(), format!("0 {}", i64::MAX));
        assert_eq!(places(&(2..5)).map(text).unwrap(), "2 4");
        assert_eq!(places(&(2..=5)).map(text).unwrap(), "2 5");
        assert_eq!(
            places(&(Bound::Excluded(2), Bound::Included(usize::MAX))).map(text).unwrap(),
            format!("3 {}", i64::MAX)
        );
        for (from, to) in [(0, 0), (3, 3), (usize::MAX, 4)] {
            assert_eq!(places(&(from..to)), None, "{from}..{to}");
        }
    }

    #[test]
    fn a_range_of_scores_says_which_end_is_not_part_of_it() {
        assert_eq!(bounds(&(..)).map(text).unwrap(), "-inf inf");
        assert_eq!(bounds(&(0.1..1e300)).map(text).unwrap(), "0.1 (1e300");
        assert_eq!(bounds(&(-0.0..=f64::INFINITY)).map(text).unwrap(), "0.0 inf");
        assert_eq!(bounds(&(Bound::Excluded(-1.5), Bound::Unbounded)).map(text).unwrap(), "(-1.5 inf");
        let error = bounds(&(f64::NAN..)).unwrap_err().to_string();
        assert_eq!(error, "a score is NaN, expected a number, which may be infinite");
    }
}
