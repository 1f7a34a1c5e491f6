//! E-mail and telephone: one entry of `telecom[]` each, changed in place (`adapters.md` 5.4).

use serde_json::{Value, json};

use super::Context;
use crate::tree::{Object, push, retain, text};
use crate::{overlay, pick};

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Point {
    Email,
    Phone,
}

impl Point {
    /// Both, in the order of the doors' answers.
    pub(super) const ALL: [Point; 2] = [Point::Email, Point::Phone];

    /// The field of the doors.
    pub(super) const fn field(self) -> &'static str {
        match self {
            Point::Email => "email",
            Point::Phone => "phone",
        }
    }

    fn pick(self, patient: &Object, today: &str) -> Option<usize> {
        match self {
            Point::Email => pick::email(patient, today),
            Point::Phone => pick::phone(patient, today),
        }
    }

    fn covers(self, system: Option<&str>) -> bool {
        match self {
            Point::Email => system == Some("email"),
            Point::Phone => matches!(system, Some("phone" | "sms")),
        }
    }

    /// The value of the chosen entry, whatever was kept beside it.
    pub(super) fn projected<'t>(self, patient: &'t Object, today: &str) -> Option<&'t str> {
        let position = self.pick(patient, today)?;
        text(patient.get("telecom")?.get(position)?.as_object()?, "value")
    }

    /// What the door shows: an entry that surfaced only because the partner's was cleared stays hidden.
    pub(super) fn shown(self, patient: &Object, context: &Context<'_>) -> Option<String> {
        let projected = self.projected(patient, context.rules.today);
        let now = json!(projected);
        match overlay::raw(
            patient,
            context.rules.naming,
            context.adapter(),
            self.field(),
            &now,
        ) {
            Some(raw) => raw.as_str().map(str::to_owned),
            None => projected.map(str::to_owned),
        }
    }

    /// Changes or clears what the door shows. An entry that the door does not show is not touched.
    pub(super) fn set(self, patient: &mut Object, context: &Context<'_>, new: Option<&str>) {
        let today = context.rules.today;
        let shown = self.shown(patient, context);
        let projected = self.projected(patient, today);
        if projected != new {
            let position = if shown.as_deref() == projected {
                self.pick(patient, today)
            } else {
                shown
                    .as_deref()
                    .and_then(|value| self.holding(patient, today, value))
            };
            match new {
                Some(value) => self.write(patient, position, value),
                None => self.clear(patient, today, shown.as_deref()),
            }
        }
        let now = json!(self.projected(patient, today));
        let raw = json!(new);
        overlay::keep(
            patient,
            context.rules.naming,
            context.adapter(),
            self.field(),
            &raw,
            &now,
        );
    }

    /// The position of a current entry of this value.
    fn holding(self, patient: &Object, today: &str, value: &str) -> Option<usize> {
        let list = patient.get("telecom")?.as_array()?;
        list.iter().position(|point| self.is_current(point, today, value))
    }

    fn is_current(self, point: &Value, today: &str, value: &str) -> bool {
        let Some(point) = point.as_object() else {
            return false;
        };
        self.covers(text(point, "system"))
            && text(point, "value") == Some(value)
            && text(point, "use") != Some("old")
            && pick::is_current(point, today)
    }

    fn write(self, patient: &mut Object, position: Option<usize>, value: &str) {
        let list = patient.get_mut("telecom").and_then(Value::as_array_mut);
        let chosen = position.and_then(|position| list?.get_mut(position)?.as_object_mut());
        match chosen {
            Some(point) => {
                point.insert("value".to_owned(), json!(value));
                point.shift_remove("_value");
            }
            None => push(patient, "telecom", self.entry(value)),
        }
    }

    /// A new entry. Only the French mobile numbers tell of their use.
    pub(super) fn entry(self, value: &str) -> Value {
        match self {
            Point::Email => json!({ "system": "email", "value": value }),
            Point::Phone if value.starts_with("+336") || value.starts_with("+337") => {
                json!({ "system": "phone", "value": value, "use": "mobile" })
            }
            Point::Phone => json!({ "system": "phone", "value": value }),
        }
    }

    /// Removes every current entry of the value.
    fn clear(self, patient: &mut Object, today: &str, value: Option<&str>) {
        let Some(value) = value else { return };
        retain(patient, "telecom", |point| !self.is_current(point, today, value));
    }
}
