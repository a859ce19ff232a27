//! What one request costs that reads or writes one field of a session, beside stores that load and save all of it.
//!
//! `tests/run sessions` runs it on a Redis of its own: bytes from and to the server, time, and the processor time of the
//! server for each request, of one caller after the other.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::Value;
use support::Server;
use support::redis::aio::MultiplexedConnection;
use support::redis::{AsyncCommands as _, FromRedisValue};
use task_runtime::cache::session::{Sessions, TowerStore};
use tower_sessions::SessionStore as _;
use tower_sessions_core_014::SessionStore as _;
use tower_sessions_redis_store::fred::prelude::{Builder, Client, ClientLike as _, Config};

/// How long each cell of the table is measured.
const MEASURED: Duration = Duration::from_secs(1);
/// Most requests of a cell.
const MAX_REQUESTS: u32 = 20_000;
/// Requests before that, for connections and scripts.
const WARM_UP: u32 = 20;
/// The field that is read and written, its bytes, and how long sessions live.
const FIELD: &str = "theme";
const FIELD_BYTES: usize = 100;
const TTL: Duration = Duration::from_secs(3600);

type Fields = HashMap<String, Value>;

/// What a session holds beside the field.
fn fields(number: usize, bytes: usize) -> Fields {
    let others = (0..number).map(|at| (format!("field {at}"), Value::String("x".repeat(bytes - 2))));
    others.chain([(FIELD.to_owned(), theme(0))]).collect()
}

/// A value of the field; each is another, so that whoever saves only changes has one.
fn theme(request: u32) -> Value {
    Value::String(format!("{request:0>width$}", width = FIELD_BYTES - 2))
}

/// A store that is measured.
enum Contender {
    /// `Session`: the field alone.
    Fields { sessions: Sessions, cookie: HeaderMap },
    /// `TowerStore`: loads all, saves what changed.
    Tower { store: TowerStore, id: tower_sessions::session::Id },
    /// `tower-sessions-redis-store`: all of it, as MessagePack.
    TowerRedis { store: tower_sessions_redis_store::RedisStore<Client>, id: tower_sessions_core_014::session::Id },
    /// As Django does on django-redis: all of it as one value, here JSON.
    Blob { connection: MultiplexedConnection },
}

impl Contender {
    async fn all(server: &Server, fields: &Fields) -> Vec<(&'static str, Self)> {
        let sessions = Sessions::builder().url(server.url()).ttl(TTL).max_session_bytes(8 << 20).build();
        let sessions = sessions.expect("the settings are allowed");
        let session = sessions.open(&HeaderMap::new());
        fields.iter().for_each(|(name, value)| session.set(name, value).expect("the field is short enough"));
        let mut headers = HeaderMap::new();
        session.finish(StatusCode::OK, &mut headers).await.expect("the session is written");
        let cookie =
            headers[header::SET_COOKIE].to_str().expect("a cookie is text").split(';').next().map(str::to_owned);
        let cookie = HeaderValue::from_str(&cookie.expect("a cookie begins with its name")).expect("it is text");
        let cookie = HeaderMap::from_iter([(header::COOKIE, cookie)]);

        let store = TowerStore::new(sessions.clone());
        let expiry_date = (std::time::SystemTime::now() + TTL).into();
        let mut record = tower_sessions::session::Record {
            id: tower_sessions::session::Id::default(),
            data: fields.clone(),
            expiry_date,
        };
        store.create(&mut record).await.expect("the record is written");
        let tower = Self::Tower { store, id: record.id };

        let config = Config::from_url(&server.url()).expect("the URL is valid");
        let client = Builder::from_config(config).build().expect("a client can be built");
        client.init().await.expect("the server answers");
        let store = tower_sessions_redis_store::RedisStore::new(client);
        let mut record = tower_sessions_core_014::session::Record {
            id: tower_sessions_core_014::session::Id::default(),
            data: fields.clone(),
            expiry_date,
        };
        store.create(&mut record).await.expect("the record is written");
        let tower_redis = Self::TowerRedis { store, id: record.id };

        let client = support::redis::Client::open(server.url()).expect("the URL is valid");
        let mut connection = client.get_multiplexed_async_connection().await.expect("the server answers");
        let blob = serde_json::to_vec(fields).expect("it is JSON");
        let () = connection.set_ex("blob", blob, TTL.as_secs()).await.expect("it is written");
        vec![
            ("Session", Self::Fields { sessions, cookie }),
            ("TowerStore", tower),
            ("tower-sessions-redis-store 0.16", tower_redis),
            ("one value, as django-redis", Self::Blob { connection }),
        ]
    }

    /// A request that reads the field.
    async fn read(&mut self) -> usize {
        let value = match self {
            Self::Fields { sessions, cookie } => {
                let session = sessions.open(cookie);
                let value: Option<Value> = session.get(FIELD).await.expect("the server answers");
                session.finish(StatusCode::OK, &mut HeaderMap::new()).await.expect("there is nothing to send");
                value
            }
            Self::Tower { store, id } => {
                store.load(id).await.expect("the server answers").and_then(|mut record| record.data.remove(FIELD))
            }
            Self::TowerRedis { store, id } => {
                store.load(id).await.expect("the server answers").and_then(|mut record| record.data.remove(FIELD))
            }
            Self::Blob { connection } => load(connection).await.remove(FIELD),
        };
        value.and_then(|value| value.as_str().map(str::len)).expect("the field is there")
    }

    /// A request that writes the field and reads nothing.
    async fn write(&mut self, request: u32) {
        match self {
            Self::Fields { sessions, cookie } => {
                let session = sessions.open(cookie);
                session.set(FIELD, &theme(request)).expect("the field is short enough");
                session.finish(StatusCode::OK, &mut HeaderMap::new()).await.expect("it is written");
            }
            Self::Tower { store, id } => {
                let mut record = store.load(id).await.expect("the server answers").expect("it is there");
                record.data.insert(FIELD.into(), theme(request));
                store.save(&record).await.expect("it is written");
            }
            Self::TowerRedis { store, id } => {
                let mut record = store.load(id).await.expect("the server answers").expect("it is there");
                record.data.insert(FIELD.into(), theme(request));
                store.save(&record).await.expect("it is written");
            }
            Self::Blob { connection } => {
                let mut fields = load(connection).await;
                fields.insert(FIELD.into(), theme(request));
                let blob = serde_json::to_vec(&fields).expect("it is JSON");
                let () = connection.set_ex("blob", blob, TTL.as_secs()).await.expect("it is written");
            }
        }
    }
}

async fn load(connection: &mut MultiplexedConnection) -> Fields {
    let blob: Vec<u8> = connection.get("blob").await.expect("the server answers");
    serde_json::from_slice(&blob).expect("it is JSON")
}

/// What a server counts.
#[derive(Clone, Copy, Default)]
struct Usage {
    sent: f64,
    received: f64,
    processor_us: f64,
}

impl Usage {
    fn of(server: &Server) -> Self {
        let info = String::from_redis_value(server.command(&["INFO", "all"])).expect("INFO is text");
        let number = |name: &str| -> f64 {
            let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.expect("every server counts it").trim().parse().expect("it is a number")
        };
        Self {
            sent: number("total_net_output_bytes"),
            received: number("total_net_input_bytes"),
            processor_us: (number("used_cpu_sys") + number("used_cpu_user")) * 1e6,
        }
    }

    fn since(self, before: Self, requests: u32) -> Self {
        let each = |now: f64, then: f64| ((now - then) / f64::from(requests)).max(0.0);
        Self {
            sent: each(self.sent, before.sent),
            received: each(self.received, before.received),
            processor_us: each(self.processor_us, before.processor_us),
        }
    }
}

async fn measure(server: &Server, contender: &mut Contender, writes: bool) -> (Duration, Usage) {
    let mut number = 0;
    let mut request = async |contender: &mut Contender| {
        number += 1;
        match writes {
            true => contender.write(number).await,
            false => assert_eq!(contender.read().await, FIELD_BYTES - 2),
        }
    };
    for _ in 0..WARM_UP {
        request(contender).await;
    }
    let (before, start, mut requests) = (Usage::of(server), Instant::now(), 0);
    while start.elapsed() < MEASURED && requests < MAX_REQUESTS {
        request(contender).await;
        requests += 1;
    }
    let took = start.elapsed() / requests;
    let after = Usage::of(server);
    // The look at the counters has its own answer of some kilobytes, spread over all requests.
    let look = Usage::of(server).since(after, 1);
    let usage = after.since(before, requests);
    let without = |all: f64, look: f64| (all - look / f64::from(requests)).max(0.0);
    (took, Usage { sent: without(usage.sent, look.sent), received: without(usage.received, look.received), ..usage })
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    // `cargo test --benches` only looks whether it is built.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let server = Server::redis().start();
    println!("one field of {FIELD_BYTES} bytes, one caller, for each request:\n");
    println!("| session | request | store | from the server | to the server | time | server's processor |");
    println!("|---|---|---|---|---|---|---|");
    for (name, fields) in [("2 KB in 20 fields", fields(20, 100)), ("2 MB in 20 fields", fields(20, 100 * 1024))] {
        for (writes, request) in [(false, "reads"), (true, "writes")] {
            server.command(&["FLUSHALL"]);
            for (store, mut contender) in Contender::all(&server, &fields).await {
                let (took, usage) = measure(&server, &mut contender, writes).await;
                println!(
                    "| {name} | {request} | {store} | {:.0} B | {:.0} B | {:.0} µs | {:.0} µs |",
                    usage.sent,
                    usage.received,
                    took.as_secs_f64() * 1e6,
                    usage.processor_us,
                );
            }
        }
    }
}
