//! Sorted sets: members with scores.

use std::ops::Bound::{Excluded, Included, Unbounded};
use std::time::Duration;

use futures_util::future::join_all;
use task_runtime::cache::{CacheError, ScoreIf, Sorted};

use crate::fixture::{Raw, moves_its_end};

async fn scored<'a>(raw: &'a Raw, scores: &[(&str, f64)]) -> Sorted<'a, String> {
    let sorted = raw.cache().sorted::<String>("scores");
    assert_eq!(sorted.add_many(scores.iter().copied()).await.unwrap(), scores.len() as u64);
    sorted
}

fn names(members: &[(String, f64)]) -> String {
    members.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(" ")
}

pub(crate) async fn members_have_scores(raw: &Raw) {
    let scores = raw.cache().sorted::<String>("scores");
    assert_eq!((scores.score("a").await.unwrap(), scores.len().await.unwrap()), (None, 0));
    assert!(scores.add("a", 1.5).await.unwrap() && !scores.add("a", 2.5).await.unwrap());
    assert_eq!(scores.score("a").await.unwrap(), Some(2.5));
    assert_eq!(scores.add_many([("a", 0.0), ("b", -1.0), ("c", 7.0)]).await.unwrap(), 2);
    assert_eq!(scores.incr("c", 0.25).await.unwrap().to_bits(), 7.25_f64.to_bits());
    assert_eq!(scores.incr("d", -3.0).await.unwrap().to_bits(), (-3.0_f64).to_bits());
    assert_eq!(names(&scores.range(..).await.unwrap()), "d b a c");
    assert_eq!(scores.remove(["b", "e", "b"]).await.unwrap(), 1);
    assert!(scores.len().await.unwrap() == 3 && !scores.is_empty().await.unwrap());
    let pairs = raw.cache().sorted::<(u8, Option<u8>)>("pairs");
    pairs.add(&(1, None), 3.0).await.unwrap();
    assert_eq!(pairs.range(..).await.unwrap(), [((1, None), 3.0)]);
    raw.every_key_has_its_end();
}

pub(crate) async fn scores_change_on_conditions(raw: &Raw) {
    let scores = scored(raw, &[("a", 5.0)]).await;
    assert!(!scores.add_if(ScoreIf::Absent, "a", 9.0).await.unwrap());
    assert!(scores.add_if(ScoreIf::Absent, "b", 1.0).await.unwrap());
    assert!(!scores.add_if(ScoreIf::Present, "c", 1.0).await.unwrap());
    assert!(scores.add_if(ScoreIf::Present, "b", 2.0).await.unwrap());
    assert!(!scores.add_if(ScoreIf::Present, "b", 2.0).await.unwrap(), "its score is the same");
    assert!(!scores.add_if(ScoreIf::Greater, "a", 4.0).await.unwrap());
    assert!(scores.add_if(ScoreIf::Greater, "a", 6.0).await.unwrap());
    assert!(scores.add_if(ScoreIf::Greater, "d", -1.0).await.unwrap(), "one that is not there is added");
    assert!(!scores.add_if(ScoreIf::Less, "a", 6.5).await.unwrap());
    let changed = scores.add_many_if(ScoreIf::Less, [("a", 0.5), ("b", 3.0), ("e", 8.0)]).await.unwrap();
    assert_eq!(changed, 2);
    let all = scores.range(..).await.unwrap();
    assert_eq!(all, [("d", -1.0), ("a", 0.5), ("b", 2.0), ("e", 8.0)].map(|(name, score)| (name.to_owned(), score)));
    let none = raw.cache().sorted::<u8>("none");
    assert!(!none.add_if(ScoreIf::Present, &1, 1.0).await.unwrap());
    assert_eq!(raw.cache().ttl("none").await.unwrap(), None, "nothing was made of nothing");
}

pub(crate) async fn members_are_in_their_order(raw: &Raw) {
    let scores = scored(raw, &[("c", 2.0), ("b", 2.0), ("z", -5.0), ("ä", 2.0), ("", 2.0), ("a", 100.0)]).await;
    assert_eq!(names(&scores.range(..).await.unwrap()), "z  b c ä a", "of one score by their bytes");
    assert_eq!(names(&scores.rev_range(..).await.unwrap()), "a ä c b  z");
    assert_eq!(names(&scores.range(2..4).await.unwrap()), "b c");
    assert_eq!(names(&scores.range(2..=4).await.unwrap()), "b c ä");
    assert_eq!(names(&scores.range((Excluded(3), Unbounded)).await.unwrap()), "ä a");
    assert_eq!(names(&scores.rev_range(..2).await.unwrap()), "a ä");
    assert_eq!(names(&scores.rev_range(4..99).await.unwrap()), " z");
    for empty in [0..0, 4..4, 6..9, 99..usize::MAX] {
        assert!(scores.range(empty.clone()).await.unwrap().is_empty(), "{empty:?}");
        assert!(scores.rev_range(empty.clone()).await.unwrap().is_empty(), "{empty:?}");
    }
    assert_eq!((scores.rank("z").await.unwrap(), scores.rank("a").await.unwrap()), (Some(0), Some(5)));
    assert_eq!((scores.rev_rank("z").await.unwrap(), scores.rev_rank("ä").await.unwrap()), (Some(5), Some(1)));
    assert_eq!((scores.rank("x").await.unwrap(), scores.rev_rank("x").await.unwrap()), (None, None));
}

pub(crate) async fn members_are_found_by_score(raw: &Raw) {
    let scores = scored(
        raw,
        &[("low", f64::NEG_INFINITY), ("a", 1.0), ("b", 2.0), ("b2", 2.0), ("c", 3.5), ("top", f64::INFINITY)],
    )
    .await;
    assert_eq!(names(&scores.range_by_score(.., None).await.unwrap()), "low a b b2 c top");
    assert_eq!(names(&scores.range_by_score(1.0..=2.0, None).await.unwrap()), "a b b2");
    assert_eq!(names(&scores.range_by_score(1.0..2.0, None).await.unwrap()), "a");
    assert_eq!(names(&scores.range_by_score((Excluded(1.0), Included(3.5)), None).await.unwrap()), "b b2 c");
    assert_eq!(names(&scores.range_by_score(..1.0, None).await.unwrap()), "low");
    assert_eq!(
        names(&scores.range_by_score((Excluded(f64::NEG_INFINITY), Excluded(f64::INFINITY)), 2).await.unwrap()),
        "a b"
    );
    assert_eq!(names(&scores.range_by_score(2.0.., 3).await.unwrap()), "b b2 c");
    assert!(scores.range_by_score(.., 0).await.unwrap().is_empty());
    assert!(scores.range_by_score(5.0..=4.0, None).await.unwrap().is_empty());
    assert_eq!(scores.range_by_score(f64::INFINITY.., None).await.unwrap(), [("top".to_owned(), f64::INFINITY)]);
    assert_eq!(scores.score("low").await.unwrap(), Some(f64::NEG_INFINITY));
    assert_eq!((scores.count(..).await.unwrap(), scores.count(2.0..3.5).await.unwrap()), (6, 2));
    assert_eq!(scores.remove_by_score((Excluded(1.0), Excluded(f64::INFINITY))).await.unwrap(), 3);
    assert_eq!(names(&scores.range(..).await.unwrap()), "low a top");
    assert_eq!(scores.remove_by_score(..).await.unwrap(), 3);
    assert_eq!(raw.cache().ttl("scores").await.unwrap(), None, "nothing is left");
    assert!(raw.keys().is_empty());
}

pub(crate) async fn the_lowest_and_the_highest_are_popped(raw: &Raw) {
    let scores = scored(raw, &[("a", 1.0), ("b", 2.0), ("c", 3.0), ("d", 4.0), ("e", 5.0)]).await;
    assert!(scores.pop_min(0).await.unwrap().is_empty());
    assert_eq!(scores.pop_min(2).await.unwrap(), [("a".to_owned(), 1.0), ("b".to_owned(), 2.0)]);
    assert_eq!(names(&scores.pop_max(2).await.unwrap()), "e d");
    assert_eq!(names(&scores.pop_max(10_000).await.unwrap()), "c");
    assert!(scores.pop_min(1).await.unwrap().is_empty() && scores.pop_max(1).await.unwrap().is_empty());
    assert_eq!(raw.cache().ttl("scores").await.unwrap(), None, "nothing is left");
    assert!(matches!(scores.pop_min(10_001).await, Err(CacheError::Argument { .. })));
}

pub(crate) async fn scores_are_exact_and_never_nan(raw: &Raw) {
    let scores = raw.cache().sorted::<u32>("scores");
    let exact =
        [0.1 + 0.2, 1e300, 5e-324, -f64::MAX, f64::EPSILON, 9_007_199_254_740_993.0, 1.0 / 3.0, 1e21, 123_456.789];
    for (member, score) in (0..).zip(exact) {
        scores.add(&member, score).await.unwrap();
        assert_eq!(scores.score(&member).await.unwrap().map(f64::to_bits), Some(score.to_bits()), "{score}");
        assert_eq!(scores.range_by_score(score..=score, None).await.unwrap(), [(member, score)]);
    }
    scores.add(&99, -0.0).await.unwrap();
    assert_eq!(scores.score(&99).await.unwrap().map(f64::to_bits), Some(0));
    scores.add(&100, f64::INFINITY).await.unwrap();
    let nan = f64::NAN;
    for told in [
        scores.add(&1, nan).await.map(drop),
        scores.add_many([(&7, 1.0), (&1, nan)]).await.map(drop),
        scores.add_if(ScoreIf::Greater, &1, nan).await.map(drop),
        scores.incr(&1, nan).await.map(drop),
        scores.incr(&100, f64::NEG_INFINITY).await.map(drop),
        scores.range_by_score(nan.., None).await.map(drop),
        scores.count(..nan).await.map(drop),
        scores.remove_by_score(nan..=nan).await.map(drop),
    ] {
        assert!(matches!(told, Err(CacheError::Argument { what: "a score", .. })), "{told:?}");
    }
    assert_eq!(scores.score(&100).await.unwrap(), Some(f64::INFINITY), "nothing happened");
    assert_eq!(scores.len().await.unwrap(), 11);
}

pub(crate) async fn no_point_is_lost(raw: &Raw) {
    let adding = (0..8).map(|_| {
        let cache = raw.cache().clone();
        tokio::spawn(async move {
            for _ in 0..25 {
                cache.sorted::<String>("scores").incr("a", 0.5).await.unwrap();
            }
        })
    });
    join_all(adding).await.into_iter().for_each(|joined| joined.unwrap());
    assert_eq!(raw.cache().sorted::<String>("scores").score("a").await.unwrap(), Some(100.0));
}

pub(crate) async fn many_scores_go_in_several_commands(raw: &Raw) {
    let scores = raw.cache().sorted::<u32>("many");
    let numbers: Vec<u32> = (0..2_500).collect();
    let added = scores.add_many(numbers.iter().map(|number| (number, f64::from(*number) / 2.0))).await.unwrap();
    assert_eq!(added, 2_500);
    assert_eq!(scores.rev_range(..2).await.unwrap(), [(2_499, 1_249.5), (2_498, 1_249.0)]);
    assert_eq!(scores.remove(&numbers[..2_499]).await.unwrap(), 2_499);
    assert!(matches!(scores.remove(&vec![1; 10_001]).await, Err(CacheError::Argument { .. })));
    raw.every_key_has_its_end();
}

pub(crate) async fn each_change_of_a_sorted_set_moves_its_end(raw: &Raw) {
    let sorted = raw.cache().sorted::<u8>("z").ttl(Duration::from_secs(7 * 86_400));
    moves_its_end(raw, "z", async || sorted.add(&1, 1.0).await.map(drop)).await;
    moves_its_end(raw, "z", async || sorted.add_many([(&2, 2.0), (&3, 3.0), (&4, 4.0)]).await.map(drop)).await;
    moves_its_end(raw, "z", async || sorted.add_if(ScoreIf::Absent, &1, 1.0).await.map(drop)).await;
    moves_its_end(raw, "z", async || sorted.incr(&1, 0.0).await.map(drop)).await;
    moves_its_end(raw, "z", async || sorted.remove(&[9]).await.map(drop)).await;
    moves_its_end(raw, "z", async || sorted.remove_by_score(4.0..).await.map(drop)).await;
    moves_its_end(raw, "z", async || sorted.pop_min(1).await.map(drop)).await;
    moves_its_end(raw, "z", async || sorted.pop_max(1).await.map(drop)).await;
}

pub(crate) async fn what_is_no_sorted_set_is_told(raw: &Raw) {
    let (cache, sorted) = (raw.cache(), raw.cache().sorted::<u8>("z"));
    cache.hash::<u8>("z").set("a", &1).await.unwrap();
    for told in [
        sorted.add(&1, 1.0).await.map(drop),
        sorted.add_if(ScoreIf::Less, &1, 1.0).await.map(drop),
        sorted.incr(&1, 1.0).await.map(drop),
        sorted.score(&1).await.map(drop),
        sorted.rank(&1).await.map(drop),
        sorted.rev_rank(&1).await.map(drop),
        sorted.range(..).await.map(drop),
        sorted.rev_range(..).await.map(drop),
        sorted.range_by_score(.., None).await.map(drop),
        sorted.count(..).await.map(drop),
        sorted.len().await.map(drop),
        sorted.remove(&[1]).await.map(drop),
        sorted.remove_by_score(..).await.map(drop),
        sorted.pop_min(1).await.map(drop),
        sorted.pop_max(1).await.map(drop),
    ] {
        assert!(matches!(&told, Err(CacheError::WrongKind { key, .. }) if key == "z"), "{told:?}");
    }
    assert_eq!(cache.hash::<u8>("z").get("a").await.unwrap(), Some(1), "nothing happened");
    cache.sorted::<String>("texts").add("text", 1.0).await.unwrap();
    let error = cache.sorted::<u8>("texts").range(..).await.unwrap_err();
    assert!(matches!(&error, CacheError::Decode { key, .. } if key == "texts"), "{error}");
}
