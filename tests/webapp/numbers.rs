//! The page that is slow to make: it is kept, for one visitor, until something changes, and made each time without a cache.

use std::time::Duration;

use support::eventually;

use crate::fixture::{BOUND, Browser, Site, between, fact};

/// A pace at which the page takes 1 s to make.
const SLOWLY: u64 = 25;

/// How soon a change is to be seen: well before the page is made anew by itself, which is after a minute.
const SOON: Duration = Duration::from_secs(30);

/// When the numbers of a page were counted.
fn counted(page: &str) -> u64 {
    let at = between(page, "data-at=\"", "\"").unwrap_or_else(|| panic!("no time in {page}"));
    at.parse().expect("it is a number")
}

/// When the numbers that a visitor sees were counted.
async fn counted_for(browser: &Browser) -> u64 {
    counted(&browser.page("/numbers").await)
}

/// The same, once they are kept.
async fn kept_for(browser: &Browser) -> u64 {
    eventually("the numbers are kept", BOUND, async || {
        let counted = counted_for(browser).await;
        (counted_for(browser).await == counted).then_some(counted)
    })
    .await
}

pub(crate) async fn the_numbers_are_made_once_for_all_who_ask(mut site: Site) {
    site.restart(SLOWLY);
    let ada = site.visitor("Ada").await;
    let (one, two, three) = tokio::join!(counted_for(&ada), counted_for(&ada), counted_for(&ada));
    assert_eq!((one, two), (two, three));
    if !site.outlives() {
        assert_eq!(counted_for(&ada).await, one);
        return;
    }
    // An answer that takes too long on a busy machine is a miss, and the page is made once more.
    let (_second, at_second) = site.beside(&ada, SLOWLY);
    eventually("both processes show the same", BOUND, async || {
        (counted_for(&ada).await == counted_for(&at_second).await).then_some(())
    })
    .await;
}

pub(crate) async fn an_upload_and_the_end_of_a_report_have_the_numbers_made_anew(mut site: Site) {
    site.restart(SLOWLY);
    let ada = site.visitor("Ada").await;
    let page = ada.page("/numbers").await;
    assert_eq!(fact(&page, "Reports").as_deref(), Some("0"), "{page}");
    // The fourth waits for a place, so that a page that is made now is kept before it ends.
    for number in 1..=4 {
        ada.report_on(&format!("{number}.txt"), "two words\n".repeat(50)).await;
    }
    let page = ada.page("/numbers").await;
    assert_eq!(fact(&page, "Reports").as_deref(), Some("4"), "{page}");
    let page = eventually("all reports are counted", SOON, async || {
        let page = ada.page("/numbers").await;
        (fact(&page, "Ready").as_deref() == Some("4")).then_some(page)
    })
    .await;
    assert_eq!(fact(&page, "Rows").as_deref(), Some("200"), "{page}");
    assert_eq!(fact(&page, "Uploaded").as_deref(), Some("2.0 KiB"), "{page}");
}

pub(crate) async fn the_numbers_of_a_visitor_are_for_them_alone(site: Site) {
    let reports = async |browser: &Browser| fact(&browser.page("/numbers").await, "Reports");
    let ada = site.visitor("Ada").await;
    ada.finished(&ada.report_on("words.txt", "some words").await).await;
    assert_eq!(reports(&ada).await.as_deref(), Some("1"));
    // Also not for somebody of the same name, and for who logs in after her in the same browser.
    for other in [site.visitor("Bob").await, site.visitor("Ada").await] {
        assert_eq!(reports(&other).await.as_deref(), Some("0"));
    }
    assert_eq!(reports(&ada).await.as_deref(), Some("1"));
    ada.log_in("Bob", "demo").await;
    assert_eq!(reports(&ada).await.as_deref(), Some("0"));
    assert_eq!(site.browser().get("/numbers").await.status(), reqwest::StatusCode::SEE_OTHER);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_cache_every_page_is_there_and_the_numbers_are_made_each_time() {
    let mut site = Site::on_two_servers();
    let ada = site.visitor("Ada").await;
    let kept = kept_for(&ada).await;
    site.cache().kill9();
    let first = counted_for(&ada).await;
    let second = counted_for(&ada).await;
    assert!(kept < first && first < second, "{kept} {first} {second}");
    let page = ada.finished(&ada.report_on("words.txt", "some words").await).await;
    assert_eq!(fact(&page, "Words").as_deref(), Some("2"));
    assert_eq!(fact(&ada.page("/numbers").await, "Ready").as_deref(), Some("1"));
    site.cache().restart();
    kept_for(&ada).await;
}
