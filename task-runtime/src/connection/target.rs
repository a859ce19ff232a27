//! Where servers are: read from a URL that is checked once and never shown.

use redis::io::tcp::TcpSettings;
use redis::{
    ConnectionAddr, ErrorKind, IntoConnectionInfo as _, ProtocolVersion, RedisConnectionInfo, RedisError, RedisResult,
};

use crate::error::Error;

/// Most servers that one URL may name.
const MAX_SEEDS: usize = 100;

/// The servers that a URL names: one, or several nodes of one cluster.
#[derive(Clone)]
pub(crate) struct Target {
    /// At least one.
    seeds: Vec<Address>,
}

impl Target {
    /// Reads `redis://`, `rediss://` or `unix://` with user, password and database; before the
    /// database there may be several hosts with a comma between them.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when the text is not such a URL; it never repeats the URL.
    pub(crate) fn parse(url: &str) -> Result<Self, Error> {
        let hosts = Hosts::split(url);
        if hosts.list.len() > MAX_SEEDS {
            return Err(refused(format!("{} hosts", hosts.list.len()), format!("at most {MAX_SEEDS}")));
        }
        if ["rediss://", "valkeys://"].contains(&hosts.scheme.to_ascii_lowercase().as_str()) {
            verified_tls(&hosts)?;
        }
        let seeds: Result<_, Error> = hosts.list.iter().map(|host| Address::parse(&hosts.url_of(host))).collect();
        Ok(Self { seeds: seeds? })
    }

    /// Whether both name one server by the same name, and the same database of it.
    #[cfg(feature = "cache-settings")]
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        let shared = |one: &Address| other.seeds.iter().any(|two| one.is(two) && one.db() == two.db());
        self.seeds.iter().any(shared)
    }

    pub(super) fn seeds(&self) -> &[Address] {
        &self.seeds
    }
}

/// A URL in the parts before, between and behind its hosts.
struct Hosts<'a> {
    scheme: &'a str,
    user: &'a str,
    list: Vec<&'a str>,
    rest: &'a str,
}

impl<'a> Hosts<'a> {
    fn split(url: &'a str) -> Self {
        let (scheme, behind) = url.split_at(url.find("://").map_or(0, |at| at + 3));
        let (all, rest) = behind.split_at(behind.find(['/', '?', '#']).unwrap_or(behind.len()));
        // A password may hold a comma, and an at sign if its writer forgot to encode it.
        let (user, hosts) = all.split_at(all.rfind('@').map_or(0, |at| at + 1));
        Self { scheme, user, list: hosts.split(',').collect(), rest }
    }

    fn url_of(&self, host: &str) -> String {
        format!("{}{}{host}{}", self.scheme, self.user, self.rest)
    }
}

/// A certificate that nobody checks protects from nobody who can reach the connection.
fn verified_tls(hosts: &Hosts) -> Result<(), Error> {
    if hosts.rest.contains('#') {
        let given = "rediss:// with a fragment, such as #insecure".into();
        let advice = "rediss:// without one: certificates are always verified; name the file of a private \
                      authority with the environment variable SSL_CERT_FILE";
        return Err(refused(given, advice.into()));
    }
    if cfg!(not(feature = "tls")) {
        let given = "rediss://, for which this program is not built".into();
        return Err(refused(given, "redis://, or the cargo feature `tls` of task-runtime".into()));
    }
    #[cfg(feature = "tls")]
    choose_cryptography();
    Ok(())
}

/// rustls panics when a program's dependencies bring two libraries of cryptography and nobody has
/// chosen one; a choice that the program has made stands.
#[cfg(feature = "tls")]
fn choose_cryptography() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // An error says that another thread has just chosen.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

/// What is wrong with a URL, in the crate's words but without its detail, which repeats a part of it.
fn fault_of(error: &RedisError) -> String {
    match error.kind() {
        ErrorKind::InvalidClientConfig => error.to_string().split(" - ").next().unwrap_or_default().to_owned(),
        _ => "not a URL".into(),
    }
}

fn refused(given: String, expected: String) -> Error {
    Error::InvalidOption { option: "server URL", given, expected }
}

/// One server and how to log in there; its password is never shown.
#[derive(Clone)]
pub(super) struct Address(redis::Client);

impl Address {
    fn parse(url: &str) -> Result<Self, Error> {
        let expected = "redis://[user:password@]host[:port][,host[:port]…][/db], rediss://… or unix:///path";
        let address = url.into_connection_info().and_then(|info| {
            // Without it a request waits for the acknowledgement of the one before.
            let settings = TcpSettings::default().set_nodelay(true);
            redis::Client::open(info.set_tcp_settings(settings)).map(Self)
        });
        let address = address.map_err(|error| {
            let given = format!("not understood ({})", fault_of(&error));
            refused(given, expected.into())
        })?;
        match address.login().protocol() {
            ProtocolVersion::RESP2 => Ok(address),
            _ => Err(refused("one that asks for RESP3".into(), format!("{expected}; every server speaks RESP2"))),
        }
    }

    pub(super) fn place(&self) -> &ConnectionAddr {
        self.0.get_connection_info().addr()
    }

    pub(super) fn login(&self) -> &RedisConnectionInfo {
        self.0.get_connection_info().redis_settings()
    }

    pub(super) fn client(&self) -> &redis::Client {
        &self.0
    }

    /// The node at `place`, `host:port` as a cluster writes it, with the login and the TLS of this
    /// one. Without a host it is the host of this one.
    pub(super) fn beside(&self, place: &str) -> Option<Self> {
        let (host, port) = place.rsplit_once(':')?;
        let port = port.parse().ok()?;
        let info = self.0.get_connection_info();
        let addr = match (info.addr(), host) {
            (ConnectionAddr::Tcp(own, _), "") => ConnectionAddr::Tcp(own.clone(), port),
            (ConnectionAddr::TcpTls { host: own, tls_params, .. }, host) => {
                let host = if host.is_empty() { own.clone() } else { host.to_owned() };
                ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: tls_params.clone() }
            }
            (_, "") => return None,
            (_, host) => ConnectionAddr::Tcp(host.to_owned(), port),
        };
        let open: RedisResult<_> = redis::Client::open(info.clone().set_addr(addr));
        open.ok().map(Self)
    }

    #[cfg(feature = "cache-settings")]
    fn db(&self) -> i64 {
        self.login().db()
    }

    /// Whether both are the same server by name.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.place() == other.place()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(url: &str) -> Vec<String> {
        let target = Target::parse(url).unwrap();
        target.seeds.iter().map(|seed| seed.0.get_connection_info().addr().to_string()).collect()
    }

    fn refusal(url: &str) -> String {
        Target::parse(url).err().expect("the URL is refused").to_string()
    }

    #[test]
    fn several_hosts_share_login_and_database() {
        assert_eq!(places("redis://one"), ["one:6379"]);
        assert_eq!(places("redis://one:1,two,[::1]:3/4"), ["one:1", "two:6379", "::1:3"]);
        let target = Target::parse("redis://me:a,b@one:1,two:2/4").unwrap();
        for seed in &target.seeds {
            let login = seed.0.get_connection_info().redis_settings();
            assert_eq!((login.username(), login.password(), login.db()), (Some("me"), Some("a,b"), 4));
        }
    }

    #[test]
    fn a_path_may_hold_a_comma() {
        assert_eq!(places("unix:///tmp/a,b?db=3"), ["/tmp/a,b"]);
    }

    #[test]
    fn a_bad_url_never_repeats_its_password() {
        let bad = ["http://:secret@h", "redis://:secret@", "redis://:secret@h:x", "redis://:secret@h/x", "secret"];
        for url in bad.into_iter().chain([
            "redis://:secret@one,,two",
            "redis://h:1:secret",
            "rediss://:secret@h#a",
            "redis://h/?protocol=secret",
        ]) {
            let text = refusal(url);
            assert!(!text.contains("secret"), "{text}");
        }
        assert!(refusal("redis://:secret@h/x").contains("not understood (Invalid database number)"));
    }

    #[test]
    fn a_protocol_that_is_not_spoken_is_refused() {
        let text = refusal("redis://:secret@h/?protocol=resp3");
        assert!(text.contains("RESP3") && text.contains("RESP2") && !text.contains("secret"), "{text}");
    }

    #[test]
    fn an_unverified_certificate_is_refused() {
        let text = refusal("rediss://:secret@h/#insecure");
        assert!(text.contains("always verified") && !text.contains("secret"), "{text}");
    }

    #[cfg(not(feature = "tls"))]
    #[test]
    fn tls_without_the_feature_names_the_feature() {
        assert!(refusal("rediss://h").contains("feature `tls`"));
    }

    #[test]
    fn a_learned_node_inherits_the_login() {
        let target = Target::parse("redis://me:secret@one:1").unwrap();
        let node = |place| target.seeds[0].beside(place).map(|node| node.0.get_connection_info().clone());
        let info = node("other.example:7001").unwrap();
        assert_eq!(info.addr().to_string(), "other.example:7001");
        assert_eq!((info.redis_settings().username(), info.redis_settings().password()), (Some("me"), Some("secret")));
        assert!(info.tcp_settings().nodelay());
        assert_eq!(node(":7002").unwrap().addr().to_string(), "one:7002");
        assert_eq!(node("::1:7003").unwrap().addr().to_string(), "::1:7003");
        assert!(node("nowhere").is_none() && node("one:x").is_none());
    }

    #[cfg(feature = "tls")]
    #[test]
    fn a_learned_node_inherits_tls() {
        let target = Target::parse("rediss://one:1").unwrap();
        let node = target.seeds[0].beside("two:2").unwrap();
        assert!(matches!(node.0.get_connection_info().addr(), ConnectionAddr::TcpTls { insecure: false, .. }));
    }
}
