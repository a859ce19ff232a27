//! Random calls, made to the memory of the process and to a server at once: what they answer is the same.

use std::fmt::Debug;
use std::ops::Bound;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use support::Place;
use task_runtime::cache::{Cache, CacheError, ScoreIf, Ttl};

use crate::fixture::Raw;

/// Histories that are played on each server.
const CASES: u32 = 150;
/// Calls of a history at most.
const CALLS: usize = 60;
/// Few, so that calls of all kinds meet on each of them.
const KEYS: [&str; 2] = ["k", "ключ"];
const PARTS: [&str; 4] = ["", "a", "b", "🦀"];
const SCORES: [f64; 7] = [f64::NEG_INFINITY, -1.5, 0.0, 0.1, 2.0, 1e21, f64::INFINITY];
const NUMBERS: [i64; 5] = [0, 1, -3, i64::MAX, i64::MIN];

/// What is called; numbers are places in the lists above.
#[derive(Clone, Debug)]
enum Call {
    Plain(Plain),
    Hash(Hash),
    Set(Set),
    Sorted(Sorted),
    Counter(Counter),
}

#[derive(Clone, Debug)]
enum Plain {
    Get,
    GetMany,
    /// A value, and when: always, if absent, if present.
    Set(usize, u8),
    SetBytes,
    GetBytes,
    SetMany(usize),
    Incr(usize),
    Take,
    Contains,
    Expire,
    ExpireNow,
    Persist,
    Delete,
    DeleteMany,
}

#[derive(Clone, Debug)]
enum Hash {
    Get(usize),
    Set(usize, usize),
    SetText(usize),
    SetMany(Vec<(usize, usize)>),
    SetIfAbsent(usize, usize),
    Remove(Vec<usize>),
    Incr(usize, usize),
    GetMany(Vec<usize>),
}

#[derive(Clone, Debug)]
enum Set {
    Add(Vec<usize>),
    Remove(Vec<usize>),
    ContainsMany(Vec<usize>),
    /// What is popped goes back.
    Pop(usize),
    Random(usize),
    Union,
}

#[derive(Clone, Debug)]
enum Sorted {
    Add(Vec<(usize, usize)>),
    AddIf(u8, Vec<(usize, usize)>),
    Incr(usize, usize),
    Ranks(usize),
    Range(usize, usize),
    ByScore(Bound<usize>, Bound<usize>, Option<usize>),
    Remove(Vec<usize>),
    RemoveByScore(Bound<usize>, Bound<usize>),
    PopMin(usize),
    PopMax(usize),
}

#[derive(Clone, Debug)]
enum Counter {
    Add(usize),
    Get,
    Reset,
}

fn of(list_length: usize) -> impl Strategy<Value = usize> + Clone {
    0..list_length
}

fn some<S: Strategy>(one: S) -> impl Strategy<Value = Vec<S::Value>> {
    prop::collection::vec(one, 0..5)
}

fn bound() -> impl Strategy<Value = Bound<usize>> + Clone {
    let score = of(SCORES.len());
    prop_oneof![score.clone().prop_map(Bound::Included), score.prop_map(Bound::Excluded), Just(Bound::Unbounded)]
}

fn plain() -> impl Strategy<Value = Plain> {
    let number = of(NUMBERS.len());
    prop_oneof![
        3 => Just(Plain::Get),
        1 => Just(Plain::GetMany),
        3 => (number.clone(), 0..3_u8).prop_map(|(number, when)| Plain::Set(number, when)),
        1 => Just(Plain::SetBytes),
        1 => Just(Plain::GetBytes),
        1 => number.clone().prop_map(Plain::SetMany),
        2 => number.prop_map(Plain::Incr),
        1 => Just(Plain::Take),
        1 => Just(Plain::Contains),
        1 => Just(Plain::Expire),
        1 => Just(Plain::ExpireNow),
        1 => Just(Plain::Persist),
        3 => Just(Plain::Delete),
        1 => Just(Plain::DeleteMany),
    ]
}

fn hash() -> impl Strategy<Value = Hash> {
    let (field, number) = (of(PARTS.len()), of(NUMBERS.len()));
    let pair = (field.clone(), number.clone());
    prop_oneof![
        field.clone().prop_map(Hash::Get),
        pair.clone().prop_map(|(field, number)| Hash::Set(field, number)),
        field.clone().prop_map(Hash::SetText),
        some(pair.clone()).prop_map(Hash::SetMany),
        pair.clone().prop_map(|(field, number)| Hash::SetIfAbsent(field, number)),
        some(field.clone()).prop_map(Hash::Remove),
        pair.prop_map(|(field, number)| Hash::Incr(field, number)),
        some(field).prop_map(Hash::GetMany),
    ]
}

fn set() -> impl Strategy<Value = Set> {
    let member = of(PARTS.len());
    prop_oneof![
        2 => some(member.clone()).prop_map(Set::Add),
        1 => some(member.clone()).prop_map(Set::Remove),
        1 => some(member.clone()).prop_map(Set::ContainsMany),
        1 => member.clone().prop_map(Set::Pop),
        1 => member.prop_map(Set::Random),
        1 => Just(Set::Union),
    ]
}

fn sorted() -> impl Strategy<Value = Sorted> {
    let (member, score) = (of(PARTS.len()), of(SCORES.len()));
    let pair = (member.clone(), score);
    prop_oneof![
        some(pair.clone()).prop_map(Sorted::Add),
        (0..4_u8, some(pair.clone())).prop_map(|(condition, pairs)| Sorted::AddIf(condition, pairs)),
        pair.prop_map(|(member, score)| Sorted::Incr(member, score)),
        member.clone().prop_map(Sorted::Ranks),
        (0..6_usize, 0..6_usize).prop_map(|(from, to)| Sorted::Range(from, to)),
        (bound(), bound(), prop::option::of(0..3_usize)).prop_map(|(min, max, most)| Sorted::ByScore(min, max, most)),
        some(member).prop_map(Sorted::Remove),
        (bound(), bound()).prop_map(|(min, max)| Sorted::RemoveByScore(min, max)),
        (0..3_usize).prop_map(Sorted::PopMin),
        (0..3_usize).prop_map(Sorted::PopMax),
    ]
}

fn counter() -> impl Strategy<Value = Counter> {
    prop_oneof![of(NUMBERS.len()).prop_map(Counter::Add), Just(Counter::Get), Just(Counter::Reset)]
}

fn histories() -> impl Strategy<Value = Vec<(usize, Call)>> {
    let call = prop_oneof![
        2 => plain().prop_map(Call::Plain),
        2 => hash().prop_map(Call::Hash),
        2 => set().prop_map(Call::Set),
        3 => sorted().prop_map(Call::Sorted),
        1 => counter().prop_map(Call::Counter),
    ];
    prop::collection::vec((of(KEYS.len()), call), 1..CALLS)
}

/// What was told, as text; why something is of the wrong kind is in the words of each place.
fn told(what: Result<impl Debug, CacheError>) -> String {
    match what {
        Ok(value) => format!("{value:?}"),
        Err(CacheError::WrongKind { key, .. }) => format!("`{key}` is of the wrong kind"),
        Err(error) => format!("{error}"),
    }
}

fn in_order<T: Debug>(list: Result<impl IntoIterator<Item = T>, CacheError>) -> String {
    told(list.map(|list| {
        let mut list: Vec<_> = list.into_iter().map(|item| format!("{item:?}")).collect();
        list.sort();
        list
    }))
}

fn parts(places: &[usize]) -> Vec<&'static str> {
    places.iter().map(|place| PARTS[*place]).collect()
}

async fn call_plain(cache: &Cache, key: &str, call: &Plain) -> String {
    match call {
        Plain::Get => told(cache.get::<Value>(key).await),
        Plain::GetMany => told(cache.get_many::<Value>(KEYS).await),
        Plain::Set(number, when) => {
            let set = cache.set(key, &NUMBERS[*number]);
            told(match when {
                0 => set.await,
                1 => set.if_absent().await,
                _ => set.if_present().await,
            })
        }
        Plain::SetBytes => told(cache.set_bytes(key, b"bytes").await),
        Plain::GetBytes => told(cache.get_bytes(key).await),
        Plain::SetMany(number) => told(cache.set_many(&KEYS.map(|key| (key, NUMBERS[*number]))).await),
        Plain::Incr(number) => told(cache.incr(key, NUMBERS[*number]).await),
        Plain::Take => told(cache.take::<Value>(key).await),
        Plain::Contains => told(cache.contains(key).await),
        Plain::Expire => told(cache.expire(key, Duration::from_secs(1_000)).await),
        Plain::ExpireNow => told(cache.expire_at(key, std::time::UNIX_EPOCH).await),
        Plain::Persist => told(cache.persist(key).await),
        Plain::Delete => told(cache.delete(key).await),
        Plain::DeleteMany => told(cache.delete_many(KEYS).await),
    }
}

async fn call_hash(cache: &Cache, key: &str, call: &Hash) -> String {
    let hash = cache.hash::<Value>(key);
    match call {
        Hash::Get(field) => told(hash.get(PARTS[*field]).await) + &told(hash.contains(PARTS[*field]).await),
        Hash::Set(field, number) => told(hash.set(PARTS[*field], &json!(NUMBERS[*number])).await),
        Hash::SetText(field) => told(hash.set(PARTS[*field], &json!("12")).await),
        Hash::SetMany(pairs) => {
            let pairs: Vec<_> = pairs.iter().map(|(field, number)| (PARTS[*field], json!(NUMBERS[*number]))).collect();
            told(hash.set_many(pairs.iter().map(|(field, number)| (field, number))).await)
        }
        Hash::SetIfAbsent(field, number) => told(hash.set_if_absent(PARTS[*field], &json!(NUMBERS[*number])).await),
        Hash::Remove(fields) => told(hash.remove(parts(fields)).await),
        Hash::Incr(field, number) => told(cache.hash::<i64>(key).incr(PARTS[*field], NUMBERS[*number]).await),
        Hash::GetMany(fields) => told(hash.get_many(parts(fields)).await) + &in_order(hash.keys().await),
    }
}

async fn call_set(cache: &Cache, key: &str, call: &Set) -> String {
    let set = cache.set_of::<String>(key);
    match call {
        Set::Add(members) => told(set.add(parts(members)).await),
        Set::Remove(members) => told(set.remove(parts(members)).await),
        Set::ContainsMany(members) => told(set.contains_many(parts(members)).await),
        Set::Pop(count) => match set.pop(*count).await {
            // Which ones is chance.
            Ok(popped) => told(set.add(&popped).await) + &in_order(set.members().await),
            error => told(error),
        },
        Set::Random(count) => told(set.random(*count).await.map(|some| some.len())),
        Set::Union => in_order(set.union(&cache.set_of(KEYS[0])).await),
    }
}

fn scored(pairs: &[(usize, usize)]) -> Vec<(&'static str, f64)> {
    pairs.iter().map(|(member, score)| (PARTS[*member], SCORES[*score])).collect()
}

fn score_bounds(min: Bound<usize>, max: Bound<usize>) -> (Bound<f64>, Bound<f64>) {
    (min.map(|score| SCORES[score]), max.map(|score| SCORES[score]))
}

async fn call_sorted(cache: &Cache, key: &str, call: &Sorted) -> String {
    let sorted = cache.sorted::<String>(key);
    match call {
        Sorted::Add(pairs) => told(sorted.add_many(scored(pairs)).await),
        Sorted::AddIf(condition, pairs) => {
            let condition =
                [ScoreIf::Absent, ScoreIf::Present, ScoreIf::Greater, ScoreIf::Less][usize::from(*condition)];
            told(sorted.add_many_if(condition, scored(pairs)).await)
        }
        Sorted::Incr(member, by) => told(sorted.incr(PARTS[*member], SCORES[*by]).await),
        Sorted::Ranks(member) => {
            let member = PARTS[*member];
            told(sorted.rank(member).await) + &told(sorted.rev_rank(member).await) + &told(sorted.score(member).await)
        }
        Sorted::Range(from, to) => told(sorted.range(*from..*to).await) + &told(sorted.rev_range(*from..=*to).await),
        Sorted::ByScore(min, max, most) => {
            let bounds = score_bounds(*min, *max);
            told(sorted.range_by_score(bounds, *most).await) + &told(sorted.count(bounds).await)
        }
        Sorted::Remove(members) => told(sorted.remove(parts(members)).await),
        Sorted::RemoveByScore(min, max) => told(sorted.remove_by_score(score_bounds(*min, *max)).await),
        Sorted::PopMin(count) => told(sorted.pop_min(*count).await),
        Sorted::PopMax(count) => told(sorted.pop_max(*count).await),
    }
}

async fn call_counter(cache: &Cache, key: &str, call: &Counter) -> String {
    let counter = cache.counter(key);
    match call {
        Counter::Add(by) => told(counter.add(NUMBERS[*by]).await),
        Counter::Get => told(counter.get().await),
        Counter::Reset => told(counter.reset().await),
    }
}

/// All that can be seen of a key.
async fn look(cache: &Cache, key: &str) -> String {
    let ttl = cache.ttl(key).await.map(|ttl| match ttl {
        Some(Ttl::Forever) => "for ever",
        // To the second: the two places are not asked at the same time.
        Some(Ttl::For(left)) if left > Duration::from_secs(900) => "for long",
        Some(Ttl::For(_)) => "for the usual time",
        None => "not there",
    });
    [
        told(ttl),
        told(cache.get::<Value>(key).await),
        in_order(cache.hash::<Value>(key).all().await),
        in_order(cache.set_of::<String>(key).members().await),
        told(cache.sorted::<String>(key).range(..).await),
        told(cache.counter(key).get().await),
    ]
    .join("; ")
}

async fn play(cache: &Cache, history: &[(usize, Call)]) -> Vec<String> {
    let mut all = Vec::new();
    for (key, call) in history {
        let key = KEYS[*key];
        all.push(match call {
            Call::Plain(call) => call_plain(cache, key, call).await,
            Call::Hash(call) => call_hash(cache, key, call).await,
            Call::Set(call) => call_set(cache, key, call).await,
            Call::Sorted(call) => call_sorted(cache, key, call).await,
            Call::Counter(call) => call_counter(cache, key, call).await,
        });
        all.push(look(cache, key).await);
    }
    all
}

fn the_same_is_told(place: fn() -> Place) {
    let config = Config { cases: CASES, max_shrink_iters: 500, failure_persistence: None, ..Config::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be built");
    let played = TestRunner::new(config).run(&histories(), |history| {
        let (memory, server) = (Raw::at(Place::memory()), Raw::at(place()));
        let (in_memory, on_server) =
            runtime.block_on(async { (play(memory.cache(), &history).await, play(server.cache(), &history).await) });
        prop_assert_eq!(in_memory, on_server);
        Ok(())
    });
    if let Err(failure) = played {
        panic!("{failure}");
    }
}

#[test]
fn whatever_is_called_memory_and_redis_answer_alike() {
    the_same_is_told(Place::redis);
}

#[test]
fn whatever_is_called_memory_and_valkey_answer_alike() {
    the_same_is_told(Place::valkey);
}
