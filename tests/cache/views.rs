//! Views while their server is away and an outage is a miss, and views in tasks.

use std::fmt::Debug;

use support::Server;
use task_runtime::cache::{Cache, CacheError, OnOutage, ScoreIf};

#[track_caller]
fn are<T: Debug + PartialEq>(told: impl IntoIterator<Item = Result<T, CacheError>>, missing: &T) {
    for told in told {
        assert_eq!(told.as_ref().expect("an outage is a miss"), missing);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_view_of_a_cache_that_is_away_is_empty() {
    let mut server = Server::redis().start();
    let cache = Cache::builder().url(server.url()).on_outage(OnOutage::Miss).build().unwrap();
    let (hash, set, sorted, counter) =
        (cache.hash::<i64>("h"), cache.set_of::<u8>("s"), cache.sorted::<u8>("z"), cache.counter("n"));
    server.kill9();

    are([hash.get("a").await], &None);
    are([hash.get_many(["a", "b"]).await], &vec![None, None]);
    are([hash.set("a", &1).await, hash.set_if_absent("a", &1).await, hash.contains("a").await], &false);
    are([hash.set_many([("a", &1)]).await, hash.remove(["a"]).await, hash.len().await], &0);
    are([hash.incr("a", 1).await], &0);
    assert!(hash.keys().await.unwrap().is_empty() && hash.values().await.unwrap().is_empty());
    assert!(hash.all().await.unwrap().is_empty());

    are([set.add(&[1]).await, set.remove(&[1]).await, set.len().await], &0);
    are([set.contains(&1).await], &false);
    are([set.contains_many(&[1, 2]).await], &vec![false, false]);
    are([set.members().await, set.pop(1).await, set.random(1).await, set.union(&set).await], &Vec::new());

    are([sorted.add(&1, 1.0).await, sorted.add_if(ScoreIf::Absent, &1, 1.0).await], &false);
    are([sorted.add_many([(&1, 1.0)]).await, sorted.remove(&[1]).await, sorted.remove_by_score(..).await], &0);
    are([sorted.count(..).await, sorted.len().await], &0);
    are([sorted.incr(&1, 1.0).await], &0.0);
    are([sorted.score(&1).await], &None);
    are([sorted.rank(&1).await, sorted.rev_rank(&1).await], &None);
    are([sorted.range(..).await, sorted.range_by_score(.., None).await, sorted.pop_min(1).await], &Vec::new());

    are([counter.add(1).await, counter.get().await, counter.reset().await], &0);
    assert!(cache.stats().outages >= 30, "{:?}", cache.stats());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_view_of_a_cache_that_is_away_fails_in_time_unless_told_else() {
    let mut server = Server::redis().start();
    let cache = Cache::builder().url(server.url()).deadline(std::time::Duration::from_millis(200)).build().unwrap();
    server.kill9();
    let read = cache.hash::<i64>("h").get("a").await.map(drop);
    let written = cache.counter("n").add(1).await.map(drop);
    for told in [read, written] {
        assert!(told.as_ref().is_err_and(CacheError::is_outage), "{told:?}");
    }
}

/// What a handler of a web application does must be able to go to another thread.
#[tokio::test]
async fn calls_of_views_can_be_made_by_tasks() {
    let cache = Cache::in_memory();
    let task = tokio::spawn(async move {
        let names = ["a".to_owned(), "b".to_owned()];
        cache.hash::<String>("h").set_many(names.iter().map(|name| (name, name.as_str()))).await?;
        cache.hash::<String>("h").get_many(names.iter().filter(|name| *name != "b")).await?;
        cache.set_of::<String>("s").add(names.iter().map(String::as_str)).await?;
        let scores = names.iter().map(|name| (name.as_str(), 1.0));
        cache.sorted::<String>("z").add_many(scores).await?;
        cache.sorted::<String>("z").range_by_score(..=1.0, 1).await
    });
    assert_eq!(task.await.unwrap().unwrap(), [("a".to_owned(), 1.0)]);
}
