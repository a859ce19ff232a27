//! A headless Chromium that the test drives, with a driver of its own on a port of its own.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use reqwest::{Method, Url};
use serde_json::{Value, json};
use support::{Program, Running, eventually, eventually_blocking};
use tempfile::TempDir;

/// How long the driver may take to start, and a page to show what is waited for.
const BOUND: Duration = Duration::from_secs(60);

/// What kind of browser it is.
pub(crate) enum Kind {
    Desktop,
    /// With a narrow screen, as of a phone.
    Phone,
    /// A desktop with scripts switched off.
    WithoutScripts,
}

/// A browser; [`close`](Self::close) ends it in good order, dropping it does so in any case.
pub(crate) struct Chromium {
    client: Client,
    // Before its folder, so that both have ended when that is removed.
    _driver: Driver,
    _folder: TempDir,
    /// What the names of its pictures begin with.
    name: String,
}

/// The driver, which ends its browser when it is told to end.
struct Driver(Running);

impl Drop for Driver {
    fn drop(&mut self) {
        if !self.0.has_ended() {
            self.0.signal(libc::SIGTERM);
            // A panic while another one is under way would hide the first.
            if !std::thread::panicking() {
                eventually_blocking("the driver ends", BOUND, || self.0.has_ended().then_some(()));
            }
        }
    }
}

/// The program that a variable of the environment names, else that of the system.
///
/// # Panics
/// Says what to do when it is missing: a test that is left out would hold nothing.
fn program(variable: &str, name: &str) -> PathBuf {
    if let Some(path) = std::env::var_os(variable) {
        return path.into();
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("there is no {name}; run `tests/run servers`, which installs it"))
}

impl Chromium {
    /// Starts one. Its pictures are `target/test-artefacts/webapp-<name>-….png`.
    pub(crate) async fn start(kind: Kind, name: &str) -> Self {
        let folder = tempfile::tempdir().expect("the temporary folder is writable");
        let driver = Program::new(program("TASK_TEST_CHROMEDRIVER", "chromedriver"))
            .arg("--port=0")
            .env("TMPDIR", folder.path());
        let mut driver = Driver(driver.start());
        let line = driver.0.wait_for_line("started successfully on port", BOUND);
        let port: String = line.chars().filter(char::is_ascii_digit).collect();
        let capabilities = capabilities(&kind, folder.path());
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let client = builder.capabilities(capabilities).connect(&format!("http://127.0.0.1:{port}")).await;
        let client = client.unwrap_or_else(|error| panic!("{error}: {}", driver.0.lines().join("\n")));
        Self { client, _driver: driver, _folder: folder, name: name.to_owned() }
    }

    pub(crate) async fn goto(&self, url: &str) {
        self.client.goto(url).await.unwrap_or_else(|error| panic!("{url} does not load: {error}"));
    }

    /// Types into a field, or names a file for it.
    pub(crate) async fn fill(&self, css: &str, text: &str) {
        let field = self.client.find(Locator::Css(css)).await.unwrap_or_else(|error| panic!("no {css}: {error}"));
        field.send_keys(text).await.unwrap_or_else(|error| panic!("{css} takes no text: {error}"));
    }

    /// Clicks, and returns when the page that follows is there.
    pub(crate) async fn click(&self, css: &str) {
        let element = self.client.find(Locator::Css(css)).await.unwrap_or_else(|error| panic!("no {css}: {error}"));
        element.click().await.unwrap_or_else(|error| panic!("{css} cannot be clicked: {error}"));
    }

    /// What the visitor can read now.
    pub(crate) async fn text(&self) -> String {
        match self.client.find(Locator::Css("body")).await {
            Ok(body) => body.text().await.unwrap_or_default(),
            // Between two pages there is none.
            Err(_) => String::new(),
        }
    }

    /// Waits until the visitor can read this.
    pub(crate) async fn reads(&self, text: &str) {
        eventually(&format!("the page says {text:?}"), BOUND, async || self.text().await.contains(text).then_some(()))
            .await;
    }

    /// What a script gives, null while there is no page that could run it.
    pub(crate) async fn script(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap_or_default()
    }

    /// Keeps a picture of the whole page, for people to look at, and holds that nothing of it is cut off at the side.
    pub(crate) async fn picture(&self, name: &str) {
        let size = self.script("return [document.documentElement.scrollWidth, innerWidth]").await;
        assert!(size[0].as_u64() <= size[1].as_u64(), "{name} is wider than the screen: {size}");
        let test = std::env::current_exe().expect("the test's own path is known");
        let target = test.ancestors().nth(3).expect("a test is in target/<profile>/deps");
        let folder = target.join("test-artefacts");
        std::fs::create_dir_all(&folder).expect("the target folder is writable");
        let picture = self.client.screenshot().await.unwrap_or_else(|error| panic!("no picture of {name}: {error}"));
        let file = folder.join(format!("webapp-{}-{name}.png", self.name));
        std::fs::write(&file, picture).expect("the target folder is writable");
    }

    /// Ends it, and holds that no page had a mistake: nothing failed to load, no script threw, nothing was against the policy.
    pub(crate) async fn close(self) {
        let log = self.client.issue_cmd(Log).await.expect("the browser has a log");
        assert_eq!(log, json!([]), "the browser complains");
        self.client.close().await.expect("the browser ends");
    }
}

/// What the browser is told before it starts.
fn capabilities(kind: &Kind, folder: &Path) -> serde_json::Map<String, Value> {
    let mut options = json!({
        "binary": program("TASK_TEST_CHROMIUM", "chromium"),
        "args": [
            "--headless=new",
            // Root has no sandbox, and containers lack what it needs; the pages are our own.
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            // With a pipe it ends when its driver does, also when that is killed.
            "--remote-debugging-pipe",
            "--window-size=1000,800",
            format!("--user-data-dir={}", folder.join("profile").display()),
        ],
    });
    match kind {
        Kind::Desktop => {}
        Kind::Phone => {
            let metrics = json!({ "width": 390, "height": 844, "pixelRatio": 2, "mobile": true, "touch": true });
            options["mobileEmulation"] = json!({ "deviceMetrics": metrics });
        }
        Kind::WithoutScripts => {
            options["prefs"] = json!({ "profile.default_content_setting_values.javascript": 2 });
        }
    }
    let all = json!({ "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" } });
    all.as_object().cloned().expect("it is an object")
}

/// Asks what the browser logged; no command of the standard.
#[derive(Debug)]
struct Log;

impl WebDriverCompatibleCommand for Log {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, <Url as FromStr>::Err> {
        base.join(&format!("session/{}/se/log", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(json!({ "type": "browser" }).to_string()))
    }
}
