//! Histories that found a bug, in their shortest form.

use crate::operation::Fate::*;
use crate::operation::How::*;
use crate::operation::Op::*;
use crate::operation::{History, Keep};
use crate::runner::Stage;

#[track_caller]
fn holds(history: History) {
    if let Err(fault) = Stage::everywhere().play(&history) {
        panic!("{fault}");
    }
}

/// The in-process broker counted the entry that a cancelled job leaves in its list as a ready job.
#[test]
fn a_cancelled_job_is_not_counted_as_ready() {
    let send = Send { jobs: vec![(0, 5, 0)], fate: Answered };
    holds(History { workers: 1, jobs: 1, keep: Keep::Default, ops: vec![send, Cancel { job: 0, fate: Answered }] });
}

/// Dead jobs beyond their number were forgotten at once: a late enqueue ran them again.
#[test]
fn a_dead_job_is_remembered_while_its_enqueue_may_still_arrive() {
    let turn = || Turn { worker: 0, want: 3, few: 0, empty: false, first: 0, fate: Answered };
    let ops = vec![
        Send { jobs: vec![(0, 5, 0), (1, 5, 0)], fate: Answered },
        turn(),
        End { worker: 0, handler: 0, how: Dead },
        End { worker: 0, handler: 0, how: Dead },
        turn(),
    ];
    holds(History { workers: 1, jobs: 2, keep: Keep::Little, ops });
}

/// The in-process broker trimmed by the retention of the last turn when a caller cancelled a job,
/// and kept no record of that one when the workers keep none.
#[test]
fn a_cancel_forgets_nothing_whatever_the_workers_keep() {
    let ops = vec![
        Turn { worker: 0, want: 0, few: 0, empty: false, first: 0, fate: Answered },
        Send { jobs: vec![(0, 5, 0)], fate: Answered },
        Cancel { job: 0, fate: Answered },
    ];
    holds(History { workers: 1, jobs: 1, keep: Keep::Nothing, ops });
}
