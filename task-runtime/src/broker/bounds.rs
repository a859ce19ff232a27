//! How much one call may carry, alike for every broker.

use std::fmt::Display;

use super::{
    MAX_ENQUEUE, MAX_ENQUEUE_BYTES, MAX_ENQUEUE_LATER, MAX_RECOVER, MAX_TURN, MAX_WORKERS, NewJob, Recovered, Turn,
};
use crate::error::{Error, over};
use crate::job::MAX_PRIORITY;

pub(super) fn check_enqueue(jobs: &[NewJob]) -> Result<(), Error> {
    if jobs.len() > MAX_ENQUEUE {
        let actual = format!("{} jobs", jobs.len());
        return Err(over("one enqueue", actual, MAX_ENQUEUE, "send them in several calls"));
    }
    let later = jobs.iter().filter(|job| job.due.is_later()).count();
    if later > MAX_ENQUEUE_LATER {
        let actual = format!("{later} jobs with a delay or a time");
        return Err(over("one enqueue", actual, MAX_ENQUEUE_LATER, "send them in several calls"));
    }
    let bytes: usize = jobs.iter().map(|job| job.envelope.len()).sum();
    if jobs.len() > 1 && bytes > MAX_ENQUEUE_BYTES {
        let actual = format!("{bytes} bytes");
        return Err(over("one enqueue", actual, MAX_ENQUEUE_BYTES, "send them in several calls"));
    }
    match jobs.iter().map(|job| job.priority).find(|priority| *priority > MAX_PRIORITY) {
        Some(priority) => Err(over("priority", priority, MAX_PRIORITY, "give 0 to 9")),
        None => Ok(()),
    }
}

pub(super) fn check_turn(turn: &Turn) -> Result<(), Error> {
    let (settlements, want) = (turn.settlements.len(), turn.want);
    if settlements > MAX_TURN {
        let actual = format!("{settlements} settlements");
        return Err(over("one turn", actual, MAX_TURN, "settle the rest in the next turn"));
    }
    if want > MAX_TURN {
        let actual = format!("{want} wanted jobs");
        return Err(over("one turn", actual, MAX_TURN, "claim the rest in the next turn"));
    }
    Ok(())
}

/// The error of an incarnation that comes when `there` are registered already.
pub(super) fn too_many_workers(there: impl Display) -> Error {
    over("one queue", format!("more than {there} incarnations"), MAX_WORKERS, "run fewer, larger workers")
}

pub(super) fn check_recovered(recovered: &[Recovered]) -> Result<(), Error> {
    if recovered.len() > MAX_RECOVER {
        let actual = format!("{} jobs", recovered.len());
        return Err(over("one recovery", actual, MAX_RECOVER, "settle them in several calls"));
    }
    Ok(())
}
