//! The end of step two: a cached function that is known to be right, so that writing it cannot fail.

use std::collections::HashSet;

use quote::quote;
use syn::ext::IdentExt;
use syn::visit::Visit;
use syn::{Expr, GenericParam, Lifetime, ReturnType, Safety, Type, TypeFnPtr, TypeImplTrait, TypeReference};

use super::args::Args;
use super::parameter::{self, Parameter};
use crate::errors::{Errors, nearest};
use crate::parameter::bare;
use crate::signature::Function;

/// Types that everyone knows, and that another one of the same name would hide.
const PRIMITIVE: [&str; 17] = [
    "bool", "char", "str", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32", "u64", "u128",
    "usize",
];

/// A function that can be cached, under options that may lack what was wrong with them.
pub(crate) struct Cached<'a> {
    pub(crate) function: &'a Function,
    pub(crate) args: &'a Args,
    pub(crate) parameters: Vec<Parameter<'a>>,
    /// Which of them the key is made of, in their order.
    by: Vec<usize>,
}

impl<'a> Cached<'a> {
    /// Checks what options and function must agree on; none if the function cannot be cached.
    pub(crate) fn check(args: &'a Args, function: &'a Function, errors: &mut Errors) -> Option<Self> {
        let before = errors.count();
        check_qualifiers(function, errors);
        check_generics(function, errors);
        let inputs = &function.signature.inputs;
        let parameters: Vec<_> = inputs.iter().filter_map(|input| parameter::check(input, errors)).collect();
        if let ReturnType::Type(_, ty) = &function.signature.output {
            check_output(ty, errors);
        }
        // What is said of names would be wrong if some of them are missing.
        let by = (parameters.len() == inputs.len()).then(|| check_by(args, &parameters, errors));
        if let Some(option) = args.in_background() {
            parameters.iter().for_each(|parameter| parameter::check_owned(parameter, option, errors));
        }
        (errors.count() == before && !args.by_is_unknown).then_some(by).flatten().map(|by| Self {
            function,
            args,
            parameters,
            by,
        })
    }

    /// The parameters that the key is made of.
    pub(crate) fn by(&self) -> impl Iterator<Item = &Parameter<'a>> {
        self.by.iter().map(|index| &self.parameters[*index])
    }
}

/// Which parameters the key is made of.
fn check_by(args: &Args, parameters: &[Parameter], errors: &mut Errors) -> Vec<usize> {
    let names: Vec<String> = parameters.iter().map(|parameter| parameter.name.unraw().to_string()).collect();
    let mut chosen = HashSet::new();
    for name in args.by.iter().flatten() {
        match names.iter().position(|known| *known == name.value()) {
            Some(index) if !chosen.insert(index) => errors.at(name, format!("`{}` is given twice", name.value())),
            Some(_) => {}
            None => errors.at(name, no_parameter(&name.value(), &names)),
        }
    }
    let is_part = |index: &usize| args.by.is_none() || chosen.contains(index);
    let by: Vec<usize> = (0..parameters.len()).filter(is_part).collect();
    if !args.by_is_unknown {
        by.iter().for_each(|index| parameter::check_key(&parameters[*index], args.by.is_some(), errors));
    }
    for tag in &args.tags {
        for (_, name) in &tag.placeholders {
            match names.iter().position(|known| known == name) {
                // It is not known which parameters are part of the key when `by` is wrong.
                Some(index) if args.by_is_unknown || by.contains(&index) => {}
                Some(_) => errors.at(
                    &tag.literal,
                    format!("`{name}` is not part of the key, so an entry cannot have it in its tags; add it to `by`"),
                ),
                None => errors.at(&tag.literal, no_parameter(name, &names)),
            }
        }
    }
    by
}

fn no_parameter(name: &str, names: &[String]) -> String {
    match nearest(name, names.iter().map(String::as_str)) {
        Some(known) => format!("there is no parameter `{name}`; did you mean `{known}`?"),
        None => format!("there is no parameter `{name}`"),
    }
}

fn check_qualifiers(function: &Function, errors: &mut Errors) {
    let signature = &function.signature;
    if PRIMITIVE.contains(&function.name().as_str()) {
        let name = function.name();
        errors
            .at(&signature.ident, format!("a type `{name}` is made beside the function, and would hide the other one"));
    }
    if let Some(constness) = &signature.constness {
        errors.at(constness, "a cached function runs when the program does; remove `const`");
    }
    if let Safety::Unsafe(unsafety) = &signature.safety {
        errors.at(unsafety, "a cached function is called by the cache; move the `unsafe` into the body");
    }
    if let Some(abi) = &signature.abi {
        errors.at(abi, "a cached function is called from Rust only; remove the `extern`");
    }
    if signature.asyncness.is_none() {
        errors.at(signature.fn_token, "a cached function is an `async fn`, because the cache is; add `async`");
    }
    if let Some(variadic) = &signature.variadic {
        errors.at(variadic, "a cached function has a fixed number of parameters; take a `Vec` instead");
    }
}

fn check_generics(function: &Function, errors: &mut Errors) {
    let generics = &function.signature.generics;
    for parameter in &generics.params {
        match parameter {
            GenericParam::Lifetime(lifetime) => errors.at(
                lifetime,
                "a cached function cannot have lifetime parameters, because its value outlives its arguments; \
                 leave the lifetime out",
            ),
            GenericParam::Type(_) | GenericParam::Const(_) => errors.at(
                parameter,
                "a cached function cannot be generic, because its values are stored under one name; \
                 write one for each type and let them call a generic function",
            ),
        }
    }
    // Next to generic parameters the clause goes away with them.
    if let (true, Some(clause)) = (generics.params.is_empty(), &generics.where_clause) {
        errors.at(clause, "a cached function cannot have a `where` clause; remove it");
    }
}

fn check_output(ty: &Type, errors: &mut Errors) {
    // `Result<T, E> +` is one too: without `dyn`, with nothing behind its plus.
    if matches!(bare(ty), Type::TraitObject(_)) {
        errors.at(ty, "a cached value is stored, so it cannot be a trait object; return what it is made of");
        return;
    }
    Stored { errors }.visit_type(ty);
}

/// Whether the type that is returned is not what is wrong.
pub(super) fn has_good_output(function: &Function) -> bool {
    let mut errors = Errors::default();
    if let ReturnType::Type(_, ty) = &function.signature.output {
        check_output(ty, &mut errors);
    }
    // A generic parameter may be part of the type.
    function.signature.generics.params.is_empty() && errors.count() == 0
}

/// Reports what cannot be stored.
struct Stored<'a> {
    errors: &'a mut Errors,
}

impl Visit<'_> for Stored<'_> {
    fn visit_type_reference(&mut self, reference: &TypeReference) {
        let (ampersand, lifetime) = (reference.and_token, &reference.lifetime);
        self.errors.at(
            quote!(#ampersand #lifetime),
            "a cached value is stored and read again, so it cannot be borrowed; return an owned type, such as `String` \
             for `&str`",
        );
    }

    fn visit_lifetime(&mut self, lifetime: &Lifetime) {
        if lifetime.ident != "static" {
            self.errors.at(lifetime, "a cached value outlives the arguments; return a type without a lifetime");
        }
    }

    fn visit_type_impl_trait(&mut self, ty: &TypeImplTrait) {
        self.errors.at(ty, "a cached value is stored, so its type must be named; write the type for `impl ..`");
    }

    /// `for<'a> fn(&'a str)` borrows nothing, and the length of an array is no type.
    fn visit_type_fn_ptr(&mut self, _: &TypeFnPtr) {}
    fn visit_expr(&mut self, _: &Expr) {}
}
