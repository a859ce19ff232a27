//! Sets: members that are there once.

use std::time::Duration;

use futures_util::future::join_all;
use task_runtime::cache::CacheError;

use crate::fixture::{Raw, moves_its_end};

fn sorted<T: Ord>(mut list: Vec<T>) -> Vec<T> {
    list.sort();
    list
}

pub(crate) async fn members_are_there_once(raw: &Raw) {
    let tags = raw.cache().set_of::<String>("tags");
    assert_eq!((tags.len().await.unwrap(), tags.members().await.unwrap()), (0, Vec::new()));
    assert!(!tags.contains("a").await.unwrap());
    assert_eq!(tags.contains_many(["a", "b"]).await.unwrap(), [false, false]);
    assert_eq!(tags.add(["a", "b", "a"]).await.unwrap(), 2);
    assert_eq!(tags.add(&["b".to_owned(), "c".to_owned()]).await.unwrap(), 1);
    assert!(tags.contains("c").await.unwrap() && !tags.contains("d").await.unwrap());
    assert_eq!(tags.contains_many(["d", "a", "b"]).await.unwrap(), [false, true, true]);
    assert_eq!(tags.remove(["a", "d"]).await.unwrap(), 1);
    assert_eq!(sorted(tags.members().await.unwrap()), ["b", "c"]);
    assert!(tags.len().await.unwrap() == 2 && !tags.is_empty().await.unwrap());
    let pairs = raw.cache().set_of::<(u8, String)>("pairs");
    assert_eq!(pairs.add(&[(1, "a".into()), (2, "a".into()), (1, "a".into())]).await.unwrap(), 2);
    assert!(pairs.contains(&(2, "a".into())).await.unwrap());
    raw.every_key_has_its_end();
}

pub(crate) async fn some_are_taken_by_chance(raw: &Raw) {
    let draw = raw.cache().set_of::<u32>("draw");
    assert!(draw.pop(3).await.unwrap().is_empty() && draw.random(3).await.unwrap().is_empty());
    let numbers: Vec<u32> = (0..20).collect();
    draw.add(&numbers).await.unwrap();
    let mut some = sorted(draw.random(5).await.unwrap());
    some.dedup();
    assert!(some.len() == 5 && some.iter().all(|number| *number < 20), "{some:?}");
    assert_eq!(sorted(draw.random(10_000).await.unwrap()), numbers);
    assert!(draw.pop(0).await.unwrap().is_empty() && draw.random(0).await.unwrap().is_empty());
    let popped = draw.pop(5).await.unwrap();
    assert_eq!((popped.len(), draw.len().await.unwrap()), (5, 15));
    assert_eq!(draw.contains_many(&popped).await.unwrap(), [false; 5]);
    let rest = draw.pop(10_000).await.unwrap();
    assert_eq!(sorted([popped, rest].concat()), numbers);
    assert_eq!(raw.cache().ttl("draw").await.unwrap(), None, "nothing is left");
    for told in [draw.pop(10_001).await, draw.random(10_001).await] {
        assert!(matches!(told, Err(CacheError::Argument { .. })), "{told:?}");
    }
}

pub(crate) async fn each_member_is_popped_by_one(raw: &Raw) {
    let numbers: Vec<u32> = (0..300).collect();
    raw.cache().set_of::<u32>("draw").add(&numbers).await.unwrap();
    let popping = (0..6).map(|_| {
        let cache = raw.cache().clone();
        tokio::spawn(async move {
            let mut popped = Vec::new();
            for _ in 0..20 {
                popped.extend(cache.set_of::<u32>("draw").pop(3).await.unwrap());
            }
            popped
        })
    });
    let popped = join_all(popping).await.into_iter().flat_map(|joined| joined.unwrap()).collect();
    assert_eq!(sorted(popped), numbers);
}

pub(crate) async fn two_sets_are_brought_together(raw: &Raw) {
    let (one, two) = (raw.cache().set_of::<u8>("one"), raw.cache().set_of::<u8>("two"));
    one.add(&[1, 2, 3]).await.unwrap();
    assert_eq!(sorted(one.union(&two).await.unwrap()), [1, 2, 3]);
    assert!(one.intersection(&two).await.unwrap().is_empty());
    two.add(&[2, 3, 4]).await.unwrap();
    assert_eq!(sorted(one.union(&two).await.unwrap()), [1, 2, 3, 4]);
    assert_eq!(sorted(one.intersection(&two).await.unwrap()), [2, 3]);
    assert_eq!(one.difference(&two).await.unwrap(), [1]);
    assert_eq!(two.difference(&one).await.unwrap(), [4]);
}

pub(crate) async fn many_members_go_in_several_commands(raw: &Raw) {
    let set = raw.cache().set_of::<u32>("many");
    let numbers: Vec<u32> = (0..2_500).collect();
    assert_eq!(set.add(&numbers).await.unwrap(), 2_500);
    let there = set.contains_many(&(2_400..2_600).chain(0..2_000).collect::<Vec<_>>()).await.unwrap();
    assert_eq!(there.iter().filter(|there| **there).count(), 2_100);
    assert!(there[99] && !there[100]);
    assert_eq!(set.remove(&numbers[1..]).await.unwrap(), 2_499);
    assert_eq!(set.members().await.unwrap(), [0]);
    assert!(matches!(set.add(&vec![1; 10_001]).await, Err(CacheError::Argument { .. })));
    raw.every_key_has_its_end();
}

pub(crate) async fn each_change_of_a_set_moves_its_end(raw: &Raw) {
    let set = raw.cache().set_of::<u8>("s").ttl(Duration::from_secs(7 * 86_400));
    moves_its_end(raw, "s", async || set.add(&[1, 2, 3]).await.map(drop)).await;
    moves_its_end(raw, "s", async || set.add(&[1]).await.map(drop)).await;
    moves_its_end(raw, "s", async || set.remove(&[1, 7]).await.map(drop)).await;
    moves_its_end(raw, "s", async || set.pop(1).await.map(drop)).await;
    assert_eq!(set.remove(&[2, 3]).await.unwrap(), 1);
    assert_eq!(raw.cache().ttl("s").await.unwrap(), None, "the last member takes the set with it");
    assert!(raw.keys().is_empty());
}

pub(crate) async fn what_is_no_set_is_told(raw: &Raw) {
    let (cache, set) = (raw.cache(), raw.cache().set_of::<u8>("s"));
    cache.counter("s").add(1).await.unwrap();
    for told in [
        set.add(&[1]).await.map(drop),
        set.remove(&[1]).await.map(drop),
        set.contains(&1).await.map(drop),
        set.contains_many(&[1]).await.map(drop),
        set.len().await.map(drop),
        set.members().await.map(drop),
        set.pop(1).await.map(drop),
        set.random(1).await.map(drop),
        set.union(&cache.set_of("other")).await.map(drop),
        cache.set_of("other").difference(&set).await.map(drop),
    ] {
        assert!(matches!(&told, Err(CacheError::WrongKind { key, .. }) if key == "s"), "{told:?}");
    }
    assert_eq!(cache.counter("s").get().await.unwrap(), 1, "nothing happened");
}

pub(crate) async fn any_text_is_a_member(raw: &Raw) {
    let set = raw.cache().set_of::<String>("texts");
    let texts = ["", " ", "\"", "7", "line\nand \0", "null", "ä", "🦀 crab"];
    assert_eq!(set.add(texts).await.unwrap(), texts.len() as u64);
    assert_eq!(sorted(set.members().await.unwrap()), sorted(texts.map(str::to_owned).to_vec()));
    let error = raw.cache().set_of::<u8>("texts").members().await.unwrap_err();
    assert!(matches!(&error, CacheError::Decode { key, .. } if key == "texts"), "{error}");
}
