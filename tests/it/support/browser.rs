//! A browser, driven by the WebDriver protocol (W3C recommendation), as far as the tests need it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Longer than a page takes on the busiest machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// chromedriver takes a free port of IPv4 and then the same of IPv6, and exits when somebody else has that one.
const DRIVERS_MAX: usize = 5;

/// A chromedriver and its port. None when it exited instead.
fn driver() -> Option<(Child, u16)> {
    let mut driver = Command::new("chromedriver")
        .arg("--port=0")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("chromedriver starts; ./test installs it");
    let lines = BufReader::new(driver.stdout.take().expect("its output")).lines();
    let port = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_suffix('.')?.split("on port ").nth(1)?.parse::<u16>().ok());
    if port.is_none() {
        driver.wait().expect("its output has ended");
    }
    Some((driver, port?))
}

/// One headless Chromium with one window.
pub struct Browser {
    driver: Child,
    session: String,
    http: reqwest::Client,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// None where `./test` has said that there is no browser.
    pub async fn start(width: u32, height: u32) -> Option<Self> {
        if std::env::var_os("NIGHTSHIFT_TEST_NO_BROWSER").is_some() {
            return None;
        }
        let (driver, port) = (0..DRIVERS_MAX).find_map(|_| driver()).expect("chromedriver tells its port");
        let profile = tempfile::tempdir().expect("a folder");
        nightshift_providers::tls::install();
        let http = reqwest::Client::new();
        let arguments = [
            "--headless=new".to_owned(),
            // Tests may run as root, where Chromium's sandbox does not.
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            format!("--user-data-dir={}", profile.path().display()),
            format!("--window-size={width},{height}"),
        ];
        let options = json!({
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "SEVERE"},
        });
        let wanted = json!({"capabilities": {"alwaysMatch": options}});
        let base = format!("http://127.0.0.1:{port}");
        let made: Value =
            http.post(format!("{base}/session")).json(&wanted).send().await.unwrap().json().await.unwrap();
        let id = made["value"]["sessionId"].as_str().unwrap_or_else(|| panic!("no browser: {made}"));
        Some(Self { session: format!("{base}/session/{id}"), driver, http, _profile: profile })
    }

    async fn send(&self, path: &str, body: Value) -> Value {
        let answer = self.http.post(format!("{}{path}", self.session)).json(&body).send().await.expect("an answer");
        answer.json().await.expect("JSON")
    }

    async fn command(&self, path: &str, body: Value) -> Value {
        let answer = self.send(path, body).await;
        assert!(answer["value"].get("error").is_none(), "{path}: {answer}");
        answer["value"].clone()
    }

    pub async fn open(&self, url: &str) {
        self.command("/url", json!({"url": url})).await;
    }

    /// Runs a script's expression in the page.
    pub async fn eval(&self, expression: &str) -> Value {
        self.command("/execute/sync", json!({"script": format!("return {expression}"), "args": []})).await
    }

    /// Waits until a script's expression has this value.
    pub async fn becomes(&self, expression: &str, wanted: impl Into<Value>) {
        let (started, wanted) = (Instant::now(), wanted.into());
        loop {
            let value = self.eval(expression).await;
            if value == wanted {
                return;
            }
            assert!(started.elapsed() < PATIENCE, "{expression} is {value}, not {wanted}");
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// The errors in the console since the last call.
    pub async fn errors(&self) -> Vec<String> {
        let entries = self.command("/se/log", json!({"type": "browser"})).await;
        let entries = entries.as_array().expect("a list");
        entries.iter().map(|entry| entry["message"].as_str().expect("a message").to_owned()).collect()
    }

    /// Sets a cookie of the host of the page.
    pub async fn set_cookie(&self, name: &str, value: &str) {
        self.command("/cookie", json!({"cookie": {"name": name, "value": value, "httpOnly": true}})).await;
    }

    /// Deletes all cookies of the host of the page.
    pub async fn forget_cookies(&self) {
        let answer = self.http.delete(format!("{}/cookie", self.session)).send().await.expect("an answer");
        assert!(answer.status().is_success(), "{answer:?}");
    }

    /// What a visitor can read.
    pub async fn text(&self) -> String {
        self.eval("document.body.innerText").await.as_str().unwrap_or_default().to_owned()
    }

    /// Clicks as a visitor does: on what is visible, and again when a live update has just replaced it.
    pub async fn click(&self, selector: &str) {
        for _ in 0..20 {
            let wanted = json!({"using": "css selector", "value": selector});
            let found = self.command("/element", wanted).await;
            let element = found.as_object().and_then(|found| found.values().next()?.as_str()).expect("an element");
            let answer = self.send(&format!("/element/{element}/click"), json!({})).await;
            if answer["value"]["error"] != "stale element reference" {
                assert!(answer["value"].get("error").is_none(), "{selector}: {answer}");
                return;
            }
        }
        panic!("{selector} is replaced all the time");
    }

    /// Presses keys where the focus is.
    pub async fn press(&self, keys: &str) {
        let actions: Vec<Value> = keys
            .chars()
            .flat_map(|key| [json!({"type": "keyDown", "value": key}), json!({"type": "keyUp", "value": key})])
            .collect();
        let keyboard = json!({"actions": [{"type": "key", "id": "keyboard", "actions": actions}]});
        self.command("/actions", keyboard).await;
    }

    /// Waits until a visitor can read all of this.
    pub async fn sees(&self, texts: &[&str]) {
        let started = Instant::now();
        loop {
            let shown = self.text().await;
            if texts.iter().all(|text| shown.contains(text)) {
                return;
            }
            assert!(started.elapsed() < PATIENCE, "{texts:?} is not all in:\n{shown}");
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver takes its browser with it only when it is asked to end the session.
        let session = self.session.clone();
        // A client of its own: the connections of ours live on the runtime that is blocked here.
        let ended = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
            runtime.block_on(async {
                reqwest::Client::builder().timeout(PATIENCE).build().ok()?.delete(session).send().await.ok()
            })
        });
        let _ = ended.join();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
