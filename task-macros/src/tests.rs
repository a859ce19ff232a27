//! The macro as a whole: what it writes, as snapshots, and that no input breaks it.

use std::fs;
use std::path::Path;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

use crate::fuzzing::{self, expanded};
use crate::write;

pub(crate) fn tokens(source: &str) -> TokenStream {
    source.parse().expect("the source is made of tokens")
}

/// What an attribute wrote, as a person would lay it out.
pub(crate) fn laid_out(output: TokenStream) -> String {
    let file = syn::parse2(output).expect("the macro writes items");
    prettyplease::unparse(&file)
}

macro_rules! snapshots {
    ($($name:ident: $options:literal, $item:literal;)*) => {$(
        #[test]
        fn $name() {
            let expansion = $crate::tests::laid_out(write(tokens($options), tokens($item)));
            insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
                insta::assert_snapshot!(stringify!($name), expansion);
            });
        }
    )*};
}
pub(crate) use snapshots;

snapshots! {
    without_anything: "", "async fn ping() {}";

    arguments_and_injection: r#"queue = "mail", timeout = 30"#, r#"
        /// Sends one e-mail.
        pub async fn send_email(to: &str, subject: String, #[inject] db: &Data<Db>) -> anyhow::Result<usize> {
            db.send(to, subject).await
        }
    "#;

    every_option: r#"
        name = "emails.send", aliases = ["send_mail", "mail::send"], queue = "mail.high", timeout = "1h30m",
        max_attempts = 5, max_crashes = 2, backoff = exponential("1s", cap = "10m", jitter = false), priority = 7,
        result_ttl = 0, job = Letter, derive(Clone, ::std::fmt::Debug), crate = my::path
    "#, "pub(crate) async fn send_email(to: String) -> Result<(), Error> { Ok(()) }";

    constant_backoff: "backoff = constant(5, jitter = true)", "async fn ping() {}";
    linear_backoff: r#"backoff = linear("5s")"#, "async fn ping() {}";
    list_of_delays: r#"backoff = [0, "5s", 1.5]"#, "async fn ping() {}";

    blocking: "blocking", "fn resize(image: Vec<u8>, #[inject] store: Store) -> Result<Image, Failure> { todo }";

    every_kind_of_parameter: "", r#"
        async fn r#move(
            #[doc = " Where from."] r#type: &[Vec<u8>],
            #[inject] #[doc = " Is dropped."] context: Context,
            mut count: HashMap<String, (u8, i64)>,
            #[allow(unused)] settings: &crate::Settings,
            std_string: std::string::String,
            name: &'_ str,
        ) {}
    "#;

    conditions_and_descriptions: "", r#"
        /// An old one.
        #[doc(hidden)]
        #[cfg(unix)]
        #[cfg_attr(test, instrument, cfg(feature = "x"))]
        #[inline]
        #[deprecated(note = "use another")]
        pub(super) async fn old(value: u8) {}
    "#;

    a_wrong_option_still_writes_the_task: "timeuot = 3, priority = 12, queue = \"mail\"", "async fn ping() {}";

    a_wrong_signature_still_writes_a_job_type: "derive(Clone)", r#"
        pub async fn send<T>(to: &mut String, #[inject] db: &Db, (a, b): (u8, u8)) -> Result<T, Error> {}
    "#;

    not_a_function: "", "pub struct Ping;";
    a_method: "", "async fn ping(&self, #[inject] db: Db) {}";
}

/// Options and items that are wrong in some way, or right.
const OPTIONS: [&str; 14] = [
    "",
    "queue = \"mail\", timeout = 30",
    "backoff = exponential(\"1s\", cap = \"10m\", jitter = false), aliases = [\"a\", \"b\"], job = A, derive(B, c::D)",
    "backoff = [1, 2.5, \"3s\"], max_attempts = 3, crate = ::a::b, blocking",
    ",,,",
    "= = =",
    "1 2 3",
    "queue = ",
    "queue queue queue",
    "timeout = 1e999, priority = 0b1, result_ttl = 99999999999999999999999999s",
    "backoff = backoff(backoff(backoff))",
    "r#type = 'x', 'a: 3, #[doc] name = b\"x\"",
    "name = \"\\u{0}\", queue = \"💥\", name = \"\"",
    "{ } [ ] ( ) $ @ ! ?",
];

pub(crate) const ITEMS: [&str; 14] = [
    "pub(in a::b) async fn f(#[inject] #[doc = \"x\"] a: &A<'_>, mut b: &[u8], r#c: impl D + 'static) -> Result<A, B> { x }",
    "#[cfg_attr(a, b, c(d))] #[cfg] #[doc] const async unsafe extern \"C\" fn f<'a, T: A, const N: u8>(x: T, ...) where T: A {}",
    "async fn f(self: Box<Self>, _: u8, (a, b): C, ref d: E, g @ 1: u8, &h: &u8) -> &'a impl F {}",
    "async fn __() {}",
    "async fn größe(x: [u8; { 1 + 1 }], y: fn(&u8) -> &u8, z: Box<dyn A>, m!(): n!()) -> ! {}",
    "fn f();",
    "fn",
    "async",
    "",
    "struct S { a: B }",
    "impl A { fn b() {} }",
    "1 + 1",
    "#![inner] fn f() {}",
    "#[inject] # # fn f(# # #[inject] #[] x) -> {}",
];

#[test]
fn no_input_breaks_the_macro() {
    for options in OPTIONS {
        for item in ITEMS {
            expanded(tokens(options), tokens(item));
        }
    }
    for options in OPTIONS {
        for damaged in damage(tokens(options)) {
            expanded(damaged, tokens(ITEMS[0]));
        }
    }
    for item in ITEMS {
        for damaged in damage(tokens(item)) {
            expanded(tokens(OPTIONS[1]), damaged);
        }
    }
}

#[test]
fn what_holds_of_the_corpus_holds_of_it_damaged() {
    for input in corpus("attribute") {
        fuzzing::attribute(&input);
        let text = std::str::from_utf8(&input).expect("the committed corpus is text");
        let (options, item) = text.split_once('\n').expect("the first line holds the options");
        for damaged in damage(tokens(options)) {
            expanded(damaged, tokens(item));
        }
        for damaged in damage(tokens(item)) {
            expanded(tokens(options), damaged);
        }
    }
    for input in corpus("attribute_times") {
        fuzzing::attribute_times(&input);
        for damaged in damage(tokens(std::str::from_utf8(&input).expect("the committed corpus is text"))) {
            fuzzing::attribute_times(damaged.to_string().as_bytes());
        }
    }
}

/// The inputs of a fuzz target.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect()
}

/// Every way to lose, to double, or to wrap invisibly one of the tokens, and to lose the end.
pub(crate) fn damage(source: TokenStream) -> Vec<TokenStream> {
    let tokens: Vec<TokenTree> = source.into_iter().collect();
    let mut damaged = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        let (before, after) = (&tokens[..index], &tokens[index + 1..]);
        let with = |middle: Vec<TokenTree>| before.iter().cloned().chain(middle).chain(after.iter().cloned()).collect();
        damaged.push(before.iter().cloned().collect());
        damaged.push(with(vec![]));
        damaged.push(with(vec![token.clone(), token.clone()]));
        damaged.push(with(vec![Group::new(Delimiter::None, token.clone().into()).into()]));
        if let TokenTree::Group(group) = token {
            for inner in damage(group.stream()) {
                damaged.push(with(vec![Group::new(group.delimiter(), inner).into()]));
            }
        }
    }
    damaged
}

#[test]
fn the_body_is_not_read() {
    let item = "async fn ping() { half.a { word, = } }";
    let output = write(TokenStream::new(), tokens(item)).to_string();
    assert!(output.starts_with(&tokens(item).to_string()));
    assert!(!output.contains("compile_error"));
}

#[test]
fn the_function_is_always_there() {
    for options in OPTIONS {
        let output = write(tokens(options), tokens("#[inline] pub fn f(a: A) -> B { c }")).to_string();
        assert!(output.starts_with(&tokens("#[inline] pub fn f(a: A) -> B { c }").to_string()), "{options}");
    }
}
