//! What becomes of sessions while their server is away, slow, full, or its answers are lost.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use support::{Fault, On, Proxy, Server, When, eventually};
use task_runtime::cache::session::{OnOutage, SessionError, Sessions};

use crate::fixture::{BOUND, Visitor};

fn on(server: &Server) -> Sessions {
    Sessions::connect(&server.url()).expect("the URL of a test server is valid")
}

/// A visitor for whom a session is there.
async fn known(sessions: &Sessions) -> Visitor {
    let mut visitor = Visitor::new(sessions);
    visitor.sets("a", "1").await;
    visitor
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_server_is_away_calls_are_errors_in_time_and_afterwards_the_session_is_there() {
    let mut server = Server::redis().config("appendonly yes").config("appendfsync always").start();
    let sessions = on(&server);
    let mut visitor = known(&sessions).await;
    server.kill9();
    let start = Instant::now();
    let read = visitor.request(async |session| session.get::<String>("a").await).await.unwrap_err();
    let written = visitor.request(async |session| session.set("a", "2")).await.unwrap_err();
    for error in [read, written] {
        assert_eq!(error.status(), StatusCode::SERVICE_UNAVAILABLE, "{error}");
    }
    assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
    server.restart();
    eventually("the session is there", BOUND, async || {
        let read = visitor.request(async |session| session.get::<String>("a").await).await;
        read.ok().map(|value| assert_eq!(value.as_deref(), Some("1")))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_is_an_anonymous_visitor_if_that_is_asked_for_and_pages_do_not_wait_for_it() {
    let mut server = Server::redis().start();
    let sessions = Sessions::builder().url(server.url()).on_outage(OnOutage::Anonymous).build().unwrap();
    let mut visitor = known(&sessions).await;
    let cookie = visitor.cookie.clone();
    server.freeze();
    let start = Instant::now();
    for _ in 0..20 {
        let value = visitor
            .request(async |session| {
                let value: Option<String> = session.get("a").await?;
                session.set("b", "dropped")?;
                Ok(value)
            })
            .await
            .unwrap();
        assert_eq!((value, &visitor.cookie), (None, &cookie), "and the cookie stays");
    }
    // 20 waits would be 5 s.
    assert!(start.elapsed() < Duration::from_millis(1_500), "20 pages took {:?}", start.elapsed());
    // One that only writes finds out when its handler has returned.
    visitor.request(async |session| session.set("b", "dropped")).await.unwrap();
    // What must not be dropped in silence is an error.
    let log_in = async |session: &task_runtime::cache::session::Session| session.set_user("42");
    assert!(visitor.request(log_in).await.is_err());
    let log_out = visitor.request(async |session| session.destroy().await).await;
    assert!(log_out.unwrap_err().status() == StatusCode::SERVICE_UNAVAILABLE);
    assert!(visitor.request(async |session| session.increment("n", 1).await).await.is_err());
    server.thaw();
    eventually("the visitor is known again", BOUND, async || {
        let value = visitor.reads("a").await;
        value.map(|value| assert_eq!(value, "1"))
    })
    .await;
    assert_eq!((visitor.reads("b").await, visitor.cookie.clone()), (None, cookie));
    visitor.request(log_in).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_server_refuses_writes_and_sessions_are_read_live_on_and_end() {
    let server = Server::redis().start();
    let sessions = on(&server);
    let mut visitor = known(&sessions).await;
    server.command(&["CONFIG", "SET", "maxmemory", "1"]);
    let error = visitor.request(async |session| session.set("b", "2")).await.unwrap_err();
    assert!(matches!(error, SessionError::Full) && error.to_string().contains("maxmemory"), "{error}");
    assert_eq!(visitor.reads("a").await.as_deref(), Some("1"));
    visitor.request(async |session| session.destroy().await).await.unwrap();
    server.command(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(visitor.reads("a").await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_whose_answer_is_lost_is_made_and_one_that_cannot_be_repeated_is_in_doubt() {
    let server = Server::redis().start();
    let proxy = Proxy::to(server.port());
    let sessions = Sessions::connect(&proxy.url()).unwrap();
    let mut visitor = known(&sessions).await;
    let lost = proxy.inject(On::Script("write"), When::First(1), Fault::Cut);
    visitor.sets("a", "2").await;
    assert_eq!((lost.hits(), visitor.reads("a").await.as_deref()), (1, Some("2")));
    lost.lift();
    let lost = proxy.inject(On::Script("write"), When::First(1), Fault::Cut);
    let counted = visitor.request(async |session| session.increment("n", 1).await).await;
    assert!(matches!(counted, Err(SessionError::Unknown { .. })), "{counted:?}");
    lost.lift();
    let held: Option<i64> = visitor.request(async |session| session.get("n").await).await.unwrap();
    assert_eq!(held, Some(1), "it was counted once");
    let lost = proxy.inject(On::Script("read"), When::First(2), Fault::Cut);
    assert_eq!(visitor.reads("a").await.as_deref(), Some("2"));
    assert_eq!(lost.hits(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_on_which_nothing_comes_any_more_is_given_up() {
    let server = Server::redis().start();
    let proxy = Proxy::to(server.port());
    let deadline = Duration::from_millis(200);
    for on_outage in [OnOutage::Fail, OnOutage::Anonymous] {
        let sessions = Sessions::builder().url(proxy.url()).deadline(deadline).on_outage(on_outage).build().unwrap();
        let mut visitor = known(&sessions).await;
        for round in 0..2 {
            // Several in a row, so that nothing that is learned of one makes the wait on the next too long.
            let mute = proxy.inject(On::Script("read"), When::First(3), Fault::Mute);
            let start = Instant::now();
            let value = eventually("the session is read", BOUND, async || {
                let read = visitor.request(async |session| session.get::<String>("a").await).await;
                read.ok().flatten()
            });
            assert_eq!(value.await, "1");
            assert_eq!(mute.hits(), 3, "round {round}");
            assert!(start.elapsed() < Duration::from_secs(8), "round {round}: {:?}", start.elapsed());
            mute.lift();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_in_whose_answer_is_lost_has_its_new_id_all_the_same() {
    let server = Server::redis().start();
    let proxy = Proxy::to(server.port());
    let sessions = Sessions::connect(&proxy.url()).unwrap();
    let mut visitor = known(&sessions).await;
    let (old, lost) = (visitor.cookie.clone(), proxy.inject(On::Script("write"), When::First(1), Fault::Cut));
    visitor
        .request(async |session| {
            session.cycle_id();
            session.set_user("42")
        })
        .await
        .unwrap();
    assert_eq!(lost.hits(), 1);
    assert_ne!(visitor.cookie, old);
    assert_eq!(visitor.reads("a").await.as_deref(), Some("1"));
    assert_eq!(visitor.request(async |session| session.user().await).await.unwrap().as_deref(), Some("42"));
    let [one] = <[_; 1]>::try_from(sessions.of_user("42").await.unwrap()).unwrap();
    assert_eq!(visitor.request(async |session| session.handle().await).await.unwrap(), Some(one.handle));
}
