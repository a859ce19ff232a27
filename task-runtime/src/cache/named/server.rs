//! The URL of a server whose parts are given one by one.

use super::super::error::{CacheError, setting};

/// The parts of a URL.
#[derive(Default)]
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: Option<u16>,
    pub(super) db: Option<i64>,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    pub(super) tls: bool,
}

impl Server {
    /// `path` is the one of the cache in its text. What is wrong is never repeated: part of it may be a password.
    pub(super) fn url(&self, path: &str) -> Result<String, CacheError> {
        let is_name = |host: &str| host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        let is_address = self.host.parse::<std::net::Ipv6Addr>().is_ok();
        if self.host.is_empty() || !is_name(&self.host) && !is_address {
            let expected = "the name or the address of one host; sockets and clusters have a `url`";
            return Err(setting(format!("{path}.host"), "no such", expected));
        }
        if self.user.is_some() && self.password.is_none() {
            return Err(setting(format!("{path}.password"), "not there", "one, beside `user`"));
        }
        let mut url = String::from(if self.tls { "rediss://" } else { "redis://" });
        if let Some(password) = &self.password {
            let user = self.user.as_deref().unwrap_or_default();
            url += &format!("{}:{}@", encoded(user), encoded(password));
        }
        url += &if is_address { format!("[{}]", self.host) } else { self.host.clone() };
        url += &self.port.map(|port| format!(":{port}")).unwrap_or_default();
        url += &format!("/{}", self.db.unwrap_or_default());
        Ok(url)
    }
}

/// With `%` in the place of all that means something in a URL.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut url, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => url.push(char::from(byte)),
            _ => url += &format!("%{byte:02X}"),
        }
        url
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(host: &str) -> Server {
        Server { host: host.into(), ..Server::default() }
    }

    #[test]
    fn parts_become_a_url() {
        let password = Some("p@s:s/w?o#r d%,é".to_owned());
        let cases = [
            (at("one"), "redis://one/0"),
            (Server { port: Some(1), db: Some(3), tls: true, ..at("a.b-c") }, "rediss://a.b-c:1/3"),
            (Server { port: Some(1), ..at("::1") }, "redis://[::1]:1/0"),
            (Server { password: password.clone(), ..at("h") }, "redis://:p%40s%3As%2Fw%3Fo%23r%20d%25%2C%C3%A9@h/0"),
            (Server { user: Some("a:b".into()), password: Some("x".into()), ..at("h") }, "redis://a%3Ab:x@h/0"),
        ];
        for (server, url) in cases {
            assert_eq!(server.url("caches.a").unwrap(), url);
        }
    }

    #[test]
    fn what_is_no_host_is_refused_and_not_repeated() {
        for host in ["", "redis://:secret@h", "u:secret@h", "one,two", "h:1", "h/1", "unix:///tmp/s", "a b"] {
            let error = at(host).url("caches.a").unwrap_err().to_string();
            assert!(error.starts_with("setting `caches.a.host` of the cache is no such, expected the name"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
        let error = Server { user: Some("me".into()), ..at("h") }.url("caches.a").unwrap_err().to_string();
        assert!(error.contains("`caches.a.password`") && error.contains("beside `user`"), "{error}");
    }
}
