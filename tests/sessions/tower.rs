//! The store for the crate `tower-sessions`: an application as it was written for any store of that crate.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use support::Place;
use support::redis::FromRedisValue;
use task_runtime::cache::session::TowerStore;
use tokio::sync::Barrier;
use tower_sessions::session::{Id, Record};
use tower_sessions::{Session, SessionManagerLayer, SessionStore};

use crate::fixture::Raw;

/// Requests of one visitor at the same time.
const AT_ONCE: usize = 8;

fn everywhere() -> [Raw; 3] {
    [Raw::at(Place::memory()), Raw::at(Place::redis()), Raw::at(Place::valkey())]
}

fn record() -> Record {
    let expiry_date = std::time::SystemTime::now() + std::time::Duration::from_secs(60);
    Record { id: Id::default(), data: HashMap::new(), expiry_date: expiry_date.into() }
}

/// What an application sees of a record.
fn seen(record: Option<Record>) -> Option<HashMap<String, serde_json::Value>> {
    record.map(|mut record| {
        record.data.retain(|name, _| !name.starts_with('\0'));
        record.data
    })
}

#[tokio::test]
async fn a_record_comes_back_as_it_was_saved() {
    for raw in everywhere() {
        let store = TowerStore::new(raw.sessions());
        let mut record = record();
        record.data.insert("a".into(), serde_json::json!({"list": [1, 2.5, null], "text": "\u{e4}"}));
        record.data.insert("b".into(), 1.into());
        store.create(&mut record).await.unwrap();
        let mut loaded = store.load(&record.id).await.unwrap().unwrap();
        assert_eq!(seen(Some(loaded.clone())), Some(record.data.clone()));
        loaded.data.remove("a");
        loaded.data.insert("c".into(), "new".into());
        store.save(&loaded).await.unwrap();
        let expected = HashMap::from([("b".to_owned(), 1.into()), ("c".to_owned(), "new".into())]);
        assert_eq!(seen(store.load(&record.id).await.unwrap()), Some(expected));
        store.delete(&record.id).await.unwrap();
        assert_eq!(store.load(&record.id).await.unwrap(), None);
        raw.every_key_has_its_end();
    }
}

#[tokio::test]
async fn records_that_are_saved_at_the_same_time_lose_no_entry_of_each_other() {
    for raw in everywhere() {
        let store = TowerStore::new(raw.sessions());
        let mut first = record();
        first.data.insert("both".into(), 0.into());
        first.data.insert("goes".into(), 0.into());
        store.create(&mut first).await.unwrap();
        let mut one = store.load(&first.id).await.unwrap().unwrap();
        let mut other = store.load(&first.id).await.unwrap().unwrap();
        one.data.insert("one".into(), 1.into());
        one.data.insert("both".into(), 1.into());
        other.data.insert("other".into(), 2.into());
        other.data.remove("goes");
        store.save(&one).await.unwrap();
        store.save(&other).await.unwrap();
        let expected = [("both", 1), ("one", 1), ("other", 2)].map(|(name, value)| (name.to_owned(), value.into()));
        assert_eq!(seen(store.load(&first.id).await.unwrap()), Some(expected.into()));
    }
}

#[tokio::test]
async fn a_record_that_was_deleted_is_not_saved_back() {
    for raw in everywhere() {
        let store = TowerStore::new(raw.sessions());
        let mut first = record();
        first.data.insert("a".into(), 1.into());
        store.create(&mut first).await.unwrap();
        let late = store.load(&first.id).await.unwrap().unwrap();
        store.delete(&first.id).await.unwrap();
        store.save(&late).await.unwrap();
        assert_eq!(store.load(&first.id).await.unwrap(), None);
        let never = record();
        store.save(&never).await.unwrap();
        assert_eq!(store.load(&never.id).await.unwrap(), None, "saving begins no session");
    }
}

#[tokio::test]
async fn a_new_record_with_the_id_of_another_gets_an_id_of_its_own() {
    for raw in everywhere() {
        let store = TowerStore::new(raw.sessions());
        let mut first = record();
        first.data.insert("a".into(), 1.into());
        store.create(&mut first).await.unwrap();
        let mut second = Record { id: first.id, ..record() };
        store.create(&mut second).await.unwrap();
        assert_ne!(second.id, first.id);
        assert_eq!(seen(store.load(&second.id).await.unwrap()), Some(HashMap::new()));
        assert_eq!(seen(store.load(&first.id).await.unwrap()), Some(first.data));
    }
}

#[tokio::test]
async fn a_record_ends_when_tower_sessions_says_and_its_id_is_stored_as_a_hash() {
    for raw in [Raw::at(Place::redis()), Raw::at(Place::valkey())] {
        let store = TowerStore::new(raw.sessions());
        let mut record = record();
        store.create(&mut record).await.unwrap();
        let [(server, key)] = <[_; 1]>::try_from(raw.keys()).expect("one record is one key");
        let ttl = i64::from_redis_value(server.command(&["PTTL", &key])).unwrap();
        assert!((50_000..=60_000).contains(&ttl), "{ttl}");
        assert!(!raw.everything().contains(&record.id.to_string()));
    }
}

async fn write(axum::extract::Path(field): axum::extract::Path<String>, session: Session) -> StatusCode {
    session.insert(&field, 1).await.expect("it can be loaded");
    StatusCode::OK
}

async fn read(session: Session) -> String {
    let mut there = Vec::new();
    for number in 0..AT_ONCE {
        if session.get::<i32>(&format!("f{number}")).await.expect("it can be loaded") == Some(1) {
            there.push(number.to_string());
        }
    }
    there.join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_switches_by_one_line_and_its_requests_at_the_same_time_lose_nothing() {
    for raw in everywhere() {
        // Every one of the requests has loaded the record before any of them saves it.
        let barrier = Arc::new(Barrier::new(AT_ONCE));
        let together = async move |path: axum::extract::Path<String>, session: Session| {
            let status = write(path, session).await;
            barrier.wait().await;
            status
        };
        let router = Router::new()
            .route("/first", post(async |session: Session| session.insert("first", 1).await.expect("it is new")))
            .route("/out", post(async |session: Session| session.flush().await.expect("it is there")))
            .route("/in", post(async |session: Session| session.cycle_id().await.expect("it is there")))
            .route("/write/{field}", post(together))
            .route("/", get(read))
            .layer(SessionManagerLayer::new(TowerStore::new(raw.sessions())).with_secure(false));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let visitor = reqwest::Client::builder().cookie_store(true).no_proxy().build().unwrap();
        let text = async || visitor.get(&url).send().await.unwrap().text().await.unwrap();
        visitor.post(format!("{url}/first")).send().await.unwrap();
        let requests = (0..AT_ONCE).map(|number| {
            let request = visitor.post(format!("{url}/write/f{number}")).send();
            tokio::spawn(async move { request.await.unwrap().status() })
        });
        for request in requests.collect::<Vec<_>>() {
            assert_eq!(request.await.unwrap(), StatusCode::OK);
        }
        let all = (0..AT_ONCE).map(|number| number.to_string()).collect::<Vec<_>>().join(" ");
        assert_eq!(text().await, all);
        visitor.post(format!("{url}/in")).send().await.unwrap();
        assert_eq!(text().await, all, "a new id has everything");
        visitor.post(format!("{url}/out")).send().await.unwrap();
        assert_eq!(text().await, "");
        raw.every_key_has_its_end();
    }
}
