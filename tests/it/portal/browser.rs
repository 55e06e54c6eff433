//! As much of a browser as the portal needs: addresses, cookies, forms. It runs no scripts.

use std::{collections::BTreeMap, fmt::Write as _, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    /// In their order, the day of the answer left out.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(one, _)| one == name).map(|(_, value)| value.as_str())
    }

    /// What a form of this page carries.
    pub fn form_token(&self) -> String {
        let text = self.text();
        let at = text.find("name=\"form_token\" value=\"").expect("a form") + "name=\"form_token\" value=\"".len();
        text[at..].split('"').next().unwrap().to_owned()
    }
}

/// A browser with its cookies.
#[derive(Clone, Debug)]
pub struct Browser {
    pub at: SocketAddr,
    pub cookies: BTreeMap<String, String>,
    /// Sent with each form.
    pub origin: String,
    pub site: &'static str,
}

pub fn encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").unwrap();
        }
        out
    })
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if let (b'%', [a, b, tail @ ..]) = (first, tail) {
            bytes.push(u8::from_str_radix(std::str::from_utf8(&[*a, *b]).unwrap(), 16).unwrap());
            rest = tail;
        } else {
            bytes.push(if *first == b'+' { b' ' } else { *first });
        }
    }
    String::from_utf8(bytes).unwrap()
}

impl Browser {
    pub fn new(at: SocketAddr) -> Self {
        let origin = format!("https://localhost:{}", at.port());
        Self { at, cookies: BTreeMap::new(), origin, site: "same-origin" }
    }

    async fn send(&mut self, head: String, body: String) -> Answer {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = if cookies.is_empty() { String::new() } else { format!("Cookie: {}\r\n", cookies.join("; ")) };
        let request = format!("{head}Host: localhost\r\nConnection: close\r\n{cookies}\r\n{body}");
        let mut stream = TcpStream::connect(self.at).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        let split = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8(bytes[..split].to_vec()).unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .filter(|(name, _)| name != "date")
            .collect();
        for (_, cookie) in headers.iter().filter(|(name, _)| name == "set-cookie") {
            self.keep(cookie);
        }
        Answer { status, headers, body: bytes[split + 4..].to_vec() }
    }

    fn keep(&mut self, cookie: &str) {
        let (name, rest) = cookie.split_once('=').unwrap();
        for wanted in ["; Path=/", "; Secure", "; HttpOnly", "; SameSite=Lax"] {
            assert!(name.starts_with("__Host-") && cookie.contains(wanted), "{cookie}");
        }
        let value = rest.split(';').next().unwrap();
        if value.is_empty() {
            self.cookies.remove(name);
        } else {
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
    }

    /// One page, wherever it leads.
    pub async fn get_only(&mut self, address: &str) -> Answer {
        let path = address.strip_prefix(&self.origin).unwrap_or(address).to_owned();
        self.send(format!("GET {path} HTTP/1.1\r\n"), String::new()).await
    }

    /// A page, and where it leads.
    pub async fn get(&mut self, address: &str) -> Answer {
        let mut answer = self.get_only(address).await;
        for _ in 0..10 {
            let Some(to) = answer.header("location").map(str::to_owned) else { return answer };
            answer = self.get_only(&to).await;
        }
        panic!("{address} leads nowhere");
    }

    /// A form, wherever it leads.
    pub async fn post_only(&mut self, address: &str, fields: &[(&str, &str)]) -> Answer {
        let fields: Vec<String> =
            fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        let body = fields.join("&");
        let head = format!(
            "POST {address} HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\nOrigin: {}\r\nSec-Fetch-Site: {}\r\n",
            body.len(),
            self.origin,
            self.site
        );
        self.send(head, body).await
    }

    /// A form, and where it leads.
    pub async fn post(&mut self, address: &str, fields: &[(&str, &str)]) -> Answer {
        let answer = self.post_only(address, fields).await;
        match answer.header("location").map(str::to_owned) {
            Some(to) => self.get(&to).await,
            None => answer,
        }
    }

    /// To the issuer and, as a persona, to where it sends the browser: the address with the answer, not yet opened.
    pub async fn choose(&mut self, persona: &str) -> String {
        let to = self.get_only("/sign-in/begin").await.header("location").unwrap().to_owned();
        assert_eq!(self.get(&to).await.status, 200);
        let pairs: Vec<(String, String)> = to
            .split_once('?')
            .unwrap()
            .1
            .split('&')
            .map(|pair| pair.split_once('=').unwrap())
            .map(|(name, value)| (decode(name), decode(value)))
            .collect();
        let mut fields: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        fields.push(("persona", persona));
        let answer = self.post_only("/sandbox/authorize", &fields).await;
        answer.header("location").unwrap_or_else(|| panic!("{}", answer.text())).to_owned()
    }

    /// Signs in, and goes where that leads.
    pub async fn sign_in(&mut self, persona: &str) -> Answer {
        let back = self.choose(persona).await;
        self.get(&back).await
    }
}
