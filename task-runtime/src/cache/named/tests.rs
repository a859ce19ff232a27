//! What texts and variables become, as tables.

use std::time::Duration;

use super::super::cache::Cache;
use super::super::codec::Codec;
use super::super::compression::Compression;
use super::super::ttl::Ttl;
use super::Caches;

fn told(text: &str) -> String {
    Caches::from_toml(text).expect_err(text).to_string()
}

fn one(keys: &str) -> Cache {
    Caches::from_toml(&format!("[caches.a]\n{keys}")).expect(keys).get("a").unwrap()
}

#[test]
fn each_key_is_what_it_says() {
    let seconds = |seconds| Ttl::For(Duration::from_secs(seconds));
    let ttls = [
        ("", seconds(300)),
        ("ttl = '5m'", seconds(300)),
        ("ttl = '1h 30m'", seconds(5_400)),
        ("ttl = '90s'", seconds(90)),
        ("ttl = 90", seconds(90)),
        ("ttl = 0.25", Ttl::For(Duration::from_millis(250))),
        ("ttl = 'forever'", Ttl::Forever),
    ];
    for (keys, ttl) in ttls {
        assert_eq!(one(keys).shared.ttl, ttl, "{keys}");
    }
    let codecs = [("", Codec::Json), ("codec = 'json'", Codec::Json)];
    for (keys, codec) in codecs {
        assert_eq!(one(keys).shared.writing.codec, codec, "{keys}");
    }
    assert_eq!(one("compression = 'none'").shared.writing.compression, Compression::None);
    assert_eq!(one("compress_from = 0").shared.writing.compress_from, 0);
    assert_eq!(one("max_value_bytes = 10").shared.writing.max_value_bytes, 10);
    assert_eq!((one("").version(), one("version = 7").version()), (1, 7));
    assert!(one("on_outage = 'miss'").shared.guard.is_miss() && !one("on_outage = 'fail'").shared.guard.is_miss());
    assert_eq!(one("").keys().of("k").unwrap(), "a:1:k", "its name is its prefix");
    assert_eq!(one("prefix = 'b'").keys().of("k").unwrap(), "b:1:k");
    one("deadline = '30ms'\nmemory_keys = 1\nmemory_bytes = 1");
    one("url = 'redis://h:1,i:2/'");
    one("url = 'unix:///tmp/s'");
    one("host = '::1'\nport = 6379\ndb = 3\nuser = 'u'\npassword = 'p'\nreplicas = ['redis://r']");
}

#[cfg(all(feature = "cache-msgpack", feature = "cache-zstd", feature = "cache-lz4"))]
#[test]
fn codecs_and_compressions_have_their_words() {
    assert_eq!(one("codec = 'msgpack'").shared.writing.codec, Codec::MessagePack);
    assert_eq!(one("compression = 'zstd'").shared.writing.compression, Compression::Zstd);
    assert_eq!(one("compression = 'lz4'").shared.writing.compression, Compression::Lz4);
}

#[test]
fn what_cannot_be_used_is_told_with_its_cache_and_key() {
    let cases = [
        (
            "ttl = '5x'",
            "`caches.a.ttl` of the cache is `5x`, expected a time such as `\"5m\"`, a number of seconds, or",
        ),
        ("ttl = -1", "`caches.a.ttl` of the cache is -1, expected a time"),
        ("ttl = nan", "`caches.a.ttl` of the cache is NaN, expected a time"),
        ("ttl = true", "`caches.a.ttl` of the cache is true or false, expected a time"),
        ("ttl = 0", "`caches.a.ttl` of the cache is 0ns, expected 1 ms to 10 years"),
        ("deadline = '0s'", "`caches.a.deadline` of the cache is 0ns, expected more than 0"),
        ("deadline = 'forever'", "`caches.a.deadline` of the cache is `forever`, expected a time"),
        ("tll = 1", "`caches.a.tll` of the cache is no key of a cache, expected one of `url`, `host`"),
        ("versoin = 1", "did you mean `version`?"),
        ("codec = 'pickle'", "`caches.a.codec` of the cache is `pickle`, expected one of `json`, `msgpack`"),
        ("codec = 1", "`caches.a.codec` of the cache is 1, expected one of"),
        (
            "compression = 'gzip'",
            "`caches.a.compression` of the cache is `gzip`, expected one of `none`, `zstd`, `lz4`",
        ),
        ("on_outage = 'mis'", "is `mis`, expected one of `fail`, `miss`; did you mean `miss`?"),
        ("version = 0", "`caches.a.version` of the cache is 0, expected a whole number from 1 to 4294967295"),
        ("version = '1'", "`caches.a.version` of the cache is `1`, expected a whole number"),
        (
            "max_value_bytes = 300_000_000",
            "`caches.a.max_value_bytes` of the cache is 300000000, expected 1 to 268435456",
        ),
        ("memory_keys = 0", "`caches.a.memory_keys` of the cache is 0, expected a whole number from 1"),
        ("compress_from = -1", "`caches.a.compress_from` of the cache is -1, expected a whole number from 0"),
        ("prefix = 'a:b'", "`caches.a.prefix` of the cache is `a:b`, expected 1 to 64 letters"),
        ("prefix = ''", "`caches.a.prefix` of the cache is empty, expected some text"),
        (
            "replicas = ['redis://r']",
            "`caches.a.replicas` of the cache is there, expected a `url` or a `host` beside it",
        ),
        ("url = 'redis://h'\nreplicas = 'redis://r'", "`caches.a.replicas` of the cache is a text, expected a list"),
        ("url = 'redis://h'\nreplicas = [1]", "`caches.a.replicas` of the cache is a list of something else"),
        ("url = 'redis://h'\nreplicas = ['x']", "`caches.a.replicas` of the cache is not understood"),
        ("port = 1", "`caches.a.port` of the cache is there without `host`, expected both"),
        ("host = 'h'\nport = 0", "`caches.a.port` of the cache is 0, expected a whole number from 1 to 65535"),
        ("host = 'h'\ndb = -1", "`caches.a.db` of the cache is -1"),
        ("host = 'h'\ntls = 'yes'", "`caches.a.tls` of the cache is `yes`, expected true or false"),
        ("url = 1", "`caches.a.url` of the cache is a number, expected a text"),
        ("url = 'http://h'", "`caches.a.url` of the cache is not understood"),
    ];
    for (keys, expected) in cases {
        let error = told(&format!("[caches.a]\n{keys}"));
        assert!(error.contains(expected), "{keys}: {error}");
    }
}

#[test]
fn no_error_repeats_a_secret() {
    let cases = [
        "[caches.a]\nurl = 'redis://secret:secret@h'\nhost = 'secret'",
        "[caches.a]\nurl = 'redis://h'\npassword = 'secret'\nuser = 'secret'",
        "[caches.a]\nurl = 'secret://secret'",
        "[caches.a]\nurl = ['secret']",
        "[caches.a]\nhost = 'redis://:secret@h'",
        "[caches.a]\nhost = 'h'\nuser = 'secret'",
        "[caches.a]\nhost = 'h'\npassword = ['secret']",
        "[caches.a]\nhost = 'h'\nport = 0\npassword = 'secret'",
        "[caches.a]\npassword = 'secret'",
        "[caches.a]\nurl = 'redis://h'\nreplicas = ['secret']",
        "[caches.a]\nurl = 'redis://h'\nreplicas = 'secret'",
        "[caches.a]\npassword = 'secret",
        "[caches.a]\npassword = secret",
        "[caches.a]\npassword = 'secret' secret",
        "[caches.a]\npassword = 'secret'\npassword = 'secret'",
        "[caches.a]\npassword = \"secret\\secret\"",
    ];
    for text in cases {
        let error = told(text);
        assert!(!error.contains("secret"), "{text}: {error}");
        let error = format!("{:?}", Caches::from_toml(text).unwrap_err());
        assert!(!error.contains("secret"), "{text}: {error}");
    }
}

#[test]
fn a_text_that_is_no_list_of_caches_is_told() {
    let many: String = (0..101).map(|number| format!("[caches.a{number}]\n")).collect();
    let cases = [
        ("[caches.a]\nttl = 5m", "setting `caches` of the cache is no TOML at line 2 ("),
        ("", "setting `caches` of the cache is not there, expected tables such as `[caches.default]`"),
        ("[cache.a]", "setting `caches` of the cache is not there"),
        ("caches = 1", "setting `caches` of the cache is no table"),
        ("[caches]", "setting `caches` of the cache is 0 tables, expected 1 to 100"),
        (&many, "setting `caches` of the cache is 101 tables, expected 1 to 100"),
        ("[caches]\nttl = 1", "setting `caches.ttl` of the cache is no table"),
        ("[caches.\"a b\"]", "setting `caches` of the cache is the name `a b`, expected 1 to 64 letters"),
        ("[caches.\"\"]", "setting `caches` of the cache is the name ``, expected 1 to 64 letters"),
    ];
    for (text, expected) in cases {
        let error = told(text);
        assert!(error.contains(expected), "{text}: {error}");
    }
    Caches::from_toml("[caches.a]\n[others]\nx = 1").unwrap();
}

#[test]
fn two_caches_may_not_share_their_keys() {
    let both = |one: &str, two: &str| Caches::from_toml(&format!("[caches.a]\n{one}\n[caches.b]\n{two}"));
    let same = [
        ("url = 'redis://h/'\nprefix = 'p'", "url = 'redis://h:6379/0'\nprefix = 'p'"),
        ("url = 'redis://h/'\nprefix = 'p'", "host = 'h'\nprefix = 'p'\npassword = 'x'"),
        ("url = 'redis://h'\nprefix = 'b'", "url = 'redis://h'"),
        ("url = 'redis://h,i'\nprefix = 'p'", "url = 'redis://i,j'\nprefix = 'p'\nversion = 2"),
    ];
    for (one, two) in same {
        let error = both(one, two).unwrap_err().to_string();
        assert!(error.starts_with("setting `caches.b.prefix` of the cache is `"), "{error}");
        assert!(error.ends_with("as that of cache `a` on the same server, expected another one"), "{error}");
    }
    let apart = [
        ("url = 'redis://h'", "url = 'redis://h'"),
        ("url = 'redis://h/1'\nprefix = 'p'", "url = 'redis://h/2'\nprefix = 'p'"),
        ("url = 'redis://h:1'\nprefix = 'p'", "url = 'redis://h:2'\nprefix = 'p'"),
        ("prefix = 'p'", "prefix = 'p'"),
    ];
    for (one, two) in apart {
        both(one, two).unwrap();
    }
}

#[test]
fn variables_change_single_keys() {
    let text = "[caches.default]\nhost = 'h'\npassword = 'p'\n[caches.web-pages]\nttl = 1";
    let with = |variables: &[(&str, &str)]| {
        Caches::from_variables([("CACHES", text)].into_iter().chain(variables.iter().copied()))
    };
    let ttl = |name: &str, variables: &[(&str, &str)]| with(variables).unwrap().get(name).unwrap().shared.ttl;
    assert_eq!(ttl("web-pages", &[]), Ttl::For(Duration::from_secs(1)));
    assert_eq!(ttl("web-pages", &[("CACHE_WEB_PAGES_TTL", "5m")]), Ttl::For(Duration::from_secs(300)));
    assert_eq!(ttl("web-pages", &[("CACHE_WEB_PAGES_TTL", "2")]), Ttl::For(Duration::from_secs(2)));
    assert_eq!(ttl("web-pages", &[("CACHE_WEB_PAGES_TTL", "0.5")]), Ttl::For(Duration::from_millis(500)));
    assert_eq!(ttl("web-pages", &[("CACHE_WEB_PAGES_TTL", "")]), Ttl::For(Duration::from_secs(1)));
    // A place in full takes that of the other one.
    with(&[("CACHE_DEFAULT_URL", "redis://other"), ("CACHE_DEFAULT_REPLICAS", "redis://one redis://two")]).unwrap();
    with(&[("CACHE_DEFAULT_PORT", "1"), ("CACHE_DEFAULT_TLS", "false"), ("CACHE_DEFAULT_PASSWORD", "1")]).unwrap();
    // What others have in the environment.
    with(&[("CACHE_DIR", "/tmp"), ("CACHE_CONTROL", "x"), ("CACHE_TTL", "x"), ("CACHED", "x")]).unwrap();
    let cases = [
        (
            ("CACHE_WEB_PAGES_TTLL", "1"),
            "`CACHE_WEB_PAGES_TTLL` of the cache is no key of a cache, expected one of `URL`",
        ),
        (("CACHE_WEB_PAGES_TTLL", "1"), "did you mean `TTL`?"),
        (
            ("CACHE_WEB_PAGE_TTL", "1"),
            "is for a cache `WEB_PAGE`, expected one of `DEFAULT`, `WEB_PAGES`; did you mean",
        ),
        (("CACHE_WEB_PAGES_TTL", "x"), "`caches.web-pages.ttl` of the cache is `x`, expected a time"),
        (("CACHE_WEB_PAGES_VERSION", "x"), "`caches.web-pages.version` of the cache is `x`, expected a whole number"),
        (("CACHES_FILE", "/x"), "`CACHES` of the cache is there beside `CACHES_FILE`, expected one of the two"),
    ];
    for (variable, expected) in cases {
        let error = with(&[variable]).expect_err(variable.0).to_string();
        assert!(error.contains(expected), "{variable:?}: {error}");
    }
}

#[test]
fn without_a_text_variables_name_the_caches() {
    let caches = Caches::from_variables([
        ("CACHE_DEFAULT_URL", "redis://h"),
        ("CACHE_WEB_PAGES_MEMORY_KEYS", "10"),
        ("CACHE_DEFAULT_MAX_VALUE_BYTES", "10"),
        ("CACHE_DIR", "/tmp"),
    ]);
    let caches = caches.unwrap();
    assert_eq!(caches.names().collect::<Vec<_>>(), ["default", "web_pages"]);
    assert_eq!(caches.default_cache().unwrap().shared.writing.max_value_bytes, 10);
    let none = Caches::from_variables([("CACHE_DIR", "/tmp")]).unwrap_err().to_string();
    assert!(none.contains("`CACHES` of the cache is not there, expected it, `CACHES_FILE` or a variable"), "{none}");
}

#[test]
fn a_file_holds_the_text() {
    let missing = Caches::from_variables([("CACHES_FILE", "/nowhere/caches.toml")]).unwrap_err().to_string();
    assert!(
        missing.contains("`CACHES_FILE` of the cache is `/nowhere/caches.toml`, which cannot be read"),
        "{missing}"
    );
    let endless = Caches::from_variables([("CACHES_FILE", "/dev/zero")]).unwrap_err().to_string();
    assert!(endless.contains("1048576 bytes at most"), "{endless}");
}
