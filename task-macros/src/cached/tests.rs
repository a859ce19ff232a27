//! The macro as a whole: what it writes, as snapshots, and that no input breaks it.

use proc_macro2::TokenStream;

use super::write;
use crate::fuzzing::checked;
use crate::signature::as_written;
use crate::tests::{ITEMS, damage, snapshots, tokens};

snapshots! {
    without_anything: "", "async fn answer() -> u8 { 42 }";

    a_key_of_some_parameters: r#"ttl = 60, by = "user_id""#, r#"
        /// The page of a user.
        pub async fn summary(user_id: u64, db: &Db) -> Result<Summary, DbError> {
            db.summary(user_id).await
        }
    "#;

    every_option: r#"
        ttl = "1h30m", by = ["id", "language"], name = "users.summary", version = 2,
        tags = ["users", "user:{id}", "{{{language}:{id}}}"], stale = "10m", early = 0.5, cache = "pages", cache_errors = 1.5,
        crate = my::path
    "#, "pub(crate) async fn summary(language: String, id: u64, db: Db) -> Result<Summary, Error> { todo }";

    kept_for_ever: r#"ttl = "forever""#, "async fn answer() {}";

    every_kind_of_parameter: r#"by = ["type", "count", "name"]"#, r#"
        async fn r#move(
            r#type: &[Vec<u8>],
            mut count: BTreeMap<String, (u8, i64)>,
            #[allow(unused)] settings: &crate::Settings,
            name: &'_ str,
            connection: &mut Connection,
        ) {}
    "#;

    attributes_go_where_they_belong: "", r#"
        /// An old one.
        #[cfg(unix)]
        #[inline]
        #[tracing::instrument]
        #[expect(clippy::too_many_lines)]
        #[deprecated(note = "use another")]
        pub(super) async fn old(value: u8) -> u8 { value }
    "#;

    a_wrong_option_still_caches: "tll = 3", "async fn answer() -> u8 { 42 }";

    a_wrong_signature_still_has_its_functions: r#"by = "id""#, r#"
        pub async fn find<T>(id: u64, (a, b): (u8, u8)) -> Result<T, Error> {}
    "#;

    not_a_function: "", "pub struct Answer;";
    a_method: "", "async fn answer(&self) -> u8 { 42 }";
}

/// Options that are wrong in some way, or right.
const OPTIONS: [&str; 9] = [
    "",
    "ttl = 60, by = \"a\"",
    "ttl = \"forever\", by = [\"a\", \"b\"], tags = [\"x\", \"{a}\", \"{{{b}\"], stale = 1.5, early = true, cache_errors = 1, version = 7",
    "name = \"a.b\", cache = \"x\", crate = ::a::b",
    ",,,",
    "by = [], tags = [], ttl",
    "tags = [\"{\", \"}\", \"{💥}\", \"{}\", \"{x\"], by = [\"\", \"r#a\", \"self\"]",
    "1 2 3, r#type = 'x', by = by, version = -1",
    "{ } [ ] ( ) $ @ ! ?",
];

/// A function stays, each mistake is told, and without one the output is Rust.
fn expanded(options: TokenStream, item: TokenStream) {
    let kept = as_written(item.clone()).to_string();
    let text = checked(item.clone(), write(options, item));
    // What is cached holds the body as it was.
    assert!(text.starts_with(&kept) || text.contains("uncached"), "the function is gone: {text}");
}

#[test]
fn no_input_breaks_the_macro() {
    for options in OPTIONS {
        for item in ITEMS {
            expanded(tokens(options), tokens(item));
        }
        for damaged in damage(tokens(options)) {
            expanded(damaged, tokens("pub async fn f(a: u8, b: &str) -> Result<A, B> { x }"));
        }
    }
    for item in ITEMS {
        for damaged in damage(tokens(item)) {
            expanded(tokens(OPTIONS[1]), damaged);
        }
    }
}

#[test]
fn the_body_is_not_read() {
    let output = write(TokenStream::new(), tokens("async fn answer() { half.a { word, = } }")).to_string();
    assert!(output.contains(&tokens("{ half.a { word, = } }").to_string()), "{output}");
    assert!(!output.contains("compile_error"));
}
