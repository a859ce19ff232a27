//! Caches from a text of settings, on real servers: with a replica, and with a login of its own.

use std::time::{Duration, Instant};

use support::redis::FromRedisValue as _;
use support::{Server, eventually, namespace, shared_redis};
use task_runtime::cache::{Cache, CacheError, Caches, Ttl};

use crate::fixture::BOUND;

/// A text that every kind of URL must be able to hold.
const SPECIAL: &str = "p@s:s/w?o#r d%41,+é&=";
/// The same for the name of a user, which has no space.
const USER: &str = "u@s:e/r?#%41,+é&=";

/// How often a server was asked with this command.
fn calls(server: &Server, command: &str) -> u64 {
    let text = String::from_redis_value(server.command(&["INFO", "commandstats"])).expect("INFO is text");
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
    line.map_or(0, |line| line.split(',').next().and_then(|calls| calls.parse().ok()).expect("a count"))
}

fn one(text: &str) -> Cache {
    Caches::from_toml(text).and_then(|caches| caches.default_cache()).expect(text)
}

/// A replica that has all that its primary has.
async fn replica_of(primary: &Server) -> Server {
    let replica = Server::redis().config(format!("replicaof 127.0.0.1 {}", primary.port())).start();
    primary.command(&["SET", "in-step", "1"]);
    eventually("the replica is in step", BOUND, async || {
        let value = replica.try_command(&["GET", "in-step"]).ok()?;
        Option::<String>::from_redis_value(value).ok()?
    })
    .await;
    replica
}

async fn arrives(cache: &Cache, key: &str, value: u32) {
    eventually("the replica has the value", BOUND, async || {
        (cache.get::<u32>(key).await.expect("a replica is no reason to fail") == Some(value)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_caches_of_a_text_are_apart_and_as_it_says() {
    let (url, prefix) = (shared_redis().url(), namespace());
    let text = format!(
        "[caches.default]\nurl = '{url}'\nprefix = '{prefix}'\nttl = 'forever'\nversion = 3\n\
         [caches.pages]\nhost = '127.0.0.1'\nport = {}\nprefix = '{prefix}-pages'\nttl = '90s'\n\
         compression = 'zstd'\ncodec = 'msgpack'\n\
         [caches.near]\n",
        shared_redis().port()
    );
    let caches = Caches::from_toml(&text).unwrap();
    for (name, value) in [("default", 1), ("pages", 2), ("near", 3)] {
        caches.get(name).unwrap().set("key", &value).await.unwrap();
    }
    for (name, value) in [("default", 1), ("pages", 2), ("near", 3)] {
        assert_eq!(caches.get(name).unwrap().get::<i32>("key").await.unwrap(), Some(value), "{name}");
    }
    assert_eq!(caches.default_cache().unwrap().ttl("key").await.unwrap(), Some(Ttl::Forever));
    let Some(Ttl::For(left)) = caches.get("pages").unwrap().ttl("key").await.unwrap() else { panic!("it has an end") };
    assert!(left > Duration::from_secs(60) && left <= Duration::from_secs(90), "{left:?}");
    let keys = Vec::<String>::from_redis_value(shared_redis().command(&["KEYS", &format!("{prefix}*")])).unwrap();
    assert!(keys.contains(&format!("{prefix}:3:key")) && keys.contains(&format!("{prefix}-pages:1:key")), "{keys:?}");
    assert_eq!(keys.len(), 2, "{keys:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_are_read_from_a_replica_as_long_as_there_is_one() {
    let primary = Server::redis().start();
    let mut replica = replica_of(&primary).await;
    for on_outage in ["fail", "miss"] {
        let cache = one(&format!(
            "[caches.default]\nurl = '{}'\nreplicas = ['{}']\non_outage = '{on_outage}'\ndeadline = '2s'\n",
            primary.url(),
            replica.url()
        ));
        cache.set("key", &1).await.unwrap();
        arrives(&cache, "key", 1).await;
        let (gets, many) = (calls(&primary, "get"), calls(&primary, "mget"));
        for _ in 0..10 {
            assert_eq!(cache.get::<u32>("key").await.unwrap(), Some(1));
            assert_eq!(cache.get_many::<u32>(["key", "other"]).await.unwrap(), [Some(1), None]);
        }
        assert_eq!((calls(&primary, "get"), calls(&primary, "mget")), (gets, many), "the primary was asked");
        assert!(calls(&replica, "get") >= 10 && calls(&replica, "mget") >= 10);

        // It hangs: one call waits a part of its deadline, and no call is an outage.
        replica.freeze();
        let begun = Instant::now();
        for number in 2..12 {
            assert!(cache.set("key", &number).await.unwrap());
            assert_eq!(cache.get::<u32>("key").await.unwrap(), Some(number));
        }
        assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
        replica.kill9();
        for number in 12..22 {
            assert!(cache.set("key", &number).await.unwrap());
            assert_eq!(cache.get::<u32>("key").await.unwrap(), Some(number));
        }
        assert_eq!(cache.stats().outages, 0);
        replica.restart();
        let before = calls(&replica, "get");
        eventually("the replica is asked again", BOUND, async || {
            cache.get::<u32>("key").await.expect("the primary is there");
            (calls(&replica, "get") > before).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_refuses_is_no_outage() {
    let primary = Server::redis().start();
    let replica = Server::redis().password("other").start();
    let url = format!("redis://:wrong@127.0.0.1:{}/", replica.port());
    for url in [url, format!("redis://127.0.0.1:{}/", replica.port())] {
        let text = format!("[caches.default]\nurl = '{}'\nreplicas = ['{url}']", primary.url());
        let cache = one(&text);
        cache.set("key", &1).await.unwrap();
        assert_eq!(cache.get::<u32>("key").await.unwrap(), Some(1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_may_hold_any_character() {
    let server = Server::redis().start();
    server.command(&["ACL", "SETUSER", USER, "on", &format!(">{SPECIAL}"), "~*", "&*", "+@all"]);
    server.command(&["CONFIG", "SET", "requirepass", SPECIAL]);
    let port = server.port();
    let place = format!("host = '127.0.0.1'\nport = {port}");
    for login in [format!("user = '{USER}'\npassword = '{SPECIAL}'"), format!("password = '{SPECIAL}'\ndb = 2")] {
        let cache = one(&format!("[caches.default]\n{place}\n{login}"));
        cache.set("key", &1).await.unwrap();
        assert_eq!(cache.get("key").await.unwrap(), Some(1));
    }
    // From the environment, in parts.
    let text = format!("[caches.default]\n{place}");
    let caches = Caches::from_variables([("CACHES", text.as_str()), ("CACHE_DEFAULT_PASSWORD", SPECIAL)]).unwrap();
    assert_eq!(caches.default_cache().unwrap().get("key").await.unwrap(), Some(1));
    // What is wrong is told, and not repeated.
    let wrong = "wrong-secret";
    let cache = one(&format!("[caches.default]\n{place}\nuser = '{USER}'\npassword = '{wrong}'\ndeadline = '1s'"));
    let error = cache.get::<u32>("key").await.unwrap_err();
    assert!(matches!(error, CacheError::Unavailable { .. } | CacheError::Refused { .. }), "{error}");
    let text = format!("{error} {error:?}");
    assert!(!text.contains(wrong) && !text.contains(USER), "{text}");
    // Without any login.
    let error = one(&format!("[caches.default]\n{place}")).get::<u32>("key").await.unwrap_err();
    assert!(matches!(error, CacheError::Refused { .. }) && error.to_string().contains("NOAUTH"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_settings_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("caches.toml");
    let prefix = namespace();
    std::fs::write(&file, format!("[caches.default]\nurl = '{}'\nprefix = '{prefix}'", shared_redis().url())).unwrap();
    let path = file.to_str().expect("the path is text");
    let variables = [("CACHES_FILE", path), ("CACHE_DEFAULT_TTL", "1h")];
    let cache = Caches::from_variables(variables).unwrap().default_cache().unwrap();
    cache.set("key", &1).await.unwrap();
    let Some(Ttl::For(left)) = cache.ttl("key").await.unwrap() else { panic!("it has an end") };
    assert!(left > Duration::from_secs(3_000), "{left:?}");
}
