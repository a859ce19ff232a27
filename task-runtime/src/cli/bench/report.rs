//! What was measured, beside what it is compared with: as a table, or as JSON.

use std::time::Duration;

use serde_json::{Value, json};

use crate::broker::redis::ServerKind;
use crate::cli::output::{progress, table};

const HEAD: [&str; 7] = ["", "MEASURED", "", "COMPARED WITH", "", "RATIO", "TARGET"];
const NUMBERS: [usize; 3] = [1, 4, 5];
/// Commands in a second that need not be told of.
const FEW_OTHERS: f64 = 5.0;

/// What a figure should be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    /// At least so many times what it is compared with.
    AtLeast(f64),
    /// At most so many times what it is compared with.
    AtMost(f64),
    /// Less than this.
    Under(f64),
    /// No more than this.
    Within(f64),
}

/// One figure.
#[derive(Clone, Debug)]
pub(super) struct Row {
    what: String,
    value: f64,
    unit: &'static str,
    beside: Option<(String, f64)>,
    target: Option<Target>,
}

impl Row {
    pub(super) fn new(what: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { what: what.into(), value, unit, beside: None, target: None }
    }

    /// What it is compared with, in the same unit.
    pub(super) fn beside(mut self, what: impl Into<String>, value: f64) -> Self {
        self.beside = Some((what.into(), value));
        self
    }

    pub(super) fn target(mut self, target: Target) -> Self {
        self.target = Some(target);
        self
    }

    fn ratio(&self) -> Option<f64> {
        self.beside.as_ref().map(|(_, other)| self.value / other)
    }

    fn is_met(&self) -> Option<bool> {
        let ratio = self.ratio().unwrap_or(f64::NAN);
        self.target.map(|target| match target {
            Target::AtLeast(least) => ratio >= least,
            Target::AtMost(most) => ratio <= most,
            Target::Under(most) => self.value < most,
            Target::Within(most) => self.value <= most,
        })
    }

    fn target_text(&self) -> Option<String> {
        let text = self.target.map(|target| match target {
            Target::AtLeast(least) => format!("≥ {least} ×"),
            Target::AtMost(most) => format!("≤ {most} ×"),
            Target::Under(most) => format!("< {most}"),
            Target::Within(most) => format!("≤ {most}"),
        })?;
        let mark = if self.is_met() == Some(true) { "✓" } else { "✗ missed" };
        Some(format!("{text} {mark}"))
    }
}

/// All figures of one run.
pub(super) struct Report {
    server: ServerKind,
    threads: usize,
    round_trip: Option<Duration>,
    /// Commands in a second of others.
    others: f64,
    rows: Vec<Row>,
}

impl Report {
    pub(super) fn new(server: ServerKind, threads: usize, round_trip: Option<Duration>, others: f64) -> Self {
        Self { server, threads, round_trip, others, rows: Vec::new() }
    }

    /// Adds a figure, and shows on stderr that it is there: a whole run takes minutes.
    pub(super) fn add(&mut self, mut row: Row) {
        // The targets are for a server nearby.
        row.target = row.target.filter(|_| self.round_trip.is_none());
        progress(&format!("{}: {} {}", row.what.trim_start(), figure(row.value), row.unit));
        self.rows.push(row);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The machine and the server, in one line.
    fn conditions(&self) -> String {
        let append_only = if self.server.append_only { "on" } else { "off" };
        let far = self.round_trip.map_or(String::new(), |time| format!(", a round trip of {time:?} more"));
        let others = match self.others {
            few if few < FEW_OTHERS => String::new(),
            many => format!(", beside {many:.0} commands a second of others, which count in what the server did"),
        };
        let build = if cfg!(debug_assertions) { ", DEBUG BUILD" } else { "" };
        let threads = if self.threads == 1 { "1 thread".to_owned() } else { format!("{} threads", self.threads) };
        let (server, cores) = (&self.server.name, cores());
        format!("{server}, append-only file {append_only}; {threads} on {cores} cores here{far}{others}{build}")
    }

    pub(super) fn text(&self) -> String {
        let rows: Vec<_> = self.rows.iter().map(cells).collect();
        let missed = self.rows.iter().filter(|row| row.is_met() == Some(false)).count();
        let judged = self.rows.iter().filter(|row| row.target.is_some()).count();
        let verdict = match self.round_trip {
            Some(_) => "no targets: they are for a server nearby".to_owned(),
            None => format!("{} of {judged} targets met", judged - missed),
        };
        format!("{}\n\n{}\n\n{verdict}", self.conditions(), table(&HEAD, &rows, &NUMBERS))
    }

    /// `complete`: nothing ended it before its time.
    pub(super) fn json(&self, complete: bool) -> String {
        let mut group = "";
        let rows = self.rows.iter().map(|row| {
            // What is indented belongs to the row before it that is not.
            group = if row.what.starts_with(' ') { group } else { &row.what };
            as_json(group, row)
        });
        let rows: Vec<_> = rows.collect();
        let conditions = json!({
            "server": self.server.name,
            "append_only": self.server.append_only,
            "threads": self.threads,
            "cores": cores(),
            "round_trip_ms": self.round_trip.map_or(0.0, |time| time.as_secs_f64() * 1e3),
            "commands_of_others_per_s": self.others,
            "debug_build": cfg!(debug_assertions),
        });
        format!("{:#}", json!({ "conditions": conditions, "complete": complete, "rows": rows }))
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(0, std::num::NonZero::get)
}

fn cells(row: &Row) -> Vec<String> {
    let (other, value) = row.beside.clone().map_or_else(Default::default, |(what, value)| (what, figure(value)));
    vec![
        row.what.clone(),
        figure(row.value),
        row.unit.to_owned(),
        other,
        value,
        row.ratio().map_or(String::new(), |ratio| format!("{ratio:.2}")),
        row.target_text().unwrap_or_default(),
    ]
}

fn as_json(group: &str, row: &Row) -> Value {
    json!({
        "group": group,
        "what": row.what.trim_start(),
        "value": row.value,
        "unit": row.unit,
        "compared_with": row.beside.as_ref().map(|(what, value)| json!({ "what": what, "value": value })),
        "ratio": row.ratio(),
        "target": row.target_text(),
        "met": row.is_met(),
    })
}

/// Three digits, or all digits of a large number in groups.
fn figure(value: f64) -> String {
    if value.abs() < 100.0 {
        let decimals = if value.abs() < 10.0 { 2 } else { 1 };
        return format!("{value:.decimals$}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at) % 3 == 0 && !text.ends_with('-') {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_readable() {
        assert_eq!([0.914, 27.36, 980.2, 204_300.4, -1234.0].map(figure), ["0.91", "27.4", "980", "204,300", "-1,234"]);
    }

    #[test]
    fn a_target_is_met_or_missed_by_its_ratio_or_its_value() {
        let row = Row::new("x", 7.0, "jobs/s").beside("floor", 10.0);
        assert_eq!(row.clone().target(Target::AtLeast(0.7)).is_met(), Some(true));
        assert_eq!(row.clone().target(Target::AtMost(0.6)).is_met(), Some(false));
        assert_eq!(row.clone().target(Target::Under(7.0)).is_met(), Some(false));
        assert_eq!(row.target(Target::Within(7.0)).is_met(), Some(true));
        assert_eq!(Row::new("x", 7.0, "ms").target(Target::AtMost(1.0)).is_met(), Some(false));
    }
}
