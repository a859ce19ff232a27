//! The way of a visitor through the pages, in a real browser.

use support::eventually;

use crate::chromium::{Chromium, Kind};
use crate::fixture::{BOUND, Site};

/// A pace at which a report takes 4 s: long enough to be seen, also on a slow machine.
const VISIBLE: u64 = 100;

/// A table of which each number is known.
const TABLE: &str = "city,people,founded,note\nOslo,709037,1048-01-01,north\nRome,2746984,,south\nLima,,1535-01-18,\n";

/// Logs in and uploads a file; the page of its report is there then.
async fn begin(browser: &Chromium, site: &Site, content: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("the temporary folder is writable");
    let file = folder.path().join("cities.csv");
    std::fs::write(&file, content).expect("the temporary folder is writable");
    browser.goto(site.url()).await;
    browser.picture("1-log-in").await;
    browser.fill("input[name=name]", "Ada").await;
    browser.fill("input[name=password]", "demo").await;
    browser.click("button[type=submit]").await;
    browser.reads("Hello Ada").await;
    browser.picture("2-first").await;
    browser.fill("input[type=file]", file.to_str().expect("the path is text")).await;
    browser.click("main button[type=submit]").await;
    folder
}

/// How far the bar is, and what the label beside it says.
async fn bar(browser: &Chromium) -> Option<(u64, String)> {
    let script = "const bar = document.querySelector('progress'); \
                  return [bar?.value, document.querySelector('[data-percent]')?.textContent]";
    let told = browser.script(script).await;
    Some((told[0].as_u64()?, told[1].as_str()?.to_owned()))
}

async fn the_whole_way(mut site: Site, kind: Kind, name: &str) {
    site.restart(VISIBLE);
    let browser = Chromium::start(kind, name).await;
    let _file = begin(&browser, &site, &format!("{TABLE}{}", "Oslo,1,2024-12-31,more\n".repeat(2_000))).await;
    // The page is there before the report, and the bar moves without anybody's doing.
    let (first, label) = eventually("the bar moves", BOUND, async || bar(&browser).await.filter(|bar| bar.0 > 0)).await;
    assert!(first < 100 && label.ends_with(" %"), "{first} {label}");
    eventually("the bar moves on", BOUND, async || bar(&browser).await.filter(|bar| bar.0 > first.max(25))).await;
    browser.picture("3-progress").await;
    browser.reads("File a ticket").await;
    let text = browser.text().await;
    for part in ["2\u{202f}003", "people", "1727.2832", "2746984", "more ×2000"] {
        assert!(text.contains(part), "{part:?} is missing in: {text}");
    }
    browser.picture("4-report").await;

    browser.click("#ticket button").await;
    browser.reads("The ticket is being filed").await;
    browser.click("nav a[href='/tasks']").await;
    browser.reads("ticket-").await;
    browser.picture("5-tasks").await;
    browser.click(".brand").await;
    browser.reads("cities.csv").await;
    browser.picture("6-list").await;
    browser.click("a[href^='/reports/']").await;
    browser.reads("Filed as DEMO-").await;
    browser.picture("7-ticket").await;

    browser.click("nav a[href='/preferences']").await;
    browser.click("option[value=dark]").await;
    browser.click("main button[type=submit]").await;
    eventually("the page is dark", BOUND, async || {
        (browser.script("return document.documentElement.dataset.theme").await == "dark").then_some(())
    })
    .await;
    browser.picture("8-preferences").await;
    browser.click("nav button").await;
    browser.reads("Log in").await;
    browser.goto(&format!("{}/tasks", site.url())).await;
    browser.reads("any name will do").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_visitor_goes_the_whole_way_at_a_desktop_in_one_process() {
    the_whole_way(Site::in_process(), Kind::Desktop, "desktop").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_visitor_goes_the_whole_way_on_a_phone_with_the_jobs_on_redis() {
    the_whole_way(Site::on_redis(), Kind::Phone, "phone").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_visitor_without_scripts_sees_the_report_all_the_same() {
    let mut site = Site::in_process();
    site.restart(VISIBLE);
    let browser = Chromium::start(Kind::WithoutScripts, "without-scripts").await;
    let _file = begin(&browser, &site, TABLE).await;
    browser.reads("Look again").await;
    browser.picture("3-progress").await;
    browser.reads("people whole numbers 1 709037 2746984 1728010.5").await;
    browser.click("#ticket button").await;
    browser.reads("Filed as DEMO-").await;
    browser.close().await;
}
