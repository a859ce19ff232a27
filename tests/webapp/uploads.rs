//! Files that are sent: those that are refused, those at the limit, and several at the same time.

use std::time::{Duration, SystemTime};

use reqwest::StatusCode;
use support::eventually;

use crate::fixture::{BOUND, Site, fact};

/// The limit of the application.
const MAX_FILE_BYTES: usize = 5 * 1024 * 1024;

pub(crate) async fn a_file_that_cannot_be_a_report_is_refused_with_a_reason(site: Site) {
    let ada = site.visitor("Ada").await;
    let large = vec![b'x'; MAX_FILE_BYTES + 1];
    // As long as a browser can be expected to go on sending.
    let larger = vec![b'x'; 4 * MAX_FILE_BYTES];
    let image = [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13];
    let files: [(&str, &[u8], StatusCode, &str); 8] = [
        ("large.txt", &large, StatusCode::PAYLOAD_TOO_LARGE, "The file is too large: at most 5 MiB"),
        ("larger.csv", &larger, StatusCode::PAYLOAD_TOO_LARGE, "The file is too large: at most 5 MiB"),
        ("image.csv", &image, StatusCode::UNSUPPORTED_MEDIA_TYPE, "The file is no text in UTF-8"),
        ("latin.csv", b"name\nZo\xeb\n", StatusCode::UNSUPPORTED_MEDIA_TYPE, "The file is no text in UTF-8"),
        ("zeros.txt", b"text\0text", StatusCode::UNSUPPORTED_MEDIA_TYPE, "The file is no text in UTF-8"),
        ("empty.csv", b"", StatusCode::UNPROCESSABLE_ENTITY, "The file is empty"),
        ("blank.txt", b" \r\n\t\n", StatusCode::UNPROCESSABLE_ENTITY, "The file is empty"),
        ("mark.txt", b"\xef\xbb\xbf", StatusCode::UNPROCESSABLE_ENTITY, "The file is empty"),
    ];
    for (name, content, status, reason) in files {
        let answer = ada.upload(name, content).await;
        assert_eq!(answer.status(), status, "{name}");
        let page = answer.text().await.unwrap();
        assert!(page.contains(reason) && page.contains("To your reports"), "{name}: {page}");
    }
    let page = ada.page("/").await;
    assert!(page.contains("There is none yet"), "{page}");
    let answer = ada.post("/reports", &[("file", "no multipart")]).await;
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
}

pub(crate) async fn a_file_of_the_largest_size_is_taken(site: Site) {
    let ada = site.visitor("Ada").await;
    let line = "twelve bytes";
    let mut content = format!("{line}\n").repeat(MAX_FILE_BYTES / (line.len() + 1));
    content.push_str(&"x".repeat(MAX_FILE_BYTES - content.len()));
    assert_eq!(content.len(), MAX_FILE_BYTES);
    let report = ada.report_on("full.txt", &content).await;
    let page = ada.finished(&report).await;
    assert!(page.contains("5.0 MiB"), "{page}");
    assert_eq!(fact(&page, "Lines"), Some(content.lines().count().to_string()));
}

pub(crate) async fn uploads_at_the_same_time_are_all_listed(site: Site) {
    let ada = site.visitor("Ada").await;
    let token = ada.token().await;
    let fields = [("csrf", token.as_str())];
    let (one, two, three) = tokio::join!(
        ada.send_file(&fields, "one.txt", b"the first of them"),
        ada.send_file(&fields, "two.txt", b"the second"),
        ada.send_file(&fields, "three.txt", b"and a third of them all"),
    );
    let page = ada.page("/").await;
    for (answer, name, words) in [(one, "one.txt", "4"), (two, "two.txt", "2"), (three, "three.txt", "6")] {
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{name}");
        let path = answer.headers()[reqwest::header::LOCATION].to_str().unwrap();
        assert!(page.contains(&format!("<a href=\"{path}\">{name}</a>")), "{page}");
        let page = ada.finished(path).await;
        assert_eq!(fact(&page, "Words").as_deref(), Some(words), "{name}");
    }
}

pub(crate) async fn the_list_has_as_many_rows_a_page_as_the_visitor_wants(site: Site) {
    let ada = site.visitor("Ada").await;
    for number in 0..7 {
        ada.report_on(&format!("file-{number}.txt"), "words").await;
    }
    let names = |page: &str| -> Vec<String> {
        let pieces = page.split(">file-").skip(1).map(|piece| piece.split('.').next().unwrap_or_default().to_owned());
        pieces.collect()
    };
    let page = ada.page("/").await;
    assert_eq!(names(&page), ["6", "5", "4", "3", "2"]);
    assert!(page.contains("Page 1 of 2") && page.contains("href=\"/?page=2\""), "{page}");
    assert_eq!(names(&ada.page("/?page=2").await), ["1", "0"]);
    assert_eq!(names(&ada.page("/?page=900").await), ["1", "0"]);
    ada.post("/preferences", &[("theme", "light"), ("rows", "10")]).await;
    let page = ada.page("/").await;
    assert_eq!(names(&page).len(), 7);
    assert!(!page.contains("Page 1 of"), "{page}");
}

pub(crate) async fn files_that_are_a_day_old_are_removed_and_others_stay(mut site: Site) {
    let day = Duration::from_secs(24 * 3600);
    let file = |name: &str, age: Duration| {
        let path = site.folder().join(name);
        let file = std::fs::File::create(&path).expect("the folder is writable");
        file.set_modified(SystemTime::now() - age).expect("a file may be old");
        path
    };
    let old = file("old.upload", day + Duration::from_secs(60));
    let kept = [file("new.upload", day - Duration::from_secs(600)), file("other.txt", 2 * day)];
    // It looks when it starts.
    site.restart(1);
    eventually("the old file is gone", BOUND, async || (!old.exists()).then_some(())).await;
    assert!(kept.iter().all(|file| file.exists()), "{kept:?}");
}
