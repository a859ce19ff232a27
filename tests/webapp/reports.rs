//! What reports say, how their progress is told, and who sees them.

use reqwest::StatusCode;

use support::eventually;

use crate::fixture::{BOUND, Browser, SLOW, Site, fact, lines, rows};

/// The row of a column in the report of a table: kind, empty, least, most, mean, most frequent.
fn column(page: &str, name: &str) -> Vec<String> {
    let row = rows(page).into_iter().find(|row| row[0] == name).unwrap_or_else(|| panic!("no {name} in {page}"));
    row[1..].to_vec()
}

/// The data of the events of a path, in their order, until the answer ends.
async fn events(browser: &Browser, path: &str) -> Vec<(String, String)> {
    let answer = browser.get(path).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()[reqwest::header::CONTENT_TYPE], "text/event-stream");
    let text = answer.text().await.expect("it ends");
    let value = |event: &str, field: &str| {
        event.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default().trim().to_owned()
    };
    let events = text.split("\n\n").filter(|event| event.starts_with("event:"));
    events.map(|event| (value(event, "event:"), value(event, "data:"))).collect()
}

pub(crate) async fn a_table_is_reported_to_the_number(site: Site) {
    let ada = site.visitor("Ada").await;
    let table = "\u{feff}name,age,height,joined,note,nothing\r\n\
                 Ada,36,1.65,1815-12-10,\"one, with a comma\",\r\n\
                 Bob,,1.8,1990-01-01,x,\r\n\
                 \"Eve\r\nEvans\",-4,1.75,2000-02-02,x, \r\n\
                 Ada,41,,2001-12-31,,\r\n\
                 short,1\r\n";
    let page = ada.finished(&ada.report_on("people.csv", table).await).await;
    assert_eq!(fact(&page, "Rows").as_deref(), Some("5"));
    assert_eq!(fact(&page, "Columns").as_deref(), Some("6"));
    assert_eq!(fact(&page, "Uneven rows").as_deref(), Some("1"));
    assert_eq!(column(&page, "name"), ["text", "0", "", "", "", "Ada ×2, Bob ×1, Eve\r\nEvans ×1, short ×1"]);
    assert_eq!(column(&page, "age"), ["whole numbers", "1", "-4", "41", "18.5", ""]);
    assert_eq!(column(&page, "height"), ["numbers", "2", "1.65", "1.8", "1.7333", ""]);
    assert_eq!(column(&page, "joined"), ["dates", "1", "", "", "", ""]);
    assert_eq!(column(&page, "note"), ["text", "2", "", "", "", "x ×2, one, with a comma ×1"]);
    assert_eq!(column(&page, "nothing"), ["empty", "5", "", "", "", ""]);
}

pub(crate) async fn a_large_table_is_reported_to_the_number(site: Site) {
    let ada = site.visitor("Ada").await;
    let count: i64 = 60_000;
    let mut table = String::from("number;square;part;city\n");
    for n in 0..count {
        let part = if n % 4 == 0 { String::new() } else { format!("{}.25", n % 1_000) };
        let city = ["Oslo", "Rome", "Oslo", "Lima"][usize::try_from(n % 4).unwrap()];
        table.push_str(&format!("{n};{};{part};{city}\n", n * n));
    }
    assert!(table.len() > 1_000_000);
    let page = ada.finished(&ada.report_on("large.CSV", table).await).await;
    assert_eq!(fact(&page, "Rows").as_deref(), Some("60000"));
    assert_eq!(fact(&page, "Uneven rows"), None);
    let last = count - 1;
    // Of 0 to n: the mean is n / 2, and that of the squares n (2n + 1) / 6.
    assert_eq!(column(&page, "number"), ["whole numbers", "0", "0", "59999", "29999.5", ""]);
    let mean = (last * (2 * last + 1)) as f64 / 6.0;
    assert_eq!(mean, 1_199_970_000.166_666_7);
    assert_eq!(column(&page, "square")[..5], ["whole numbers", "0", "0", "3599880001", "1199970000.1667"]);
    // A multiple of four is left out: in each thousand 250, whose mean is 498; of all it is 499.5.
    let mean = (1_000.0 * 499.5 - 250.0 * 498.0) / 750.0 + 0.25;
    assert_eq!(mean, 500.25);
    assert_eq!(column(&page, "part"), ["numbers", "15 000", "1.25", "999.25", "500.25", ""]);
    assert_eq!(column(&page, "city")[5], "Oslo ×30000, Lima ×15000, Rome ×15000");
}

pub(crate) async fn tables_of_other_forms_are_read(site: Site) {
    let ada = site.visitor("Ada").await;
    for (name, table) in [
        ("tabs.tsv", "a\tb, c\n1\t2\n3\t4\n"),
        ("semicolons.csv", "a;b, c\n1;2\n3;4"),
        ("bars.csv", "a|b, c\n\n1|2\n\n3|4\n\n"),
    ] {
        let page = ada.finished(&ada.report_on(name, table).await).await;
        assert_eq!(fact(&page, "Rows").as_deref(), Some("2"), "{name}");
        assert_eq!(column(&page, "a"), ["whole numbers", "0", "1", "3", "2", ""], "{name}");
        assert_eq!(column(&page, "b, c"), ["whole numbers", "0", "2", "4", "3", ""], "{name}");
    }
    let head = ada.finished(&ada.report_on("head.csv", "a,,c").await).await;
    assert_eq!(fact(&head, "Rows").as_deref(), Some("0"));
    assert_eq!(column(&head, "column 2"), ["empty", "0", "", "", "", ""]);
    let wide: Vec<String> = (0..100).map(|n| format!("column-{n}")).collect();
    let wide = ada.finished(&ada.report_on("wide.csv", wide.join(",")).await).await;
    assert_eq!(fact(&wide, "Columns").as_deref(), Some("100"));
    assert!(wide.contains("The first 60 of 100."), "{wide}");
    // Numbers that no sum can hold, and texts that Rust would read as numbers.
    let odd = ada.finished(&ada.report_on("odd.csv", "a,b,c\n1e300,NaN,2024-13-01\n1,inf,2024-12-01\n").await).await;
    for name in ["a", "b", "c"] {
        assert_eq!(column(&odd, name)[0], "text", "{name}");
    }
}

pub(crate) async fn a_text_is_reported_to_the_word(site: Site) {
    let ada = site.visitor("Ada").await;
    let text = "The sea, the SEA!\nDon't count ab.\n\nÜber the hills 42 times; über all.";
    let page = ada.finished(&ada.report_on("poem.txt", text).await).await;
    assert_eq!(fact(&page, "Lines").as_deref(), Some("4"));
    assert_eq!(fact(&page, "Words").as_deref(), Some("14"));
    assert_eq!(fact(&page, "Columns"), None);
    let words: Vec<_> = rows(&page).into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    let expected = [("the", "3"), ("sea", "2"), ("über", "2"), ("all", "1"), ("count", "1"), ("don&#39;t", "1")];
    let words: Vec<_> = words.iter().map(|(word, count)| (word.as_str(), count.as_str())).collect();
    assert_eq!(words[..5], expected[..5]);
    assert_eq!(words.len(), 8);
}

pub(crate) async fn progress_is_told_until_the_report_is_there(mut site: Site) {
    site.restart(SLOW);
    let ada = site.visitor("Ada").await;
    let report = ada.report_on("lines.txt", lines()).await;
    let page = ada.page(&report).await;
    assert!(page.contains(&format!("data-events=\"{report}/events\"")), "{page}");
    let told = events(&ada, &format!("{report}/events")).await;
    let (last, steps) = told.split_last().expect("something is told");
    assert_eq!(last.0, "ended");
    let steps: Vec<u64> = steps
        .iter()
        .map(|(kind, data)| {
            assert_eq!(kind, "progress");
            data.parse().unwrap()
        })
        .collect();
    assert!(steps.is_sorted() && steps.iter().all(|step| *step <= 100), "{steps:?}");
    assert!(steps.iter().filter(|step| (1..100).contains(*step)).count() >= 5, "{steps:?}");
    // At its end the page has the report, and to watch one that is there ends at once.
    let page = ada.page(&report).await;
    assert_eq!(fact(&page, "Words").as_deref(), Some("2500"), "{page}");
    assert_eq!(events(&ada, &format!("{report}/events")).await.last().unwrap().0, "ended");
}

pub(crate) async fn a_page_without_scripts_looks_again_by_itself(mut site: Site) {
    site.restart(SLOW);
    let ada = site.visitor("Ada").await;
    let report = ada.report_on("lines.txt", lines()).await;
    let refresh = "<noscript><meta http-equiv=\"refresh\" content=\"2\"></noscript>";
    let page = ada.page(&report).await;
    assert!(page.contains(refresh) && page.contains("Look again</a>"), "{page}");
    let page = ada.finished(&report).await;
    assert!(!page.contains("http-equiv") && !page.contains("<script"), "{page}");
}

pub(crate) async fn three_reports_are_made_at_a_time_and_the_next_one_waits(mut site: Site) {
    site.restart(SLOW);
    let ada = site.visitor("Ada").await;
    let mut reports = Vec::new();
    for number in 0..4 {
        reports.push(ada.report_on(&format!("{number}.txt"), lines()).await);
    }
    let (mut running, mut waits) = (0, false);
    eventually("all reports are there", BOUND, async || {
        let page = ada.page("/").await;
        running = running.max(page.matches("data-state=\"running\"").count());
        waits = waits || page.contains("data-state=\"waiting\"");
        (page.matches("data-state=\"ready\"").count() == 4).then_some(())
    })
    .await;
    assert!((1..=3).contains(&running) && waits, "{running} ran, one waited: {waits}");
}

pub(crate) async fn a_report_that_cannot_be_made_says_why(mut site: Site) {
    site.restart(SLOW);
    let ada = site.visitor("Ada").await;
    for number in 0..3 {
        ada.report_on(&format!("{number}.txt"), lines()).await;
    }
    // It waits for one of those, and its file is lost meanwhile.
    let report = ada.report_on("lost.txt", lines()).await;
    let id = report.strip_prefix("/reports/").expect("it begins the path");
    std::fs::remove_file(site.folder().join(format!("{id}.upload"))).expect("the file is there");
    let page = eventually("the report has failed", BOUND, async || {
        let page = ada.page(&report).await;
        page.contains("There is no report").then_some(page)
    })
    .await;
    assert!(page.contains("the uploaded file cannot be read") && !page.contains("<script"), "{page}");
    assert!(ada.page("/").await.contains("data-state=\"failed\""));
    assert_eq!(events(&ada, &format!("{report}/events")).await.last().expect("its end is told").0, "ended");
}

pub(crate) async fn a_report_is_for_its_visitor_alone(site: Site) {
    let ada = site.visitor("Ada").await;
    let report = ada.report_on("secret.txt", "secret words").await;
    ada.finished(&report).await;
    // Also not for somebody of the same name.
    for other in [site.visitor("Bob").await, site.visitor("Ada").await] {
        for path in [report.clone(), format!("{report}/events"), format!("{report}/ticket/events")] {
            let answer = other.get(&path).await;
            assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
            assert!(!answer.text().await.unwrap().contains("secret"));
        }
        assert_eq!(other.post(&format!("{report}/ticket"), &[]).await.status(), StatusCode::NOT_FOUND);
        assert!(!other.page("/").await.contains("secret"));
        assert!(!other.page("/tasks").await.contains("secret"));
    }
    assert!(ada.page(&report).await.contains("File a ticket"));
    for none in ["/reports/1", "/reports/%00", "/reports/..%2f..", "/reports/01a22688-67fa-773b-b09d-b9bea3142077"] {
        assert_eq!(ada.get(none).await.status(), StatusCode::NOT_FOUND, "{none}");
    }
}

pub(crate) async fn what_visitors_write_is_text_on_every_page(site: Site) {
    let script = "<script>alert(1)</script>";
    let ada = site.visitor(script).await;
    let table = format!("{script},\"a\"\"b\"\n{script},x\n");
    let report = ada.report_on("<b>folder/<i>name.csv", table).await;
    let page = ada.finished(&report).await;
    for page in [page, ada.page("/").await, ada.page("/preferences").await, ada.page("/tasks").await] {
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{page}");
        assert!(!page.contains("<script>") && !page.contains("<i>") && !page.contains("folder"), "{page}");
    }
    let answer = ada.get("/").await;
    let policy = &answer.headers()["content-security-policy"];
    assert!(policy.to_str().unwrap().starts_with("default-src 'self'"), "{policy:?}");
}
