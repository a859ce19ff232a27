//! One column of a table: what kind of values it has, and what is to be said of them.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::report::{count, most};

/// Most values of a column that are told, the most frequent first.
const TOP_VALUES: usize = 5;
/// Most different values of a column that are counted; those that come later are left out.
const MAX_VALUES: usize = 10_000;
/// Numbers beyond this are taken for text, so that sums stay numbers.
const MAX_NUMBER: f64 = 1e15;

/// What the values of a column are, those that are empty left aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// There are none.
    Empty,
    Whole,
    Decimal,
    /// As in 2024-12-31.
    Date,
    Text,
}

impl Kind {
    /// The word for it on a page.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Whole => "whole numbers",
            Self::Decimal => "numbers",
            Self::Date => "dates",
            Self::Text => "text",
        }
    }

    fn of(value: &str) -> Self {
        if value.parse::<i64>().is_ok_and(|number| (number as f64).abs() <= MAX_NUMBER) {
            Self::Whole
        } else if value.parse::<f64>().is_ok_and(|number| number.is_finite() && number.abs() <= MAX_NUMBER) {
            Self::Decimal
        } else if is_date(value) {
            Self::Date
        } else {
            Self::Text
        }
    }

    /// What a column is that has values of both kinds.
    fn with(self, other: Self) -> Self {
        match (self, other) {
            (Self::Empty, kind) | (kind, Self::Empty) => kind,
            (one, other) if one == other => one,
            (Self::Whole, Self::Decimal) | (Self::Decimal, Self::Whole) => Self::Decimal,
            _ => Self::Text,
        }
    }
}

/// Whether a value has the form of a date in ISO 8601.
fn is_date(value: &str) -> bool {
    let mut parts = value.splitn(3, '-');
    let mut next = |digits: usize, range: std::ops::RangeInclusive<u16>| {
        let part = parts.next().filter(|part| part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit()));
        part.and_then(|part| part.parse().ok()).is_some_and(|number: u16| range.contains(&number))
    };
    next(4, 0..=9999) && next(2, 1..=12) && next(2, 1..=31)
}

/// What is said of a column.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// Rows in which it is empty.
    pub(crate) empty: u64,
    /// What numbers it has, if its kind is one of those.
    pub(crate) numbers: Option<Numbers>,
    /// The most frequent values of a text, and how often each is there.
    pub(crate) top: Vec<(String, u64)>,
}

/// What numbers a column has.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Numbers {
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) mean: f64,
}

/// A column in the making.
pub(crate) struct Tally {
    name: String,
    kind: Kind,
    empty: u64,
    numbers: u64,
    sum: f64,
    min: f64,
    max: f64,
    values: HashMap<String, u64>,
}

impl Tally {
    pub(crate) fn new(name: String) -> Self {
        let (min, max) = (f64::INFINITY, f64::NEG_INFINITY);
        Self { name, kind: Kind::Empty, empty: 0, numbers: 0, sum: 0.0, min, max, values: HashMap::new() }
    }

    /// Takes the value of one row in.
    pub(crate) fn add(&mut self, value: &str) {
        let value = value.trim();
        if value.is_empty() {
            self.empty += 1;
            return;
        }
        let kind = Kind::of(value);
        if let (Kind::Whole | Kind::Decimal, Ok(number)) = (kind, value.parse::<f64>()) {
            self.numbers += 1;
            self.sum += number;
            self.min = self.min.min(number);
            self.max = self.max.max(number);
        }
        self.kind = self.kind.with(kind);
        // A column of numbers may turn out to be one of text at its last row.
        count(&mut self.values, value, MAX_VALUES);
    }

    /// What there is to say when all rows are in.
    pub(crate) fn end(self) -> Column {
        let Self { name, kind, empty, numbers, sum, min, max, values } = self;
        let is_number = matches!(kind, Kind::Whole | Kind::Decimal);
        let numbers = is_number.then(|| Numbers { min, max, mean: sum / numbers as f64 });
        let top = if kind == Kind::Text { most(values, TOP_VALUES) } else { Vec::new() };
        Column { name, kind, empty, numbers, top }
    }
}
