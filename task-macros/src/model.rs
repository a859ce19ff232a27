//! The end of step two: a task that is known to be right, so that writing it cannot fail.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::Path;

use crate::args::Args;
use crate::errors::Errors;
use crate::names;
use crate::parameter::Parameter;
use crate::signature::Function;

/// A function that is a task, under options that may lack what was wrong with them.
pub(crate) struct Task<'a> {
    pub(crate) function: &'a Function,
    pub(crate) args: &'a Args,
    /// The name on the wire.
    pub(crate) name: String,
    /// The job type.
    pub(crate) job: Ident,
    pub(crate) parameters: Vec<Parameter>,
}

impl<'a> Task<'a> {
    /// Checks what options and function must agree on; none if the function cannot be a task.
    pub(crate) fn check(args: &'a Args, function: &'a Function, errors: &mut Errors) -> Option<Self> {
        let parameters = function.check(args.blocking.as_ref(), errors);
        let name = check_name(args, function, errors);
        let job = job_type(args, function);
        if job.is_none() {
            let message = format!(
                "the name `{}` makes no name for the job type; give one: `#[task(job = MyJob)]`",
                function.name()
            );
            errors.at(&function.signature.ident, message);
        }
        Some(Self { function, args, name, job: job?, parameters: parameters? })
    }

    /// What the jobs store, in order.
    pub(crate) fn arguments(&self) -> impl Iterator<Item = &Parameter> {
        self.parameters.iter().filter(|parameter| !parameter.injected)
    }

    /// What the worker provides, in order.
    pub(crate) fn injected(&self) -> impl Iterator<Item = &Parameter> {
        self.parameters.iter().filter(|parameter| parameter.injected)
    }
}

/// The name as given, or the function's own: it survives a move to another module.
fn check_name(args: &Args, function: &Function, errors: &mut Errors) -> String {
    let name = match &args.name {
        Some(name) => name.value(),
        None => {
            let name = function.name();
            if let Err(problem) = names::check_task_name(&name) {
                let message = format!("{problem}; give the task a name: `#[task(name = \"my_task\")]`");
                errors.at(&function.signature.ident, message);
            }
            name
        }
    };
    for alias in args.aliases.iter().filter(|alias| alias.value() == name) {
        errors.at(alias, format!("`{name}` is the name of the task; an alias is a name it had before"));
    }
    name
}

/// The job type the user chose, or the one that the function's name makes.
pub(crate) fn job_type(args: &Args, function: &Function) -> Option<Ident> {
    args.job.clone().or_else(|| names::job_type(&function.name(), function.signature.ident.span()))
}

/// The crate that holds what generated code calls.
pub(crate) fn runtime_crate(runtime: Option<&Path>) -> TokenStream {
    runtime.map_or_else(|| quote!(::task_runtime), ToTokens::to_token_stream)
}
