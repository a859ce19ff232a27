//! What the compiler says about each mistake in the use of `#[task]` and `#[cached]`, and that what is right compiles.

#[test]
fn ui() {
    let cases = trybuild::TestCases::new();
    cases.pass("ui/pass/*.rs");
    cases.compile_fail("ui/fail/*.rs");
    cases.pass("ui/cached/pass/*.rs");
    cases.compile_fail("ui/cached/fail/*.rs");
}
