//! Hashes: named fields with values.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use task_runtime::cache::{CacheError, Ttl};

use crate::fixture::{Raw, moves_its_end};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Item {
    name: String,
    cents: Option<u32>,
}

fn sorted<T: Ord>(mut list: Vec<T>) -> Vec<T> {
    list.sort();
    list
}

pub(crate) async fn fields_are_written_and_read(raw: &Raw) {
    let cart = raw.cache().hash::<Item>("cart:7");
    let (pear, plum) = (Item { name: "pear".into(), cents: Some(40) }, Item { name: "plum".into(), cents: None });
    assert_eq!((cart.get("a").await.unwrap(), cart.len().await.unwrap()), (None, 0));
    assert_eq!(cart.all().await.unwrap(), HashMap::new());
    assert!(cart.keys().await.unwrap().is_empty() && cart.values().await.unwrap().is_empty());
    assert!(cart.set("a", &pear).await.unwrap(), "it is new");
    assert!(!cart.set("a", &plum).await.unwrap(), "it is not");
    assert_eq!(cart.get("a").await.unwrap(), Some(plum.clone()));
    assert!(!cart.set_if_absent("a", &pear).await.unwrap());
    assert!(cart.set_if_absent("b", &pear).await.unwrap());
    assert_eq!(cart.set_many([("b", &plum), ("c", &plum), ("d", &pear)]).await.unwrap(), 2);
    assert!(cart.contains("d").await.unwrap() && !cart.contains("e").await.unwrap());
    assert_eq!(cart.get_many(["d", "e", "a"]).await.unwrap(), [Some(pear.clone()), None, Some(plum.clone())]);
    assert_eq!(cart.remove(["b", "e", "b"]).await.unwrap(), 1);
    assert_eq!(cart.len().await.unwrap(), 3);
    assert_eq!(sorted(cart.keys().await.unwrap()), ["a", "c", "d"]);
    assert_eq!(cart.values().await.unwrap().iter().filter(|item| **item == plum).count(), 2);
    let all = cart.all().await.unwrap();
    assert_eq!(all.len(), 3);
    assert_eq!((&all["a"], &all["d"]), (&plum, &pear));
    assert_eq!(cart.set_many(&all).await.unwrap(), 0, "a map is written as it is read");
    raw.every_key_has_its_end();
}

pub(crate) async fn many_fields_go_in_several_commands(raw: &Raw) {
    let hash = raw.cache().hash::<usize>("many");
    let names: Vec<_> = (0..2_500).map(|number| format!("field {number}")).collect();
    let values: Vec<usize> = (0..2_500).collect();
    assert_eq!(hash.set_many(names.iter().zip(&values)).await.unwrap(), 2_500);
    let read = hash.get_many(names.iter().map(String::as_str).chain(["other"])).await.unwrap();
    assert!(read.len() == 2_501 && read[..2_500].iter().zip(&values).all(|(read, value)| *read == Some(*value)));
    assert_eq!(read[2_500], None);
    assert_eq!(hash.remove(&names[..2_400]).await.unwrap(), 2_400);
    assert_eq!(hash.len().await.unwrap(), 100);
    assert_eq!(hash.set_many(Vec::<(String, &usize)>::new()).await.unwrap(), 0);
    assert!(hash.get_many(Vec::<String>::new()).await.unwrap().is_empty());
    let error = hash.remove(vec!["x"; 10_001]).await.unwrap_err().to_string();
    assert_eq!(error, "a call is for 10001 fields or members, expected 10000 at most");
    raw.every_key_has_its_end();
}

pub(crate) async fn fields_are_counted_and_nothing_is_lost(raw: &Raw) {
    let hash = raw.cache().hash::<i64>("counts");
    let adding = (0..8).map(|_| {
        let cache = raw.cache().clone();
        tokio::spawn(async move {
            for _ in 0..25 {
                cache.hash::<i64>("counts").incr("a", 2).await.unwrap();
            }
        })
    });
    join_all(adding).await.into_iter().for_each(|joined| joined.unwrap());
    assert_eq!(hash.get("a").await.unwrap(), Some(400));
    assert_eq!(hash.incr("b", -7).await.unwrap(), -7);
    assert_eq!(hash.incr("large", 9_007_199_254_740_993).await.unwrap(), 9_007_199_254_740_993, "to the last digit");
    assert_eq!(hash.incr("large", i64::MIN).await.unwrap(), -9_214_364_837_600_034_815);
    hash.set("c", &i64::MAX).await.unwrap();
    assert!(matches!(hash.incr("c", 1).await, Err(CacheError::NotANumber { key }) if key == "counts"));
    assert_eq!(hash.get("c").await.unwrap(), Some(i64::MAX), "nothing happened");
    raw.cache().hash::<String>("counts").set("d", "12").await.unwrap();
    assert!(matches!(hash.incr("d", 1).await, Err(CacheError::NotANumber { .. })));
    raw.every_key_has_its_end();
}

pub(crate) async fn each_write_to_a_hash_moves_its_end(raw: &Raw) {
    let hash = raw.cache().hash::<i64>("h");
    let week = hash.ttl(Duration::from_secs(7 * 86_400));
    moves_its_end(raw, "h", async || week.set("a", &1).await.map(drop)).await;
    moves_its_end(raw, "h", async || week.set_many([("a", &2), ("b", &2)]).await.map(drop)).await;
    moves_its_end(raw, "h", async || week.set_if_absent("a", &3).await.map(drop)).await;
    moves_its_end(raw, "h", async || week.incr("a", 1).await.map(drop)).await;
    moves_its_end(raw, "h", async || week.remove(["b", "c"]).await.map(drop)).await;
    hash.set("a", &1).await.unwrap();
    let Some(Ttl::For(left)) = raw.cache().ttl("h").await.unwrap() else { panic!("it has an end") };
    assert!(left > Duration::from_secs(290) && left <= Duration::from_secs(300), "as the cache was told: {left:?}");
    hash.get("a").await.unwrap();
    hash.ttl(Ttl::Forever).set("a", &1).await.unwrap();
    assert_eq!(raw.cache().ttl("h").await.unwrap(), Some(Ttl::Forever));
    let error = hash.ttl(Duration::ZERO).set("a", &7).await.unwrap_err();
    assert!(matches!(error, CacheError::Argument { what: "a time to live", .. }), "{error}");
    assert_eq!(hash.get("a").await.unwrap(), Some(1));
}

pub(crate) async fn the_last_field_takes_the_hash_with_it(raw: &Raw) {
    let hash = raw.cache().hash::<u8>("h");
    assert_eq!(hash.remove(["a"]).await.unwrap(), 0);
    assert_eq!(raw.cache().ttl("h").await.unwrap(), None, "nothing was made of nothing");
    hash.set_many([("a", &1), ("b", &2)]).await.unwrap();
    assert!(!hash.is_empty().await.unwrap());
    assert_eq!(hash.remove(["a", "b"]).await.unwrap(), 2);
    assert!(hash.is_empty().await.unwrap());
    assert_eq!(raw.cache().ttl("h").await.unwrap(), None);
    assert!(raw.keys().is_empty());
    raw.cache().set_of::<u8>("h").add(&[1]).await.expect("the key can be anything now");
}

pub(crate) async fn what_is_no_hash_is_told(raw: &Raw) {
    let (cache, hash) = (raw.cache(), raw.cache().hash::<i64>("h"));
    cache.set("h", "an entry").await.unwrap();
    for told in [
        hash.get("a").await.map(drop),
        hash.get_many(["a"]).await.map(drop),
        hash.set("a", &1).await.map(drop),
        hash.set_many([("a", &1)]).await.map(drop),
        hash.set_if_absent("a", &1).await.map(drop),
        hash.remove(["a"]).await.map(drop),
        hash.contains("a").await.map(drop),
        hash.len().await.map(drop),
        hash.keys().await.map(drop),
        hash.values().await.map(drop),
        hash.all().await.map(drop),
        hash.incr("a", 1).await.map(drop),
    ] {
        assert!(matches!(&told, Err(CacheError::WrongKind { key, .. }) if key == "h"), "{told:?}");
    }
    assert_eq!(cache.get::<String>("h").await.unwrap().as_deref(), Some("an entry"), "nothing happened");
    assert!(cache.delete("h").await.unwrap());
    hash.set("a", &1).await.unwrap();
    for told in [cache.get::<i64>("h").await.map(drop), cache.take::<i64>("h").await.map(drop)] {
        assert!(matches!(&told, Err(CacheError::WrongKind { key, .. }) if key == "h"), "{told:?}");
    }
    assert!(!cache.add("h", &1).await.unwrap() && hash.contains("a").await.unwrap());
    assert!(cache.set("h", &1).await.unwrap(), "what is set replaces whatever is there");
    assert_eq!(cache.get("h").await.unwrap(), Some(1));
}

pub(crate) async fn any_text_is_a_field_and_any_value_comes_back(raw: &Raw) {
    let hash = raw.cache().hash::<String>("texts");
    let texts = ["", " ", "ä", "🦀 crab", "\"quoted\"", "line\nand \0", "null", "7", "\u{202e}"];
    for text in texts {
        assert!(hash.set(text, text).await.unwrap(), "{text:?}");
    }
    let all: BTreeMap<_, _> = hash.all().await.unwrap().into_iter().collect();
    assert_eq!(all, texts.iter().map(|text| ((*text).to_owned(), (*text).to_owned())).collect());
    let floats = raw.cache().hash::<Option<f64>>("floats");
    for (field, value) in [("a", Some(0.1 + 0.2)), ("b", None), ("c", Some(-0.0)), ("d", Some(f64::MIN_POSITIVE))] {
        floats.set(field, &value).await.unwrap();
        assert_eq!(floats.get(field).await.unwrap(), Some(value));
    }
    let long = hash.set("a", &"x".repeat(17 << 20)).await.unwrap_err();
    assert!(matches!(long, CacheError::Argument { what: "a value", .. }), "{long}");
    let unwritable = raw.cache().hash::<HashMap<(u8, u8), u8>>("maps");
    let error = unwritable.set("a", &HashMap::from([((1, 1), 1)])).await.unwrap_err();
    assert!(matches!(&error, CacheError::Encode { key, .. } if key == "maps"), "{error}");
}

pub(crate) async fn a_field_that_cannot_be_read_is_told(raw: &Raw) {
    let (cache, numbers) = (raw.cache(), raw.cache().hash::<u8>("h"));
    cache.hash::<String>("h").set("secret", "secret").await.unwrap();
    for told in [
        numbers.get("secret").await.map(drop),
        numbers.get_many(["secret"]).await.map(drop),
        numbers.values().await.map(drop),
        numbers.all().await.map(drop),
    ] {
        let error = told.unwrap_err();
        assert!(matches!(&error, CacheError::Decode { key, wanted: "u8", .. } if key == "h"), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    cache.command("HSET", "h").arg("not JSON").arg(1).send().await.unwrap();
    assert!(matches!(numbers.keys().await, Err(CacheError::Decode { .. })));
    assert!(numbers.remove(["secret"]).await.unwrap() == 1 && numbers.len().await.unwrap() == 1);
}
