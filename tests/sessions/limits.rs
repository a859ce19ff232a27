//! How much a session may hold.

use std::time::Duration;

use support::eventually;
use task_runtime::cache::session::{SessionError, Sessions};

use crate::fixture::{BOUND, Raw, Visitor};

#[track_caller]
fn is_limit<T: std::fmt::Debug>(answer: Result<T, SessionError>, text: &str) {
    match answer.unwrap_err() {
        error @ SessionError::Limit { .. } => assert!(error.to_string().starts_with(text), "{error}"),
        other => panic!("{other}"),
    }
}

pub(crate) async fn a_session_has_no_more_fields_than_its_limit(raw: &Raw) {
    let mut visitor = Visitor::new(&raw.builder().max_fields(2).build().unwrap());
    visitor.sets("a", "1").await;
    visitor.request(async |session| session.increment("b", 1).await).await.unwrap();
    let message = "a session of 3 fields is over the limit of 2 fields; put several values into one field";
    is_limit(visitor.request(async |session| session.set("c", "1")).await, message);
    is_limit(visitor.request(async |session| session.increment("c", 1).await).await, message);
    is_limit(visitor.request(async |session| session.update("c", |_| Some(1)).await).await, message);
    // What is there can be written, and what makes room can go in with what takes it.
    visitor.sets("a", "2").await;
    visitor
        .request(async |session| {
            session.remove("a")?;
            session.set("c", "3")
        })
        .await
        .unwrap();
    assert_eq!((visitor.reads("a").await, visitor.reads("c").await.as_deref()), (None, Some("3")));
}

pub(crate) async fn a_value_has_no_more_bytes_than_its_limit(raw: &Raw) {
    let mut visitor = Visitor::new(&raw.builder().max_field_bytes(10).build().unwrap());
    visitor.sets("a", "12345678").await;
    let message = "the value of session field `a` of 11 bytes is over the limit of 10 bytes";
    is_limit(visitor.request(async |session| session.set("a", "123456789")).await, message);
    let longer = |_: Option<String>| Some("123456789".to_owned());
    is_limit(visitor.request(async |session| session.update("a", longer).await).await, message);
    assert_eq!(visitor.reads("a").await.as_deref(), Some("12345678"));
}

pub(crate) async fn a_session_has_no_more_bytes_than_its_limit_however_it_is_filled(raw: &Raw) {
    let mut visitor = Visitor::new(&raw.builder().max_session_bytes(100).build().unwrap());
    // A name of one byte and a value of 42 with its quotes.
    let value = "x".repeat(40);
    visitor.sets("a", &value).await;
    visitor.sets("b", &value).await;
    is_limit(visitor.request(async |session| session.set("c", &value)).await, "a session of 129 bytes is over");
    is_limit(
        visitor.request(async |session| session.set(&"n".repeat(20), "")).await,
        "a session of 108 bytes is over the limit of 100 bytes; store large values elsewhere",
    );
    let grown = visitor.request(async |session| session.update("a", |a: Option<String>| a.map(|a| a + &value)).await);
    is_limit(grown.await, "a session of 126 bytes is over");
    is_limit(visitor.request(async |session| session.increment("n", 1).await).await, "a session of 107 bytes is over");
    // Written again and again it does not count again.
    for _ in 0..5 {
        visitor.sets("b", &value).await;
    }
    visitor.request(async |session| session.remove("b")).await.unwrap();
    visitor.request(async |session| session.increment("n", 1).await).await.unwrap();
    visitor.sets("c", &value).await;
    assert_eq!(visitor.reads("c").await, Some(value));
}

pub(crate) async fn a_session_over_a_limit_that_was_lowered_may_shrink(raw: &Raw) {
    let wide = raw.sessions();
    let mut visitor = Visitor::new(&wide);
    for field in ["a", "b", "c", "d"] {
        visitor.sets(field, "12345678").await;
    }
    // The memory of a process has the settings of that process.
    if raw.keys().is_empty() {
        return;
    }
    let narrow = raw.builder().max_fields(2).max_session_bytes(20).build().unwrap();
    let mut visitor = Visitor::with(&narrow, &visitor.cookie.unwrap());
    visitor.request(async |session| session.remove("a")).await.unwrap();
    visitor.sets("b", "1234567").await;
    is_limit(visitor.request(async |session| session.set("a", "1")).await, "a session of 4 fields is over");
    is_limit(visitor.request(async |session| session.set("b", "12345678")).await, "a session of 33 bytes is over");
    assert_eq!(visitor.reads("b").await.as_deref(), Some("1234567"));
}

#[tokio::test]
async fn the_memory_of_a_process_holds_no_more_sessions_and_bytes_than_it_may() {
    // 42 bytes in each session.
    let value = "x".repeat(40);
    for (sessions, bytes, stay) in [(3, 1_000, 3), (100, 90, 2)] {
        let sessions = Sessions::builder().memory(sessions, bytes).build().unwrap();
        let mut visitors = Vec::new();
        for _ in 0..6 {
            let mut visitor = Visitor::new(&sessions);
            visitor
                .request(async |session| {
                    session.set_user("42")?;
                    session.set("a", &value[1..])
                })
                .await
                .unwrap();
            visitors.push(visitor);
            // Those that would end first go first; a clock in milliseconds has to tell them apart.
            tokio::time::timeout(Duration::from_millis(3), std::future::pending::<()>()).await.unwrap_err();
        }
        for (number, visitor) in visitors.iter_mut().enumerate() {
            assert_eq!(visitor.reads("a").await.is_some(), number >= 6 - stay, "{number} of {stay}");
        }
        assert_eq!(sessions.of_user("42").await.unwrap().len(), stay);
    }
}

pub(crate) async fn fields_that_have_ended_make_room(raw: &Raw) {
    let mut visitor = Visitor::new(&raw.builder().max_fields(2).max_session_bytes(60).build().unwrap());
    let (value, soon) = ("x".repeat(20), Duration::from_millis(50));
    visitor
        .request(async |session| {
            session.set_for("a", &value, soon)?;
            session.set_for("b", &value, soon)
        })
        .await
        .unwrap();
    eventually("there is room", BOUND, async || {
        visitor
            .request(async |session| {
                session.set("c", &value)?;
                session.set("d", &value)
            })
            .await
            .ok()
    })
    .await;
    assert_eq!(visitor.reads("d").await, Some(value));
}
