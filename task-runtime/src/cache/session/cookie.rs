//! The cookie that carries a visitor's secret: its attributes, and how it is read and written.

use std::time::Duration;

use cookie::Cookie;
use http::header::{COOKIE, HeaderMap, HeaderValue};

use super::error::{SessionError, setting};
use super::token::Token;

/// Longest name, path and domain of a cookie, in bytes.
const MAX_ATTRIBUTE_BYTES: usize = 255;
/// Most cookies of a request that are looked at.
const MAX_COOKIES: usize = 200;
/// What has browsers accept a cookie only from this very host, through TLS and for every path: nobody can plant one from
/// a sub-domain or over plain HTTP (RFC 6265bis, section 4.1.3.2).
const HOST_PREFIX: &str = "__Host-";
/// The same without the part about host and path.
const SECURE_PREFIX: &str = "__Secure-";

/// When a browser sends the session's cookie along with requests that another site causes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// Never, not even when a visitor follows a link to here.
    Strict,
    /// Only when a visitor follows a link to here. This is what sessions have unless told else.
    Lax,
    /// Always; browsers want `Secure` with it. Every form needs a protection against forged requests then.
    None,
}

/// How the cookie looks.
#[derive(Clone, Debug)]
pub(super) struct CookieForm {
    pub(super) name: String,
    pub(super) secure: bool,
    pub(super) same_site: SameSite,
    pub(super) path: String,
    pub(super) domain: Option<String>,
    /// Whether it ends with the browser, and not with the session.
    pub(super) until_browser_closes: bool,
}

impl Default for CookieForm {
    fn default() -> Self {
        Self {
            name: "session".into(),
            secure: true,
            same_site: SameSite::Lax,
            path: "/".into(),
            domain: None,
            until_browser_closes: false,
        }
    }
}

impl CookieForm {
    /// Checks what was set, and gives the name the best prefix that the rest allows.
    pub(super) fn checked(mut self) -> Result<Self, SessionError> {
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        check("cookie_name", &self.name, "letters, digits, `-` and `_`", token)?;
        if self.name.starts_with("__") {
            return Err(setting("cookie_name", format!("`{}`", self.name), "a name without `__`; the prefix is added"));
        }
        let plain = |byte: u8| byte.is_ascii_graphic() && byte != b';' && byte != b',';
        check("cookie_path", &self.path, "a path without `;`", plain)?;
        if !self.path.starts_with('/') {
            return Err(setting("cookie_path", format!("`{}`", self.path), "a path that begins with `/`"));
        }
        if let Some(domain) = &self.domain {
            check("cookie_domain", domain, "a domain such as `example.com`", |byte| {
                byte.is_ascii_alphanumeric() || b"-.".contains(&byte)
            })?;
        }
        if self.same_site == SameSite::None && !self.secure {
            return Err(setting("same_site", "`None` for a cookie that is not secure", "`Lax`, `Strict`, or `secure`"));
        }
        if self.secure {
            let prefix = if self.path == "/" && self.domain.is_none() { HOST_PREFIX } else { SECURE_PREFIX };
            self.name.insert_str(0, prefix);
        }
        Ok(self)
    }

    /// The secret in the cookies of a request. What has not its form is no cookie of ours.
    pub(super) fn read(&self, headers: &HeaderMap) -> Option<Token> {
        let texts = headers.get_all(COOKIE).iter().filter_map(|header| header.to_str().ok());
        let cookies = texts.flat_map(Cookie::split_parse).take(MAX_COOKIES).filter_map(Result::ok);
        cookies.filter(|cookie| cookie.name() == self.name).find_map(|cookie| Token::read(cookie.value()))
    }

    /// The header that has a browser keep the secret for `ttl`.
    pub(super) fn keep(&self, token: &Token, ttl: Duration) -> HeaderValue {
        let max_age = (!self.until_browser_closes).then_some(ttl);
        self.header(token.secret(), max_age)
    }

    /// The header that has a browser forget it.
    pub(super) fn forget(&self) -> HeaderValue {
        self.header(String::new(), Some(Duration::ZERO))
    }

    fn header(&self, value: String, max_age: Option<Duration>) -> HeaderValue {
        let mut cookie = Cookie::new(self.name.clone(), value);
        cookie.set_http_only(true);
        cookie.set_secure(self.secure);
        cookie.set_path(self.path.clone());
        cookie.set_same_site(match self.same_site {
            SameSite::Strict => cookie::SameSite::Strict,
            SameSite::Lax => cookie::SameSite::Lax,
            SameSite::None => cookie::SameSite::None,
        });
        if let Some(domain) = &self.domain {
            cookie.set_domain(domain.clone());
        }
        if let Some(max_age) = max_age {
            // Up, so that a session of less than a second has a cookie at all.
            let seconds = i64::try_from(max_age.as_millis().div_ceil(1000)).unwrap_or(i64::MAX);
            cookie.set_max_age(cookie::time::Duration::seconds(seconds));
        }
        HeaderValue::from_str(&cookie.to_string()).expect("every part was checked when it was set")
    }
}

fn check(
    what: &'static str,
    text: &str,
    expected: &'static str,
    allowed: impl Fn(u8) -> bool,
) -> Result<(), SessionError> {
    match text.bytes().all(allowed) && (1..=MAX_ATTRIBUTE_BYTES).contains(&text.len()) {
        true => Ok(()),
        false => {
            let shown: String = text.escape_debug().take(MAX_ATTRIBUTE_BYTES).collect();
            Err(setting(what, format!("`{shown}`"), format!("{expected}, {MAX_ATTRIBUTE_BYTES} bytes at most")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(form: &CookieForm, headers: &[&str]) -> Option<Token> {
        let mut map = HeaderMap::new();
        for header in headers {
            map.append(COOKIE, HeaderValue::from_str(header).unwrap());
        }
        form.read(&map)
    }

    #[test]
    fn unless_told_else_a_cookie_is_as_hard_to_steal_or_plant_as_browsers_allow() {
        let (form, token) = (CookieForm::default().checked().unwrap(), Token::random().unwrap());
        let header = form.keep(&token, Duration::from_millis(1_500));
        let expected = format!("__Host-session={}; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=2", token.secret());
        assert_eq!(header.to_str().unwrap(), expected);
        let header = form.forget();
        assert_eq!(header.to_str().unwrap(), "__Host-session=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0");
    }

    #[test]
    fn the_prefix_is_the_best_that_the_other_attributes_allow() {
        let name = |form: CookieForm| form.checked().unwrap().name;
        let form = CookieForm::default;
        assert_eq!(name(CookieForm { domain: Some("example.com".into()), ..form() }), "__Secure-session");
        assert_eq!(name(CookieForm { path: "/app".into(), ..form() }), "__Secure-session");
        assert_eq!(name(CookieForm { secure: false, ..form() }), "session");
    }

    #[test]
    fn a_secret_is_found_among_other_cookies_and_behind_one_that_is_no_secret() {
        let (form, token) = (CookieForm::default().checked().unwrap(), Token::random().unwrap());
        let ours = format!("__Host-session={}", token.secret());
        assert_eq!(read(&form, &["a=b; c", &format!("x=y; {ours}; z=1")]), Some(token.clone()));
        assert_eq!(read(&form, &[&format!("__Host-session=planted; {ours}")]), Some(token.clone()));
        assert_eq!(read(&form, &[&format!("session={}", token.secret())]), None, "another name is another cookie");
        assert_eq!(read(&form, &["", ";;;=", "__Host-session="]), None);
    }

    #[test]
    fn settings_that_would_break_the_header_or_the_prefix_are_refused_by_name() {
        let form = CookieForm::default;
        for (wrong, name) in [
            (CookieForm { name: "a b".into(), ..form() }, "cookie_name"),
            (CookieForm { name: "__Host-id".into(), ..form() }, "cookie_name"),
            (CookieForm { name: String::new(), ..form() }, "cookie_name"),
            (CookieForm { path: "/a; Domain=x".into(), ..form() }, "cookie_path"),
            (CookieForm { path: "app".into(), ..form() }, "cookie_path"),
            (CookieForm { domain: Some("a\r\nb".into()), ..form() }, "cookie_domain"),
            (CookieForm { same_site: SameSite::None, secure: false, ..form() }, "same_site"),
        ] {
            let error = wrong.checked().unwrap_err().to_string();
            assert!(error.starts_with(&format!("setting `{name}` of the sessions is ")), "{error}");
        }
    }
}
