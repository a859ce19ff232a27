//! Step three: writes a task that is known to be right. Nothing here can fail.
//!
//! Paths are absolute, because anything may have any name where the task is. Local names are written `__task_..` with
//! the hygiene of `Span::mixed_site`, so that no name of a parameter, constant or function can be mistaken for one. The
//! span of each checked type is the user's, so that the compiler's complaint lands there.

use proc_macro2::{Ident, Literal, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ReturnType;
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use crate::attributes;
use crate::backoff::Backoff;
use crate::durations::Millis;
use crate::model::{Task, runtime_crate};
use crate::signature::Function;

/// Everything that a task adds to its function.
pub(crate) fn expand(task: &Task) -> TokenStream {
    let writer = Writer::new(task);
    let assertions = writer.assertions();
    let job = writer.job_type();
    let methods = writer.methods();
    let implementation = writer.implementation();
    let registration = writer.registration();
    let Writer { conditions, deprecated, .. } = &writer;
    quote! {
        #assertions
        #job
        #methods
        #conditions
        #deprecated
        const _: () = {
            #implementation
            #registration
        };
    }
}

struct Writer<'a> {
    task: &'a Task<'a>,
    job: &'a Ident,
    /// `::task_runtime::__private`
    runtime: TokenStream,
    conditions: TokenStream,
    /// Our own use of a deprecated task is no reason to warn.
    deprecated: TokenStream,
}

impl<'a> Writer<'a> {
    fn new(task: &'a Task<'a>) -> Self {
        let runtime = runtime_crate(task.args.runtime.as_ref());
        let attributes = &task.function.attributes;
        Self {
            task,
            job: &task.job,
            runtime: quote!(#runtime::__private),
            conditions: attributes::conditions(attributes),
            deprecated: if attributes::has(attributes, "deprecated") {
                quote!(#[allow(deprecated)])
            } else {
                TokenStream::new()
            },
        }
    }

    /// Comes before the derived code, whose complaints about the same types are harder to read.
    fn assertions(&self) -> TokenStream {
        let Self { runtime, conditions, .. } = self;
        let mut assertions = self.task.arguments().peekable();
        if assertions.peek().is_none() {
            return TokenStream::new();
        }
        let assertions = assertions.map(|argument| {
            let ty = &argument.ty;
            quote_spanned!(located(ty)=> __task_argument_is_serializable::<#ty>();)
        });
        quote! {
            #conditions
            const _: fn() = || {
                fn __task_argument_is_serializable<T>()
                where
                    T: #runtime::serde::Serialize
                        + #runtime::serde::de::DeserializeOwned
                        + ::core::marker::Send
                        + 'static,
                {
                }
                #(#assertions)*
            };
        }
    }

    fn job_type(&self) -> TokenStream {
        let Self { task, job, runtime, conditions, .. } = self;
        let visibility = &task.function.visibility;
        let derives = &task.args.derive;
        let serde = quote!(#runtime::serde).to_string().replace(' ', "");
        let mut descriptions = attributes::descriptions(&task.function.attributes);
        if !attributes::has(&task.function.attributes, "doc") {
            let doc = format!(" A job of the task `{}`.", task.name);
            descriptions.extend(quote!(#[doc = #doc]));
        }
        let fields = task.arguments().map(|argument| {
            let (name, ty) = (&argument.name, &argument.ty);
            let docs = match argument.docs.as_slice() {
                [] => {
                    let doc = format!(" The argument `{}`.", name.unraw());
                    // The derived code complains where the field begins.
                    quote_spanned!(located(name)=> #[doc = #doc])
                }
                docs => quote!(#(#docs)*),
            };
            quote!(#docs #visibility #name: #ty)
        });
        quote! {
            #conditions
            #descriptions
            #[allow(non_snake_case, clippy::all, clippy::pedantic)]
            #[derive(#runtime::serde::Serialize, #runtime::serde::Deserialize #(, #derives)*)]
            #[serde(crate = #serde)]
            #visibility struct #job {
                #(#fields,)*
            }
        }
    }

    /// What callers need is inherent, so that they import nothing but the job type.
    fn methods(&self) -> TokenStream {
        let Self { task, job, conditions, deprecated, .. } = self;
        let visibility = &task.function.visibility;
        let new_doc = format!(" A job of the task `{}` with these arguments.", task.name);
        let parameters = task.arguments().map(|argument| {
            let (name, ty) = (&argument.name, &argument.ty);
            if argument.converts { quote!(#name: impl ::core::convert::Into<#ty>) } else { quote!(#name: #ty) }
        });
        let fields = task.arguments().map(|argument| {
            let name = &argument.name;
            if argument.converts { quote!(#name: ::core::convert::Into::into(#name)) } else { quote!(#name) }
        });
        let enqueue = enqueue_methods(&self.runtime, task.function);
        quote! {
            #conditions
            #deprecated
            #[allow(dead_code, non_snake_case, clippy::all, clippy::pedantic)]
            impl #job {
                #[doc = #new_doc]
                #[must_use = "a job does nothing until it is enqueued"]
                #visibility fn new(#(#parameters),*) -> Self {
                    Self { #(#fields),* }
                }
                #enqueue
            }
        }
    }

    fn implementation(&self) -> TokenStream {
        let Self { task, job, runtime, .. } = self;
        let name = &task.name;
        let options = self.options();
        let output = output(runtime, task.function);
        quote! {
            impl #runtime::Task for #job {
                const NAME: &'static str = #name;
                const OPTIONS: #runtime::TaskOptions = #options;
                type Output = #output;
            }
        }
    }

    fn options(&self) -> TokenStream {
        let Self { task: Task { args, .. }, runtime, .. } = self;
        let queue = args.queue.as_ref().map(|queue| quote!(queue: #queue));
        let some = |name: &str, value: Option<TokenStream>| {
            let name = format_ident!("{name}");
            value.map(|value| quote!(#name: ::core::option::Option::Some(#value)))
        };
        let number = |number: u32| Literal::u32_unsuffixed(number).into_token_stream();
        let settings = [
            queue,
            some("timeout", args.timeout.map(duration)),
            some("max_attempts", args.max_attempts.map(number)),
            some("backoff", args.backoff.as_ref().map(|backoff| self.backoff(backoff))),
            some("priority", args.priority.map(|priority| number(priority.into()))),
            some("result_ttl", args.result_ttl.map(duration)),
            some("max_crashes", args.max_crashes.map(number)),
        ];
        match settings.iter().flatten().count() {
            0 => quote!(#runtime::TaskOptions::DEFAULT),
            // Defaults that fill nothing would be a warning.
            count if count == settings.len() => quote!(#runtime::TaskOptions { #(#settings),* }),
            _ => {
                let settings = settings.into_iter().flatten();
                quote!(#runtime::TaskOptions { #(#settings,)* ..#runtime::TaskOptions::DEFAULT })
            }
        }
    }

    fn backoff(&self, backoff: &Backoff) -> TokenStream {
        let runtime = &self.runtime;
        match backoff {
            Backoff::Constant { delay, jitter } => {
                let delay = duration(*delay);
                quote!(#runtime::Backoff::Constant { delay: #delay, jitter: #jitter })
            }
            Backoff::Linear { step, cap, jitter } => {
                let (step, cap) = (duration(*step), duration(*cap));
                quote!(#runtime::Backoff::Linear { step: #step, cap: #cap, jitter: #jitter })
            }
            Backoff::Exponential { base, cap, jitter } => {
                let (base, cap) = (duration(*base), duration(*cap));
                quote!(#runtime::Backoff::Exponential { base: #base, cap: #cap, jitter: #jitter })
            }
            Backoff::List { delays } => {
                let delays = delays.iter().copied().map(duration);
                quote! {
                    #runtime::Backoff::List {
                        delays: ::std::borrow::Cow::Borrowed(&[#(#delays),*]),
                        jitter: false,
                    }
                }
            }
        }
    }

    fn registration(&self) -> TokenStream {
        let Self { task, job, runtime, .. } = self;
        let aliases = &task.args.aliases;
        let arguments = task.arguments().map(|argument| {
            let (name, ty) = (argument.name.unraw().to_string(), &argument.text);
            quote!(#runtime::Argument { name: #name, ty: #ty })
        });
        let requirements = task.injected().map(|injected| {
            let ty = &injected.ty;
            let span = located(ty);
            let runtime = moved(runtime, span);
            quote_spanned!(span=> #runtime::requires::<#ty>)
        });
        let run = self.run();
        quote! {
            #runtime::inventory::submit! {
                #runtime::TaskDef::new::<#job>(
                    #runtime::Site {
                        file: ::core::file!(),
                        line: ::core::line!(),
                        module: ::core::module_path!(),
                    },
                    &[#(#aliases),*],
                    &[#(#arguments),*],
                    &[#(#requirements),*],
                    #run,
                )
            }
        }
    }

    /// The erased function: takes the job apart, collects what is injected, calls the user's function.
    ///
    /// It is a closure, since a function of its own would be an item that the user's function could be mistaken for.
    fn run(&self) -> TokenStream {
        let Self { task, job, runtime, .. } = self;
        let function = &task.function.signature.ident;
        // A future that cannot be sent is reported here, so at the name of the function.
        let span = located(function);
        let runtime = &moved(runtime, span);
        let local = |name: &str| Ident::new(&format!("__task_{name}"), span);
        let (job_value, context, stored) = (local("job"), local("context"), local("arguments"));
        let values: Vec<Ident> = (0..task.parameters.len()).map(|index| local(&format!("value_{index}"))).collect();

        let bindings = task.parameters.iter().zip(&values);
        let fields = bindings.clone().filter(|(parameter, _)| !parameter.injected).map(|(argument, value)| {
            let name = &argument.name;
            quote!(#name: #value)
        });
        let injections = bindings.clone().filter(|(parameter, _)| parameter.injected).map(|(injected, value)| {
            let ty = &injected.ty;
            let span = located(ty);
            let runtime = moved(runtime, span);
            quote_spanned!(span=> let #value = #runtime::inject::<#ty>(&#context).await?;)
        });
        let passed =
            bindings.map(|(parameter, value)| if parameter.borrowed { quote!(&#value) } else { quote!(#value) });
        let returned = moved(&quote!(#runtime::returned), output_place(task.function));
        let call = if task.args.blocking.is_some() {
            quote_spanned!(span=> #runtime::blocking(move || #returned(#function(#(#passed),*))).await)
        } else {
            quote_spanned!(span=> #returned(#function(#(#passed),*).await))
        };
        quote_spanned! {span=>
            |#context, #stored| {
                #runtime::run::<#job, _, _>(#context, #stored, |#job_value, #context| async move {
                    let #job { #(#fields),* } = #job_value;
                    #(#injections)*
                    #call
                })
            }
        }
    }
}

/// `options` and `enqueue`, the same for every job type.
pub(crate) fn enqueue_methods(runtime: &TokenStream, function: &Function) -> TokenStream {
    let visibility = &function.visibility;
    // One complaint about the return type is enough: the compiler drops another one that says the same of the place.
    let place = output_place(function);
    let runtime_at_output = moved(runtime, place);
    let handle = quote_spanned! {place=>
        ::core::result::Result<
            #runtime_at_output::JobHandle<<Self as #runtime_at_output::Task>::Output>,
            #runtime_at_output::Error,
        >
    };
    let enqueue = quote_spanned!(place=> { #runtime_at_output::Enqueue::new(self).enqueue().await });
    quote! {
        /// The job with options of its own, instead of those of its task.
        #[must_use = "a job does nothing until it is enqueued"]
        #visibility fn options(self) -> #runtime::Enqueue<Self> {
            #runtime::Enqueue::new(self)
        }

        /// Enqueues the job with the default client; it is stored when this returns a handle.
        ///
        /// # Errors
        ///
        /// Fails if there is no default client, or if the broker did not acknowledge the job; the error says
        /// whether the job may be there nevertheless.
        ///
        /// # Cancel safety
        ///
        /// Dropping the future leaves open whether the job was enqueued.
        #visibility async fn enqueue(self) -> #handle #enqueue
    }
}

/// The type of the result, in terms of what the function returns.
pub(crate) fn output(runtime: &TokenStream, function: &Function) -> TokenStream {
    match &function.signature.output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, ty) => {
            let place = output_place(function);
            let runtime = moved(runtime, place);
            quote_spanned!(place=> <#ty as #runtime::TaskReturn>::Value)
        }
    }
}

/// Where to complain about the result.
pub(crate) fn output_place(function: &Function) -> Span {
    let place = match &function.signature.output {
        ReturnType::Default => function.signature.ident.span(),
        ReturnType::Type(_, ty) => ty.span(),
    };
    // There are no local names to protect, and `self` must stay the method's.
    Span::call_site().located_at(place)
}

pub(crate) fn duration(millis: Millis) -> TokenStream {
    let millis = Literal::u64_unsuffixed(millis);
    quote!(::core::time::Duration::from_millis(#millis))
}

/// The same path, as if written at another place: the compiler points at the place where an expression begins.
pub(crate) fn moved(path: &TokenStream, place: Span) -> TokenStream {
    let at_place = |mut token: TokenTree| {
        token.set_span(token.span().located_at(place));
        token
    };
    path.clone().into_iter().map(at_place).collect()
}

/// Code of ours that complains at the place of the user's.
pub(crate) fn located(tokens: impl Spanned) -> Span {
    Span::mixed_site().located_at(tokens.span())
}
