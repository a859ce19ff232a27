//! What goes over the wire, and how often.

use support::redis::FromRedisValue;
use support::{On, Proxy, Server, ServerOptions};
use task_runtime::cache::session::Sessions;

use crate::fixture::Visitor;

/// Bytes of a session that is large, and of the field that is asked for.
const LARGE: usize = 2 * 1024 * 1024;
const SMALL: usize = 100;

/// How many bytes a server has sent.
fn sent(server: &Server) -> u64 {
    let info = String::from_redis_value(server.command(&["INFO", "stats"])).expect("INFO is text");
    let line = info.lines().find_map(|line| line.strip_prefix("total_net_output_bytes:"));
    line.expect("every server counts its bytes").trim().parse().expect("it is a number")
}

async fn reads_little(options: ServerOptions) {
    let server = options.start();
    let sessions = Sessions::connect(&server.url()).expect("the URL of a test server is valid");
    let mut visitor = Visitor::new(&sessions);
    for part in 0..4 {
        visitor.sets(&format!("part {part}"), &"x".repeat(LARGE / 4)).await;
    }
    visitor.sets("small", &"s".repeat(SMALL - 2)).await;
    // The script is there, and what it costs to look at the counter is known.
    assert_eq!(visitor.reads("small").await.map(|value| value.len()), Some(SMALL - 2));
    let (first, second) = (sent(&server), sent(&server));
    assert_eq!(visitor.reads("small").await.map(|value| value.len()), Some(SMALL - 2));
    let moved = (sent(&server) - second).saturating_sub(second - first);
    println!("one field of {SMALL} bytes of a session of {LARGE} bytes: {moved} bytes from the server");
    assert!(moved < 1_024, "{moved} bytes");
    let before = sent(&server);
    visitor.request(async |session| session.all().await).await.unwrap();
    assert!(sent(&server) - before > LARGE as u64, "all of it is all of it");
}

#[tokio::test]
async fn reading_a_small_field_of_a_large_session_moves_less_than_a_kilobyte_on_redis() {
    reads_little(Server::redis()).await;
}

#[tokio::test]
async fn reading_a_small_field_of_a_large_session_moves_less_than_a_kilobyte_on_valkey() {
    reads_little(Server::valkey()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_costs_one_call_for_its_reads_and_one_for_its_writes_or_none() {
    let server = Server::redis().start();
    let proxy = Proxy::to(server.port());
    let sessions = Sessions::connect(&proxy.url()).unwrap();
    let calls = || proxy.seen(On::AnyScript);
    let mut visitor = Visitor::new(&sessions);
    visitor.request(async |_| Ok(())).await.unwrap();
    visitor.request(async |session| session.get::<String>("a").await).await.unwrap();
    assert_eq!(calls(), 0, "nothing is asked about a visitor without a cookie");
    for round in 0..3 {
        let before = calls();
        visitor
            .request(async |session| {
                for field in ["a", "b", "c"] {
                    session.set(field, &round)?;
                }
                Ok(())
            })
            .await
            .unwrap();
        assert_eq!(calls() - before, 1, "round {round}");
    }
    let before = calls();
    visitor
        .request(async |session| {
            session.load(&["a", "b", "c"]).await?;
            for field in ["a", "b", "c", "a"] {
                assert_eq!(session.get::<i32>(field).await?, Some(2));
            }
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(calls() - before, 1);
    let before = calls();
    visitor.request(async |_| Ok(())).await.unwrap();
    assert_eq!(calls(), before, "who does not use the session does not pay for it");
}
