//! For how long something is kept.

use std::time::Duration;

use super::error::{CacheError, argument};
use super::store::{Left, Life};

/// Longest time to live: 10 years.
pub const MAX_TTL: Duration = Duration::from_secs(10 * 366 * 24 * 3600);

/// For how long something is kept, and what is left of it. Milliseconds count.
///
/// ```
/// use std::time::Duration;
/// use task_runtime::cache::Ttl;
///
/// assert_eq!(Ttl::from(Duration::from_secs(60)), Ttl::For(Duration::from_secs(60)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    /// From 1 ms to 10 years.
    For(Duration),
    /// Until it is deleted, or the server needs the room.
    Forever,
}

impl From<Duration> for Ttl {
    fn from(duration: Duration) -> Self {
        Self::For(duration)
    }
}

impl Ttl {
    pub(super) fn life(self) -> Result<Life, CacheError> {
        match self {
            Self::Forever => Ok(Life::Forever),
            Self::For(time) => match i64::try_from(time.as_millis()) {
                Ok(ms @ 1..) if time <= MAX_TTL => Ok(Life::Ms(ms)),
                _ => {
                    Err(argument("a time to live", format!("{time:?}"), "1 ms to 10 years; to remove a key, delete it"))
                }
            },
        }
    }

    pub(super) fn of_left(left: Left) -> Option<Self> {
        match left {
            Left::Missing => None,
            Left::Forever => Some(Self::Forever),
            Left::Ms(ms) => Some(Self::For(Duration::from_millis(ms.unsigned_abs()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_times_that_a_server_can_keep_are_allowed() {
        assert_eq!(Ttl::from(Duration::from_millis(1)).life().unwrap(), Life::Ms(1));
        assert_eq!(Ttl::Forever.life().unwrap(), Life::Forever);
        for wrong in [Duration::ZERO, Duration::from_micros(999), MAX_TTL + Duration::from_millis(1), Duration::MAX] {
            let error = Ttl::from(wrong).life().unwrap_err().to_string();
            assert!(error.ends_with("expected 1 ms to 10 years; to remove a key, delete it"), "{error}");
        }
    }
}
