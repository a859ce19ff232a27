//! The application as a process of its own, and a browser that keeps cookies.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::cookie::{CookieStore as _, Jar};
use reqwest::{Response, StatusCode, header};
use support::{Program, Running, Server, eventually};
use tempfile::TempDir;

/// How long anything may take here.
pub(crate) const BOUND: Duration = Duration::from_secs(60);

/// A pace at which a report takes 2 s, so that a test sees it run also on a slow machine.
pub(crate) const SLOW: u64 = 50;

/// A file whose report has many steps.
pub(crate) fn lines() -> String {
    "some words in a line\n".repeat(500)
}

/// What parts of a form are divided by; no file of the tests has it.
pub(crate) const BOUNDARY: &str = "----the-boundary-of-a-form";

/// The application and what it needs. Each has a server of its own, because its queues have fixed names.
pub(crate) struct Site {
    server: Option<Server>,
    /// The server of the cache, if it is another one.
    cache: Option<Server>,
    folder: TempDir,
    pub(crate) process: Running,
    url: String,
}

impl Site {
    pub(crate) fn in_process() -> Self {
        Self::start(None, None)
    }

    pub(crate) fn on_redis() -> Self {
        Self::start(Some(Server::redis().start()), None)
    }

    /// With a cache on a server of its own.
    pub(crate) fn on_two_servers() -> Self {
        Self::start(Some(Server::redis().start()), Some(Server::redis().start()))
    }

    fn start(server: Option<Server>, cache: Option<Server>) -> Self {
        let folder = tempfile::tempdir().expect("the temporary folder is writable");
        let (process, url) = run(server.as_ref(), cache.as_ref(), &folder, 5);
        Self { server, cache, folder, process, url }
    }

    /// Whether it is on a server, so that jobs and sessions outlive the process.
    pub(crate) fn outlives(&self) -> bool {
        self.server.is_some()
    }

    /// The server that it is on.
    pub(crate) fn server(&mut self) -> &mut Server {
        self.server.as_mut().expect("it is on a server")
    }

    /// The server of the cache.
    pub(crate) fn cache(&mut self) -> &mut Server {
        self.cache.as_mut().expect("the cache has a server of its own")
    }

    /// The folder with the uploaded files.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the application anew; a report and a ticket take 40 times `pace` milliseconds.
    pub(crate) fn restart(&mut self, pace: u64) {
        self.process.kill9();
        let (process, url) = run(self.server.as_ref(), self.cache.as_ref(), &self.folder, pace);
        (self.process, self.url) = (process, url);
    }

    /// One more process on the same server and with the same folder, and a browser with the cookies of another at it.
    pub(crate) fn beside(&self, browser: &Browser, pace: u64) -> (Running, Browser) {
        let (process, url) = run(self.server.as_ref(), self.cache.as_ref(), &self.folder, pace);
        (process, Browser { url, ..browser.clone() })
    }

    /// A browser that knows nothing yet.
    pub(crate) fn browser(&self) -> Browser {
        let jar = Arc::new(Jar::default());
        let client = reqwest::Client::builder().cookie_provider(Arc::clone(&jar)).no_proxy().timeout(BOUND);
        let client = client.redirect(reqwest::redirect::Policy::none()).build().expect("a client can be built");
        Browser { client, jar, url: self.url.clone() }
    }

    /// The same browser, cookies and all, at the application that was started anew.
    pub(crate) fn again(&self, browser: Browser) -> Browser {
        Browser { url: self.url.clone(), ..browser }
    }

    /// A browser that is logged in.
    pub(crate) async fn visitor(&self, name: &str) -> Browser {
        let browser = self.browser();
        let answer = browser.log_in(name, "demo").await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        browser
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn address(&self) -> &str {
        self.url.strip_prefix("http://").expect("it is one of HTTP")
    }
}

fn run(server: Option<&Server>, cache: Option<&Server>, folder: &TempDir, pace: u64) -> (Running, String) {
    let mut program = Program::example("webapp").env("ADDRESS", "127.0.0.1:0").env("WEBAPP_PACE", pace.to_string());
    program = program.env("WEBAPP_FOLDER", folder.path());
    program = program.env("REDIS_URL", server.map(Server::url).unwrap_or_default());
    program = program.env("CACHE_URL", cache.map(Server::url).unwrap_or_default());
    let mut process = program.start();
    let line = process.wait_for_line("listening on ", BOUND);
    let url = line.strip_prefix("listening on ").expect("it begins the line").to_owned();
    (process, url)
}

/// A browser: it keeps cookies, and follows no redirection by itself.
#[derive(Clone)]
pub(crate) struct Browser {
    client: reqwest::Client,
    jar: Arc<Jar>,
    url: String,
}

impl Browser {
    pub(crate) async fn get(&self, path: &str) -> Response {
        self.client.get(format!("{}{path}", self.url)).send().await.expect("the application answers")
    }

    /// A page that is there.
    pub(crate) async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer.text().await.expect("a page is text")
    }

    /// Sends a form without its token.
    pub(crate) async fn post_bare(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        let mut request = self.client.post(format!("{}{path}", self.url));
        request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let encoded: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        request.body(encoded.join("&")).send().await.expect("the application answers")
    }

    /// Sends a form with the token of the first page.
    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        let token = self.token().await;
        let fields: Vec<_> = [("csrf", token.as_str())].into_iter().chain(fields.iter().copied()).collect();
        self.post_bare(path, &fields).await
    }

    /// What the forms of the first page bear.
    pub(crate) async fn token(&self) -> String {
        let page = self.page("/").await;
        between(&page, "name=\"csrf\" value=\"", "\"").expect("the first page has a form").to_owned()
    }

    pub(crate) async fn log_in(&self, name: &str, password: &str) -> Response {
        self.post("/log-in", &[("name", name), ("password", password)]).await
    }

    /// Sends a file in a form with these fields before it.
    pub(crate) async fn send_file(&self, fields: &[(&str, &str)], name: &str, content: &[u8]) -> Response {
        let request = self.client.post(format!("{}/reports", self.url));
        let request = request.header(header::CONTENT_TYPE, format!("multipart/form-data; boundary={BOUNDARY}"));
        request.body(multipart(fields, name, content)).send().await.expect("the application answers")
    }

    /// Sends a file as the form of the first page does.
    pub(crate) async fn upload(&self, name: &str, content: impl AsRef<[u8]>) -> Response {
        self.send_file(&[("csrf", &self.token().await)], name, content.as_ref()).await
    }

    /// Sends a file that is taken, and gives the path of its report.
    pub(crate) async fn report_on(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let answer = self.upload(name, content).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        let location = answer.headers()[header::LOCATION].to_str().expect("a path is text");
        assert!(location.starts_with("/reports/"), "{location}");
        location.to_owned()
    }

    /// The page of a report when it is there.
    pub(crate) async fn finished(&self, path: &str) -> String {
        eventually(&format!("the report {path} is there"), BOUND, async || {
            let page = self.page(path).await;
            assert!(!page.contains("There is no report"), "{page}");
            page.contains("File a ticket").then_some(page)
        })
        .await
    }

    /// The cookies that this browser sends.
    pub(crate) fn cookie(&self) -> String {
        let url = self.url.parse().expect("it is an address");
        let cookies = self.jar.cookies(&url).expect("there is a cookie");
        cookies.to_str().expect("a cookie is text").to_owned()
    }

    /// Asks with this cookie and no other.
    pub(crate) async fn with_cookie(&self, cookie: &str, path: &str) -> Response {
        let bare = reqwest::Client::builder().no_proxy().build().expect("a client can be built");
        let request = bare.get(format!("{}{path}", self.url)).header(header::COOKIE, cookie);
        request.send().await.expect("the application answers")
    }
}

/// The bytes of a form with a file.
pub(crate) fn multipart(fields: &[(&str, &str)], name: &str, content: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    for (field, value) in fields {
        let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n");
        body.extend_from_slice(head.as_bytes());
    }
    let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n");
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(content);
    body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
    body
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// The cookie that an answer sets, without its attributes.
pub(crate) fn cookie(answer: &Response) -> Option<String> {
    let set = answer.headers().get(header::SET_COOKIE)?.to_str().expect("a cookie is text");
    set.split(';').next().map(str::to_owned)
}

/// What is between two texts.
pub(crate) fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(inside, _)| inside)
}

/// The cells of every row of every table of a page.
pub(crate) fn rows(page: &str) -> Vec<Vec<String>> {
    let rows = page.split("<tr").skip(1).map(|row| row.split("</tr>").next().unwrap_or_default());
    let cells = |row: &str| row.split("</t").map(plain).map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    // The last piece is what follows the last cell.
    rows.map(cells)
        .map(|mut cells| {
            cells.pop();
            cells
        })
        .collect()
}

/// A piece of a page without its tags.
fn plain(html: &str) -> String {
    let mut text = String::new();
    let mut inside = true;
    for c in html.chars() {
        match c {
            '<' => inside = true,
            '>' if inside => {
                inside = false;
            }
            c if !inside => text.push(c),
            _ => {}
        }
    }
    text.replace('\u{202f}', " ")
}

/// A fact of a report, by its name.
pub(crate) fn fact(page: &str, name: &str) -> Option<String> {
    between(page, &format!("<dt>{name}</dt><dd>"), "</dd>").map(|text| text.replace('\u{202f}', ""))
}
