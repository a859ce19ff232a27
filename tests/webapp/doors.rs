//! Logging in and out, forms that are forged, and what a visitor prefers.

use reqwest::{StatusCode, header};

use crate::fixture::{Site, cookie};

pub(crate) async fn a_visitor_logs_in_and_is_greeted(site: Site) {
    let browser = site.browser();
    let page = browser.page("/").await;
    assert!(page.contains("<h1>Log in</h1>") && page.contains("<code>demo</code>"), "{page}");
    for path in ["/preferences", "/tasks", "/reports/1"] {
        let answer = browser.get(path).await;
        assert_eq!(
            (answer.status(), &answer.headers()[header::LOCATION]),
            (StatusCode::SEE_OTHER, &"/".parse().unwrap())
        );
    }
    let answer = browser.log_in("  Ada ", "demo").await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let set = answer.headers()[header::SET_COOKIE].to_str().unwrap();
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Lax"), "{set}");
    let page = browser.page("/").await;
    assert!(page.contains("Hello Ada<") && page.contains("There is none yet"), "{page}");
    assert_eq!(browser.get("/no/such/page").await.status(), StatusCode::NOT_FOUND);
}

pub(crate) async fn a_wrong_password_and_a_wrong_name_are_told(site: Site) {
    let browser = site.browser();
    let long = "x".repeat(41);
    for (name, password, reason) in [
        ("Ada", "", "This is not the password."),
        ("Ada", "Demo", "This is not the password."),
        ("  ", "demo", "Give a name of 1 to 40 letters."),
        (&long, "demo", "Give a name of 1 to 40 letters."),
    ] {
        let answer = browser.log_in(name, password).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        let page = answer.text().await.unwrap();
        assert!(page.contains(reason) && page.contains("<h1>Log in</h1>"), "{page}");
    }
    assert!(browser.page("/").await.contains("<h1>Log in</h1>"));
}

pub(crate) async fn a_log_in_gives_a_new_cookie_and_a_new_token(site: Site) {
    let browser = site.browser();
    let before = cookie(&browser.get("/").await).expect("the form has a session");
    let token = browser.token().await;
    let after = cookie(&browser.log_in("Ada", "demo").await).expect("a log-in gives a new id");
    assert_ne!(before, after);
    assert_ne!(browser.token().await, token);
    let planted = browser.with_cookie(&before, "/").await.text().await.unwrap();
    assert!(planted.contains("<h1>Log in</h1>"), "{planted}");
}

pub(crate) async fn a_log_out_ends_the_session_for_good(site: Site) {
    let browser = site.browser();
    let held = cookie(&browser.log_in("Ada", "demo").await).expect("a log-in gives a new id");
    let report = browser.report_on("words.txt", "some words").await;
    assert_eq!(browser.with_cookie(&held, &report).await.status(), StatusCode::OK);
    assert_eq!(browser.post("/log-out", &[]).await.status(), StatusCode::SEE_OTHER);
    for page in [browser.get("/").await, browser.with_cookie(&held, "/").await] {
        assert!(page.text().await.unwrap().contains("<h1>Log in</h1>"));
    }
    // The same name is not the same session.
    browser.log_in("Ada", "demo").await;
    assert_eq!(browser.get(&report).await.status(), StatusCode::NOT_FOUND);
}

pub(crate) async fn who_logs_in_after_another_sees_nothing_of_them(site: Site) {
    let browser = site.visitor("Ada").await;
    let report = browser.report_on("words.txt", "some words").await;
    browser.post("/preferences", &[("theme", "dark"), ("rows", "25")]).await;
    assert_eq!(browser.log_in("Bob", "demo").await.status(), StatusCode::SEE_OTHER);
    let page = browser.page("/").await;
    assert!(page.contains("Hello Bob<") && page.contains("There is none yet"), "{page}");
    assert!(page.contains("data-theme=\"system\""), "{page}");
    assert_eq!(browser.get(&report).await.status(), StatusCode::NOT_FOUND);
}

pub(crate) async fn a_form_without_the_token_of_its_session_is_refused(site: Site) {
    let browser = site.browser();
    let (ada, bob) = (site.visitor("Ada").await, site.visitor("Bob").await);
    let report = ada.report_on("words.txt", "some words").await;
    ada.finished(&report).await;
    let ticket = format!("{report}/ticket");
    let of_another = bob.token().await;
    for token in [None, Some(""), Some("0"), Some(of_another.as_str())] {
        let token: Vec<_> = token.map(|token| ("csrf", token)).into_iter().collect();
        let form = |fields: &[(&'static str, &'static str)]| {
            token.iter().copied().chain(fields.iter().copied()).collect::<Vec<_>>()
        };
        let log_in = browser.post_bare("/log-in", &form(&[("name", "Eve"), ("password", "demo")])).await;
        let preferences = ada.post_bare("/preferences", &form(&[("theme", "dark"), ("rows", "25")])).await;
        for answer in [
            log_in,
            preferences,
            ada.post_bare("/log-out", &token).await,
            ada.post_bare(&ticket, &token).await,
            ada.send_file(&token, "more.txt", b"more words").await,
        ] {
            let path = answer.url().path().to_owned();
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path} with {token:?}");
            assert!(answer.text().await.unwrap().contains("This form is not from this session"), "{path}");
        }
    }
    // A token behind the file comes too late: the file would have been read for whoever sent it.
    let late = [("file", "x"), ("csrf", &ada.token().await)];
    assert_eq!(ada.send_file(&late, "more.txt", b"more words").await.status(), StatusCode::FORBIDDEN);
    let page = ada.page("/").await;
    assert!(
        page.contains("Hello Ada<") && !page.contains("more.txt") && page.contains("data-theme=\"system\""),
        "{page}"
    );
    assert!(ada.page(&report).await.contains("File a ticket"));
    assert!(browser.page("/").await.contains("<h1>Log in</h1>"));
}

pub(crate) async fn what_a_visitor_prefers_is_kept_beside_the_uploads(site: Site) {
    let ada = site.visitor("Ada").await;
    let token = ada.token().await;
    let prefer = [("csrf", token.as_str()), ("theme", "dark"), ("rows", "10")];
    // At the same time, and each writes a field of its own.
    let (saved, sent) =
        tokio::join!(ada.post_bare("/preferences", &prefer), ada.send_file(&prefer[..1], "words.txt", b"some words"),);
    assert_eq!((saved.status(), sent.status()), (StatusCode::SEE_OTHER, StatusCode::SEE_OTHER));
    let page = ada.page("/").await;
    assert!(page.contains("data-theme=\"dark\"") && page.contains("words.txt"), "{page}");
    let page = ada.page("/preferences").await;
    assert!(page.contains("<option value=\"10\" selected>"), "{page}");
    for wrong in [[("theme", "blue"), ("rows", "10")], [("theme", "dark"), ("rows", "1000000")]] {
        assert_eq!(ada.post("/preferences", &wrong).await.status(), StatusCode::UNPROCESSABLE_ENTITY);
    }
}
