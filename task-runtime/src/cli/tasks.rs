//! `tasks`: what this program can run.

use serde_json::json;

use crate::handler::TaskDef;
use crate::job::{DEFAULT_MAX_ATTEMPTS, DEFAULT_PRIORITY, JobOptions};

use super::args::ListOptions;
use super::output::{print, table};
use super::{Exit, registry};

pub(super) fn run(options: &ListOptions) -> Result<(), Exit> {
    let registry = registry()?;
    let tasks: Vec<_> = registry.tasks().collect();
    if options.json {
        let tasks: Vec<_> = tasks.iter().map(|task| as_json(task)).collect();
        return print(&format!("{:#}", json!(tasks)));
    }
    if tasks.is_empty() {
        return print("no task is registered: annotate a function with `#[task]`, and name its crate in `main`");
    }
    let rows: Vec<_> = tasks.iter().map(|task| row(task)).collect();
    print(&table(&["TASK", "QUEUE", "TIMEOUT", "ATTEMPTS", "ARGUMENTS", "WHERE"], &rows, &[3]))
}

fn row(task: &TaskDef) -> Vec<String> {
    let arguments: Vec<_> = task.arguments.iter().map(|one| format!("{}: {}", one.name, one.ty)).collect();
    vec![
        task.name.to_owned(),
        task.options.queue.to_owned(),
        humantime::format_duration(JobOptions::default().timeout(&task.options)).to_string(),
        task.options.max_attempts.unwrap_or(DEFAULT_MAX_ATTEMPTS).to_string(),
        if arguments.is_empty() { "–".into() } else { arguments.join(", ") },
        task.site.to_string(),
    ]
}

fn as_json(task: &TaskDef) -> serde_json::Value {
    let arguments: Vec<_> = task.arguments.iter().map(|one| json!({ "name": one.name, "type": one.ty })).collect();
    let defaults = JobOptions::default();
    json!({
        "name": task.name,
        "aliases": task.aliases,
        "queue": task.options.queue,
        "timeout_ms": u64::try_from(defaults.timeout(&task.options).as_millis()).unwrap_or(u64::MAX),
        "max_attempts": defaults.max_attempts(&task.options),
        "backoff": defaults.backoff(&task.options),
        "priority": task.options.priority.unwrap_or(DEFAULT_PRIORITY),
        "arguments": arguments,
        "requires": task.requirements().map(|state| state.name).collect::<Vec<_>>(),
        "file": task.site.file,
        "line": task.site.line,
    })
}
