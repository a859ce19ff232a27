//! The second queue, which has one place.

use support::eventually;

use crate::fixture::{BOUND, Browser, Site, between, rows};

/// The key of the ticket about a report, once it is filed.
async fn filed(browser: &Browser, report: &str) -> String {
    eventually("the ticket is filed", BOUND, async || {
        let page = browser.page(report).await;
        between(&page, "Filed as <strong>", "</strong>").map(str::to_owned)
    })
    .await
}

/// The row of a queue on the page of tasks: ready, running, scheduled, parked, dead, finished, workers, places.
async fn counts(browser: &Browser, queue: &str) -> Vec<usize> {
    let page = browser.page("/tasks").await;
    let row = rows(&page).into_iter().find(|row| row[0] == queue).unwrap_or_else(|| panic!("no {queue} in {page}"));
    row[2..].iter().map(|number| number.parse().expect("a number")).collect()
}

pub(crate) async fn a_report_has_one_ticket_however_often_it_is_asked_for(site: Site) {
    let ada = site.visitor("Ada").await;
    let report = ada.report_on("words.txt", "some words").await;
    ada.finished(&report).await;
    let path = format!("{report}/ticket");
    tokio::join!(ada.post(&path, &[]), ada.post(&path, &[]), ada.post(&path, &[]));
    let key = filed(&ada, &report).await;
    assert!(key.starts_with("DEMO-"), "{key}");
    // Also when it is there already.
    ada.post(&path, &[]).await;
    assert_eq!(filed(&ada, &report).await, key);
    let [ready, running, _, _, dead, finished, ..] = counts(&ada, "jira").await[..] else { panic!("few columns") };
    assert_eq!((ready, running, dead, finished), (0, 0, 0, 1));
}

pub(crate) async fn tickets_are_filed_one_after_the_other(mut site: Site) {
    // In good order: a worker that is killed is counted until its lease has ended.
    site.process.signal(libc::SIGTERM);
    site.process.wait(BOUND);
    site.restart(25);
    let ada = site.visitor("Ada").await;
    let mut reports = Vec::new();
    for number in 0..3 {
        let report = ada.report_on(&format!("{number}.txt"), "some words").await;
        ada.finished(&report).await;
        reports.push(report);
    }
    let token = ada.token().await;
    let paths: Vec<_> = reports.iter().map(|report| format!("{report}/ticket")).collect();
    let form = [("csrf", token.as_str())];
    tokio::join!(ada.post_bare(&paths[0], &form), ada.post_bare(&paths[1], &form), ada.post_bare(&paths[2], &form),);
    let mut waited = 0;
    eventually("all tickets are filed", BOUND, async || {
        let [ready, running, _, _, dead, finished, workers, places] = counts(&ada, "jira").await[..] else {
            panic!("other columns")
        };
        assert!(running <= 1, "{running} run");
        assert_eq!((dead, workers, places), (0, 1, 1));
        waited = waited.max(ready);
        (finished == 3).then_some(())
    })
    .await;
    assert!((1..=2).contains(&waited), "{waited} waited for the one that ran");
    let keys = [filed(&ada, &reports[0]).await, filed(&ada, &reports[1]).await, filed(&ada, &reports[2]).await];
    assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2], "{keys:?}");
    let reports = counts(&ada, "default").await;
    assert_eq!((reports[5], reports[6], reports[7]), (3, 1, 3));
}
