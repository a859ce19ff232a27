//! Every form of a URL reaches its server, and a bad one never shows its password.

use support::Server;
use support::redis::{FromRedisValue, Value};
use task_runtime::{Client, Error};

use crate::{broker, enqueue};

/// Whether the queue of this broker is in database `number` of `server`.
fn is_in_database(server: &Server, number: u32) -> bool {
    let keyspace = String::from_redis_value(server.command(&["INFO", "keyspace"])).expect("INFO is text");
    keyspace.lines().filter(|line| line.starts_with("db")).all(|line| line.starts_with(&format!("db{number}:")))
        && keyspace.contains("db")
}

#[tokio::test]
async fn a_password() {
    let server = Server::redis().password("open:sesame,/?@").start();
    let encoded = "open%3Asesame%2C%2F%3F%40";
    let url = format!("redis://:{encoded}@127.0.0.1:{}", server.port());
    enqueue(&*broker(&url).unwrap(), "mail", "a").await.unwrap();
    let wrong = format!("redis://:secret@127.0.0.1:{}", server.port());
    for refused in [wrong, format!("redis://127.0.0.1:{}", server.port())] {
        let error = Client::connect(&refused).await.unwrap_err().to_string();
        let told = error.contains("NOAUTH") || error.contains("WRONGPASS");
        assert!(told && !error.contains("secret"), "{error}");
    }
}

#[tokio::test]
async fn a_user_and_a_password() {
    let server = Server::redis().config("user ada on >pass ~* &* +@all").config("user default off").start();
    let url = format!("redis://ada:pass@127.0.0.1:{}/", server.port());
    enqueue(&*broker(&url).unwrap(), "mail", "a").await.unwrap();
}

#[tokio::test]
async fn a_database() {
    let server = Server::redis().start();
    let url = format!("redis://127.0.0.1:{}/3", server.port());
    enqueue(&*broker(&url).unwrap(), "mail", "a").await.unwrap();
    assert!(is_in_database(&server, 3));
}

#[tokio::test]
async fn a_unix_socket() {
    let server = Server::redis().start();
    let path = server.folder().join("s");
    for scheme in ["unix", "redis+unix"] {
        let url = format!("{scheme}://{}?db=2", path.display());
        enqueue(&*broker(&url).unwrap(), "mail", "a").await.unwrap();
    }
    assert!(is_in_database(&server, 2));
}

#[tokio::test]
async fn a_unix_socket_with_a_password() {
    let server = Server::redis().password("open-sesame").start();
    enqueue(&*broker(&server.unix_url()).unwrap(), "mail", "a").await.unwrap();
}

#[tokio::test]
async fn a_name_instead_of_an_address() {
    let server = Server::redis().start();
    let url = format!("redis://localhost:{}", server.port());
    enqueue(&*broker(&url).unwrap(), "mail", "a").await.unwrap();
}

#[tokio::test]
async fn a_bad_url_is_told_without_its_password() {
    for bad in ["redis://:secret@host:port", "redis://:secret@", "redis://:secret@host/name", "ftp://:secret@host"] {
        let error = Client::connect(bad).await.unwrap_err();
        assert!(matches!(error, Error::InvalidOption { .. }), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let mut server = Server::redis().password("secret").start();
    let url = server.url();
    assert_ne!(server.command(&["PING"]), Value::Nil);
    server.kill9();
    let error = Client::connect(&url).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }) && !error.to_string().contains("secret"), "{error}");
}
