//! Each rule can fail: made-up sources that break it, beside ones that keep it.

use super::*;

fn source(path: &str, text: &str) -> Source {
    Source::new(&format!("task-runtime/src/{path}"), text)
}

fn table() -> Table {
    Table::parse("| module | may import |\n|---|---|\n| error | – |\n| job | error |\n| worker | error, job |").unwrap()
}

/// The modules of [`table`], with nothing in them.
fn with(path: &str, text: &str) -> Vec<Source> {
    let mut sources = vec![source("error.rs", ""), source("job/mod.rs", ""), source("worker/mod.rs", "")];
    sources.push(source(path, text));
    sources
}

#[test]
fn an_arrow_that_points_up_is_found_with_its_line() {
    let sources = with("job/retry.rs", "use crate::error::Error;\nuse crate::worker::Turn;");
    assert_eq!(layers(&sources, &table()), ["task-runtime/src/job/retry.rs:2 `job` may not import `worker`"]);
    let sources = with("job/retry.rs", "use super::super::worker::Turn;");
    assert_eq!(layers(&sources, &table()), ["task-runtime/src/job/retry.rs:1 `job` may not import `worker`"]);
    let sources = with("worker/turn.rs", "use crate::{error::Error, job::Job, worker::Executor};\nuse super::Builder;");
    assert_eq!(layers(&sources, &table()), [""; 0]);
}

#[test]
fn a_module_without_a_row_may_import_nothing() {
    let sources = with("metrics.rs", "use crate::error::Error;");
    assert_eq!(layers(&sources, &table()), ["task-runtime/src/metrics.rs:1 `metrics` may not import `error`"]);
}

#[test]
fn a_detour_over_the_root_is_found() {
    let found = |text| layers(&with("job/retry.rs", text), &table()).len();
    assert_eq!(found("use crate::Turn;"), 1);
    assert_eq!(found("use crate::*;"), 1);
    assert_eq!(found("use super::super::*;"), 1);
}

#[test]
fn re_exporting_files_and_test_code_are_free() {
    let upwards = "pub use crate::worker::Turn; pub use crate::Anything;";
    assert_eq!(layers(&with("lib.rs", upwards), &table()), [""; 0]);
    assert_eq!(layers(&with("private.rs", upwards), &table()), [""; 0]);
    let inline = format!("#[cfg(test)] mod tests {{ {upwards} }}");
    assert_eq!(layers(&with("job/retry.rs", &inline), &table()), [""; 0]);
    let mut sources = with("job/retry.rs", "#[cfg(test)] mod tests;");
    sources.push(source("job/retry/tests.rs", upwards));
    assert_eq!(layers(&sources, &table()), [""; 0]);
}

#[test]
fn the_table_must_name_the_modules_that_exist() {
    assert_eq!(table_is_current(&with("lib.rs", ""), &table()), [""; 0]);
    assert_eq!(table_is_current(&with("cache/mod.rs", ""), &table()), ["the module `cache` has no row"]);
    let two = [source("error.rs", ""), source("job/mod.rs", "")];
    assert_eq!(table_is_current(&two, &table()), ["the row `worker` has no module"]);
}

#[test]
fn a_crate_outside_of_its_places_is_found() {
    let places = ["error", "broker/redis"];
    let text = "use redis::Client;";
    assert_eq!(only_in(&[source("broker/redis/keys.rs", text), source("error.rs", text)], "redis", &places), [""; 0]);
    let found = only_in(&[source("broker/memory.rs", text)], "redis", &places);
    assert_eq!(found, ["task-runtime/src/broker/memory.rs:1 uses the crate `redis`"]);
    assert_eq!(only_in(&[source("lib.rs", "inventory::collect!(X);")], "inventory", &places).len(), 1);
    assert_eq!(only_in(&[source("lib.rs", "use redis_test::X; fn redis() {}")], "redis", &places), [""; 0]);
}

#[test]
fn a_job_that_waits_reads_or_asks_for_the_time_is_found() {
    let found = |text| plain_data(&[source("job/retry.rs", text)], &["job", "task"]).len();
    assert_eq!(found("async fn f() {}"), 1);
    assert_eq!(found("fn f() { g(async {}.await) }"), 2);
    assert_eq!(found("fn f() { tokio::spawn(x) }"), 1);
    assert_eq!(found("use std::{fs::File, time::{Duration, SystemTime}};"), 2);
    assert_eq!(found("use std::time::Duration; fn f(process: u8) {}"), 0);
    assert_eq!(plain_data(&[source("worker/turn.rs", "async fn f() {}")], &["job", "task"]), [""; 0]);
}

#[test]
fn lua_elsewhere_is_found() {
    let scripts = &["broker/redis/scripts"];
    let inside = source("broker/redis/scripts/lib/fence.lua", "redis.call('PING')");
    let outside = source("cache/get.lua", "redis.call('PING')");
    assert_eq!(lua(&[inside, outside], scripts), ["task-runtime/src/cache/get.lua is not in broker/redis/scripts"]);
    let text = "const SCRIPT: &str = r#\"return redis.call('PING')\"#;";
    let found = lua(&[source("broker/redis/mod.rs", text)], scripts);
    assert_eq!(found, ["task-runtime/src/broker/redis/mod.rs:1 holds Lua in a string"]);
}

#[test]
fn a_key_that_is_made_elsewhere_is_found() {
    let places = &["broker/redis/keys"];
    let text = "fn key(n: &str, q: &str) -> String { format!(\"{{{n}:{q}}}:jobs\") }";
    assert_eq!(keys(&[source("broker/redis/keys.rs", text)], places), [""; 0]);
    let found = keys(&[source("broker/redis/verbs.rs", text)], places);
    assert_eq!(found, ["task-runtime/src/broker/redis/verbs.rs:1 makes a key; only broker/redis/keys does"]);
    assert_eq!(keys(&[source("broker/redis/verbs.rs", "const JSON: &str = \"{}:{x}\";")], places), [""; 0]);
}

#[test]
fn a_test_that_a_page_names_and_nobody_wrote_is_found() {
    let page =
        "| [P1 One](#p1) | `a.rs`, `b.rs`, `job/c.rs` |\n\nHeld by `it_holds`, `it_does_not`, and all of `a.rs`.";
    let tests = [Source::new("tests/a.rs", "async fn it_holds(at: Bench) {}"), Source::new("job/c.rs", "")];
    assert_eq!(tests_exist(page, &tests), ["there is no file `b.rs`", "there is no test `it_does_not`"]);
}

#[test]
fn a_dependency_is_found_in_each_of_its_forms() {
    let found = |manifest| no_dependency(manifest, "task-runtime").len();
    assert_eq!(found("[dependencies]\ntask-runtime.workspace = true"), 1);
    assert_eq!(found("[build-dependencies]\ntask-runtime = \"1\""), 1);
    assert_eq!(found("[target.'cfg(unix)'.dependencies]\ntask-runtime = \"1\""), 1);
    assert_eq!(found("[dependencies.task-runtime]\nversion = \"1\""), 1);
    assert_eq!(found("[package]\nname = \"task-macros\"\n[dependencies]\nsyn = \"3\""), 0);
    assert_eq!(found("[dev-dependencies]\ntask-runtime.workspace = true"), 0);
}

#[test]
fn a_file_without_its_sentence_is_found() {
    let sources = [source("a.rs", "//! Says what it is.\n"), source("b.rs", "use x::Y;\n"), source("c.lua", "local x")];
    assert_eq!(opening_sentence(&sources), ["task-runtime/src/b.rs does not open with a `//!` sentence"]);
}

#[test]
fn a_long_file_is_found_unless_it_says_why() {
    let long = "x\n".repeat(401);
    assert_eq!(length(&[source("a.rs", &long), source("b.lua", &long)]).len(), 2);
    assert_eq!(length(&[source("a.rs", &"x\n".repeat(400))]), [""; 0]);
    assert_eq!(length(&[source("a.rs", &format!("//! A table.\n//! {EXCUSE} of its rows.\n{long}"))]), [""; 0]);
    assert_eq!(length(&[source("a.rs", &format!("//! A table.\n\n{long}// {EXCUSE} of its rows."))]).len(), 1);
}
