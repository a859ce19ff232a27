//! All sessions of a user.

use support::eventually;
use task_runtime::cache::session::{SessionHandle, Sessions};

use crate::fixture::{BOUND, Raw, Visitor};

async fn logged_in(sessions: &Sessions, user: &str) -> (Visitor, SessionHandle) {
    let mut visitor = Visitor::new(sessions);
    visitor
        .request(async |session| {
            session.cycle_id();
            session.set_user(user)
        })
        .await
        .unwrap();
    let handle = handle(&mut visitor).await.expect("the visitor has a session");
    (visitor, handle)
}

async fn handle(visitor: &mut Visitor) -> Option<SessionHandle> {
    visitor.request(async |session| session.handle().await).await.unwrap()
}

async fn user(visitor: &mut Visitor) -> Option<String> {
    visitor.request(async |session| session.user().await).await.unwrap()
}

async fn listed(sessions: &Sessions, user: &str) -> Vec<SessionHandle> {
    sessions.of_user(user).await.unwrap().into_iter().map(|session| session.handle).collect()
}

pub(crate) async fn the_sessions_of_a_user_are_listed_the_one_seen_last_first(raw: &Raw) {
    let sessions = raw.sessions();
    let (mut phone, phone_handle) = logged_in(&sessions, "42").await;
    let (_, desk_handle) = logged_in(&sessions, "42").await;
    let (mut other, other_handle) = logged_in(&sessions, "43").await;
    assert_eq!(user(&mut phone).await.as_deref(), Some("42"));
    assert_eq!(user(&mut other).await.as_deref(), Some("43"));
    eventually("the phone was seen last", BOUND, async || {
        phone.sets("a", "1").await;
        (listed(&sessions, "42").await == [phone_handle, desk_handle]).then_some(())
    })
    .await;
    let first = sessions.of_user("42").await.unwrap()[0];
    assert!(first.created <= first.last_seen);
    assert!(first.last_seen.elapsed().unwrap_or_default().as_secs() < 60);
    assert_eq!(listed(&sessions, "43").await, [other_handle]);
    assert!(listed(&sessions, "nobody").await.is_empty());
    phone.request(async |session| session.destroy().await).await.unwrap();
    assert_eq!(listed(&sessions, "42").await, [desk_handle]);
}

pub(crate) async fn all_sessions_of_a_user_end_but_the_one_that_is_kept(raw: &Raw) {
    let sessions = raw.sessions();
    let (mut here, kept) = logged_in(&sessions, "42").await;
    let (mut there, _) = logged_in(&sessions, "42").await;
    let (mut elsewhere, _) = logged_in(&sessions, "42").await;
    let (mut other, _) = logged_in(&sessions, "43").await;
    let late = there.open();
    assert_eq!(late.user().await.unwrap().as_deref(), Some("42"));
    assert_eq!(sessions.end_all("42", Some(kept)).await.unwrap(), 2);
    for gone in [&mut there, &mut elsewhere] {
        assert_eq!((user(gone).await, handle(gone).await), (None, None));
    }
    late.set("a", "1").unwrap();
    there.finish(&late).await.unwrap();
    assert_eq!(there.reads("a").await, None, "what was under way does not bring it back");
    assert_eq!(user(&mut here).await.as_deref(), Some("42"));
    assert_eq!(user(&mut other).await.as_deref(), Some("43"));
    assert_eq!(listed(&sessions, "42").await, [kept]);
    assert_eq!(sessions.end_all("42", None).await.unwrap(), 1);
    assert_eq!((user(&mut here).await, sessions.end_all("42", None).await.unwrap()), (None, 0));
}

pub(crate) async fn one_session_of_a_user_ends_and_one_of_another_user_does_not(raw: &Raw) {
    let sessions = raw.sessions();
    let (mut mine, handle) = logged_in(&sessions, "42").await;
    let (mut theirs, other) = logged_in(&sessions, "43").await;
    let from_a_form: SessionHandle = other.to_string().parse().unwrap();
    assert!(!sessions.end("42", from_a_form).await.unwrap());
    assert_eq!(user(&mut theirs).await.as_deref(), Some("43"));
    assert!(sessions.end("42", handle).await.unwrap());
    assert!(!sessions.end("42", handle).await.unwrap(), "it has ended");
    assert_eq!(user(&mut mine).await, None);
}

pub(crate) async fn a_session_that_changes_its_id_is_listed_under_the_new_one_alone(raw: &Raw) {
    let sessions = raw.sessions();
    let (mut visitor, old) = logged_in(&sessions, "42").await;
    visitor
        .request(async |session| {
            session.cycle_id();
            Ok(())
        })
        .await
        .unwrap();
    let new = handle(&mut visitor).await.unwrap();
    assert_ne!(new, old);
    assert_eq!(listed(&sessions, "42").await, [new]);
    assert_eq!(user(&mut visitor).await.as_deref(), Some("42"));
    assert!(!sessions.end("42", old).await.unwrap());
}

pub(crate) async fn a_session_that_changes_its_user_is_no_longer_listed_for_the_old_one(raw: &Raw) {
    let sessions = raw.sessions();
    let (mut visitor, before) = logged_in(&sessions, "42").await;
    visitor.request(async |session| session.set_user("43")).await.unwrap();
    let handle = handle(&mut visitor).await.unwrap();
    assert_ne!(handle, before, "another user has another id, asked for or not");
    visitor.request(async |session| session.set_user("43")).await.unwrap();
    assert_eq!((listed(&sessions, "42").await, listed(&sessions, "43").await), (vec![], vec![handle]));
    assert_eq!(sessions.end_all("42", None).await.unwrap(), 0);
    assert_eq!(user(&mut visitor).await.as_deref(), Some("43"));
    visitor
        .request(async |session| {
            session.clear_user();
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!((user(&mut visitor).await, listed(&sessions, "43").await), (None, vec![]));
}

pub(crate) async fn a_session_that_changes_its_id_meanwhile_ends_with_the_others(raw: &Raw) {
    let sessions = raw.sessions();
    for _ in 0..20 {
        let (mut visitor, _) = logged_in(&sessions, "42").await;
        let changing = {
            let mut visitor = visitor.clone();
            tokio::spawn(async move {
                for _ in 0..3 {
                    visitor
                        .request(async |session| {
                            session.cycle_id();
                            Ok(())
                        })
                        .await
                        .unwrap();
                }
                visitor
            })
        };
        sessions.end_all("42", None).await.unwrap();
        // Whatever id it had got by then, or got afterwards, it is nobody's.
        let mut changed = changing.await.unwrap();
        assert_eq!((user(&mut changed).await, user(&mut visitor).await), (None, None));
        assert_eq!(listed(&sessions, "42").await, []);
    }
}

pub(crate) async fn a_user_has_no_more_sessions_than_the_limit_and_the_oldest_end(raw: &Raw) {
    let sessions = raw.builder().max_sessions_per_user(3).build().unwrap();
    let mut visitors = Vec::new();
    for _ in 0..6 {
        visitors.push(logged_in(&sessions, "42").await);
        // A clock in milliseconds has to tell them apart.
        tokio::time::timeout(std::time::Duration::from_millis(3), std::future::pending::<()>()).await.unwrap_err();
    }
    let mut there = listed(&sessions, "42").await;
    let mut newest: Vec<_> = visitors[3..].iter().map(|(_, handle)| *handle).collect();
    there.sort_unstable();
    newest.sort_unstable();
    assert_eq!(there, newest);
    for (number, (visitor, _)) in visitors.iter_mut().enumerate() {
        assert_eq!(user(visitor).await.is_some(), number >= 3, "{number}");
    }
}
