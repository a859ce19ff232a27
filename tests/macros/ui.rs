//! What the compiler says about each mistake in the use of `#[task]` and `#[cached]`, and that what is right compiles.

#[test]
fn ui() {
    let cases = trybuild::TestCases::new();
    cases.pass("macros/ui/pass/*.rs");
    cases.compile_fail("macros/ui/fail/*.rs");
    cases.pass("macros/ui/cached/pass/*.rs");
    cases.compile_fail("macros/ui/cached/fail/*.rs");
}
