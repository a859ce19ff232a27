//! What becomes of visitors and their reports when the application is told to stop, and when it is killed.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use support::eventually;

use crate::fixture::{BOUND, Browser, Site, between, fact, lines, multipart};

/// How long a stop may take: what runs has 3 s, and one more to be cancelled.
const STOP: Duration = Duration::from_secs(8);

/// A pace at which a report takes 8 s.
const SLOWER: u64 = 200;

/// Reads events until one says that a part of the report is made.
async fn watch(browser: &Browser, report: &str) -> reqwest::Response {
    let mut watching = browser.get(&format!("{report}/events")).await;
    assert_eq!(watching.status(), StatusCode::OK);
    let mut text = String::new();
    while !text.contains("data: 10\n") {
        let chunk = watching.chunk().await.expect("it goes on").expect("it has not ended");
        text.push_str(&String::from_utf8_lossy(&chunk));
    }
    watching
}

pub(crate) async fn a_signal_ends_it_within_seconds_while_visitors_watch(mut site: Site) {
    site.restart(SLOWER);
    let ada = site.visitor("Ada").await;
    let report = ada.report_on("lines.txt", lines()).await;
    let mut watching = watch(&ada, &report).await;
    let start = Instant::now();
    site.process.signal(libc::SIGTERM);
    // The stream ends at once: the browser asks again when the application is back.
    while watching.chunk().await.expect("it ends in good order").is_some() {}
    let status = site.process.wait(BOUND);
    assert!(status.success(), "{status}: {}", site.process.lines().join("\n"));
    assert!(start.elapsed() < STOP, "{:?}", start.elapsed());
    if site.outlives() {
        // It went back to its queue, without waiting for a lease to end.
        site.restart(1);
        let ada = site.again(ada);
        let page = ada.finished(&report).await;
        assert_eq!(fact(&page, "Words").as_deref(), Some("2500"), "{page}");
    }
}

pub(crate) async fn an_upload_that_stands_still_does_not_keep_it_from_ending(mut site: Site) {
    let ada = site.visitor("Ada").await;
    let (token, cookie) = (ada.token().await, ada.cookie());
    let mut stream = TcpStream::connect(site.address()).expect("it listens");
    let body = multipart(&[("csrf", &token)], "half.txt", b"the first half");
    let head = format!(
        "POST /reports HTTP/1.1\r\nHost: {}\r\nCookie: {cookie}\r\nContent-Length: 1000000\r\n\
         Content-Type: multipart/form-data; boundary={}\r\nExpect: 100-continue\r\n\r\n",
        site.address(),
        crate::fixture::BOUNDARY
    );
    stream.write_all(head.as_bytes()).expect("it reads");
    // The handler reads the form when it asks for the rest.
    stream.set_read_timeout(Some(BOUND)).expect("a time limit can be set");
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).expect("it answers");
    assert_eq!(&answer, b"HTTP/1.1 100");
    stream.write_all(&body[..body.len() / 2]).expect("it reads");
    let start = Instant::now();
    site.process.signal(libc::SIGINT);
    let status = site.process.wait(BOUND);
    assert!(status.success(), "{status}: {}", site.process.lines().join("\n"));
    assert!(start.elapsed() < STOP, "{:?}", start.elapsed());
}

/// On a server alone: without one, jobs and sessions end with the process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_in_the_middle_of_which_the_application_is_killed_is_finished_by_the_next_one() {
    let mut site = Site::on_redis();
    site.restart(SLOWER);
    let ada = site.visitor("Ada").await;
    let report = ada.report_on("lines.txt", lines()).await;
    drop(watch(&ada, &report).await);
    let start = Instant::now();
    site.restart(1);
    let ada = site.again(ada);
    // The visitor is still logged in, and the list is there.
    let page = ada.page("/").await;
    assert!(page.contains("Hello Ada<") && page.contains("lines.txt"), "{page}");
    let page = ada.finished(&report).await;
    assert_eq!(fact(&page, "Words").as_deref(), Some("2500"), "{page}");
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    eventually("nothing runs any more", BOUND, async || ada.page("/tasks").await.contains("Nothing.").then_some(()))
        .await;
}

/// As when a new version takes the place of the old one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_process_on_the_same_server_goes_on_with_visitors_and_reports_of_the_first() {
    let mut site = Site::on_redis();
    site.restart(SLOWER);
    let ada = site.visitor("Ada").await;
    let report = ada.report_on("lines.txt", lines()).await;
    drop(watch(&ada, &report).await);
    let (second, at_second) = site.beside(&ada, 1);
    assert!(at_second.page(&report).await.contains("lines.txt"));
    site.process.signal(libc::SIGTERM);
    assert!(site.process.wait(STOP).success(), "{}", site.process.lines().join("\n"));
    let page = at_second.finished(&report).await;
    assert_eq!(fact(&page, "Words").as_deref(), Some("2500"), "{page}");
    drop(second);
}

/// How far a page says that its report is, from 0 to 100.
fn percent(page: &str) -> Option<u64> {
    between(page, "data-percent>", " %")?.parse().ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_far_a_report_is_is_seen_in_other_processes_and_after_a_crash() {
    let mut site = Site::on_redis();
    site.restart(SLOWER);
    let ada = site.visitor("Ada").await;
    let report = ada.report_on("lines.txt", lines()).await;
    drop(watch(&ada, &report).await);
    let (_second, at_second) = site.beside(&ada, SLOWER);
    let before = percent(&at_second.page(&report).await).expect("it is being made");
    assert!((8..100).contains(&before), "{before}");
    // The second process does nothing but look on.
    let page = at_second.page("/tasks").await;
    assert!(page.contains("Nothing."), "{page}");
    let mut watching = at_second.get(&format!("{report}/events")).await;
    let mut text = String::new();
    let told = |text: &str| -> Vec<u64> {
        text.lines().filter_map(|line| line.strip_prefix("data: ")?.parse().ok()).collect()
    };
    while told(&text).len() < 4 {
        let chunk = watching.chunk().await.expect("it goes on").expect("it has not ended");
        text.push_str(&String::from_utf8_lossy(&chunk));
    }
    let steps = told(&text);
    assert!(steps[0] >= before && steps.is_sorted() && steps[3] > steps[0] && steps[3] < 100, "{text}");
    site.process.kill9();
    let after = percent(&at_second.page(&report).await).expect("it waits until it is taken over");
    assert!(after >= steps[2], "{after} {steps:?}");
}
