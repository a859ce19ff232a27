//! TLS: a certificate is verified, always, against the system's authorities or a file of your own.

use std::path::Path;
use std::{env, fs};

use support::{Certificates, Program, Server};
use task_runtime::{Client, Error};

use crate::{BOUND, broker, enqueue};

/// Holds the URL of a test that runs once more by itself, in a process with an environment of its own.
const INNER: &str = "TASK_TEST_TLS_URL";

/// Runs the inner half of a test, which connects, with `authority` as the file of authorities;
/// answers what it printed.
fn connect_trusting(authority: &Path, url: &str) -> String {
    let this = env::current_exe().expect("this program has a path");
    let test = "tls::inner";
    let program = Program::new(this).args([test, "--exact", "--nocapture", "--include-ignored"]);
    let mut process = program.env("SSL_CERT_FILE", authority.display().to_string()).env(INNER, url).start();
    let line = process.wait_for_line("connect: ", BOUND);
    process.wait(BOUND);
    line
}

/// Not a test of its own: the half of the others that needs an environment of its own.
#[tokio::test]
async fn inner() {
    let Ok(url) = env::var(INNER) else { return };
    let answer = match Client::connect(&url).await {
        Ok(_) => enqueue(&*broker(&url).unwrap(), "mail", "a").await.map(|_| "done".to_owned()),
        Err(error) => Err(error),
    };
    println!("\nconnect: {}", answer.unwrap_or_else(|error| error.to_string()));
}

fn trusting(trusted: &Certificates, url: &str) -> String {
    let folder = tempfile::tempdir().expect("the temporary folder is writable");
    let file = folder.path().join("authority.pem");
    fs::write(&file, trusted.ca()).expect("the temporary folder is writable");
    connect_trusting(&file, url)
}

#[test]
fn a_certificate_of_a_trusted_authority_is_accepted() {
    let certificates = Certificates::valid();
    let server = Server::redis().tls(certificates.clone()).password("open-sesame").start();
    for host in ["127.0.0.1", "localhost"] {
        let url = server.tls_url().replace("127.0.0.1", host);
        assert!(trusting(&certificates, &url).ends_with("connect: done"), "{}", trusting(&certificates, &url));
    }
}

#[test]
fn a_certificate_of_an_unknown_authority_is_refused() {
    let server = Server::redis().tls(Certificates::valid()).start();
    let answer = trusting(&Certificates::valid(), &server.tls_url());
    assert!(answer.contains("not available") && answer.contains("ertificate"), "{answer}");
}

#[test]
fn a_certificate_for_another_host_is_refused() {
    let certificates = Certificates::for_host("elsewhere.example");
    let server = Server::redis().tls(certificates.clone()).start();
    let answer = trusting(&certificates, &server.tls_url());
    assert!(answer.contains("not available") && answer.contains("ertificate"), "{answer}");
}

#[test]
fn an_expired_certificate_is_refused() {
    let certificates = Certificates::expired();
    let server = Server::redis().tls(certificates.clone()).start();
    let answer = trusting(&certificates, &server.tls_url());
    assert!(answer.contains("not available") && answer.contains("ertificate"), "{answer}");
}

#[tokio::test]
async fn an_unverified_certificate_cannot_be_asked_for() {
    let server = Server::redis().tls(Certificates::valid()).start();
    let error = Client::connect(&format!("{}#insecure", server.tls_url())).await.unwrap_err();
    assert!(matches!(error, Error::InvalidOption { .. }), "{error}");
    assert!(error.to_string().contains("SSL_CERT_FILE"), "{error}");
}

#[tokio::test]
async fn a_server_without_tls_is_refused() {
    let server = Server::redis().start();
    let error = Client::connect(&format!("rediss://127.0.0.1:{}", server.port())).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
}
