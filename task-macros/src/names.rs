//! The names a task has: on the wire, of its queue, and of its job type.

use proc_macro2::{Ident, Span};

/// Names are stored in every job and in keys, so they are kept short.
const LONGEST_NAME: usize = 64;

/// Says what is wrong with the wire name of a task, if anything is.
pub(crate) fn check_task_name(name: &str) -> Result<(), String> {
    check_joined(name, "task name")
}

/// Says what is wrong with the name that a cached function has in keys, if anything is.
pub(crate) fn check_cached_name(name: &str) -> Result<(), String> {
    check_joined(name, "name")
}

fn check_joined(name: &str, kind: &str) -> Result<(), String> {
    check(name, kind, "_.:-")?;
    // Punctuation joins the parts of a name; at an edge it is a part that was forgotten.
    let joins = |c: char| matches!(c, '.' | ':' | '-');
    if name.starts_with(joins) || name.ends_with(joins) {
        return Err(format!("the {kind} `{name}` must begin and end with a letter, a digit or `_`"));
    }
    Ok(())
}

/// Says what is wrong with the name of a queue, if anything is.
pub(crate) fn check_queue_name(name: &str) -> Result<(), String> {
    check(name, "queue name", "_.-")
}

fn check(name: &str, kind: &str, punctuation: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err(format!("the {kind} is empty"));
    }
    if let Some(wrong) = name.chars().find(|c| !c.is_ascii_alphanumeric() && !punctuation.contains(*c)) {
        let allowed: Vec<String> = punctuation.chars().map(|c| format!("`{c}`")).collect();
        return Err(format!(
            "the {kind} {name:?} contains {wrong:?}; use ASCII letters, digits, {}",
            allowed.join(", ")
        ));
    }
    if name.len() > LONGEST_NAME {
        return Err(format!("the {kind} has {} characters; use at most {LONGEST_NAME}", name.len()));
    }
    Ok(())
}

/// The job type of a function: `send_email` → `SendEmail`; none if that makes no type name.
///
/// An underscore between two digits stays, so that `v1_2` and `v12` differ.
pub(crate) fn job_type(function: &str, span: Span) -> Option<Ident> {
    let mut name = String::new();
    for word in function.split('_').filter(|word| !word.is_empty()) {
        let digits_meet =
            name.ends_with(|c: char| c.is_ascii_digit()) && word.starts_with(|c: char| c.is_ascii_digit());
        if digits_meet {
            name.push('_');
        }
        let mut letters = word.chars();
        name.extend(letters.next().into_iter().flat_map(char::to_uppercase));
        name.extend(letters);
    }
    // Refuses the empty name, a leading digit and the keyword `Self`.
    let mut ident = syn::parse_str::<Ident>(&name).ok()?;
    ident.set_span(span);
    Some(ident)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn task_names() {
        for good in ["a", "send_email", "emails.send", "emails::send-now", "_x_", "2fa"] {
            assert_eq!(check_task_name(good), Ok(()), "{good}");
        }
        let long = "x".repeat(65);
        for bad in ["", ".a", "a.", "a:", "-a", "a b", "a/b", "naïve", "{a}", &long] {
            assert!(check_task_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn queue_names() {
        for good in ["mail", "mail.high", "mail-2", "_"] {
            assert_eq!(check_queue_name(good), Ok(()), "{good}");
        }
        for bad in ["", "a:b", "a b", "{mail}", "a/3"] {
            assert!(check_queue_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn job_types() {
        let table = [
            ("send_email", Some("SendEmail")),
            ("ping", Some("Ping")),
            ("send_2fa_email", Some("Send2faEmail")),
            ("v1_2", Some("V1_2")),
            ("_private__task_", Some("PrivateTask")),
            ("sendEmail", Some("SendEmail")),
            ("größe_ändern", Some("GrößeÄndern")),
            ("move", Some("Move")),
            ("self_", None),
            ("_2fa", None),
            ("__", None),
        ];
        for (function, expected) in table {
            let found = job_type(function, Span::call_site()).map(|ident| ident.to_string());
            assert_eq!(found.as_deref(), expected, "{function}");
        }
    }
}
