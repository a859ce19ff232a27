//! How long to wait before the next attempt.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::MAX_BACKOFF;

/// The pause between two attempts, as a function of the attempts made so far.
///
/// With `jitter` the pause is drawn evenly between half of it and the whole, so that jobs that
/// failed together do not all come back together ("equal jitter" of the AWS architecture blog,
/// "Exponential Backoff and Jitter", 2015). Every pause is at most seven days.
///
/// ```
/// use std::time::Duration;
/// use task_runtime::Backoff;
///
/// let backoff = Backoff::exponential(Duration::from_secs(1), Duration::from_secs(60));
/// assert_eq!(backoff.delay(3, 1.0), Duration::from_secs(4));
/// assert_eq!(backoff.delay(30, 1.0), Duration::from_secs(60));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backoff {
    /// Always the same pause.
    Constant {
        /// The pause.
        #[serde(rename = "ms", with = "millis")]
        delay: Duration,
        /// Whether the pause is drawn between half and the whole.
        #[serde(default, skip_serializing_if = "is_false")]
        jitter: bool,
    },
    /// One `step` more after each attempt, up to `cap`.
    Linear {
        /// The first pause, and what each further one is longer.
        #[serde(rename = "step_ms", with = "millis")]
        step: Duration,
        /// The longest pause.
        #[serde(rename = "cap_ms", with = "millis")]
        cap: Duration,
        /// Whether the pause is drawn between half and the whole.
        #[serde(default, skip_serializing_if = "is_false")]
        jitter: bool,
    },
    /// Twice the pause before, from `base` up to `cap`.
    Exponential {
        /// The first pause.
        #[serde(rename = "base_ms", with = "millis")]
        base: Duration,
        /// The longest pause.
        #[serde(rename = "cap_ms", with = "millis")]
        cap: Duration,
        /// Whether the pause is drawn between half and the whole.
        #[serde(default, skip_serializing_if = "is_false")]
        jitter: bool,
    },
    /// The n-th pause after the n-th attempt; the last one from then on.
    List {
        /// The pauses; an empty list means none.
        #[serde(rename = "ms", with = "millis_list")]
        delays: Cow<'static, [Duration]>,
        /// Whether the pause is drawn between half and the whole.
        #[serde(default, skip_serializing_if = "is_false")]
        jitter: bool,
    },
}

impl Backoff {
    /// What a task that says nothing gets: 1 s, 2 s, 4 s … up to 10 minutes, with jitter.
    pub const DEFAULT: Self =
        Self::Exponential { base: Duration::from_secs(1), cap: Duration::from_secs(600), jitter: true };

    /// Always `delay`.
    #[must_use]
    pub const fn constant(delay: Duration) -> Self {
        Self::Constant { delay, jitter: false }
    }

    /// `step`, 2 × `step`, 3 × `step` … up to `cap`.
    #[must_use]
    pub const fn linear(step: Duration, cap: Duration) -> Self {
        Self::Linear { step, cap, jitter: false }
    }

    /// `base`, 2 × `base`, 4 × `base` … up to `cap`, with jitter.
    #[must_use]
    pub const fn exponential(base: Duration, cap: Duration) -> Self {
        Self::Exponential { base, cap, jitter: true }
    }

    /// The given pauses, the last of them again and again.
    #[must_use]
    pub fn list(delays: impl Into<Vec<Duration>>) -> Self {
        Self::List { delays: Cow::Owned(delays.into()), jitter: false }
    }

    /// The pause after `attempts` attempts (1 after the first); `draw` in `0.0..=1.0` is the
    /// random number of the jitter, so that this stays a function.
    #[must_use]
    pub fn delay(&self, attempts: u32, draw: f64) -> Duration {
        let before = attempts.saturating_sub(1);
        let (whole, jitter) = match self {
            Self::Constant { delay, jitter } => (*delay, *jitter),
            Self::Linear { step, cap, jitter } => (step.saturating_mul(attempts.max(1)).min(*cap), *jitter),
            Self::Exponential { base, cap, jitter } => {
                let factor = 2_u32.checked_pow(before).unwrap_or(u32::MAX);
                (base.saturating_mul(factor).min(*cap), *jitter)
            }
            Self::List { delays, jitter } => {
                let nth = delays.get(before as usize).or(delays.last());
                (nth.copied().unwrap_or_default(), *jitter)
            }
        };
        let whole = whole.min(MAX_BACKOFF);
        if jitter { whole.mul_f64(0.5 + draw.clamp(0.0, 1.0) / 2.0) } else { whole }
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn is_false(value: &bool) -> bool {
    !value
}

/// Durations as whole milliseconds.
pub(crate) mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn to_ms(value: &Duration) -> u64 {
        u64::try_from(value.as_millis()).unwrap_or(u64::MAX)
    }

    pub(crate) fn serialize<S: Serializer>(value: &Duration, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_u64(to_ms(value))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Duration, D::Error> {
        u64::deserialize(input).map(Duration::from_millis)
    }
}

/// Optional durations as whole milliseconds.
pub(crate) mod millis_option {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(value: &Option<Duration>, out: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => out.serialize_u64(super::millis::to_ms(value)),
            None => out.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(input)?.map(Duration::from_millis))
    }
}

/// A list of durations as whole milliseconds.
mod millis_list {
    use std::borrow::Cow;
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &[Duration], out: S) -> Result<S::Ok, S::Error> {
        out.collect_seq(value.iter().map(super::millis::to_ms))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Cow<'static, [Duration]>, D::Error> {
        let list = Vec::<u64>::deserialize(input)?;
        Ok(list.into_iter().map(Duration::from_millis).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(backoff: &Backoff, attempts: &[u32]) -> Vec<u64> {
        attempts.iter().map(|n| backoff.delay(*n, 1.0).as_secs()).collect()
    }

    #[test]
    fn each_form_gives_its_pauses() {
        let (s, cap) = (Duration::from_secs, Duration::from_secs(50));
        assert_eq!(seconds(&Backoff::constant(s(5)), &[1, 2, 9]), [5, 5, 5]);
        assert_eq!(seconds(&Backoff::linear(s(5), cap), &[1, 2, 3, 99]), [5, 10, 15, 50]);
        assert_eq!(seconds(&Backoff::exponential(s(5), cap), &[1, 2, 3, 5]), [5, 10, 20, 50]);
        assert_eq!(seconds(&Backoff::list([s(1), s(7)]), &[1, 2, 3]), [1, 7, 7]);
        assert_eq!(seconds(&Backoff::list([]), &[1]), [0]);
    }

    #[test]
    fn no_number_of_attempts_overflows_and_no_pause_passes_the_limit() {
        let forever = Backoff::exponential(Duration::MAX, Duration::MAX);
        assert_eq!(forever.delay(u32::MAX, 1.0), MAX_BACKOFF);
        assert_eq!(Backoff::linear(Duration::MAX, Duration::MAX).delay(u32::MAX, 1.0), MAX_BACKOFF);
    }

    #[test]
    fn jitter_stays_between_half_and_whole() {
        let backoff = Backoff::exponential(Duration::from_secs(8), Duration::from_secs(8));
        assert_eq!(backoff.delay(1, 0.0), Duration::from_secs(4));
        assert_eq!(backoff.delay(1, 1.0), Duration::from_secs(8));
    }

    #[test]
    fn the_stored_form_is_fixed() {
        let text = r#"{"exponential":{"base_ms":1000,"cap_ms":600000,"jitter":true}}"#;
        assert_eq!(serde_json::to_string(&Backoff::DEFAULT).unwrap(), text);
        assert_eq!(serde_json::from_str::<Backoff>(text).unwrap(), Backoff::DEFAULT);
        let list = r#"{"list":{"ms":[1000,5000]}}"#;
        let backoff: Backoff = serde_json::from_str(list).unwrap();
        assert_eq!(serde_json::to_string(&backoff).unwrap(), list);
    }
}
