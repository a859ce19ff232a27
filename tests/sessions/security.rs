//! What an attacker tries: to guess an id, to plant one, to read one from the server, to see what is another's, to fill
//! the server.

use std::collections::HashSet;
use std::time::Duration;

use support::Place;
use support::redis::FromRedisValue;
use task_runtime::cache::session::{Session, SessionError};

use crate::fixture::{Raw, Visitor};

#[tokio::test]
async fn guessed_ids_find_no_session_and_do_not_become_one() {
    let raw = Raw::at(Place::redis());
    let sessions = raw.sessions();
    let mut visitors = Vec::new();
    for _ in 0..50 {
        let mut visitor = Visitor::new(&sessions);
        visitor.sets("a", "theirs").await;
        visitors.push(visitor);
    }
    let theirs: HashSet<String> = visitors.iter().map(|visitor| visitor.cookie.clone().unwrap()).collect();
    assert_eq!(theirs.len(), 50);
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for cookie in theirs.iter().take(5) {
        let (name, value) = cookie.split_once('=').unwrap();
        for at in 0..value.len() {
            // All ids beside one that is good.
            let mut guess = value.as_bytes().to_vec();
            let place = alphabet.iter().position(|letter| *letter == guess[at]).unwrap();
            guess[at] = alphabet[(place + 4) % alphabet.len()];
            let guess = format!("{name}={}", String::from_utf8(guess).unwrap());
            let mut attacker = Visitor::with(&sessions, &guess);
            assert_eq!(attacker.reads("a").await, None);
            attacker.sets("b", "mine").await;
            assert_ne!(attacker.cookie.as_ref(), Some(&guess), "the server makes up ids, and nobody else");
        }
    }
    for visitor in &mut visitors {
        assert_eq!((visitor.reads("a").await.as_deref(), visitor.reads("b").await), (Some("theirs"), None));
    }
}

#[tokio::test]
async fn an_id_that_was_planted_is_worth_nothing_after_the_log_in() {
    let raw = Raw::at(Place::redis());
    let sessions = raw.sessions();
    let mut attacker = Visitor::new(&sessions);
    attacker.sets("page", "trap").await;
    let planted = attacker.cookie.clone().unwrap();
    // The victim comes with the attacker's cookie, and logs in. The program asks for no new id.
    let mut victim = Visitor::with(&sessions, &planted);
    victim
        .request(async |session| {
            session.set_user("victim")?;
            session.set("card", "4111")
        })
        .await
        .unwrap();
    assert_eq!(attacker.request(async |session| session.user().await).await.unwrap(), None);
    assert_eq!((attacker.reads("card").await, attacker.reads("page").await), (None, None));
    attacker.sets("role", "admin").await;
    assert_eq!(victim.reads("role").await, None);
    assert_eq!(victim.reads("card").await.as_deref(), Some("4111"));
}

#[tokio::test]
async fn who_reads_the_server_can_take_over_no_session() {
    for raw in [Raw::at(Place::redis()), Raw::at(Place::valkey())] {
        let sessions = raw.sessions();
        let mut visitor = Visitor::new(&sessions);
        visitor
            .request(async |session| {
                session.set_user("42")?;
                session.set("a", "1")
            })
            .await
            .unwrap();
        let cookie = visitor.cookie.clone().unwrap();
        let (name, secret) = cookie.split_once('=').unwrap();
        let everything = raw.everything();
        assert!(everything.contains(".a") && everything.contains("42"), "it is there: {everything}");
        assert!(!everything.contains(secret) && !everything.contains(&secret[2..20]), "{everything}");
        let stored = everything.split(|letter: char| !letter.is_ascii_alphanumeric() && !"-_".contains(letter));
        for word in stored.filter(|word| !word.is_empty()) {
            let mut thief = Visitor::with(&sessions, &format!("{name}={word}"));
            assert_eq!(thief.reads("a").await, None, "{word}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_sees_a_field_of_another_session() {
    for raw in [Raw::at(Place::memory()), Raw::at(Place::redis())] {
        let sessions = raw.sessions();
        let visitors = (0..20).map(|number: usize| {
            let mut visitor = Visitor::new(&sessions);
            tokio::spawn(async move {
                let mine = number.to_string();
                visitor.sets("mine", &mine).await;
                for round in 0..30 {
                    let all = visitor.request(async |session| session.all().await).await.unwrap();
                    assert!(all.values().all(|value| *value == mine.as_str()), "{number}: {all:?}");
                    visitor.sets(&format!("field {}", round % 7), &mine).await;
                    if round % 10 == 9 {
                        visitor
                            .request(async |session: &Session| {
                                session.cycle_id();
                                Ok(())
                            })
                            .await
                            .unwrap();
                    }
                }
            })
        });
        for visitor in visitors.collect::<Vec<_>>() {
            visitor.await.unwrap();
        }
    }
}

/// What a request does.
type Step = fn(&Session) -> Result<(), SessionError>;

#[tokio::test]
async fn no_key_is_without_an_end_after_any_operation() {
    for raw in [Raw::at(Place::redis()), Raw::at(Place::valkey())] {
        let sessions = raw.sessions();
        let mut visitor = Visitor::new(&sessions);
        let steps: [Step; 9] = [
            |session| session.set("a", "1"),
            |session| session.set_for("b", "1", Duration::from_secs(5)),
            |session| session.set_user("42"),
            |session| session.remove("a"),
            |session| {
                session.cycle_id();
                Ok(())
            },
            |session| session.set_user("43"),
            |session| {
                session.clear_user();
                Ok(())
            },
            |session| session.remove("b"),
            |session| {
                session.cycle_id();
                session.set_user("42")
            },
        ];
        for step in steps {
            visitor.request(async |session| step(session)).await.unwrap();
            assert!(raw.every_key_has_its_end() > 0);
        }
        visitor.request(async |session| session.increment("n", 1).await).await.unwrap();
        raw.every_key_has_its_end();
        visitor.request(async |session| session.update("u", |_| Some(1)).await).await.unwrap();
        raw.every_key_has_its_end();
        visitor.request(async |session| session.take::<i32>("u").await).await.unwrap();
        raw.every_key_has_its_end();
        let mut fresh = Visitor::new(&sessions);
        fresh.request(async |session| session.increment("n", 1).await).await.unwrap();
        raw.every_key_has_its_end();
        sessions.of_user("42").await.unwrap();
        visitor.request(async |session| session.destroy().await).await.unwrap();
        assert!(raw.every_key_has_its_end() > 0, "a mark is left of what has ended");
        sessions.end_all("42", None).await.unwrap();
        raw.every_key_has_its_end();
    }
}

#[tokio::test]
async fn no_visitor_makes_a_session_grow_without_bound() {
    for raw in [Raw::at(Place::redis()), Raw::at(Place::valkey())] {
        let sessions = raw.builder().max_fields(20).max_session_bytes(10_000).build().unwrap();
        let mut visitor = Visitor::new(&sessions);
        let mut refused = 0;
        for number in 0..500 {
            let (name, value) = (format!("{number}{}", "n".repeat(number % 100)), "x".repeat(number * 7 % 3_000));
            let written = match number % 3 {
                0 => visitor.request(async |session| session.set(&name, &value)).await,
                1 => visitor.request(async |session| session.increment(&name, 1).await.map(drop)).await,
                _ => visitor.request(async |session| session.set_for(&name, &value, Duration::from_secs(60))).await,
            };
            refused += usize::from(matches!(written, Err(SessionError::Limit { .. })));
        }
        assert!(refused > 400, "{refused}");
        let [(server, key)] = <[_; 1]>::try_from(raw.keys()).expect("one visitor has one key");
        let number = |words: &[&str]| i64::from_redis_value(server.command(words)).unwrap();
        // A time for each field, and nine of ours.
        assert!(number(&["HLEN", &key]) <= 20 * 2 + 9);
        assert!(number(&["MEMORY", "USAGE", &key]) < 20_000);
    }
}

#[tokio::test]
async fn errors_and_debug_texts_show_neither_secrets_nor_values() {
    let raw = Raw::at(Place::redis());
    let sessions = raw.sessions();
    let mut visitor = Visitor::new(&sessions);
    visitor.sets("card", "4111 1111").await;
    let secret = visitor.cookie.clone().unwrap();
    let secret = secret.split_once('=').unwrap().1;
    let session = visitor.open();
    let decode = session.get::<u8>("card").await.unwrap_err();
    let count = session.increment("card", 1).await.unwrap_err();
    let all = format!("{session:?} {sessions:?} {:?} {decode} {decode:?} {count} {count:?}", raw.builder());
    assert!(!all.contains(secret) && !all.contains("4111"), "{all}");
    let wrong = task_runtime::cache::session::Sessions::connect("redis://user:hunter2@@@:x/").unwrap_err();
    assert!(!format!("{wrong} {wrong:?}").contains("hunter2"), "{wrong}");
}

async fn other_all(session: &Session) -> Result<std::collections::BTreeMap<String, serde_json::Value>, SessionError> {
    session.all().await
}

#[tokio::test]
async fn a_session_that_someone_damaged_is_an_error_of_that_visitor_alone() {
    let raw = Raw::at(Place::redis());
    let sessions = raw.sessions();
    let (mut visitor, mut other) = (Visitor::new(&sessions), Visitor::new(&sessions));
    visitor.sets("a", "1").await;
    let [(server, key)] = <[_; 1]>::try_from(raw.keys()).expect("one visitor has one key");
    other.sets("a", "2").await;
    let damages = [
        &["SET", &key, "x", "EX", "60"][..],
        &["HSET", &key, "created", "x"],
        &["HSET", &key, "created", "1", "seen", "x", "ttl", "y", "user", ""],
        &["HSET", &key, "created", "1", "fields", "z", "bytes", "", "soonest", "-"],
    ];
    for damage in damages {
        server.command(&["DEL", &key]);
        server.command(damage);
        server.command(&["EXPIRE", &key, "60"]);
        let late = other.open();
        let (all, read) =
            tokio::join!(other_all(&late), visitor.request(async |session| session.get::<String>("a").await),);
        assert_eq!(all.unwrap().len(), 1, "its connection is that of all");
        let _ = visitor.open().all().await;
        let written = visitor.request(async |session| session.set("a", "3")).await;
        assert!(read.is_err() == (damage[0] == "SET") || damage.contains(&"ttl"), "{damage:?}: {read:?} {written:?}");
        assert_eq!(other.reads("a").await.as_deref(), Some("2"));
    }
}

/// The way to sessions is also the way to keys; that tests see them is tested here.
#[tokio::test]
async fn the_tests_see_the_keys_of_sessions() {
    let raw: Raw = Raw::at(Place::valkey());
    Visitor::new(&raw.sessions()).sets("a", "1").await;
    let [(server, key)] = <[_; 1]>::try_from(raw.keys()).expect("one visitor has one key");
    server.command(&["PERSIST", &key]);
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| raw.every_key_has_its_end())).is_err());
    server.command(&["DEL", &key]);
}
