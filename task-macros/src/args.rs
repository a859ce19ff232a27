//! Step one: reads the options of `#[task]`.

use proc_macro2::{Ident, TokenStream};
use syn::{LitStr, Path};

use crate::backoff::Backoff;
use crate::durations::{DAY, Millis};
use crate::errors::Errors;
use crate::options::{Options, Setting};
use crate::values::{aliases, derives, job_type, queue_name, runtime_path, task_name};

const LONGEST_TIMEOUT: Millis = 30 * DAY;
const LONGEST_RESULT_TTL: Millis = 30 * DAY;

/// The options of `#[task]`.
pub(crate) static OPTIONS: Options = Options { known: &KNOWN, foreign: &FOREIGN, typical: "queue" };

const KNOWN: [(&str, &str); 12] = [
    ("name", "name = \"emails.send\""),
    ("aliases", "aliases = [\"old_name\"]"),
    ("queue", "queue = \"mail\""),
    ("timeout", "timeout = \"30s\""),
    ("max_attempts", "max_attempts = 5"),
    ("max_crashes", "max_crashes = 3"),
    ("backoff", "backoff = exponential(\"1s\", cap = \"10m\")"),
    ("priority", "priority = 7"),
    ("result_ttl", "result_ttl = \"1h\""),
    ("blocking", "blocking"),
    ("job", "job = SendEmailJob"),
    ("derive", "derive(Clone, Debug)"),
];

/// What other job systems call our options.
const FOREIGN: [(&str, &str); 9] = [
    ("alias", "aliases"),
    ("attempts", "max_attempts"),
    ("crashes", "max_crashes"),
    ("max_retries", "max_attempts"),
    ("rename", "name"),
    ("retries", "max_attempts"),
    ("retry", "max_attempts"),
    ("sync", "blocking"),
    ("ttl", "result_ttl"),
];

/// The options as far as they are right; a wrong one is reported and absent.
#[derive(Default)]
pub(crate) struct Args {
    pub(crate) name: Option<LitStr>,
    pub(crate) aliases: Vec<LitStr>,
    pub(crate) queue: Option<LitStr>,
    pub(crate) timeout: Option<Millis>,
    pub(crate) max_attempts: Option<u32>,
    pub(crate) max_crashes: Option<u32>,
    pub(crate) backoff: Option<Backoff>,
    pub(crate) priority: Option<u8>,
    pub(crate) result_ttl: Option<Millis>,
    pub(crate) blocking: Option<Ident>,
    pub(crate) job: Option<Ident>,
    pub(crate) derive: Vec<Path>,
    pub(crate) runtime: Option<Path>,
    /// The runtime was to be somewhere else, but it is not clear where.
    pub(crate) runtime_is_unknown: bool,
}

impl Args {
    pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut args = Self::default();
        OPTIONS.read(tokens, errors, |setting, errors| args.apply(setting, errors));
        args
    }

    fn apply(&mut self, setting: &Setting, errors: &mut Errors) -> syn::Result<()> {
        match setting.name().as_str() {
            "name" => self.name = Some(setting.value(task_name)?),
            "aliases" => self.aliases = setting.value(|input| aliases(input, errors))?,
            "queue" => self.queue = Some(setting.value(queue_name)?),
            "timeout" => self.timeout = Some(setting.duration("a timeout", 1..=LONGEST_TIMEOUT)?),
            "max_attempts" => self.max_attempts = Some(setting.number(1..=1000)?),
            "max_crashes" => self.max_crashes = Some(setting.number(1..=100)?),
            "backoff" => self.backoff = Some(setting.value(Backoff::parse)?),
            "priority" => self.priority = Some(setting.number(0..=9)? as u8),
            "result_ttl" => self.result_ttl = Some(setting.duration("`result_ttl`", 0..=LONGEST_RESULT_TTL)?),
            "blocking" => {
                // Set even when written wrongly: the intention is clear.
                self.blocking = Some(setting.key.clone());
                setting.word()?;
            }
            "job" => self.job = Some(setting.value(job_type)?),
            "derive" => self.derive = setting.list(|input| derives(input, errors))?,
            "crate" => {
                self.runtime_is_unknown = true;
                self.runtime = Some(setting.value(runtime_path)?);
                self.runtime_is_unknown = false;
            }
            unknown => {
                if OPTIONS.meant(unknown) == Some("blocking") {
                    self.blocking = Some(setting.key.clone());
                }
                errors.at(&setting.key, OPTIONS.unknown(unknown));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::tests;

    fn mistakes(source: &str) -> Vec<String> {
        tests::mistakes(source, Args::parse)
    }

    #[test]
    fn the_examples_are_accepted() {
        tests::the_examples_are_accepted(&OPTIONS, mistakes);
        assert!(KNOWN[6].1.contains(crate::backoff::EXAMPLE));
    }

    #[test]
    fn foreign_words_lead_to_options() {
        tests::foreign_words_lead_to_options(&OPTIONS, mistakes);
    }

    #[test]
    fn every_mistake_is_reported() {
        let source = "timeuot = 30, queue = , priority = 10, , blocking = true, queue = 1";
        assert_eq!(
            mistakes(source),
            [
                "expected an option before `,`",
                "unknown option `timeuot`; did you mean `timeout`?",
                "option `queue` needs a value: write `queue = \"mail\"`",
                "`priority` must be a whole number between 0 and 9",
                "option `blocking` takes no value: write `blocking`",
                "option `queue` is given twice",
            ]
        );
    }

    #[test]
    fn bad_options_say_what_to_write() {
        let table = [
            ("\"mail\"", "expected an option such as `queue = \"mail\"`"),
            ("queue: \"mail\"", "expected `queue = \"mail\"`"),
            ("mail: 3", "expected `=` after `mail`"),
            ("queue(\"mail\")", "option `queue` needs a value: write `queue = \"mail\"`"),
            ("queue = mail", "expected a string; put quotes around it: `\"mail\"`"),
            ("queue = 5", "expected a string in quotes"),
            ("queue = \"a\" timeout = 3", "expected `,`"),
            ("derive(Clone) queue", "expected `,`"),
            ("derive = [Clone]", "needs a list in parentheses: write `derive(Clone, Debug)`"),
            ("derive(Clone, Clone)", "this derive is given twice"),
            ("derive(serde::Serialize)", "every job type derives"),
            ("aliases = \"old\"", "expected a list: `aliases = [\"old_name\"]`"),
            ("aliases = [\"a\", \"a\"]", "the alias `a` is given twice"),
            ("job = \"Send\"", "expected a type name"),
            ("job = my::Send", "expected a type name"),
            ("crate = \"my::path\"", "expected a path without quotes"),
            ("max_attempts = 0", "`max_attempts` must be a whole number between 1 and 1000"),
            ("max_attempts = -1", "`max_attempts` must be a whole number"),
            ("max_attempts = \"5\"", "`max_attempts` must be a whole number"),
            ("max_crashes = 101", "between 1 and 100"),
            ("max_crashes = 5u8", "between 1 and 100"),
            ("priority = 99999999999999", "between 0 and 9"),
            ("timeout = 0", "a timeout must be between 1ms and 30d"),
            ("timeout = \"31d\"", "a timeout must be between 1ms and 30d"),
            ("result_ttl = \"31d\"", "`result_ttl` must be at most 30d"),
            ("colour = 1", "unknown option `colour`; the options are `name`, `aliases`,"),
        ];
        tests::each_is_one_mistake(&table, mistakes);
    }
}
