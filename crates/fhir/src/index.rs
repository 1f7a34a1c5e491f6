//! The rows by which a resource is found. Extracted before any lock is taken.

use serde_json::{Map, Value};

use crate::id::Id;
use crate::limits::MAX_INDEXED_CHARS;
use crate::query::IndexParam;
use crate::query::param::{bounded, fold_string, fold_token, of_type_code};
use crate::query::reference::is_type_name;
use crate::resource::{Resource, ResourceType};
use crate::time::TimeRange;

/// All index rows of one resource, without duplicates, sorted.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct IndexRows {
    /// Tokens and URIs.
    pub tokens: Vec<TokenRow>,
    /// Strings.
    pub strings: Vec<StringRow>,
    /// Dates.
    pub dates: Vec<DateRow>,
    /// References.
    pub references: Vec<ReferenceRow>,
}

/// A token (or URI: then without system).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenRow {
    /// What it is about.
    pub param: IndexParam,
    /// The system; empty when the element has none. Elements of type `code` and `boolean` have the one of
    /// [`IndexParam::implied_system`].
    pub system: String,
    /// The code or value as [`fold_token`] makes it; empty when there is only a system.
    pub code: String,
}

/// A string.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StringRow {
    /// What it is about.
    pub param: IndexParam,
    /// As [`fold_string`] makes it, the first [`crate::limits::MAX_INDEXED_CHARS`] characters.
    pub folded: String,
    /// As it stands in the resource; a long one as [`bounded`] makes it.
    pub exact: String,
}

/// A date as the half-open range `[low, high)` in microseconds since the epoch.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DateRow {
    /// What it is about.
    pub param: IndexParam,
    /// Start, inclusive.
    pub low: i64,
    /// End, exclusive.
    pub high: i64,
}

/// A reference with `reference`, `identifier` or both.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReferenceRow {
    /// What it is about.
    pub param: IndexParam,
    /// The type's name; empty for an absolute URL, a fragment, or a reference by identifier alone.
    pub kind: String,
    /// The id, or the whole URL as [`bounded`] makes it; empty for a reference by identifier alone.
    pub target: String,
    /// `reference.identifier.system`; empty when absent.
    pub system: String,
    /// `reference.identifier.value`; empty when absent.
    pub value: String,
}

/// The index rows of a resource. Total: what is malformed is passed over (validation reports it).
pub fn extract(resource: &Resource) -> IndexRows {
    let mut rows = IndexRows::default();
    let tree = resource.tree();
    rows.meta(tree);
    rows.identifiers(tree);
    rows.names(tree);
    rows.addresses(tree);
    rows.contact_points(tree);
    if let Some(active) = tree.get("active").and_then(Value::as_bool) {
        rows.boolean(IndexParam::Active, active);
    }
    if let Some(gender) = text(tree, "gender") {
        rows.code(IndexParam::Gender, gender);
    }
    match resource.kind() {
        ResourceType::Patient => rows.patient(tree),
        ResourceType::Practitioner => {
            objects(tree, "communication").for_each(|concept| {
                rows.concept(IndexParam::Communication, IndexParam::CommunicationText, concept)
            });
        }
    }
    rows.finish()
}

impl IndexRows {
    fn patient(&mut self, tree: &Map<String, Value>) {
        for communication in objects(tree, "communication") {
            if let Some(language) = object(communication, "language") {
                self.concept(IndexParam::Language, IndexParam::LanguageText, language);
            }
        }
        self.deceased(tree);
        if let Some(date) = text(tree, "birthDate") {
            self.date(IndexParam::Birthdate, date);
        }
        objects(tree, "generalPractitioner").for_each(|reference| {
            self.reference(
                IndexParam::GeneralPractitioner,
                IndexParam::GeneralPractitionerText,
                reference,
            );
        });
        if let Some(organization) = object(tree, "managingOrganization") {
            self.reference(
                IndexParam::Organization,
                IndexParam::OrganizationText,
                organization,
            );
        }
        for link in objects(tree, "link") {
            if let Some(other) = object(link, "other") {
                self.reference(IndexParam::Link, IndexParam::LinkText, other);
            }
        }
        for extension in objects(tree, "extension") {
            if text(extension, "url") == Some(MOTHERS_MAIDEN_NAME)
                && let Some(name) = text(extension, "valueString")
            {
                self.string(IndexParam::MothersMaidenName, name);
            }
        }
    }

    /// `Patient.deceased.exists() and Patient.deceased != false`: every Patient is one or the other.
    fn deceased(&mut self, tree: &Map<String, Value>) {
        let date = text(tree, "deceasedDateTime");
        let flag = tree.get("deceasedBoolean").and_then(Value::as_bool);
        self.boolean(IndexParam::Deceased, date.is_some() || flag == Some(true));
        if let Some(date) = date {
            self.date(IndexParam::DeathDate, date);
        }
    }

    fn meta(&mut self, tree: &Map<String, Value>) {
        let Some(meta) = object(tree, "meta") else { return };
        texts(meta, "profile").for_each(|url| self.canonical(IndexParam::Profile, url));
        if let Some(source) = text(meta, "source") {
            self.token(IndexParam::Source, None, Some(source));
        }
        objects(meta, "tag").for_each(|coding| self.coding(IndexParam::Tag, coding));
        objects(meta, "security").for_each(|coding| self.coding(IndexParam::Security, coding));
    }

    /// A canonical URL as it stands and, when it names a version, without that too: who asks for no version
    /// finds every one — <https://hl7.org/fhir/R4/search.html#uri>
    fn canonical(&mut self, param: IndexParam, canonical: &str) {
        self.token(param, None, Some(canonical));
        if let Some((url, _version)) = canonical.split_once('|')
            && !url.is_empty()
        {
            self.token(param, None, Some(url));
        }
    }

    fn identifiers(&mut self, tree: &Map<String, Value>) {
        for identifier in objects(tree, "identifier") {
            let value = text(identifier, "value");
            self.token(IndexParam::Identifier, text(identifier, "system"), value);
            let concept = object(identifier, "type");
            if let Some(text) = concept.and_then(|concept| text(concept, "text")) {
                self.string(IndexParam::IdentifierTypeText, text);
            }
            let (Some(value), Some(concept)) = (value, concept) else {
                continue;
            };
            for coding in objects(concept, "coding") {
                if let (Some(system), Some(code)) = (text(coding, "system"), text(coding, "code")) {
                    self.tokens.push(TokenRow {
                        param: IndexParam::IdentifierOfType,
                        system: bounded(system),
                        code: of_type_code(code, value),
                    });
                }
            }
        }
    }

    fn names(&mut self, tree: &Map<String, Value>) {
        for name in objects(tree, "name") {
            for (param, property) in [(IndexParam::Family, "family"), (IndexParam::NameText, "text")] {
                if let Some(part) = text(name, property) {
                    self.string(param, part);
                }
            }
            for (param, property) in [
                (IndexParam::Given, "given"),
                (IndexParam::NamePrefix, "prefix"),
                (IndexParam::NameSuffix, "suffix"),
            ] {
                texts(name, property).for_each(|part| self.string(param, part));
            }
        }
    }

    fn addresses(&mut self, tree: &Map<String, Value>) {
        for address in objects(tree, "address") {
            texts(address, "line").for_each(|line| self.string(IndexParam::AddressLine, line));
            for (param, property) in [
                (IndexParam::AddressCity, "city"),
                (IndexParam::AddressDistrict, "district"),
                (IndexParam::AddressState, "state"),
                (IndexParam::AddressPostalCode, "postalCode"),
                (IndexParam::AddressCountry, "country"),
                (IndexParam::AddressText, "text"),
            ] {
                if let Some(part) = text(address, property) {
                    self.string(param, part);
                }
            }
            if let Some(code) = text(address, "use") {
                self.code(IndexParam::AddressUse, code);
            }
        }
    }

    fn contact_points(&mut self, tree: &Map<String, Value>) {
        for point in objects(tree, "telecom") {
            let param = match text(point, "system") {
                Some("phone") => IndexParam::Phone,
                Some("email") => IndexParam::Email,
                _ => IndexParam::OtherTelecom,
            };
            self.token(param, None, text(point, "value"));
        }
    }

    fn concept(&mut self, param: IndexParam, text_param: IndexParam, concept: &Map<String, Value>) {
        if let Some(text) = text(concept, "text") {
            self.string(text_param, text);
        }
        for coding in objects(concept, "coding") {
            self.coding(param, coding);
            if let Some(display) = text(coding, "display") {
                self.string(text_param, display);
            }
        }
    }

    fn coding(&mut self, param: IndexParam, coding: &Map<String, Value>) {
        self.token(param, text(coding, "system"), text(coding, "code"));
    }

    fn code(&mut self, param: IndexParam, code: &str) {
        self.token(param, param.implied_system(), Some(code));
    }

    fn boolean(&mut self, param: IndexParam, value: bool) {
        self.code(param, if value { "true" } else { "false" });
    }

    /// A token that has a system, a code or both.
    fn token(&mut self, param: IndexParam, system: Option<&str>, code: Option<&str>) {
        if system.is_some() || code.is_some() {
            self.tokens.push(TokenRow {
                param,
                system: system.map(bounded).unwrap_or_default(),
                code: code.map(|code| fold_token(param, code)).unwrap_or_default(),
            });
        }
    }

    fn string(&mut self, param: IndexParam, value: &str) {
        self.strings.push(StringRow {
            param,
            folded: cut(fold_string(value)),
            exact: bounded(value),
        });
    }

    fn date(&mut self, param: IndexParam, value: &str) {
        if let Some(TimeRange { low, high }) = TimeRange::parse(value) {
            self.dates.push(DateRow { param, low, high });
        }
    }

    fn reference(&mut self, param: IndexParam, text_param: IndexParam, reference: &Map<String, Value>) {
        if let Some(display) = text(reference, "display") {
            self.string(text_param, display);
        }
        let identifier = object(reference, "identifier");
        let part = |property| identifier.and_then(|identifier| text(identifier, property));
        let (system, value) = (part("system"), part("value"));
        let url = text(reference, "reference");
        if url.is_none() && system.is_none() && value.is_none() {
            return;
        }
        let (kind, target) = url.map(place).unwrap_or_default();
        self.references.push(ReferenceRow {
            param,
            kind,
            target,
            system: system.map(bounded).unwrap_or_default(),
            value: value.map(bounded).unwrap_or_default(),
        });
    }

    fn finish(mut self) -> IndexRows {
        self.tokens.sort_unstable();
        self.tokens.dedup();
        self.strings.sort_unstable();
        self.strings.dedup();
        self.dates.sort_unstable();
        self.dates.dedup();
        self.references.sort_unstable();
        self.references.dedup();
        self
    }
}

const MOTHERS_MAIDEN_NAME: &str = "http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName";

/// Type and id of a relative reference, its version dropped; any other reference whole.
fn place(reference: &str) -> (String, String) {
    let plain = reference
        .split_once("/_history/")
        .map_or(reference, |(plain, _)| plain);
    match plain.split_once('/') {
        Some((kind, id)) if is_type_name(kind) && Id::parse(id).is_some() => (kind.to_owned(), id.to_owned()),
        _ => (String::new(), bounded(reference)),
    }
}

fn text<'t>(node: &'t Map<String, Value>, property: &str) -> Option<&'t str> {
    node.get(property)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
}

fn object<'t>(node: &'t Map<String, Value>, property: &str) -> Option<&'t Map<String, Value>> {
    node.get(property).and_then(Value::as_object)
}

fn list<'t>(node: &'t Map<String, Value>, property: &str) -> impl Iterator<Item = &'t Value> + use<'t> {
    node.get(property).and_then(Value::as_array).into_iter().flatten()
}

fn objects<'t>(
    node: &'t Map<String, Value>,
    property: &str,
) -> impl Iterator<Item = &'t Map<String, Value>> + use<'t> {
    list(node, property).filter_map(Value::as_object)
}

/// The texts of a repeating primitive; its holes (`null`, where only an extension stands) are passed over.
fn texts<'t>(node: &'t Map<String, Value>, property: &str) -> impl Iterator<Item = &'t str> + use<'t> {
    list(node, property)
        .filter_map(Value::as_str)
        .filter(|text| !text.is_empty())
}

/// The first [`MAX_INDEXED_CHARS`] characters.
fn cut(mut text: String) -> String {
    if text.len() > MAX_INDEXED_CHARS
        && let Some((end, _)) = text.char_indices().nth(MAX_INDEXED_CHARS)
    {
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests;
