//! Index and key rows of one resource: written with it, changed by difference, removed with it.

mod change;
mod insert;
mod rows;

use std::borrow::Cow;
use std::collections::BTreeMap;

use fhir::index::IndexRows;
use fhir::query::param::bounded;
use fhir::{Identifier, ResourceType};

use crate::api::{KeyRow, NewResource};
use crate::codes;
use crate::sql::EntryRow;
use crate::text::fit;

pub(crate) use change::{change, clear, differences};
pub(crate) use insert::{array_inserts, insert};
use rows::{Date, Key, Reference, StatedKey, Text, Token};

/// Whose rows.
#[derive(Clone, Copy)]
pub(crate) struct Owner {
    pub(crate) space: i64,
    pub(crate) kind: ResourceType,
    pub(crate) row: i64,
}

/// All rows of one resource, in the form in which they are stored.
#[derive(Clone, Default)]
pub(crate) struct Entries<'a> {
    tokens: Vec<Token<'a>>,
    texts: Vec<Text<'a>>,
    dates: Vec<Date>,
    references: Vec<Reference<'a>>,
    keys: Vec<StatedKey<'a>>,
}

impl<'a> Entries<'a> {
    /// The rows of a version to be written.
    pub(crate) fn of(new: &'a NewResource) -> Entries<'a> {
        Entries::of_parts(&new.index, &new.keys)
    }

    /// These rows.
    pub(crate) fn of_parts(index: &'a IndexRows, keys: &'a [KeyRow]) -> Entries<'a> {
        Entries {
            // Extraction has bounded these texts.
            tokens: index
                .tokens
                .iter()
                .map(|row| Token {
                    param: row.param.number(),
                    system: Cow::Borrowed(&row.system),
                    code: Cow::Borrowed(&row.code),
                })
                .collect(),
            texts: index
                .strings
                .iter()
                .map(|row| Text {
                    param: row.param.number(),
                    folded: Cow::Borrowed(&row.folded),
                    exact: Cow::Borrowed(&row.exact),
                })
                .collect(),
            dates: index
                .dates
                .iter()
                .map(|row| Date {
                    param: row.param.number(),
                    low: row.low,
                    high: row.high,
                })
                .collect(),
            references: index
                .references
                .iter()
                .map(|row| Reference {
                    param: row.param.number(),
                    ref_kind: fit(&row.kind),
                    target: fit(&row.target),
                    system: fit(&row.system),
                    value: fit(&row.value),
                })
                .collect(),
            keys: keys_of(keys),
        }
    }

    fn is_empty(&self) -> bool {
        self.tokens.is_empty()
            && self.texts.is_empty()
            && self.dates.is_empty()
            && self.references.is_empty()
            && self.keys.is_empty()
    }

    /// The rows that were read from the tables.
    fn of_rows(rows: Vec<EntryRow>) -> Entries<'static> {
        let mut entries = Entries::default();
        for (table, number, low, high, first, second, third, fourth) in rows {
            let (first, second) = (Cow::Owned(first), Cow::Owned(second));
            match table {
                1 => entries.tokens.push(Token {
                    param: number,
                    system: first,
                    code: second,
                }),
                2 => entries.texts.push(Text {
                    param: number,
                    folded: first,
                    exact: second,
                }),
                3 => entries.dates.push(Date {
                    param: number,
                    low,
                    high,
                }),
                4 => entries.references.push(Reference {
                    param: number,
                    ref_kind: first,
                    target: second,
                    system: Cow::Owned(third),
                    value: Cow::Owned(fourth),
                }),
                _ => {
                    let key = Key {
                        policy: number,
                        system: first,
                        value: second,
                    };
                    entries.keys.push((key, i16::try_from(low).unwrap_or_default()));
                }
            }
        }
        entries
    }
}

/// A text of a key, as it lies in the key table.
pub(crate) fn key_text(text: &str) -> Cow<'_, str> {
    match bounded(text) {
        same if same == text => Cow::Borrowed(text),
        short => Cow::Owned(short),
    }
}

fn keys_of(rows: &[KeyRow]) -> Vec<StatedKey<'_>> {
    // Should one identifier come twice, the stronger state counts.
    let mut keys: BTreeMap<Key<'_>, i16> = BTreeMap::new();
    for row in rows {
        let Identifier { system, value } = &row.identifier;
        let key = Key {
            policy: codes::policy(row.policy),
            system: key_text(system),
            value: key_text(value),
        };
        let state = codes::state(row.state);
        let held = keys.entry(key).or_insert(state);
        *held = state.max(*held);
    }
    keys.into_iter().collect()
}
