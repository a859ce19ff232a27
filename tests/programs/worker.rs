//! The program of a user, as the tests of processes run it; `FAILPOINTS` says where it is to fail.

#[path = "tasks.rs"]
mod tasks;

use std::panic::{set_hook, take_hook};

fn main() -> std::process::ExitCode {
    if std::env::var_os("TASK_TEST_PANIC").is_some_and(|what| what == "abort") {
        // From outside that is what a program does that is built with `panic = "abort"`.
        let tell = take_hook();
        set_hook(Box::new(move |info| {
            tell(info);
            std::process::abort();
        }));
    }
    let _points = fail::FailScenario::setup();
    task_runtime::App::new().main()
}
