//! The layers of ARCHITECTURE.md and the rules of the code base hold, file by file.

#[path = "architecture/rules.rs"]
mod rules;
#[path = "architecture/scan.rs"]
mod scan;
#[path = "architecture/source.rs"]
mod source;
#[path = "architecture/table.rs"]
mod table;

use std::fs;
use std::path::Path;

use crate::source::{Source, workspace};
use crate::table::Table;

fn runtime() -> Vec<Source> {
    source::load(&["task-runtime/src"])
}

#[track_caller]
fn assert_none(violations: &[String]) {
    assert!(violations.is_empty(), "{} violations:\n{}", violations.len(), violations.join("\n"));
}

fn read(path: &str) -> String {
    let path = workspace().join(Path::new(path));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{} cannot be read: {error}", path.display()))
}

#[test]
fn imports_point_down_the_layer_table() {
    let table = Table::parse(&read("ARCHITECTURE.md")).unwrap();
    assert_none(&rules::layers(&runtime(), &table));
}

#[test]
fn the_layer_table_names_the_modules_that_exist() {
    let table = Table::parse(&read("ARCHITECTURE.md")).unwrap();
    assert_none(&rules::table_is_current(&runtime(), &table));
}

#[test]
fn the_redis_crate_stays_at_the_edge() {
    assert_none(&rules::only_in(&runtime(), "redis", &["error", "connection", "broker/redis", "cache"]));
}

#[test]
fn the_inventory_crate_stays_in_the_registry() {
    assert_none(&rules::only_in(&runtime(), "inventory", &["handler", "private"]));
}

#[test]
fn jobs_and_tasks_are_plain_data() {
    assert_none(&rules::plain_data(&runtime(), &["job", "task", "null"]));
}

#[test]
fn lua_lives_in_the_scripts_folders() {
    assert_none(&rules::lua(
        &runtime(),
        &["broker/redis/scripts", "cache/session/redis/scripts", "cache/store/redis/scripts"],
    ));
}

#[test]
fn keys_are_made_in_one_place() {
    let places = ["broker/redis/keys", "broker/redis/fuzzing", "cache/key", "cache/session/redis/keys"];
    assert_none(&rules::keys(&runtime(), &places));
}

#[test]
fn the_guarantees_name_tests_that_exist() {
    assert_none(&rules::tests_exist(&read("docs/guarantees.md"), &all()));
}

#[test]
fn the_macros_do_not_depend_on_the_runtime() {
    assert_none(&rules::no_dependency(&read("task-macros/Cargo.toml"), "task-runtime"));
}

#[test]
fn every_file_opens_with_its_one_sentence() {
    assert_none(&rules::opening_sentence(&all()));
}

#[test]
fn a_file_is_one_thought_of_at_most_400_lines() {
    assert_none(&rules::length(&all()));
}

fn all() -> Vec<Source> {
    let folders = source::folders();
    source::load(&folders.iter().map(String::as_str).collect::<Vec<_>>())
}
