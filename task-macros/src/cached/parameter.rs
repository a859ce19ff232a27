//! Step two, first half: the parameters of a cached function, and what keeps one from being part of the key.

use proc_macro2::Ident;
use quote::{ToTokens, quote};
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, FnArg, Lifetime, Pat, PatType, Type, TypeFnPtr, TypeImplTrait, TypeReference};

use crate::errors::Errors;
use crate::parameter::{bare, last_word, typed};

/// A parameter that can be passed on.
pub(crate) struct Parameter<'a> {
    pub(crate) attributes: &'a [Attribute],
    pub(crate) name: &'a Ident,
    /// With its `mut`.
    pub(crate) pattern: &'a Pat,
    pub(crate) ty: &'a Type,
}

/// A parameter, if it is right; each mistake in it is reported.
pub(crate) fn check<'a>(input: &'a FnArg, errors: &mut Errors) -> Option<Parameter<'a>> {
    let before = errors.count();
    let on_self =
        "a cached function is a free function, without `self`; move it out of the `impl`, and pass what it needs";
    let input = typed(input, on_self, errors)?;
    for attribute in &input.attrs {
        if last_word(attribute).is_some_and(|word| word == "cfg" || word == "cfg_attr") {
            errors.at(
                attribute,
                "a parameter of a cached function cannot depend on a configuration, because programs that are built \
                 with different ones may share the cache; make it an `Option`",
            );
        }
    }
    Named { errors }.visit_type(&input.ty);
    let name = check_pattern(input, errors)?;
    let parameter = Parameter { attributes: &input.attrs, name, pattern: &input.pat, ty: &input.ty };
    (errors.count() == before).then_some(parameter)
}

/// What the written function passes on needs a name.
fn check_pattern<'a>(input: &'a PatType, errors: &mut Errors) -> Option<&'a Ident> {
    match &*input.pat {
        Pat::Ident(pattern) if pattern.by_ref.is_none() && pattern.subpat.is_none() => return Some(&pattern.ident),
        Pat::Wild(_) => errors.at(
            &input.pat,
            "a parameter of a cached function needs a name, because its value is passed on; write `_unused` for `_`",
        ),
        _ => errors.at(
            &input.pat,
            "a parameter of a cached function must be a plain name, because its value is passed on; \
             take the value apart in the body",
        ),
    }
    None
}

/// Reports what keeps a parameter out of the key.
pub(crate) fn check_key(parameter: &Parameter, is_chosen: bool, errors: &mut Errors) {
    if let Type::Reference(reference) = bare(parameter.ty)
        && let Some(mutability) = &reference.mutability
    {
        let ampersand = reference.and_token;
        let name = parameter.name;
        let message = if is_chosen {
            format!("what is borrowed mutably may change, so `{name}` cannot be part of the key; take it out of `by`")
        } else {
            format!(
                "what is borrowed mutably may change, so `{name}` cannot be part of the key; \
                 name the parameters that are with `by`"
            )
        };
        errors.at(quote!(#ampersand #mutability), message);
    }
}

/// Reports what a call borrows that may go on when its caller does not wait for it; `option` is why it may.
pub(crate) fn check_owned(parameter: &Parameter, option: &'static str, errors: &mut Errors) {
    Owned { option, errors }.visit_type(parameter.ty);
}

struct Named<'a> {
    errors: &'a mut Errors,
}

impl Visit<'_> for Named<'_> {
    fn visit_type_impl_trait(&mut self, ty: &TypeImplTrait) {
        self.errors.at(
            ty,
            "a cached function cannot be generic, because its values are stored under one name; \
             write the type for `impl ..`",
        );
    }

    fn visit_expr(&mut self, _: &Expr) {}
}

struct Owned<'a> {
    option: &'static str,
    errors: &'a mut Errors,
}

impl Owned<'_> {
    fn report(&mut self, tokens: impl ToTokens) {
        let message = format!(
            "with `{}`, the value is made anew while the caller goes on, so the function must own its arguments: \
             take `String` for `&str`, and `Arc<T>` or a clone for `&T`",
            self.option
        );
        self.errors.at(tokens, message);
    }
}

impl Visit<'_> for Owned<'_> {
    fn visit_type_reference(&mut self, reference: &TypeReference) {
        if reference.lifetime.as_ref().is_some_and(|lifetime| lifetime.ident == "static") {
            visit::visit_type_reference(self, reference);
        } else {
            self.report(reference);
        }
    }

    fn visit_lifetime(&mut self, lifetime: &Lifetime) {
        if lifetime.ident != "static" {
            self.report(lifetime);
        }
    }

    /// `for<'a> fn(&'a str)` borrows nothing.
    fn visit_type_fn_ptr(&mut self, _: &TypeFnPtr) {}
    fn visit_expr(&mut self, _: &Expr) {}
}
