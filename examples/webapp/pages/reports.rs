//! The pages of reports: the list with the form for a new one, and a report in each of its states.

use std::time::Duration;

use maud::{Markup, html};

use super::{framed, page, token};
use crate::column::Column;
use crate::progress::Step;
use crate::report::Report;
use crate::shelf::{Standing, Upload};
use crate::summary::Summary;
use crate::upload::now;
use crate::visitor::Visitor;

/// The reports of a visitor, with the word for where each is, and the way to a new one.
pub(crate) fn list(visitor: &Visitor, uploads: &[Upload], words: &[&'static str], part: usize, parts: usize) -> Markup {
    let body = html! {
        section.card {
            h1 { "Hello " (visitor.name) }
            form method="post" action="/reports" enctype="multipart/form-data" {
                (token(visitor))
                label {
                    "A table (CSV) or a text, at most 5 MiB"
                    input type="file" name="file" accept=".csv,.tsv,.txt,.md,.log,text/*" required;
                }
                button type="submit" { "Upload and report" }
            }
        }
        section.card {
            h2 { "Your reports" }
            @if uploads.is_empty() {
                p.muted { "There is none yet. They are yours alone, and kept for a day." }
            } @else {
                ul.list {
                    @for (upload, word) in uploads.iter().zip(words) {
                        li {
                            a href={ "/reports/" (upload.id) } { (upload.name) }
                            span.muted { (size(upload.bytes)) ", " (ago(upload.at)) }
                            span.state data-state=(word) { (word) }
                        }
                    }
                }
                @if parts > 1 {
                    nav.parts aria-label="More reports" {
                        @if part > 1 { a rel="prev" href={ "/?page=" (part - 1) } { "Newer" } }
                        span.muted { "Page " (part) " of " (parts) }
                        @if part < parts { a rel="next" href={ "/?page=" (part + 1) } { "Older" } }
                    }
                }
                p { a href="/numbers" { "In numbers" } }
            }
        }
    };
    page("Your reports", Some(visitor), body)
}

/// A report in its state, and the ticket about it in its own.
pub(crate) fn report(
    visitor: &Visitor,
    upload: &Upload,
    report: &Standing<Report>,
    ticket: &Standing<String>,
    done: Step,
) -> Markup {
    let id = &upload.id;
    let bar = |path: &str, text| bar(&format!("/reports/{id}{path}"), text, done);
    let going_on = report.goes_on() || ticket.goes_on();
    let head = html! {
        @if going_on {
            script src="/follow.js" defer {}
            noscript { meta http-equiv="refresh" content="2"; }
        }
    };
    let body = html! {
        section.card {
            h1 { (upload.name) }
            p.muted { (size(upload.bytes)) ", " (ago(upload.at)) }
            @match report {
                Standing::Waits => (bar("/events", "The report waits for a free place.")),
                Standing::Runs => (bar("/events", "The report is being made.")),
                Standing::Failed(reason) => p.fault role="alert" { "There is no report: " (reason) },
                Standing::Gone => p { "This report is no longer kept. Upload the file again for a new one." },
                Standing::Done(report) => (facts(report)),
            }
            @if going_on { noscript { p { a href={ "/reports/" (id) } { "Look again" } } } }
        }
        @if let Standing::Done(report) = report {
            @if !report.columns.is_empty() { (columns(report)) }
            @if !report.top.is_empty() { (words(report)) }
            section.card #ticket {
                h2 { "Ticket" }
                @match ticket {
                    Standing::Waits => (bar("/ticket/events", "The ticket waits for its turn.")),
                    Standing::Runs => (bar("/ticket/events", "The ticket is being filed.")),
                    Standing::Done(key) => p { "Filed as " strong { (key) } "." },
                    Standing::Failed(reason) => p.fault role="alert" { "It could not be filed: " (reason) },
                    Standing::Gone => {
                        p.muted { "Tickets are filed one after the other, for all visitors." }
                        form method="post" action={ "/reports/" (id) "/ticket" } {
                            (token(visitor))
                            button type="submit" { "File a ticket" }
                        }
                    }
                }
            }
        }
        p { a href="/" { "All your reports" } }
    };
    framed(&upload.name, Some(visitor), head, body)
}

/// All reports of a visitor in numbers.
pub(crate) fn numbers(visitor: &Visitor, summary: &Summary) -> Markup {
    let body = html! {
        section.card {
            h1 { "Your reports in numbers" }
            dl.facts {
                div { dt { "Reports" } dd { (summary.reports) } }
                div { dt { "Ready" } dd { (summary.ready) } }
                @if summary.failed > 0 { div { dt { "Failed" } dd { (summary.failed) } } }
                div { dt { "Uploaded" } dd { (size(summary.bytes)) } }
                div { dt { "Rows" } dd { (grouped(summary.rows)) } }
            }
            p.muted data-at=(summary.at) { "Counted " (ago(summary.at / 1_000)) "." }
        }
        p { a href="/" { "All your reports" } }
    };
    page("In numbers", Some(visitor), body)
}

/// The bar that a script moves. Without scripts it is as far as it was when the page was loaded.
fn bar(events: &str, text: &str, done: Step) -> Markup {
    let percent = done.percent();
    html! {
        p { (text) " " span.muted data-percent { (percent) " %" } }
        progress max="100" value=(percent) data-events=(events) aria-label=(text) {}
    }
}

fn facts(report: &Report) -> Markup {
    let of_table = report.width > 0;
    html! {
        dl.facts {
            div { dt { (if of_table { "Rows" } else { "Lines" }) } dd { (grouped(report.rows)) } }
            @if of_table {
                div { dt { "Columns" } dd { (report.width) } }
                @if report.uneven > 0 { div { dt { "Uneven rows" } dd { (grouped(report.uneven)) } } }
            } @else {
                div { dt { "Words" } dd { (grouped(report.words)) } }
            }
        }
    }
}

fn columns(report: &Report) -> Markup {
    html! {
        section.card {
            h2 { "Columns" }
            @if report.columns.len() < report.width {
                p.muted { "The first " (report.columns.len()) " of " (report.width) "." }
            }
            div.wide {
                table.stacked {
                    thead {
                        tr {
                            th scope="col" { "Column" } th scope="col" { "Kind" } th.number scope="col" { "Empty" }
                            th.number scope="col" { "Least" } th.number scope="col" { "Most" }
                            th.number scope="col" { "Mean" } th scope="col" { "Most frequent" }
                        }
                    }
                    tbody { @for column in &report.columns { (row(column)) } }
                }
            }
        }
    }
}

fn row(column: &Column) -> Markup {
    let number = |of: fn(&crate::column::Numbers) -> f64| column.numbers.as_ref().map(of).map(decimal);
    html! {
        tr {
            th scope="row" { (column.name) }
            td data-label="Kind" { (column.kind.word()) }
            td.number data-label="Empty" { (grouped(column.empty)) }
            td.number data-label="Least" { @if let Some(text) = number(|numbers| numbers.min) { (text) } }
            td.number data-label="Most" { @if let Some(text) = number(|numbers| numbers.max) { (text) } }
            td.number data-label="Mean" { @if let Some(text) = number(|numbers| numbers.mean) { (text) } }
            td data-label="Most frequent" {
                @if !column.top.is_empty() {
                    span {
                        @for (at, (value, count)) in column.top.iter().enumerate() {
                            @if at > 0 { ", " }
                            (value) " " span.muted { "×" (count) }
                        }
                    }
                }
            }
        }
    }
}

fn words(report: &Report) -> Markup {
    html! {
        section.card {
            h2 { "Most frequent words" }
            table {
                tbody {
                    @for (word, count) in &report.top {
                        tr { th scope="row" { (word) } td.number { (grouped(*count)) } }
                    }
                }
            }
        }
    }
}

/// At most four digits behind the point, and none that say nothing.
fn decimal(number: f64) -> String {
    let text = format!("{number:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".into() } else { text.into() }
}

/// Digits in groups of three.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

fn ago(at: u64) -> String {
    let minutes = now().saturating_sub(Duration::from_secs(at)).as_secs() / 60;
    match minutes {
        0 => "just now".into(),
        1..120 => format!("{minutes} min ago"),
        _ => format!("{} h ago", minutes / 60),
    }
}
