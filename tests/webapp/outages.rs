//! What visitors see while the server of jobs and sessions is away.

use reqwest::StatusCode;
use support::eventually;

use crate::fixture::{BOUND, Site, fact};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_server_is_away_a_page_says_so_and_all_is_well_when_it_is_back() {
    let mut site = Site::on_redis();
    let ada = site.visitor("Ada").await;
    site.server().kill9();
    for path in ["/", "/tasks", "/preferences", "/reports/1"] {
        let answer = ada.get(path).await;
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "{path}");
        let page = answer.text().await.expect("a page is text");
        assert!(page.contains("cannot be reached at the moment") && page.contains("<main>"), "{path}: {page}");
    }
    site.server().restart();
    eventually("the pages are back", BOUND, async || (ada.get("/").await.status() == StatusCode::OK).then_some(()))
        .await;
    // This server kept nothing, so the visitor is a new one; the workers are the same as before.
    assert_eq!(ada.log_in("Ada", "demo").await.status(), StatusCode::SEE_OTHER);
    let page = ada.finished(&ada.report_on("words.txt", "some words").await).await;
    assert_eq!(fact(&page, "Words").as_deref(), Some("2"));
    assert!(!site.process.has_ended());
}
