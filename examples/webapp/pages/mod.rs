//! What visitors see; every text of theirs is escaped by the templates.

mod board;
mod reports;

pub(crate) use board::board;
pub(crate) use reports::{list, numbers, report};

use axum::http::StatusCode;
use maud::{DOCTYPE, Markup, html};

use crate::log_in::PASSWORD;
use crate::preferences::{ROWS, Theme};
use crate::visitor::Visitor;

/// The frame of every page: with a visitor, the ways to the other pages and out.
fn page(title: &str, visitor: Option<&Visitor>, body: Markup) -> Markup {
    framed(title, visitor, html! {}, body)
}

/// The same with more in the head.
fn framed(title: &str, visitor: Option<&Visitor>, head: Markup, body: Markup) -> Markup {
    let theme = visitor.map_or(Theme::System, |visitor| visitor.preferences.theme);
    html! {
        (DOCTYPE)
        html lang="en" data-theme=(theme.word()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · Reports" }
                link rel="stylesheet" href="/style.css";
                link rel="icon" href="data:,";
                (head)
            }
            body {
                header {
                    a.brand href="/" { "Reports" }
                    @if let Some(visitor) = visitor {
                        nav {
                            a href="/tasks" { "Tasks" }
                            a href="/preferences" { "Preferences" }
                            form method="post" action="/log-out" {
                                (token(visitor))
                                button.quiet type="submit" { "Log out " (visitor.name) }
                            }
                        }
                    }
                }
                main { (body) }
            }
        }
    }
}

/// What each form bears.
fn token(visitor: &Visitor) -> Markup {
    html! { input type="hidden" name="csrf" value=(visitor.csrf); }
}

/// The log-in, with what was wrong with the one before.
pub(crate) fn log_in(csrf: &str, fault: Option<&str>) -> Markup {
    page(
        "Log in",
        None,
        html! {
            section.card.narrow {
                h1 { "Log in" }
                @if let Some(fault) = fault { p.fault role="alert" { (fault) } }
                form method="post" action="/log-in" {
                    input type="hidden" name="csrf" value=(csrf);
                    label { "Name" input name="name" autocomplete="username" maxlength="40" required autofocus; }
                    label { "Password" input name="password" type="password" autocomplete="current-password" required; }
                    p.hint { "This is a demonstration: any name will do, and the password is " code { (PASSWORD) } "." }
                    button type="submit" { "Log in" }
                }
            }
        },
    )
}

/// How a visitor wants the pages.
pub(crate) fn preferences(visitor: &Visitor) -> Markup {
    let chosen = visitor.preferences;
    page(
        "Preferences",
        Some(visitor),
        html! {
            section.card.narrow {
                h1 { "Preferences" }
                form method="post" action="/preferences" {
                    (token(visitor))
                    label {
                        "Theme"
                        select name="theme" {
                            @for theme in Theme::ALL {
                                option value=(theme.word()) selected[theme == chosen.theme] { (theme.word()) }
                            }
                        }
                    }
                    label {
                        "Reports on a page"
                        select name="rows" {
                            @for rows in ROWS {
                                option value=(rows) selected[rows == chosen.rows] { (rows) }
                            }
                        }
                    }
                    button type="submit" { "Save" }
                }
            }
        },
    )
}

/// Why there is no other page.
pub(crate) fn refused(status: StatusCode, reason: &str) -> Markup {
    let title = status.canonical_reason().unwrap_or("It did not work");
    page(
        title,
        None,
        html! {
            section.card.narrow {
                h1 { (title) }
                p role="alert" { (reason) }
                p { a href="/" { "To your reports" } }
            }
        },
    )
}
