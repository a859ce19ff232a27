//! What must hold whatever bytes come: each check of the fuzz targets, over the committed corpus and
//! over mutations of it. `tests/run fuzz` lets the fuzzers look further.

mod corpus;
mod memory;

use support::Mutator;
use task_runtime::fuzzing::{CHECKS, check};

use memory::most_allocated;

/// Mutations of each input of a corpus.
const MUTATIONS: usize = 1_000;
/// What a check may hold at a time, whatever the input; then so many times its length.
const ALLOCATED: usize = 256 * 1024;
const ALLOCATED_FOR_EACH_BYTE: usize = 128;
/// What the `redis` crate may reserve besides, on the word of a server: a few thousand elements at
/// each of at most a hundred levels.
const RESERVED_FOR_ANSWERS: usize = 100 * 256 * 1024;
/// The targets that read what a server sends.
const ANSWERS: [&str; 2] = ["replies", "server"];

/// Runs the check of `target` over its corpus and mutations of it.
fn holds(target: &str) {
    let (check, inputs) = (check(target), corpus::inputs(target));
    let fixed = ALLOCATED + if ANSWERS.contains(&target) { RESERVED_FOR_ANSWERS } else { 0 };
    for (name, input) in &inputs {
        run(check, input, fixed, || format!("fuzz/corpus/{target}/{name}"));
    }
    let mut mutator = Mutator::new(inputs.iter().map(|(_, input)| input.clone()).collect());
    for (name, input) in &inputs {
        for _ in 0..MUTATIONS {
            let mutated = mutator.mutate(input);
            run(check, &mutated, fixed, || format!("a mutation of fuzz/corpus/{target}/{name}"));
        }
    }
}

#[track_caller]
fn run(check: fn(&[u8]), input: &[u8], fixed: usize, what: impl Fn() -> String) {
    let result = std::panic::catch_unwind(|| most_allocated(|| check(input)));
    let most = fixed + ALLOCATED_FOR_EACH_BYTE * input.len();
    match result {
        Ok(allocated) => {
            assert!(allocated <= most, "{}: {allocated} bytes for: {}", what(), input.escape_ascii());
        }
        Err(_) => panic!("{} broke a promise: {}", what(), input.escape_ascii()),
    }
}

macro_rules! promises {
    ($($target:ident: $promise:ident)*) => {
        $(#[test]
        fn $promise() {
            holds(stringify!($target));
        })*

        #[test]
        fn every_check_has_a_test_and_a_fuzz_target() {
            let tested = [$(stringify!($target)),*];
            assert_eq!(CHECKS.map(|(name, _)| name), tested);
            for target in tested {
                assert!(corpus::target_file(target).exists(), "fuzz/fuzz_targets/{target}.rs is missing");
            }
        }
    };
}

promises! {
    envelope: an_envelope_is_read_and_stored_as_the_same_or_named_as_broken
    records: a_record_of_any_bytes_keeps_no_job_from_being_settled_or_recovered
    backoff: stored_pauses_are_stored_as_the_same_and_never_too_long
    args: arguments_come_back_exactly_or_are_refused
    names: a_name_stays_inside_its_key_or_is_refused_in_safe_words
    replies: an_answer_of_any_form_is_read_or_leaves_open_what_happened
    server: a_server_error_has_a_meaning_and_a_url_keeps_its_password
    command_line: words_of_the_command_line_are_understood_or_explained
}
