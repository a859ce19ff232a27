//! When a session begins and ends, and under which id.

use std::time::Duration;

use axum::http::header;
use support::eventually;
use task_runtime::cache::session::SessionError;

use crate::fixture::{BOUND, Raw, Visitor};

pub(crate) async fn a_visitor_who_stores_nothing_gets_neither_cookie_nor_key(raw: &Raw) {
    let mut visitor = Visitor::new(&raw.sessions());
    let session = visitor.open();
    assert_eq!(session.get::<String>("name").await.unwrap(), None);
    assert_eq!(session.user().await.unwrap(), None);
    assert_eq!(session.take::<String>("flash").await.unwrap(), None);
    assert_eq!(session.update("name", |name: Option<String>| name).await.unwrap(), None);
    session.remove("name").unwrap();
    session.clear_user();
    session.cycle_id();
    session.destroy().await.unwrap();
    let headers = visitor.finish(&session).await.unwrap();
    assert_eq!(headers.get(header::SET_COOKIE), None);
    assert_eq!((visitor.cookie, raw.keys().len()), (None, 0));
    // Who does not ask for the session says nothing about it either.
    let mut visitor = Visitor::new(&raw.sessions());
    let session = visitor.open();
    assert!(visitor.finish(&session).await.unwrap().is_empty());
}

pub(crate) async fn an_id_that_was_made_up_is_never_taken_on(raw: &Raw) {
    let sessions = raw.sessions();
    let mut stranger = Visitor::new(&sessions);
    stranger.sets("a", "theirs").await;
    let theirs = stranger.cookie.clone().unwrap();
    let (name, value) = theirs.split_once('=').unwrap();
    // Of the right form, and one bit beside that of another visitor.
    let beside = if value.ends_with('A') { 'E' } else { 'A' };
    let made_up = format!("{name}={}{beside}", &value[..value.len() - 1]);
    for made_up in [made_up, format!("{name}=x"), format!("{name}={}", "A".repeat(value.len()))] {
        let mut visitor = Visitor::with(&sessions, &made_up);
        assert_eq!(visitor.reads("a").await, None);
        visitor.sets("a", "ours").await;
        let given = visitor.cookie.clone().unwrap();
        assert!(given != made_up && given != theirs, "a new one is given");
        assert_eq!(visitor.reads("a").await.as_deref(), Some("ours"));
        assert_eq!(Visitor::with(&sessions, &made_up).reads("a").await, None);
    }
    assert_eq!(stranger.reads("a").await.as_deref(), Some("theirs"));
}

pub(crate) async fn a_new_id_has_all_the_fields_and_the_old_one_none(raw: &Raw) {
    let sessions = raw.sessions();
    let mut visitor = Visitor::new(&sessions);
    visitor.sets("cart", "full").await;
    let old = visitor.cookie.clone().unwrap();
    visitor
        .request(async |session| {
            session.cycle_id();
            session.set("name", "Ada")
        })
        .await
        .unwrap();
    assert_ne!(visitor.cookie.as_ref(), Some(&old));
    assert_eq!(visitor.reads("cart").await.as_deref(), Some("full"));
    assert_eq!(visitor.reads("name").await.as_deref(), Some("Ada"));
    let mut thief = Visitor::with(&sessions, &old);
    assert_eq!((thief.reads("cart").await, thief.reads("name").await), (None, None));
    assert_eq!(thief.request(async |session| session.handle().await).await.unwrap(), None);
}

pub(crate) async fn what_a_late_request_writes_under_the_old_id_is_dropped(raw: &Raw) {
    let sessions = raw.sessions();
    let mut visitor = Visitor::new(&sessions);
    visitor.sets("a", "1").await;
    let mut late = visitor.clone();
    // One has read and one has not; and one comes when all is over.
    let (knows, knows_not) = (late.open(), late.open());
    let _: Option<String> = knows.get("a").await.unwrap();
    visitor
        .request(async |session| {
            session.cycle_id();
            Ok(())
        })
        .await
        .unwrap();
    for session in [knows, knows_not, late.open()] {
        session.set("a", "late").unwrap();
        let headers = late.finish(&session).await.unwrap();
        assert_eq!(headers.get(header::SET_COOKIE), None, "it would take the place of the new one");
    }
    let told = late.open();
    told.set("a", "late").unwrap();
    assert!(matches!(told.save().await, Err(SessionError::Ended)));
    assert!(matches!(told.increment("n", 1).await, Err(SessionError::Ended)));
    assert_eq!(visitor.reads("a").await.as_deref(), Some("1"));
}

pub(crate) async fn a_log_in_with_an_id_that_just_died_begins_an_empty_session(raw: &Raw) {
    let sessions = raw.sessions();
    let mut visitor = Visitor::new(&sessions);
    visitor.sets("cart", "full").await;
    let mut twice = visitor.clone();
    for visitor in [&mut visitor, &mut twice] {
        visitor
            .request(async |session| {
                session.cycle_id();
                session.set_user("42")
            })
            .await
            .unwrap();
    }
    assert_eq!(visitor.reads("cart").await.as_deref(), Some("full"));
    assert_eq!(twice.reads("cart").await, None);
    assert_ne!(visitor.cookie, twice.cookie);
    let user = twice.request(async |session| session.user().await).await.unwrap();
    assert_eq!(user.as_deref(), Some("42"), "the one who clicked twice is logged in all the same");
}

pub(crate) async fn a_destroyed_session_is_gone_and_its_cookie_is_taken_back(raw: &Raw) {
    let sessions = raw.sessions();
    let mut visitor = Visitor::new(&sessions);
    visitor.sets("a", "secret words").await;
    let old = visitor.cookie.clone().unwrap();
    let session = visitor.open();
    session.set("b", "not sent").unwrap();
    session.destroy().await.unwrap();
    assert_eq!(session.get::<String>("a").await.unwrap(), None);
    let headers = visitor.finish(&session).await.unwrap();
    let cookie = headers[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.contains("=; ") && cookie.contains("Max-Age=0"), "{cookie}");
    assert_eq!(visitor.cookie, None);
    assert_eq!(Visitor::with(&sessions, &old).reads("a").await, None);
    assert!(!raw.everything().contains("secret words"));
}

pub(crate) async fn a_session_that_ended_under_way_is_not_begun_anew(raw: &Raw) {
    let sessions = raw.sessions();
    let mut visitor = Visitor::new(&sessions);
    visitor.sets("a", "1").await;
    let mut late = visitor.clone();
    let (knows, knows_not) = (late.open(), late.open());
    let _: Option<String> = knows.get("a").await.unwrap();
    visitor.request(async |session| session.destroy().await).await.unwrap();
    for session in [knows, knows_not] {
        session.set("a", "2").unwrap();
        assert_eq!(late.finish(&session).await.unwrap().get(header::SET_COOKIE), None);
    }
    assert_eq!(late.reads("a").await, None);
    assert_eq!(late.cookie, Visitor::with(&sessions, &late.cookie.clone().unwrap()).cookie);
}

pub(crate) async fn a_session_begun_after_the_end_of_another_shares_nothing_with_it(raw: &Raw) {
    let sessions = raw.sessions();
    let mut visitor = Visitor::new(&sessions);
    visitor.sets("a", "1").await;
    let old = visitor.cookie.clone().unwrap();
    visitor
        .request(async |session| {
            assert_eq!(session.get::<String>("a").await?.as_deref(), Some("1"));
            session.destroy().await?;
            session.set("b", "2")
        })
        .await
        .unwrap();
    assert_ne!(visitor.cookie.as_ref(), Some(&old));
    assert_eq!((visitor.reads("a").await, visitor.reads("b").await.as_deref()), (None, Some("2")));
}

pub(crate) async fn a_session_ends_when_it_is_not_used(raw: &Raw) {
    let sessions = raw.builder().ttl(Duration::from_millis(100)).build().unwrap();
    let mut visitor = Visitor::new(&sessions);
    visitor.sets("a", "1").await;
    let old = visitor.cookie.clone();
    let unread = visitor.clone();
    eventually("the keys are gone", BOUND, async || {
        // Nobody looks at the session meanwhile.
        if raw.keys().is_empty() { Some(()) } else { None }
    })
    .await;
    tokio::time::timeout(Duration::from_millis(150), std::future::pending::<()>()).await.unwrap_err();
    let mut again = unread.clone();
    assert_eq!(again.reads("a").await, None);
    // It ended long ago, so that the visitor begins anew.
    again.sets("a", "2").await;
    assert!(again.cookie.is_some() && again.cookie != old);
    assert_eq!(again.reads("a").await.as_deref(), Some("2"));
}

pub(crate) async fn reading_moves_the_end_on_and_sends_the_cookie_anew_but_not_each_time(raw: &Raw) {
    let ttl = Duration::from_secs(2);
    let sessions = raw.builder().ttl(ttl).touch_percent(10).build().unwrap();
    let mut visitor = Visitor::new(&sessions);
    visitor.sets("a", "1").await;
    let start = std::time::Instant::now();
    let (mut reads, mut cookies) = (0, 0);
    eventually("half as long again as the ttl has passed", BOUND, async || {
        let session = visitor.open();
        assert_eq!(session.get::<String>("a").await.unwrap().as_deref(), Some("1"), "it lives on");
        reads += 1;
        cookies += usize::from(visitor.finish(&session).await.unwrap().contains_key(header::SET_COOKIE));
        (start.elapsed() > ttl + ttl / 2).then_some(())
    })
    .await;
    // Every 200 ms in 3 s, if the machine was fast; never more often.
    assert!((3..=16).contains(&cookies) && reads >= 2 * cookies, "{cookies} cookies for {reads} reads");
}

pub(crate) async fn a_lifetime_ends_a_session_that_is_used(raw: &Raw) {
    let lifetime = Duration::from_millis(400);
    let sessions = raw.builder().ttl(Duration::from_secs(60)).lifetime(lifetime).build().unwrap();
    let mut visitor = Visitor::new(&sessions);
    visitor.sets("a", "1").await;
    let start = std::time::Instant::now();
    eventually("the session has ended", BOUND, async || {
        let session = visitor.open();
        let there = session.get::<String>("a").await.unwrap().is_some();
        if there {
            session.set("a", "1").unwrap();
        }
        visitor.finish(&session).await.unwrap();
        (!there).then_some(())
    })
    .await;
    assert!(start.elapsed() >= lifetime - Duration::from_millis(50), "{:?}", start.elapsed());
}

pub(crate) async fn a_session_with_a_ttl_of_its_own_lives_as_long_as_that(raw: &Raw) {
    let (all, own) = (Duration::from_millis(600), Duration::from_secs(3600));
    let sessions = raw.builder().ttl(all).touch_percent(50).build().unwrap();
    let mut remembered = Visitor::new(&sessions);
    let session = remembered.open();
    session.set("a", "1").unwrap();
    session.set_ttl(own).unwrap();
    let headers = remembered.finish(&session).await.unwrap();
    let cookie = headers[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.ends_with("Max-Age=3600"), "{cookie}");
    // And one that changes it later, and gets another id.
    let mut later = Visitor::new(&sessions);
    later.sets("a", "1").await;
    later
        .request(async |session| {
            session.cycle_id();
            session.set_user("42")?;
            session.set_ttl(own)
        })
        .await
        .unwrap();
    // One whose own is shorter lives on while it is read.
    let wide = raw.builder().ttl(own).touch_percent(10).build().unwrap();
    let mut short = Visitor::new(&wide);
    short
        .request(async |session| {
            session.set("a", "1")?;
            session.set_ttl(all)
        })
        .await
        .unwrap();
    let (start, mut forgotten) = (std::time::Instant::now(), Visitor::new(&sessions));
    forgotten.sets("a", "1").await;
    eventually("three times the ttl of all has passed", BOUND, async || {
        assert_eq!(short.reads("a").await.as_deref(), Some("1"), "it is used");
        (start.elapsed() > 3 * all).then_some(())
    })
    .await;
    assert_eq!(forgotten.reads("a").await, None);
    for visitor in [&mut remembered, &mut later] {
        assert_eq!(visitor.reads("a").await.as_deref(), Some("1"));
        visitor.sets("b", "1").await;
    }
    assert_eq!(sessions.of_user("42").await.unwrap().len(), 1);
    eventually("the short one has ended, because nobody reads it", BOUND, async || {
        tokio::time::timeout(2 * all, std::future::pending::<()>()).await.unwrap_err();
        short.clone().reads("a").await.is_none().then_some(())
    })
    .await;
    let refused = remembered.request(async |session| session.set_ttl(Duration::ZERO)).await.unwrap_err();
    assert!(matches!(refused, SessionError::Setting { .. }), "{refused}");
}

pub(crate) async fn a_new_session_cannot_begin_when_the_response_has_left(raw: &Raw) {
    let sessions = raw.sessions();
    let mut visitor = Visitor::new(&sessions);
    let session = visitor.open();
    visitor.finish(&session).await.unwrap();
    session.set("a", "1").unwrap();
    assert!(matches!(session.save().await, Err(SessionError::TooLate)));
    assert!(matches!(session.increment("n", 1).await, Err(SessionError::TooLate)));
    assert_eq!(raw.keys().len(), 0);
    // One that is there can still be written to, but not get another id.
    visitor.sets("a", "1").await;
    let session = visitor.open();
    visitor.finish(&session).await.unwrap();
    session.set("a", "2").unwrap();
    session.save().await.unwrap();
    session.cycle_id();
    assert!(matches!(session.save().await, Err(SessionError::TooLate)));
    assert_eq!(visitor.reads("a").await.as_deref(), Some("2"));
}
