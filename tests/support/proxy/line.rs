//! What a direction of the wire is like: how late, how slow, or gone.

use std::time::Duration;

/// One of the two directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From clients to the server.
    Requests,
    /// From the server to clients.
    Replies,
}

/// What happens to all that goes one way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Line {
    /// It arrives as it was sent.
    Pass,
    /// It arrives later, in order: each piece by a time between the two.
    Delay {
        /// The least.
        least: Duration,
        /// The most.
        most: Duration,
    },
    /// No more than so many bytes a second arrive, over each connection.
    Throttle {
        /// More than 0.
        bytes_per_second: u32,
    },
    /// Nothing arrives, not even the end of a connection; what was sent arrives when this is over, as after a partition.
    Hold,
    /// What comes now never arrives, and nothing that comes later over the same connection does.
    Vanish,
}

impl Line {
    /// The same delay for all.
    pub fn delay(by: Duration) -> Line {
        Line::Delay { least: by, most: by }
    }

    /// How late a piece is that comes now; `chance` is between 0 and 1.
    pub(super) fn lateness(self, chance: f64) -> Duration {
        match self {
            Line::Delay { least, most } => least + most.saturating_sub(least).mul_f64(chance),
            _ => Duration::ZERO,
        }
    }
}
