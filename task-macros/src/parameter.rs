//! Step two, second half: which parameters go into the job, which are injected, and which can do neither.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{
    Attribute, Expr, FnArg, Lifetime, Meta, Pat, PatType, Signature, Type, TypeFnPtr, TypeImplTrait, TypeReference,
    TypeTraitObject,
};

use crate::errors::Errors;
use crate::signature::means_inject;
use crate::type_text::type_text;

/// A parameter that a job can provide for.
pub(crate) struct Parameter {
    pub(crate) name: Ident,
    pub(crate) docs: Vec<Attribute>,
    /// Whether it comes from the worker instead of from the job.
    pub(crate) injected: bool,
    /// Whether the function takes it by reference.
    pub(crate) borrowed: bool,
    /// The owned type: of the job's field, or of what is injected.
    pub(crate) ty: TokenStream,
    /// That type in the user's words.
    pub(crate) text: String,
    /// Whether callers may pass whatever converts into it.
    pub(crate) converts: bool,
}

/// Whether the parameter is marked as injected, rightly or not.
pub(crate) fn is_injected(parameter: &PatType) -> bool {
    parameter.attrs.iter().any(|attribute| last_word(attribute).is_some_and(|word| means_inject(&word)))
}

/// The parameters that are right; each mistake in another is reported.
pub(crate) fn check_all(signature: &Signature, errors: &mut Errors) -> Vec<Parameter> {
    signature.inputs.iter().filter_map(|input| check(input, errors)).collect()
}

fn check(input: &FnArg, errors: &mut Errors) -> Option<Parameter> {
    let before = errors.count();
    let on_self = "a task is a free function, without `self`; move it out of the `impl`, and `#[inject]` what it needs";
    let input = typed(input, on_self, errors)?;
    check_attributes(&input.attrs, errors);
    let name = check_pattern(&input.pat, errors);
    let parameter = classify(name?, input, errors);
    (errors.count() == before).then_some(parameter)
}

/// A parameter that is not `self`.
pub(crate) fn typed<'a>(input: &'a FnArg, on_self: &str, errors: &mut Errors) -> Option<&'a PatType> {
    match input {
        FnArg::Typed(input) => Some(input),
        FnArg::Receiver(receiver) => {
            errors.at(receiver, on_self);
            None
        }
    }
}

fn check_attributes(attributes: &[Attribute], errors: &mut Errors) {
    let mut injected = false;
    for attribute in attributes {
        let Some(word) = last_word(attribute) else {
            continue;
        };
        if word == "cfg" || word == "cfg_attr" {
            errors.at(
                attribute,
                "a parameter of a task cannot depend on a configuration, because client and worker may be built \
                 with different ones; make it an `Option`",
            );
        } else if means_inject(&word) {
            if !attribute.path().is_ident("inject") {
                let written = attribute.path().to_token_stream().to_string().replace(' ', "");
                errors.at(attribute, format!("unknown attribute `{written}`; did you mean `#[inject]`?"));
            } else if !matches!(attribute.meta, Meta::Path(_)) {
                errors.at(attribute, "`#[inject]` takes no arguments; the type of the parameter says what is injected");
            } else if injected {
                errors.at(attribute, "the parameter is marked `#[inject]` twice");
            }
            injected = true;
        }
    }
}

pub(crate) fn last_word(attribute: &Attribute) -> Option<String> {
    attribute.path().segments.last().map(|segment| segment.ident.to_string())
}

/// The name of the parameter becomes the name of the field.
fn check_pattern(pattern: &Pat, errors: &mut Errors) -> Option<Ident> {
    match pattern {
        Pat::Ident(pattern) if pattern.by_ref.is_none() && pattern.subpat.is_none() => {
            return Some(pattern.ident.clone());
        }
        Pat::Wild(_) => errors.at(
            pattern,
            "a parameter of a task needs a name, because the job has a field of that name; write `_unused` for `_`",
        ),
        _ => errors.at(
            pattern,
            "a parameter of a task must be a plain name, because the job has a field of that name; \
             take the value apart in the body",
        ),
    }
    None
}

fn classify(name: Ident, input: &PatType, errors: &mut Errors) -> Parameter {
    let injected = is_injected(input);
    let docs = input.attrs.iter().filter(|attribute| attribute.path().is_ident("doc"));
    let mut parameter = Parameter {
        name,
        docs: docs.cloned().collect(),
        injected,
        borrowed: false,
        ty: TokenStream::new(),
        text: String::new(),
        converts: false,
    };
    let written = bare(&input.ty);
    let Type::Reference(reference) = written else {
        check_owned(written, injected, errors);
        parameter.converts = is_word(written, "String");
        parameter.ty = written.to_token_stream();
        parameter.text = type_text(written.to_token_stream());
        return parameter;
    };

    parameter.borrowed = true;
    if let Some(mutability) = &reference.mutability {
        let message = if injected {
            "what is injected is shared by all jobs, so it cannot be borrowed mutably; take `&T` or `T`"
        } else {
            "a task cannot borrow an argument mutably, because nobody would see the change; take it by value as `mut` \
             and return what changed"
        };
        let ampersand = reference.and_token;
        errors.at(quote!(#ampersand #mutability), message);
    }
    if let Some(lifetime) = reference.lifetime.as_ref().filter(|lifetime| lifetime.ident != "_") {
        errors.at(lifetime, "a task borrows its arguments only while it runs; leave the lifetime out");
    }
    let target = bare(&reference.elem);
    let span = target.span();
    match target {
        Type::Slice(slice) if !injected => {
            check_owned(&slice.elem, injected, errors);
            let element = &slice.elem;
            parameter.ty = quote_spanned!(span=> ::std::vec::Vec<#element>);
            parameter.text = type_text(quote!(Vec<#element>));
        }
        _ if is_word(target, "str") && !injected => {
            parameter.converts = true;
            parameter.ty = quote_spanned!(span=> ::std::string::String);
            parameter.text = "String".to_owned();
        }
        _ => {
            check_owned(target, injected, errors);
            parameter.ty = target.to_token_stream();
            parameter.text = type_text(target.to_token_stream());
        }
    }
    parameter
}

/// Looks through parentheses and through the invisible groups that `macro_rules!` leaves.
pub(crate) fn bare(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => bare(&group.elem),
        Type::Paren(paren) => bare(&paren.elem),
        _ => ty,
    }
}

fn is_word(ty: &Type, word: &str) -> bool {
    let Type::Path(path) = ty else { return false };
    let last = path.path.segments.last();
    path.qself.is_none() && last.is_some_and(|last| last.ident == word && last.arguments.is_none())
}

/// Reports what a type borrows or leaves open: a job must own all of it, and name it.
fn check_owned(ty: &Type, injected: bool, errors: &mut Errors) {
    let place = if injected { Place::Injected } else { Place::Argument };
    Owned { place, errors }.visit_type(ty);
}

pub(crate) fn check_output(ty: &Type, errors: &mut Errors) {
    // `Result<T, E> +` is one too: without `dyn`, with nothing behind its plus.
    if matches!(bare(ty), Type::TraitObject(_)) {
        errors.at(ty, "a task returns nothing or a `Result<T, E>`, not a trait object");
        return;
    }
    Owned { place: Place::Output, errors }.visit_type(ty);
}

#[derive(Clone, Copy, PartialEq)]
enum Place {
    Argument,
    Injected,
    Output,
}

struct Owned<'a> {
    place: Place,
    errors: &'a mut Errors,
}

impl Visit<'_> for Owned<'_> {
    fn visit_type_reference(&mut self, reference: &TypeReference) {
        let is_static = reference.lifetime.as_ref().is_some_and(|lifetime| lifetime.ident == "static");
        match self.place {
            Place::Argument => self.errors.at(
                reference,
                "a job owns its arguments; use an owned type here, such as `String` for `&str` or `Vec<T>` for `&[T]`",
            ),
            Place::Injected if !is_static => {
                self.errors.at(reference, "what is injected cannot borrow; use an owned type")
            }
            Place::Output if !is_static => self.errors.at(
                reference,
                "a result outlives the arguments of its job; return an owned type, such as `String` for `&str`",
            ),
            Place::Injected | Place::Output => visit::visit_type_reference(self, reference),
        }
    }

    fn visit_lifetime(&mut self, lifetime: &Lifetime) {
        if lifetime.ident != "static" {
            let message = match self.place {
                Place::Argument => "a job owns its arguments; use a type without a lifetime",
                Place::Injected => "what is injected cannot borrow; use a type without a lifetime",
                Place::Output => "a result outlives the arguments of its job; return a type without a lifetime",
            };
            self.errors.at(lifetime, message);
        }
    }

    fn visit_type_impl_trait(&mut self, ty: &TypeImplTrait) {
        let message = match self.place {
            Place::Argument => "a job stores its arguments, so their types must be named; write the type for `impl ..`",
            Place::Injected => "the type says what is injected, so it must be named; write the type for `impl ..`",
            Place::Output => "a result is stored, so its type must be named; return `()` or a `Result<T, E>`",
        };
        self.errors.at(ty, message);
    }

    fn visit_type_trait_object(&mut self, ty: &TypeTraitObject) {
        if self.place == Place::Argument {
            self.errors.at(
                ty,
                "a job cannot store a trait object; pass the data it is made of, or get it from the worker by `#[inject]`",
            );
        } else {
            visit::visit_type_trait_object(self, ty);
        }
    }

    /// `for<'a> fn(&'a str)` borrows nothing, and the length of an array is no type.
    fn visit_type_fn_ptr(&mut self, _: &TypeFnPtr) {}
    fn visit_expr(&mut self, _: &Expr) {}
}
