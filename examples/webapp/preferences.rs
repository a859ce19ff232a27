//! How a visitor wants the pages: a field of the session that no other part of it touches.

use axum::response::Redirect;
use maud::Markup;
use serde::{Deserialize, Serialize};

use crate::csrf::Checked;
use crate::pages;
use crate::refusal::Refusal;
use crate::visitor::Visitor;

/// The field of the session.
pub(crate) const FIELD: &str = "preferences";

/// How many reports a page of the list may have.
pub(crate) const ROWS: [usize; 3] = [5, 10, 25];

/// Light or dark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Theme {
    /// As the system of the visitor has it.
    #[default]
    System,
    Light,
    Dark,
}

impl Theme {
    pub(crate) const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    /// The word for it in forms and style sheets.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// How a visitor wants the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Preferences {
    pub(crate) theme: Theme,
    /// How many reports a page of the list has; one of [`ROWS`].
    pub(crate) rows: usize,
}

impl Default for Preferences {
    fn default() -> Self {
        Self { theme: Theme::default(), rows: ROWS[0] }
    }
}

impl Preferences {
    /// Those of a form.
    fn read(form: &Checked) -> Result<Self, Refusal> {
        let (theme, rows) = (form.field("theme")?, form.field("rows")?);
        let unknown = |what: &str| Refusal::Form(format!("there is no such choice of `{what}`"));
        let theme = Theme::ALL.into_iter().find(|known| known.word() == theme).ok_or_else(|| unknown("theme"))?;
        let rows = ROWS.into_iter().find(|known| known.to_string() == rows).ok_or_else(|| unknown("rows"))?;
        Ok(Self { theme, rows })
    }
}

/// The form.
pub(crate) async fn page(visitor: Visitor) -> Markup {
    pages::preferences(&visitor)
}

/// Takes the form in: one field is written, whatever other requests do to the others meanwhile.
pub(crate) async fn save(visitor: Visitor, form: Checked) -> Result<Redirect, Refusal> {
    visitor.session.set(FIELD, &Preferences::read(&form)?)?;
    Ok(Redirect::to("/preferences"))
}
