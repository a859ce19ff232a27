//! Reading and writing fields.

use std::collections::BTreeMap;
use std::time::Duration;

use support::{eventually, redis::FromRedisValue};
use task_runtime::cache::session::{MAX_FIELD_NAME_BYTES, SessionError};

use crate::fixture::{BOUND, Raw, Visitor};

/// Requests of one visitor at the same time.
const AT_ONCE: usize = 16;

pub(crate) async fn what_a_request_sets_the_next_one_reads(raw: &Raw) {
    let sessions = raw.sessions();
    let (mut ada, mut bob) = (Visitor::new(&sessions), Visitor::new(&sessions));
    ada.sets("name", "Ada").await;
    bob.sets("name", "Bob").await;
    ada.sets("theme", "dark").await;
    assert_eq!(ada.reads("name").await.as_deref(), Some("Ada"));
    assert_eq!(ada.reads("theme").await.as_deref(), Some("dark"));
    assert_eq!((bob.reads("name").await.as_deref(), bob.reads("theme").await), (Some("Bob"), None));
    // Another process has the same sessions, if they are on a server.
    if !raw.keys().is_empty() {
        let mut elsewhere = Visitor::with(&raw.sessions(), &ada.cookie.clone().unwrap());
        assert_eq!(elsewhere.reads("name").await.as_deref(), Some("Ada"));
    }
}

pub(crate) async fn a_request_sees_its_own_writes_before_they_are_sent(raw: &Raw) {
    let mut visitor = Visitor::new(&raw.sessions());
    visitor.sets("a", "old").await;
    visitor
        .request(async |session| {
            session.set("a", "new")?;
            assert_eq!(session.get::<String>("a").await?.as_deref(), Some("new"));
            assert_eq!(session.increment("n", 2).await?, 2);
            session.set("n", &40)?;
            assert_eq!(session.increment("n", 2).await?, 42);
            assert_eq!(session.update("n", |n: Option<i32>| n.map(|n| n + 1)).await?, Some(43));
            session.remove("a")?;
            assert_eq!(session.get::<String>("a").await?, None);
            assert_eq!(session.get::<i32>("n").await?, Some(43));
            session.set("b", "1")?;
            assert_eq!(session.all().await?, BTreeMap::from([("n".into(), 43.into()), ("b".into(), "1".into())]));
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(visitor.reads("a").await, None);
    assert_eq!(visitor.request(async |session| session.get::<i32>("n").await).await.unwrap(), Some(43));
}

pub(crate) async fn a_field_is_loaded_once_per_request_and_no_other_with_it(raw: &Raw) {
    let mut visitor = Visitor::new(&raw.sessions());
    visitor.sets("a", "1").await;
    visitor.sets("b", "1").await;
    let (one, mut other) = (visitor.open(), visitor.clone());
    assert_eq!(one.get::<String>("a").await.unwrap().as_deref(), Some("1"));
    other.sets("a", "2").await;
    other.sets("b", "2").await;
    assert_eq!(one.get::<String>("a").await.unwrap().as_deref(), Some("1"), "it was loaded before");
    assert_eq!(one.get::<String>("b").await.unwrap().as_deref(), Some("2"), "it was not");
    visitor.finish(&one).await.unwrap();
}

pub(crate) async fn several_fields_come_with_one_call(raw: &Raw) {
    let mut visitor = Visitor::new(&raw.sessions());
    visitor.sets("a", "1").await;
    visitor.sets("c", "3").await;
    let (session, mut other) = (visitor.open(), visitor.clone());
    session.load(&["a", "b"]).await.unwrap();
    other.sets("b", "2").await;
    // What was loaded before stays as it was.
    let values = session.get_many::<String>(&["c", "b", "a", "c"]).await.unwrap();
    assert_eq!(values, [Some("3".into()), None, Some("1".into()), Some("3".into())]);
    assert!(session.get_many::<String>(&[]).await.unwrap().is_empty());
    let many = vec!["x"; 2_000];
    let error = session.get_many::<String>(&many).await.unwrap_err().to_string();
    assert_eq!(error, "a read of 2000 fields is over the limit of 1024; read fewer at a time");
}

pub(crate) async fn requests_that_write_different_fields_at_the_same_time_lose_nothing(raw: &Raw) {
    let mut visitor = Visitor::new(&raw.sessions());
    visitor.sets("before", "yes").await;
    let requests = (0..AT_ONCE).map(|number| {
        let mut visitor = visitor.clone();
        tokio::spawn(async move {
            let session = visitor.open();
            // Each of them has seen the session as it was before all the others.
            let _: Option<String> = session.get("before").await.unwrap();
            session.set(&format!("field {number}"), &number).unwrap();
            visitor.finish(&session).await.unwrap();
        })
    });
    for request in requests.collect::<Vec<_>>() {
        request.await.unwrap();
    }
    let names: Vec<String> = (0..AT_ONCE).map(|number| format!("field {number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let values = visitor.request(async |session| session.get_many::<usize>(&names).await).await.unwrap();
    assert_eq!(values, (0..AT_ONCE).map(Some).collect::<Vec<_>>());
}

pub(crate) async fn a_batch_is_written_as_a_whole_or_not_at_all(raw: &Raw) {
    let sessions = raw.builder().max_fields(3).build().unwrap();
    let mut visitor = Visitor::new(&sessions);
    visitor.sets("a", "1").await;
    let session = visitor.open();
    for field in ["a", "b", "c", "d"] {
        session.set(field, "2").unwrap();
    }
    session.set_user("42").unwrap();
    session.cycle_id();
    let error = visitor.finish(&session).await.unwrap_err();
    assert!(matches!(error, SessionError::Limit { .. }), "{error}");
    assert_eq!(visitor.reads("a").await.as_deref(), Some("1"), "the old id is still good");
    assert_eq!((visitor.reads("b").await, sessions.of_user("42").await.unwrap()), (None, vec![]));
}

pub(crate) async fn updates_of_one_field_at_the_same_time_lose_nothing(raw: &Raw) {
    let mut visitor = Visitor::new(&raw.sessions());
    visitor.sets("before", "yes").await;
    let requests = (0..AT_ONCE).map(|number| {
        let mut visitor = visitor.clone();
        let add = move |list: Option<Vec<usize>>| {
            let mut list = list.unwrap_or_default();
            list.push(number);
            Some(list)
        };
        tokio::spawn(async move { visitor.request(async |session| session.update("list", add).await).await })
    });
    for request in requests.collect::<Vec<_>>() {
        let list = request.await.unwrap().unwrap();
        assert!(list.is_some_and(|list| !list.is_empty()));
    }
    let list: Option<Vec<usize>> = visitor.request(async |session| session.get("list").await).await.unwrap();
    let mut list = list.unwrap();
    list.sort_unstable();
    assert_eq!(list, (0..AT_ONCE).collect::<Vec<_>>());
    let gone: Option<Vec<usize>> =
        visitor.request(async |session| session.update("list", |_: Option<Vec<usize>>| None).await).await.unwrap();
    assert_eq!((gone, visitor.reads("list").await), (None, None));
}

pub(crate) async fn increments_at_the_same_time_are_all_counted(raw: &Raw) {
    let mut visitor = Visitor::new(&raw.sessions());
    visitor.request(async |session| session.increment("n", 0).await).await.unwrap();
    let requests = (0..AT_ONCE).map(|_| {
        let mut visitor = visitor.clone();
        tokio::spawn(async move { visitor.request(async |session| session.increment("n", 3).await).await.unwrap() })
    });
    let mut sums = Vec::new();
    for request in requests.collect::<Vec<_>>() {
        sums.push(request.await.unwrap());
    }
    sums.sort_unstable();
    assert_eq!(sums, (1..=AT_ONCE as i64).map(|nth| 3 * nth).collect::<Vec<_>>());
    let held: Option<i64> = visitor.request(async |session| session.get("n").await).await.unwrap();
    assert_eq!(held, Some(3 * AT_ONCE as i64));
}

pub(crate) async fn only_a_whole_number_that_fits_is_counted(raw: &Raw) {
    let mut visitor = Visitor::new(&raw.sessions());
    visitor.request(async |session| session.set("big", &(i64::MAX - 1))).await.unwrap();
    visitor.request(async |session| session.set("half", &0.5)).await.unwrap();
    let mut count = async |field: &str, by| visitor.request(async |session| session.increment(field, by).await).await;
    assert_eq!(count("big", 1).await.unwrap(), i64::MAX, "to the last digit");
    for (field, by) in [("big", 1), ("half", 1)] {
        let error = count(field, by).await.unwrap_err();
        assert!(matches!(&error, SessionError::NotANumber { field: named } if named == field), "{error}");
    }
    assert_eq!(count("big", i64::MIN).await.unwrap(), -1);
    assert_eq!(count("small", i64::MIN).await.unwrap(), i64::MIN);
    // Refused for a visitor without a session, it begins none.
    let mut nobody = Visitor::new(&raw.sessions());
    let refused = nobody.request(async |session| {
        session.set("half", &0.5)?;
        session.increment("half", 1).await
    });
    assert!(refused.await.is_err());
}

pub(crate) async fn one_of_those_who_take_a_field_gets_it(raw: &Raw) {
    let mut visitor = Visitor::new(&raw.sessions());
    visitor.sets("flash", "saved").await;
    let requests = (0..AT_ONCE).map(|_| {
        let mut visitor = visitor.clone();
        tokio::spawn(async move { visitor.request(async |session| session.take::<String>("flash").await).await })
    });
    let mut got = Vec::new();
    for request in requests.collect::<Vec<_>>() {
        got.extend(request.await.unwrap().unwrap());
    }
    assert_eq!(got, ["saved"]);
    assert_eq!(visitor.reads("flash").await, None);
}

pub(crate) async fn a_field_with_a_time_of_its_own_ends_before_its_session(raw: &Raw) {
    let mut visitor = Visitor::new(&raw.sessions());
    let soon = Duration::from_millis(600);
    visitor
        .request(async |session| {
            session.set("stays", "1")?;
            session.set_for("code", "123456", soon)?;
            session.set_for("count", &1, soon)?;
            session.set_for("kept", "1", soon)?;
            session.set_for("late", "1", Duration::from_secs(3600))
        })
        .await
        .unwrap();
    assert_eq!(visitor.reads("code").await.as_deref(), Some("123456"));
    // An update and a count keep the time, a plain write takes it away.
    visitor.request(async |session| session.increment("count", 1).await).await.unwrap();
    visitor.request(async |session| session.update("code", |code: Option<String>| code).await).await.unwrap();
    visitor.sets("kept", "2").await;
    eventually("the fields have ended", BOUND, async || {
        let ended = visitor.request(async |session| session.get_many::<serde_json::Value>(&["code", "count"]).await);
        (ended.await.unwrap() == [None, None]).then_some(())
    })
    .await;
    let stay = ["stays", "kept", "late"];
    let stay = visitor.request(async |session| session.get_many::<String>(&stay).await).await.unwrap();
    assert_eq!(stay, [Some("1".into()), Some("2".into()), Some("1".into())]);
    assert_eq!(visitor.request(async |session| session.increment("count", 1).await).await.unwrap(), 1, "from 0");
    if !raw.keys().is_empty() {
        let everything = raw.everything();
        assert!(!everything.contains("123456"), "a write takes away what has ended: {everything}");
    }
    let error = visitor.request(async |session| session.set_for("x", "", Duration::ZERO)).await.unwrap_err();
    assert!(matches!(error, SessionError::Setting { .. }), "{error}");
}

pub(crate) async fn a_value_of_another_type_is_an_error_and_the_field_can_be_written_anew(raw: &Raw) {
    let mut visitor = Visitor::new(&raw.sessions());
    visitor.sets("age", "forty").await;
    let error = visitor.request(async |session| session.get::<u8>("age").await).await.unwrap_err().to_string();
    assert_eq!(error, "session field `age` does not hold a `u8`: Data at column 7 of 7 bytes");
    let update = visitor.request(async |session| session.update("age", |age: Option<u8>| age).await).await;
    assert!(matches!(update.unwrap_err(), SessionError::Decode { .. }));
    visitor.request(async |session| session.set("age", &40)).await.unwrap();
    assert_eq!(visitor.request(async |session| session.get::<u8>("age").await).await.unwrap(), Some(40));
}

pub(crate) async fn any_name_and_any_value_comes_back_as_it_was(raw: &Raw) {
    let mut visitor = Visitor::new(&raw.sessions());
    let long = "n".repeat(MAX_FIELD_NAME_BYTES);
    let names = ["created", "user", ".a", "!a", "a", "=", "", "{x}", "\0", "\u{1f355} \r\n", "ended", &long];
    let value = |name: &str| BTreeMap::from([(format!("\0{name}\u{7f}\"'"), vec![0.1, -1e300, 5e-324])]);
    let mut written = Vec::new();
    for name in names {
        let set = visitor.request(async |session| session.set(name, &value(name))).await;
        match name {
            "" => assert!(matches!(set.unwrap_err(), SessionError::Name { .. })),
            _ => written.push(name),
        }
    }
    let read = visitor.request(async |session| session.get_many(&written).await).await.unwrap();
    let expected: Vec<_> = written.iter().map(|name| Some(value(name))).collect();
    assert_eq!(read, expected);
    let all = visitor.request(async |session| session.all().await).await.unwrap();
    let expected = written.iter().map(|name| ((*name).to_owned(), serde_json::to_value(value(name)).unwrap()));
    assert_eq!(all, expected.collect());
    assert_eq!(visitor.request(async |session| session.user().await).await.unwrap(), None, "a field is not a user");
}

pub(crate) async fn what_was_removed_is_gone(raw: &Raw) {
    let mut visitor = Visitor::new(&raw.sessions());
    visitor.sets("a", "secret words").await;
    visitor.sets("b", "1").await;
    visitor.request(async |session| session.remove("a")).await.unwrap();
    assert_eq!((visitor.reads("a").await, visitor.reads("b").await.as_deref()), (None, Some("1")));
    assert!(!raw.everything().contains("secret words"));
}

pub(crate) async fn what_is_discarded_or_fails_is_not_written(raw: &Raw) {
    let sessions = raw.sessions();
    let mut visitor = Visitor::new(&sessions);
    visitor.sets("a", "1").await;
    visitor
        .request(async |session| {
            session.set("a", "2")?;
            session.discard();
            Ok(())
        })
        .await
        .unwrap();
    let session = visitor.open();
    session.set("a", "3").unwrap();
    let status = axum::http::StatusCode::INTERNAL_SERVER_ERROR;
    session.finish(status, &mut axum::http::HeaderMap::new()).await.unwrap();
    // The visitor has gone, or the handler has panicked.
    let session = visitor.open();
    session.set("a", "4").unwrap();
    drop(session);
    assert_eq!(visitor.reads("a").await.as_deref(), Some("1"));
    for (server, key) in raw.keys() {
        let kind = String::from_redis_value(server.command(&["TYPE", &key])).unwrap();
        assert_eq!(kind, "hash", "{key}");
    }
}
