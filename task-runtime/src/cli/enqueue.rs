//! `enqueue`: one job, by hand.

use std::fs::File;
use std::io::{self, Read};

use crate::client::{Encoded, Enqueue};
use crate::handler::Registry;
use crate::job::MAX_ARGS_BYTES;

use super::args::{EnqueueOptions, TargetOptions};
use super::output::{print, shown};
use super::{Exit, registry};

/// How different a name may be from the one that is suggested.
const SIMILAR: f64 = 0.75;

pub(super) async fn run(target: TargetOptions, options: EnqueueOptions) -> Result<(), Exit> {
    let registry = registry()?;
    let task = registry.get(&options.task).ok_or_else(|| unknown(&registry, &options.task))?;
    let args = read(&options.args)?;
    task.check_args(&args).map_err(|failure| Exit::new(Exit::USAGE, failure.to_string()))?;
    let mut job = Enqueue::new(Encoded { task: task.name, options: &task.options, args });
    if let Some(queue) = &options.queue {
        job = job.queue(queue);
    }
    if let Some(id) = &options.id {
        job = job.id(id);
    }
    if let Some(delay) = options.delay {
        job = job.delay(delay);
    }
    if let Some(priority) = options.priority {
        job = job.priority(priority);
    }
    if let Some(timeout) = options.timeout {
        job = job.timeout(timeout);
    }
    if let Some(attempts) = options.max_attempts {
        job = job.max_attempts(attempts);
    }
    if let Some(ttl) = options.result_ttl {
        job = job.result_ttl(ttl);
    }
    let client = target.connect("`enqueue`").await?;
    let handle = job.send_on(&client).await?;
    if !handle.is_new() {
        eprintln!("a job of this id was there already; nothing changed");
    }
    let Some(wait) = options.wait else {
        return print(handle.id().as_str());
    };
    eprintln!("job {} in queue {}", handle.id(), handle.queue());
    let result = handle.result_within(wait).await;
    let result = result.map_err(|error| Exit::new(Exit::FAILURE, error.to_string()))?;
    print(&shown(result.get()))
}

/// The arguments as they were given, from a file or from standard input; no more of them is read
/// than a job may have.
fn read(args: &str) -> Result<Vec<u8>, Exit> {
    let fault = |from: &str, error: io::Error| Exit::new(Exit::USAGE, format!("--args from {from}: {error}"));
    let text = if args == "-" {
        most_of(io::stdin().lock()).map_err(|error| fault("standard input", error))?
    } else if let Some(file) = args.strip_prefix('@') {
        File::open(file).and_then(most_of).map_err(|error| fault(file, error))?
    } else {
        args.as_bytes().to_vec()
    };
    if text.len() > MAX_ARGS_BYTES {
        return Err(Exit::new(Exit::USAGE, format!("--args has more than {MAX_ARGS_BYTES} bytes, the limit of a job")));
    }
    Ok(text)
}

fn most_of(from: impl Read) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    from.take(MAX_ARGS_BYTES as u64 + 1).read_to_end(&mut text)?;
    Ok(text)
}

fn unknown(registry: &Registry, name: &str) -> Exit {
    let similar = registry
        .names()
        .map(|known| (strsim::jaro_winkler(known, name), known))
        .filter(|(likeness, _)| *likeness > SIMILAR)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let advice = match similar {
        Some((_, known)) => format!("; did you mean `{known}`?"),
        None if registry.is_empty() => "; it has no tasks at all".into(),
        None => "; `tasks` lists those that there are".into(),
    };
    Exit::new(Exit::NOT_FOUND, format!("this program has no task `{name}`{advice}"))
}
