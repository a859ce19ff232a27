//! The program of a user, as the tests of processes run it; `FAILPOINTS` says where it is to fail.

#[path = "tasks.rs"]
mod tasks;

fn main() -> std::process::ExitCode {
    let _points = fail::FailScenario::setup();
    task_runtime::App::new().main()
}
