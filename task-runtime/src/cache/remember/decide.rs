//! Whether a value that is there is served, and whether it is made anew.

use super::super::entry::Stale;
use super::super::store::Left;

/// What becomes of a value that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Serve,
    /// It is served and made anew, though its time is not over.
    Early,
    /// It is served and made anew, because its time is over.
    Stale,
}

/// `chance` is above 0 and at most 1.
pub(super) fn verdict(left: Left, stale: Option<Stale>, eagerness: Option<f64>, chance: f64) -> Verdict {
    let Some(stale) = stale else { return Verdict::Serve };
    if !stale.is_fresh(left) {
        return Verdict::Stale;
    }
    let Left::Ms(left) = left else { return Verdict::Serve };
    let left = left.saturating_sub_unsigned(stale.for_ms);
    let lead = f64::from(stale.cost_ms) * eagerness.unwrap_or(0.0) * -chance.ln();
    #[expect(clippy::cast_precision_loss, reason = "a millisecond more or less does not matter")]
    let is_early = lead >= left as f64;
    if is_early { Verdict::Early } else { Verdict::Serve }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_served_until_its_time_is_over_and_early_by_chance() {
        let stale = Some(Stale { for_ms: 1_000, cost_ms: 100 });
        let rare = (-5.0_f64).exp();
        for (left, stale, eagerness, chance, expected) in [
            (Left::Ms(1), None, Some(1.0), rare, Verdict::Serve),
            (Left::Forever, stale, Some(1.0), rare, Verdict::Serve),
            (Left::Ms(1_000), stale, None, 1.0, Verdict::Stale),
            (Left::Ms(1_001), stale, None, rare, Verdict::Serve),
            // 100 ms x 5 before the end.
            (Left::Ms(1_499), stale, Some(1.0), rare, Verdict::Early),
            (Left::Ms(1_501), stale, Some(1.0), rare, Verdict::Serve),
            (Left::Ms(1_501), stale, Some(2.0), rare, Verdict::Early),
            (Left::Ms(1_499), stale, Some(1.0), 1.0, Verdict::Serve),
            (Left::Ms(1_499), stale, Some(0.0), rare, Verdict::Serve),
        ] {
            assert_eq!(verdict(left, stale, eagerness, chance), expected, "{left:?} {eagerness:?} {chance}");
        }
    }
}
