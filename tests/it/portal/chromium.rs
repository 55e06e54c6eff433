//! Debian's Chromium, driven by the W3C WebDriver protocol: as much of it as these tests need.
//!
//! The client libraries there are would change what is tested: one makes JSON objects of the whole program keep another order, the other brings a
//! second HTTP stack and a licence that `deny.toml` does not allow. The protocol is JSON by HTTP to a program on this machine.

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// What Chromium is started with, in a profile of its own. Its driver speaks to it through a pipe: when the driver ends, it ends.
const ARGUMENTS: [&str; 10] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost",
];
/// How the protocol names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// Looks at a page before a test gives up what should come.
const PATIENCE: usize = 1500;
/// The root of a page; each page has its own, though it is the same address.
const PAGE: &str = "html";
/// The tabulator, as the protocol names keys.
pub const TAB: &str = "\u{e004}";
/// The enter key.
pub const ENTER: &str = "\u{e007}";

/// Whether pages may run scripts of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scripts {
    Run,
    Blocked,
}

/// The palette that the reader's system asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    Light,
    Dark,
}

impl Theme {
    pub const ALL: [Self; 2] = [Self::Light, Self::Dark];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// A running browser; it ends when this is dropped.
pub struct Chromium {
    driver: Child,
    at: SocketAddr,
    session: String,
    profile: TempDir,
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // The browser follows its driver. Neither can be ended twice.
        let _ended = self.driver.kill();
        let _gone = self.driver.wait();
    }
}

#[expect(clippy::disallowed_methods, reason = "whoever runs the tests says where tools are and where pictures go")]
fn named(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The folder where pictures of pages go, if somebody wants some.
pub fn pictures() -> Option<PathBuf> {
    named("THROUGHLINE_PICTURES")
}

/// The source of axe-core, where it is installed.
pub fn axe() -> Option<String> {
    std::fs::read_to_string(named("THROUGHLINE_AXE")?.join("axe.min.js")).ok()
}

#[expect(clippy::disallowed_macros, reason = "whoever runs the tests is told what was not tried")]
pub fn pass_over(what: &str) {
    eprintln!("portal: passed over: {what}");
}

fn launch() -> Option<(Child, SocketAddr)> {
    let mut driver = match Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).spawn() {
        Ok(driver) => driver,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => panic!("chromedriver cannot be started: {error}"),
    };
    let told = BufReader::new(driver.stdout.take().expect("its output"));
    let port = told
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.split_once("successfully on port ")?.1.trim_end_matches('.').parse::<u16>().ok());
    let Some(port) = port else {
        let _ended = driver.kill();
        panic!("chromedriver said no port: {:?}", driver.wait());
    };
    Some((driver, SocketAddr::from(([127, 0, 0, 1], port))))
}

impl Chromium {
    /// A new browser; none where there is no Chromium, which is said.
    pub async fn open(scripts: Scripts) -> Option<Self> {
        let Some((driver, at)) = launch() else {
            pass_over("there is no chromedriver here (Debian: chromium-driver)");
            return None;
        };
        let profile = tempfile::tempdir().expect("a folder for the profile");
        let mut browser = Self { driver, at, session: String::new(), profile };
        let mut arguments: Vec<String> = ARGUMENTS.map(str::to_owned).to_vec();
        arguments.push(format!("--user-data-dir={}", browser.profile.path().display()));
        let mut options = json!({ "args": arguments });
        if scripts == Scripts::Blocked {
            options["prefs"] = json!({ "profile.managed_default_content_settings.javascript": 2 });
        }
        let wanted = json!({ "browserName": "chrome", "acceptInsecureCerts": true, "goog:chromeOptions": options });
        let begun = browser.send("POST", "/session", &json!({ "capabilities": { "alwaysMatch": wanted } })).await;
        let begun = begun.unwrap_or_else(|error| panic!("Chromium cannot be started: {error}"));
        begun["sessionId"].as_str().expect("a session").clone_into(&mut browser.session);
        Some(browser)
    }

    /// One command of the protocol; what it said instead of doing it.
    async fn send(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let body = if method == "GET" { String::new() } else { body.to_string() };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            self.at,
            body.len()
        );
        let mut stream = TcpStream::connect(self.at).await.map_err(|error| error.to_string())?;
        stream.write_all([head, body].concat().as_bytes()).await.map_err(|error| error.to_string())?;
        // The driver keeps the connection open, whatever it is asked.
        let mut bytes = Vec::new();
        let split = loop {
            if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break at;
            }
            if stream.read_buf(&mut bytes).await.map_err(|error| error.to_string())? == 0 {
                return Err("no head".to_owned());
            }
        };
        let head = String::from_utf8_lossy(&bytes[..split]).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
        let length = length.ok_or("no length")?;
        while bytes.len() < split + 4 + length {
            if stream.read_buf(&mut bytes).await.map_err(|error| error.to_string())? == 0 {
                return Err("the answer was cut".to_owned());
            }
        }
        let mut answer: Value = serde_json::from_slice(&bytes[split + 4..]).map_err(|error| error.to_string())?;
        let value = answer["value"].take();
        match value["error"].as_str() {
            Some(error) => Err(format!("{error}: {}", value["message"].as_str().unwrap_or_default())),
            None => Ok(value),
        }
    }

    async fn ask(&self, method: &str, path: &str, body: Value) -> Value {
        let answer = self.send(method, &format!("/session/{}{path}", self.session), &body).await;
        answer.unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    async fn text_of(&self, path: &str) -> String {
        self.ask("GET", path, Value::Null).await.as_str().unwrap_or_default().to_owned()
    }

    pub async fn go(&self, address: &str) {
        self.ask("POST", "/url", json!({ "url": address })).await;
    }

    pub async fn back(&self) {
        self.ask("POST", "/back", json!({})).await;
    }

    pub async fn address(&self) -> String {
        self.text_of("/url").await
    }

    pub async fn title(&self) -> String {
        self.text_of("/title").await
    }

    pub async fn source(&self) -> String {
        self.text_of("/source").await
    }

    async fn find(&self, selector: &str) -> Option<String> {
        let wanted = json!({ "using": "css selector", "value": selector });
        let all = self.ask("POST", "/elements", wanted).await;
        all.as_array()?.first()?[ELEMENT].as_str().map(str::to_owned)
    }

    async fn one(&self, selector: &str) -> String {
        match self.find(selector).await {
            Some(element) => element,
            None => panic!("no {selector} on {}: {}", self.address().await, self.source().await),
        }
    }

    pub async fn has(&self, selector: &str) -> bool {
        self.find(selector).await.is_some()
    }

    /// What a reader sees of the page.
    pub async fn text(&self) -> String {
        self.text_in("body").await
    }

    pub async fn text_in(&self, selector: &str) -> String {
        let element = self.one(selector).await;
        self.text_of(&format!("/element/{element}/text")).await
    }

    /// Clicks on what leads to another page, and waits for that page.
    pub async fn click(&self, selector: &str) {
        let before = self.one(PAGE).await;
        self.choose(selector).await;
        self.leave(&before).await;
    }

    /// Clicks on what leads nowhere: an option of a list.
    pub async fn choose(&self, selector: &str) {
        let element = self.one(selector).await;
        self.ask("POST", &format!("/element/{element}/click"), json!({})).await;
    }

    /// Waits until another page has taken the place of this one. The driver answers a click when the browser has asked for the page, which is too early:
    /// what is looked for next would be looked for on the old page, and an address that is gone to next would take the place of what the click sends.
    async fn leave(&self, before: &str) {
        for _ in 0..PATIENCE {
            if self.find(PAGE).await.is_some_and(|now| now != before) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("nothing follows {}: {}", self.address().await, self.source().await);
    }

    pub async fn write(&self, selector: &str, text: &str) {
        let element = self.one(selector).await;
        self.ask("POST", &format!("/element/{element}/value"), json!({ "text": text })).await;
    }

    /// Follows what has the focus to another page, by the keyboard.
    pub async fn enter(&self) {
        let before = self.one(PAGE).await;
        self.press(ENTER).await;
        self.leave(&before).await;
    }

    /// Presses a key wherever the focus is.
    pub async fn press(&self, key: &str) {
        let keys = json!([{ "type": "keyDown", "value": key }, { "type": "keyUp", "value": key }]);
        self.ask("POST", "/actions", json!({ "actions": [{ "type": "key", "id": "keys", "actions": keys }] })).await;
    }

    /// What a script of ours, not of the page, finds out.
    pub async fn learn(&self, script: &str) -> Value {
        self.ask("POST", "/execute/sync", json!({ "script": script, "args": [] })).await
    }

    /// What axe finds wrong with the page by WCAG 2.2, levels A and AA.
    pub async fn check(&self, source: &str) -> Vec<String> {
        let script = "const done = arguments[arguments.length - 1], tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
            axe.run(document, { runOnly: tags, resultTypes: ['violations'] }).then(
                found => done(found.violations.flatMap(v => v.nodes.map(n => v.id + ': ' + n.target.join(' ') + ': ' + n.failureSummary))),
                error => done(['axe failed: ' + error]))";
        let script = [source, ";", script].concat();
        let found = self.ask("POST", "/execute/async", json!({ "script": script, "args": [] })).await;
        let found = found.as_array().expect("a list").iter();
        found.map(|one| one.as_str().unwrap_or_default().to_owned()).collect()
    }

    /// A command of the browser's own protocol.
    async fn tell(&self, command: &str, parameters: Value) -> Value {
        self.ask("POST", "/goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await
    }

    /// As a reader sees it whose window is so wide and whose system asks for this palette.
    pub async fn view(&self, width: u32, theme: Theme) {
        let metrics = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.tell("Emulation.setDeviceMetricsOverride", metrics).await;
        let features = json!([{ "name": "prefers-color-scheme", "value": theme.as_str() }]);
        self.tell("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    /// A picture of the whole page.
    pub async fn picture(&self, to: &Path) {
        let wanted = json!({ "format": "png", "captureBeyondViewport": true });
        let shot = self.tell("Page.captureScreenshot", wanted).await;
        let bytes = base64(shot["data"].as_str().expect("a picture"));
        std::fs::write(to, bytes).expect("the picture is kept");
    }

    /// The page on paper.
    pub async fn print(&self) -> Vec<u8> {
        base64(self.ask("POST", "/print", json!({})).await.as_str().expect("a document"))
    }
}

fn base64(text: &str) -> Vec<u8> {
    STANDARD.decode(text).expect("base 64")
}
