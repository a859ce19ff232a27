//! A program that does random things with a cache until it is killed, and tells what it tries and what it saw.
//!
//! `try incr 3` is printed before a call and `did incr 3` when it was answered; `BAD …` is what must never be seen.

use std::time::Duration;

use task_runtime::cache::{Cache, CacheError, Ttl};

/// Counters, and keys of each other kind, that all processes share.
const KEYS: usize = 4;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (url, prefix) = (std::env::var("CACHE_URL")?, std::env::var("CACHE_PREFIX")?);
    let cache = Cache::builder().url(url).prefix(prefix).ttl(Duration::from_secs(600)).build()?;
    let lanes = (0..4_u64).map(|lane| tokio::spawn(lane_of(cache.clone(), lane)));
    println!("begun");
    for lane in lanes.collect::<Vec<_>>() {
        lane.await??;
    }
    Ok(())
}

/// One of those who do things at the same time.
async fn lane_of(cache: Cache, lane: u64) -> Result<(), CacheError> {
    let me = format!("{}-{lane}", std::process::id());
    for round in 0_u64.. {
        let key = fastrand::usize(..KEYS);
        match fastrand::u8(..6) {
            0 => count(&cache, key).await?,
            1 => remember(&cache, key).await?,
            2 => own_value(&cache, &me, round).await?,
            3 => tagged(&cache, &me, round).await?,
            4 => locked(&cache, key).await?,
            _ => removed(&cache, key).await?,
        }
    }
    Ok(())
}

async fn count(cache: &Cache, key: usize) -> Result<(), CacheError> {
    let name = format!("count:{key}");
    cache.add(&name, &0).await?;
    println!("try incr {key}");
    if cache.incr(&name, 1).await?.is_some() {
        println!("did incr {key}");
    }
    Ok(())
}

/// The value is that of its key, whoever made it.
async fn remember(cache: &Cache, key: usize) -> Result<(), CacheError> {
    let name = format!("made:{key}");
    let value = format!("{name}:value");
    let asked = cache.clone();
    let make = async move || {
        // Others come meanwhile.
        let _ = asked.contains("never").await;
        Ok::<_, std::convert::Infallible>(value)
    };
    let stale = Duration::from_millis(fastrand::u64(..50));
    let got = cache.remember(&name, make).ttl(Duration::from_millis(20)).stale(stale).await;
    match got {
        Ok(value) if value == format!("{name}:value") => {}
        Ok(value) => println!("BAD {name} holds {value}"),
        Err(error) => println!("BAD {name}: {error}"),
    }
    Ok(())
}

/// What only this lane writes is what it wrote last.
async fn own_value(cache: &Cache, me: &str, round: u64) -> Result<(), CacheError> {
    let name = format!("own:{me}");
    cache.set(&name, &round).await?;
    let held = cache.get_many::<u64>([name.as_str(), "never"]).await?;
    if held != [Some(round), None] {
        println!("BAD {name} holds {held:?} after {round}");
    }
    Ok(())
}

async fn tagged(cache: &Cache, me: &str, round: u64) -> Result<(), CacheError> {
    let (name, tag) = (format!("tagged:{me}"), format!("tag:{me}"));
    cache.set(&name, &round).tags([&tag]).await?;
    if cache.get::<u64>(&name).await? != Some(round) {
        println!("BAD {name} is not what was set");
    }
    cache.invalidate_tags([&tag]).await?;
    if let Some(held) = cache.get::<u64>(&name).await? {
        println!("BAD {name} holds {held} though its tag is invalid");
    }
    Ok(())
}

/// Whoever has the lock is alone.
async fn locked(cache: &Cache, key: usize) -> Result<(), CacheError> {
    let (name, owner) = (format!("lock:{key}"), format!("owner:{key}"));
    let request = cache.lock(&name).ttl(Duration::from_millis(500)).wait(Duration::from_millis(50));
    let Some(lock) = request.acquire().await? else { return Ok(()) };
    println!("fence {key} {}", lock.fencing());
    cache.set(&owner, &lock.fencing()).await?;
    tokio::task::yield_now().await;
    let held = cache.get::<u64>(&owner).await?;
    if held != Some(lock.fencing()) && !lock.lost().is_cancelled() {
        println!("BAD {name} is held by {held:?} and by {}", lock.fencing());
    }
    lock.release().await?;
    Ok(())
}

/// Keys that come and go get their end each time.
async fn removed(cache: &Cache, key: usize) -> Result<(), CacheError> {
    let name = format!("gone:{key}");
    cache.set(&name, "x").ttl(Duration::from_secs(60)).await?;
    if let Some(Ttl::Forever) = cache.ttl(&name).await? {
        println!("BAD {name} has no end");
    }
    cache.take::<String>(&name).await?;
    cache.delete(&format!("made:{key}")).await?;
    Ok(())
}
