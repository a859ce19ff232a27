//! The program that the chaos suite runs as several workers and several producers: `produce` is the latter, everything
//! else is a program of a user.

#[path = "../../chaos/journal.rs"]
mod journal;
mod produce;
mod tasks;

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("produce") {
        return produce::main();
    }
    // Before anything is counted of what this process holds.
    journal::journal();
    let _points = fail::FailScenario::setup();
    task_runtime::App::new().main()
}
