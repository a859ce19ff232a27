//! Every task that is linked into the program.

use std::collections::BTreeMap;
use std::fmt;

use crate::job::{TaskName, TaskOptions};
use crate::task::Task;

use super::context::Context;
use super::data::{DataMap, Requirement};
use super::run::{Arguments, Failure, RunFuture, decode};

/// What an injected parameter needs, asked at start-up.
pub type Requires = fn() -> Option<Requirement>;

/// Where a task stands in the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site {
    /// The file.
    pub file: &'static str,
    /// The line of the attribute.
    pub line: u32,
    /// The module.
    pub module: &'static str,
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// One argument of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argument {
    /// Its name, which is the field of the job.
    pub name: &'static str,
    /// Its type as it is written.
    pub ty: &'static str,
}

/// A task as the worker sees it; its types are erased.
pub struct TaskDef {
    /// The name under which jobs are stored.
    pub name: &'static str,
    /// Former names, whose jobs it runs too.
    pub aliases: &'static [&'static str],
    /// What the attribute says.
    pub options: TaskOptions,
    /// Where it is written.
    pub site: Site,
    /// What a job holds.
    pub arguments: &'static [Argument],
    requires: &'static [Requires],
    check: fn(&[u8]) -> Result<(), Failure>,
    run: fn(Context, Arguments) -> RunFuture,
}

impl TaskDef {
    /// The entry of the task `T`.
    #[must_use]
    pub const fn new<T: Task>(
        site: Site,
        aliases: &'static [&'static str],
        arguments: &'static [Argument],
        requires: &'static [Requires],
        run: fn(Context, Arguments) -> RunFuture,
    ) -> Self {
        let check = |args: &[u8]| decode::<T>(args).map(drop);
        Self { name: T::NAME, aliases, options: T::OPTIONS, site, arguments, requires, check, run }
    }

    /// Whether the task can read these arguments.
    ///
    /// # Errors
    /// A [`Failure`] that names the task and the argument.
    pub fn check_args(&self, args: &[u8]) -> Result<(), Failure> {
        (self.check)(args)
    }

    /// State that a worker must have been given.
    pub fn requirements(&self) -> impl Iterator<Item = Requirement> {
        self.requires.iter().filter_map(|requires| requires())
    }

    /// Begins an attempt.
    #[must_use]
    pub fn run(&self, ctx: Context, args: Arguments) -> RunFuture {
        (self.run)(ctx, args)
    }
}

impl fmt::Debug for TaskDef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task `{}` ({})", self.name, self.site)
    }
}

inventory::collect!(TaskDef);

/// The tasks by name and by alias.
#[derive(Clone, Debug, Default)]
pub struct Registry(BTreeMap<&'static str, &'static TaskDef>);

impl Registry {
    /// All tasks that are linked into the program, and every name that two of them claim.
    ///
    /// A task in a crate that the program depends on but never names is not linked: write
    /// `use that_crate as _;` beside `main`.
    #[must_use]
    pub fn linked() -> (Self, Vec<RegistryFault>) {
        Self::of(inventory::iter::<TaskDef>())
    }

    /// One task and no other, whatever is linked.
    #[cfg(feature = "cli")]
    pub(crate) fn only(task: &'static TaskDef) -> Self {
        Self::of([task]).0
    }

    fn of(tasks: impl IntoIterator<Item = &'static TaskDef>) -> (Self, Vec<RegistryFault>) {
        let mut tasks: Vec<_> = tasks.into_iter().collect();
        tasks.sort_by_key(|task| (task.name, task.site.file, task.site.line));
        let (mut names, mut faults) = (BTreeMap::new(), Vec::new());
        for second in tasks {
            for name in std::iter::once(&second.name).chain(second.aliases) {
                if TaskName::new(name).is_err() {
                    faults.push(RegistryFault::Name { name, task: second });
                }
                if let Some(first) = names.insert(*name, second) {
                    faults.push(RegistryFault::Duplicate { name, first, second });
                }
            }
        }
        (Self(names), faults)
    }

    /// The task of this name or alias.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'static TaskDef> {
        self.0.get(name).copied()
    }

    /// Whether no task is linked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every name and alias, sorted.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied()
    }

    /// Every task once, sorted by name.
    pub fn tasks(&self) -> impl Iterator<Item = &'static TaskDef> {
        self.0.iter().filter(|(name, task)| **name == task.name).map(|(_, task)| *task)
    }

    /// Every task that needs state which `data` lacks.
    #[must_use]
    pub fn missing(&self, data: &DataMap) -> Vec<RegistryFault> {
        let lacks = |task: &'static TaskDef| {
            let missing = task.requirements().filter(|needed| !data.has(needed));
            missing.map(move |needed| RegistryFault::MissingData { task, state: needed.name })
        };
        self.tasks().flat_map(lacks).collect()
    }
}

/// What keeps a worker from starting.
#[derive(Clone, Debug)]
pub enum RegistryFault {
    /// Two tasks claim one name.
    Duplicate {
        /// The name.
        name: &'static str,
        /// One task.
        first: &'static TaskDef,
        /// The other.
        second: &'static TaskDef,
    },
    /// A name that cannot be used.
    Name {
        /// The name.
        name: &'static str,
        /// Its task.
        task: &'static TaskDef,
    },
    /// A task needs state that the worker was not given.
    MissingData {
        /// The task.
        task: &'static TaskDef,
        /// The type of the state.
        state: &'static str,
    },
    /// No task is linked.
    Empty,
}

impl fmt::Display for RegistryFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duplicate { name, first, second } => write!(
                f,
                "two tasks are named \"{name}\": {} and {}; give one of them `name = \"…\"`",
                first.site, second.site
            ),
            Self::Name { name, task } => {
                write!(f, "{task:?} has the name \"{}\", which cannot be used", name.escape_debug())
            }
            Self::MissingData { task, state } => write!(
                f,
                "task \"{}\" ({}) needs state {state}, which the worker was not given; \
                 pass it with `.data(…)`",
                task.name, task.site
            ),
            Self::Empty => f.write_str(
                "no task is registered: annotate a function with `#[task]`, and name its crate \
                 in `main` (`use that_crate as _;`)",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::handler::Failure;

    #[derive(Serialize, Deserialize)]
    struct Send;

    impl Task for Send {
        const NAME: &'static str = "send";
        const OPTIONS: TaskOptions = TaskOptions::DEFAULT;
        type Output = ();
    }

    fn nothing(_: Context, _: Arguments) -> RunFuture {
        Box::pin(async { Err(Failure::new("not part of this test")) })
    }

    const fn site(line: u32) -> Site {
        Site { file: "src/mail.rs", line, module: "mail" }
    }

    const NEEDS_TEXT: &[Requires] = &[|| Some(Requirement { id: std::any::TypeId::of::<String>(), name: "String" })];

    static FIRST: TaskDef = TaskDef::new::<Send>(site(7), &[], &[], &[], nothing);
    static SECOND: TaskDef = TaskDef::new::<Send>(site(21), &["post", "a b"], &[], NEEDS_TEXT, nothing);

    #[test]
    fn two_tasks_of_one_name_are_reported_with_both_places() {
        let (_, faults) = Registry::of([&FIRST, &SECOND]);
        let text: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert!(text[0].contains("\"send\": src/mail.rs:7 and src/mail.rs:21; give one of them"), "{text:?}");
        assert!(text[1].contains("\"a b\", which cannot be used") && text[1].contains("src/mail.rs:21"), "{text:?}");
        assert_eq!(text.len(), 2);
    }

    #[test]
    fn state_that_the_worker_lacks_is_reported_with_the_place_of_its_task() {
        let (registry, _) = Registry::of([&SECOND]);
        let text: Vec<_> = registry.missing(&DataMap::default()).iter().map(ToString::to_string).collect();
        assert!(text[0].contains("\"send\" (src/mail.rs:21) needs state String"), "{text:?}");
        let mut data = DataMap::default();
        data.insert(String::new());
        assert!(registry.missing(&data).is_empty());
    }

    #[test]
    fn an_alias_finds_its_task_and_is_not_listed_as_another() {
        let (registry, _) = Registry::of([&SECOND]);
        assert_eq!(registry.get("post").map(|task| task.name), Some("send"));
        assert_eq!(registry.tasks().count(), 1);
    }
}
