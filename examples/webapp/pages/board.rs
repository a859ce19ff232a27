//! The page of queues and running jobs.

use maud::{Markup, html};
use task_runtime::broker::Counts;

use super::framed;
use crate::board::Board;
use crate::visitor::Visitor;

/// How many jobs are where, and what runs here; it loads itself anew every two seconds.
pub(crate) fn board(visitor: &Visitor, board: &Board) -> Markup {
    let head = html! { meta http-equiv="refresh" content="2"; };
    let place = if board.on_server { "on a server" } else { "in the memory of this process" };
    let body = html! {
        section.card {
            h1 { "Tasks" }
            p.muted { "Jobs and sessions are " (place) "." }
            div.wide {
                table.stacked {
                    thead {
                        tr {
                            th scope="col" { "Queue" } th scope="col" { "State" }
                            @for (name, _) in NUMBERS { th.number scope="col" { (name) } }
                            th.number scope="col" { "Places here" }
                        }
                    }
                    tbody {
                        @for (queue, places, counts) in &board.queues {
                            tr data-queue=(queue) {
                                th scope="row" { (queue) }
                                td data-label="State" { (state(counts)) }
                                @for (name, number) in NUMBERS { td.number data-label=(name) { (number(counts)) } }
                                td.number data-label="Places here" { (places) }
                            }
                        }
                    }
                }
            }
        }
        section.card {
            h2 { "What runs in this process" }
            @if board.running.is_empty() {
                p.muted { "Nothing." }
            } @else {
                ul.list {
                    @for (job, step) in &board.running {
                        li {
                            code { (job) }
                            progress max="100" value=(step.percent()) {}
                            span.muted { (step.percent()) " %" }
                        }
                    }
                }
            }
        }
    };
    framed("Tasks", Some(visitor), head, body)
}

/// A column of the table.
type Number = (&'static str, fn(&Counts) -> usize);

const NUMBERS: [Number; 7] = [
    ("Ready", |counts| counts.ready),
    ("Running", |counts| counts.running),
    ("Scheduled", |counts| counts.scheduled),
    ("Parked", |counts| counts.parked),
    ("Dead", |counts| counts.dead),
    ("Finished", |counts| counts.finished),
    ("Workers", |counts| counts.workers),
];

/// What someone should know of a queue, in a word.
fn state(counts: &Counts) -> &'static str {
    match counts {
        Counts { paused: true, .. } => "paused",
        Counts { workers: 0, .. } => "no worker",
        _ => "ok",
    }
}
