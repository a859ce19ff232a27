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

/// A begin and a turn that arrived a second time, long after their incarnation was condemned, registered it anew and
/// lent it a job; what it then told of an attempt of before ended that loan.
#[test]
fn what_arrives_again_after_its_incarnation_was_condemned_lends_it_nothing() {
    let turn = |fate| Turn { worker: 0, want: 3, few: 1, empty: false, first: 0, fate };
    let ops = vec![
        Send { jobs: vec![(0, 5, 0)], fate: Answered },
        Begin { worker: 0, fate: Twice },
        turn(Twice),
        Forward { seconds: 31 },
        Look { recoverer: 0 },
        Condemn { recoverer: 0, lease: 0, stale: false, fate: Answered },
        SettleFor { recoverer: 0, count: 3, fate: Answered },
        Arrive { late: 0 },
        Arrive { late: 0 },
        End { worker: 0, handler: 0, how: Done },
        turn(Answered),
    ];
    holds(History { workers: 1, jobs: 1, keep: Keep::Default, ops });
}
