//! Random requests, made to the memory of the process and to a server at once: what they see is the same.

use std::fmt::Debug;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use support::Place;
use task_runtime::cache::session::{Session, SessionError, Sessions};

use crate::fixture::{Raw, Visitor};

/// Histories that are played on each server.
const CASES: u32 = 150;
/// Requests of a history at most.
const REQUESTS: usize = 40;
const VISITORS: usize = 3;
const FIELDS: [&str; 4] = ["a", "b", "c", "d"];
const USERS: [&str; 2] = ["ada", "bob"];

/// What a handler does.
#[derive(Clone, Debug)]
enum Step {
    Get(usize),
    Set(usize, usize),
    Remove(usize),
    Increment(usize, i64),
    Append(usize),
    Take(usize),
    Cycle,
    SetUser(usize),
    ClearUser,
    Destroy,
    Save,
    Discard,
    All,
}

/// One request, or what is done from outside.
#[derive(Clone, Debug)]
enum Event {
    /// Of a visitor; with a second request of that visitor, which begins first and ends last.
    Request(usize, Vec<Step>, Option<Vec<Step>>),
    /// A visitor comes with no cookie.
    Forget(usize),
    EndAll(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let field = 0..FIELDS.len();
    let step = prop_oneof![
        2 => field.clone().prop_map(Step::Get),
        4 => (field.clone(), 0_usize..40).prop_map(|(field, length)| Step::Set(field, length)),
        1 => field.clone().prop_map(Step::Remove),
        2 => (field.clone(), prop_oneof![Just(1), Just(-1), Just(i64::MAX)]).prop_map(|(f, by)| Step::Increment(f, by)),
        2 => field.clone().prop_map(Step::Append),
        1 => field.prop_map(Step::Take),
        1 => Just(Step::Cycle),
        1 => (0..USERS.len()).prop_map(Step::SetUser),
        1 => Just(Step::ClearUser),
        1 => Just(Step::Destroy),
        1 => Just(Step::Save),
        1 => Just(Step::Discard),
        1 => Just(Step::All),
    ];
    prop::collection::vec(step, 0..5)
}

fn histories() -> impl Strategy<Value = Vec<Event>> {
    let visitor = 0..VISITORS;
    let event = prop_oneof![
        8 => (visitor.clone(), steps(), prop::option::of(steps())).prop_map(|(v, s, o)| Event::Request(v, s, o)),
        1 => visitor.prop_map(Event::Forget),
        1 => (0..USERS.len()).prop_map(Event::EndAll),
    ];
    prop::collection::vec(event, 1..REQUESTS)
}

/// What was seen, as text; ids are random.
fn seen(what: Result<impl Debug, SessionError>) -> String {
    match what {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("{error}"),
    }
}

async fn act(session: &Session, step: &Step) -> String {
    let field = |number: &usize| FIELDS[*number];
    match step {
        Step::Get(at) => seen(session.get::<serde_json::Value>(field(at)).await),
        Step::Set(at, length) => seen(session.set(field(at), &"x".repeat(*length))),
        Step::Remove(at) => seen(session.remove(field(at))),
        Step::Increment(at, by) => seen(session.increment(field(at), *by).await),
        Step::Append(at) => {
            let append = |text: Option<String>| Some(text.unwrap_or_default() + "yy");
            seen(session.update(field(at), append).await)
        }
        Step::Take(at) => seen(session.take::<serde_json::Value>(field(at)).await),
        Step::Cycle => {
            session.cycle_id();
            String::new()
        }
        Step::SetUser(user) => seen(session.set_user(USERS[*user])),
        Step::ClearUser => {
            session.clear_user();
            String::new()
        }
        Step::Destroy => seen(session.destroy().await),
        Step::Save => seen(session.save().await),
        Step::Discard => {
            session.discard();
            String::new()
        }
        Step::All => seen(session.all().await) + &seen(session.user().await),
    }
}

async fn play(sessions: &Sessions, history: &[Event]) -> Vec<String> {
    let mut visitors = vec![Visitor::new(sessions); VISITORS];
    let mut told = Vec::new();
    for event in history {
        match event {
            Event::Request(number, steps, around) => {
                let visitor = &mut visitors[*number];
                let (outer, inner) = (visitor.open(), visitor.open());
                for step in around.iter().flatten() {
                    told.push(act(&outer, step).await);
                }
                for step in steps {
                    told.push(act(&inner, step).await);
                }
                for session in [inner, outer] {
                    let headers = visitor.finish(&session).await.map(|headers| headers.len());
                    told.push(seen(headers) + &format!(" cookie: {}", visitor.cookie.is_some()));
                }
                let looks = visitor.open();
                told.push(seen(looks.all().await) + &seen(looks.user().await));
            }
            Event::Forget(number) => visitors[*number].cookie = None,
            Event::EndAll(user) => told.push(seen(sessions.end_all(USERS[*user], None).await)),
        }
        for user in USERS {
            told.push(seen(sessions.of_user(user).await.map(|list| list.len())));
        }
    }
    told
}

fn the_same_is_seen(place: fn() -> Place) {
    let config = Config { cases: CASES, max_shrink_iters: 500, failure_persistence: None, ..Config::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be built");
    let small = |raw: &Raw| raw.builder().max_fields(3).max_session_bytes(60).build().expect("they are allowed");
    let server = Raw::at(place());
    let played = TestRunner::new(config).run(&histories(), |history| {
        let (memory, server) = (small(&Raw::at(Place::memory())), small(&server.another()));
        let (in_memory, on_server) =
            runtime.block_on(async { (play(&memory, &history).await, play(&server, &history).await) });
        prop_assert_eq!(in_memory, on_server);
        Ok(())
    });
    if let Err(failure) = played {
        panic!("{failure}");
    }
}

#[test]
fn whatever_is_asked_memory_and_redis_answer_alike() {
    the_same_is_seen(Place::redis);
}

#[test]
fn whatever_is_asked_memory_and_valkey_answer_alike() {
    the_same_is_seen(Place::valkey);
}
