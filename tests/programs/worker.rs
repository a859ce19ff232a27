//! The program of a user, as the tests of processes run it.

#[path = "tasks.rs"]
mod tasks;

fn main() -> std::process::ExitCode {
    task_runtime::App::new().main()
}
