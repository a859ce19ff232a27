//! How many calls of a cache a second, beside the crate `redis` called directly with the same serializer.
//!
//! `tests/run cache` runs it on a Redis of its own. Both are measured in turn, and the middle one of the ratios is shown.
//! With names of calls behind `--`, such as `get`, only those are measured.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use support::Server;
use support::redis::aio::MultiplexedConnection;
use support::redis::{AsyncCommands as _, AsyncConnectionConfig};
use task_runtime::cache::{Cache, Codec};

/// How often both are measured, and for how long each time.
const ROUNDS: usize = 9;
const MEASURED: Duration = Duration::from_millis(250);
/// Keys that are read and written, and how many one call for many reads.
const KEYS: u64 = 1_000;
const MANY: u64 = 100;
const TTL: Duration = Duration::from_secs(3600);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Page {
    id: u64,
    title: String,
    tags: Vec<String>,
    body: String,
}

impl Page {
    fn new(bytes: usize) -> Self {
        let tags = vec!["rust".into(), "cache".into()];
        Self { id: 7, title: "A page of a shop".into(), tags, body: "x".repeat(bytes) }
    }
}

/// What is measured.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Get,
    Set,
    GetMany,
}

#[derive(Clone)]
enum Contender {
    Ours(Cache),
    Direct(MultiplexedConnection),
}

impl Contender {
    async fn call(&mut self, kind: Kind, page: &Page) {
        let number = fastrand::u64(..KEYS);
        let key = format!("page:{number}");
        let keys = || (0..MANY).map(|at| format!("page:{}", (number + at) % KEYS));
        match (self, kind) {
            (Self::Ours(cache), Kind::Get) => {
                let page: Option<Page> = cache.get(&key).await.expect("the server answers");
                assert_eq!(page.expect("it is there").id, 7);
            }
            (Self::Ours(cache), Kind::Set) => {
                cache.set(&key, page).ttl(TTL).await.expect("it is written");
            }
            (Self::Ours(cache), Kind::GetMany) => {
                let pages: Vec<Option<Page>> = cache.get_many(keys()).await.expect("the server answers");
                assert!(pages.iter().all(Option::is_some));
            }
            (Self::Direct(connection), Kind::Get) => {
                let bytes: Option<Vec<u8>> = connection.get(format!("direct:1:{key}")).await.expect("it answers");
                let page: Page = serde_json::from_slice(&bytes.expect("it is there")).expect("it is a page");
                assert_eq!(page.id, 7);
            }
            (Self::Direct(connection), Kind::Set) => {
                let bytes = serde_json::to_vec(page).expect("it is JSON");
                let () =
                    connection.set_ex(format!("direct:1:{key}"), bytes, TTL.as_secs()).await.expect("it is written");
            }
            (Self::Direct(connection), Kind::GetMany) => {
                let keys: Vec<_> = keys().map(|key| format!("direct:1:{key}")).collect();
                let bytes: Vec<Vec<u8>> = connection.mget(keys).await.expect("it answers");
                let pages: Vec<Page> =
                    bytes.iter().map(|bytes| serde_json::from_slice(bytes).expect("it is a page")).collect();
                assert!(pages.iter().all(|page| page.id == 7));
            }
        }
    }

    /// Calls a second of so many callers at a time.
    async fn measure(&self, kind: Kind, callers: usize, page: &Arc<Page>) -> f64 {
        let (calls, begun) = (Arc::new(AtomicU64::new(0)), Instant::now());
        let caller = |_| {
            let (mut contender, calls, page) = (self.clone(), Arc::clone(&calls), Arc::clone(page));
            tokio::spawn(async move {
                while begun.elapsed() < MEASURED {
                    contender.call(kind, &page).await;
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            })
        };
        for caller in join_all((0..callers).map(caller)).await {
            caller.expect("no call fails");
        }
        #[expect(clippy::cast_precision_loss, reason = "no count is that large")]
        let calls = calls.load(Ordering::Relaxed) as f64;
        calls / begun.elapsed().as_secs_f64()
    }
}

fn middle(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() {
    let server = Server::redis().start();
    let client = support::redis::Client::open(server.url()).expect("the URL is valid");
    // As patient as the cache is here.
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    let direct = client.get_multiplexed_async_connection_with_config(&config).await.expect("the server answers");
    let direct = Contender::Direct(direct);
    let named: Vec<_> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let ours = Contender::Ours(
        Cache::builder().url(server.url()).prefix("ours").codec(Codec::Json).build().expect("the settings are allowed"),
    );
    println!(
        "| call | callers | bytes | cache, calls/s | redis directly, calls/s | ratio |\n|---|---|---|---|---|---|"
    );
    for bytes in [100, 2_000] {
        let page = Arc::new(Page::new(bytes));
        for contender in [&ours, &direct] {
            fill(contender, &page).await;
        }
        for kind in [Kind::Get, Kind::Set, Kind::GetMany] {
            if !named.is_empty() && !named.iter().any(|name| name.eq_ignore_ascii_case(&format!("{kind:?}"))) {
                continue;
            }
            for callers in [1, 64] {
                let (mut mine, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
                for _ in 0..ROUNDS {
                    mine.push(ours.measure(kind, callers, &page).await);
                    theirs.push(direct.measure(kind, callers, &page).await);
                    ratios.push(mine[mine.len() - 1] / theirs[theirs.len() - 1]);
                }
                let (mine, theirs, ratio) = (middle(mine), middle(theirs), middle(ratios));
                println!("| {kind:?} | {callers} | {bytes} | {mine:.0} | {theirs:.0} | {ratio:.2} |");
            }
        }
    }
}

/// Writes every key once.
async fn fill(contender: &Contender, page: &Page) {
    for number in 0..KEYS {
        let key = format!("page:{number}");
        match contender {
            Contender::Ours(cache) => drop(cache.set(&key, page).ttl(TTL).await.expect("it is written")),
            Contender::Direct(connection) => {
                let bytes = serde_json::to_vec(page).expect("it is JSON");
                let mut connection = connection.clone();
                let key = format!("direct:1:{key}");
                let () = connection.set_ex(key, bytes, TTL.as_secs()).await.expect("it is written");
            }
        }
    }
}
