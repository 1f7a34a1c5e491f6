//! What this process knows of one resource: the journal of its writes.

use serde_json::{Value, json};

use crate::torture::{Key, Named, Subject};

/// One resource and every write of it, in the order they were sent. One writer owns it and waits for each
/// answer, so at most the last write is unanswered.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub subject: Subject,
    /// The number of the person.
    pub number: u64,
    /// Known once an answer or a search has told it.
    pub id: Option<String>,
    /// What each version holds; all but a pending one are acknowledged or were found after a crash.
    pub versions: Vec<Content>,
    /// A write that was sent and not answered.
    pub pending: Option<Content>,
    /// Written since the last crash.
    pub touched: bool,
}

/// What one version holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// The person under the family name of this value.
    Value(u64),
    /// The deletion.
    Deletion,
}

/// Every so many values the body is large: several pages of the database.
const LARGE_EVERY: u64 = 7;
const LARGE_BYTES: usize = 12 * 1024;

impl Record {
    pub fn new(subject: Subject, number: u64) -> Record {
        Record {
            subject,
            number,
            id: None,
            versions: Vec::new(),
            pending: None,
            touched: true,
        }
    }

    pub fn named(&self) -> Named {
        self.subject.named(self.number)
    }

    pub fn is_deleted(&self) -> bool {
        self.versions.last() == Some(&Content::Deletion)
    }

    /// The body that a write of `value` sends.
    pub fn body(&self, value: u64) -> Value {
        let mut body = self.subject.body_called(self.number, &family(value));
        if value.is_multiple_of(LARGE_EVERY) {
            let line = format!("{value} ").repeat(LARGE_BYTES / 8);
            body["address"] = json!([{ "use": "work", "text": line.trim_end() }]);
        }
        body
    }

    /// The path below the door.
    pub fn path(&self) -> Option<String> {
        let id = self.id.as_ref()?;
        Some(format!("/{}/{id}", self.subject.kind()))
    }
}

/// The family name of a value: one that no other value's name begins with.
pub(super) fn family(value: u64) -> String {
    format!("Valeur-{value}-fin")
}

/// What writers write: half accounts, half patients whose identifier is a key.
pub(super) const SUBJECTS: [Subject; 2] = [Subject::Account, Subject::Keyed(Key::BuiltIn)];
