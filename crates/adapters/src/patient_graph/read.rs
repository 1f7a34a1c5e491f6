//! Requests of the door, checked: everything that is wrong is named at once.

use fhir::query::encoding;
use fhir::time::TimeRange;
use serde_json::Value;

use super::error::{Fault, Violation, shorten};
use super::metadata::{MAX_METADATA_BYTES, Metadata};
use crate::json;
use crate::tree::Object;

/// The most characters (code points) of a text.
pub const MAX_TEXT_CHARS: usize = 255;
/// The most characters of an e-mail address (RFC 5321).
pub const MAX_EMAIL_CHARS: usize = 254;
/// The most entries of `external_ids`.
pub const MAX_EXTERNAL_IDS: usize = 64;
/// The page size of a list that names none, in patients.
pub const DEFAULT_LIMIT: u32 = 20;
/// The largest page size, in patients.
pub const MAX_LIMIT: u32 = 100;

const NOT_A_STRING: &str = "must be a string";
const EMPTY: &str = "must contain at least 1 character";

/// A patient to be created; everything is checked.
#[derive(Clone, PartialEq)]
pub struct Create {
    pub(super) brand: String,
    pub(super) first_name: String,
    pub(super) last_name: String,
    pub(super) date_of_birth: Option<String>,
    pub(super) gender: Option<String>,
    pub(super) email: Option<String>,
    pub(super) phone: Option<String>,
    /// Key and value, in the sender's order.
    pub(super) external_ids: Vec<(String, String)>,
    pub(super) metadata: Metadata,
}

impl Create {
    /// The brand: one of the token's.
    pub fn brand(&self) -> &str {
        &self.brand
    }
}

// A person: never reaches a log by `{:?}`.
impl std::fmt::Debug for Create {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Create(brand {})", self.brand)
    }
}

/// Reads the body of `POST /v1/patients`. Properties that the door does not know, or that are the server's
/// (`id`, `status`, `age_verified_at` …), mean nothing.
///
/// # Errors
/// [`Fault::ForeignBrand`] for a brand that is not among the token's, before all else that is wrong;
/// [`Fault::Validation`] with every faulty field.
pub fn read_create(body: &[u8], brands: &[&str]) -> Result<Create, Fault> {
    let object = json::object(body)?;
    let mut fields = Fields {
        object: &object,
        violations: Vec::new(),
    };
    let brand = fields.required("brand_id");
    if let Some(brand) = &brand
        && !brands.contains(&brand.as_str())
    {
        return Err(Fault::ForeignBrand);
    }
    let first_name = fields.required("first_name");
    let last_name = fields.required("last_name");
    let date_of_birth = fields.checked(
        "date_of_birth",
        is_full_date,
        "must be a date that exists, YYYY-MM-DD",
    );
    let gender = fields.optional("gender");
    let email = fields.checked("email", is_email, "must be an e-mail address");
    let phone = fields.optional("phone");
    let external_ids = fields.external_ids();
    let metadata = fields.metadata(body);
    match (brand, first_name, last_name) {
        (Some(brand), Some(first_name), Some(last_name)) if fields.violations.is_empty() => Ok(Create {
            brand,
            first_name,
            last_name,
            date_of_birth,
            gender,
            email,
            phone,
            external_ids,
            metadata,
        }),
        _ => Err(Fault::Validation(fields.violations)),
    }
}

/// What `GET /v1/patients` asks for, in the order of creation, then of ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListParameters {
    /// The brand: one of the token's.
    pub brand: String,
    /// Page size in patients, 1 to [`MAX_LIMIT`].
    pub limit: u32,
    /// How many patients to pass over.
    pub offset: u64,
}

/// Reads the query string (without `?`) of `GET /v1/patients`. Parameters that the door does not know mean
/// nothing.
///
/// # Errors
/// As [`read_create`].
pub fn read_list(query: &str, brands: &[&str]) -> Result<ListParameters, Fault> {
    let pairs = encoding::pairs(query).map_err(|_| {
        let reason = "must be percent-encoded UTF-8 and of a reasonable length";
        Fault::Validation(vec![Violation::new("query", reason)])
    })?;
    let mut violations = Vec::new();
    let mut single = |name: &str| {
        let mut given = pairs.iter().filter(|pair| pair.full_name() == name);
        let first = given.next().map(|pair| pair.value.as_str());
        if given.next().is_some() {
            violations.push(Violation::new(name, "must stand only once"));
        }
        first
    };
    let (brand, limit, offset) = (single("brand_id"), single("limit"), single("offset"));
    match brand {
        None => violations.push(Violation::new("brand_id", "is required")),
        Some("") => violations.push(Violation::new("brand_id", EMPTY)),
        Some(brand) if !brands.contains(&brand) => return Err(Fault::ForeignBrand),
        Some(_) => {}
    }
    let limit = limit.map_or(Some(u64::from(DEFAULT_LIMIT)), whole_number);
    let limit = limit
        .and_then(|limit| u32::try_from(limit).ok())
        .filter(|limit| (1..=MAX_LIMIT).contains(limit));
    if limit.is_none() {
        let reason = format!("must be a whole number from 1 to {MAX_LIMIT}");
        violations.push(Violation::new("limit", reason));
    }
    let offset = offset.map_or(Some(0), whole_number);
    if offset.is_none() {
        violations.push(Violation::new("offset", "must be a whole number, 0 or more"));
    }
    match (brand, limit, offset) {
        (Some(brand), Some(limit), Some(offset)) if violations.is_empty() => Ok(ListParameters {
            brand: brand.to_owned(),
            limit,
            offset,
        }),
        _ => Err(Fault::Validation(violations)),
    }
}

/// Digits only (Rust's own reading takes a sign), and within what any database counts to.
fn whole_number(text: &str) -> Option<u64> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = is_plain.then(|| text.parse::<i64>().ok()).flatten()?;
    u64::try_from(number).ok()
}

/// The properties of a body, and what was found wrong with them.
struct Fields<'o> {
    object: &'o Object,
    violations: Vec<Violation>,
}

impl Fields<'_> {
    fn wrong(&mut self, path: impl Into<String>, reason: impl Into<String>) {
        self.violations.push(Violation::new(path, reason));
    }

    /// A text that must be there and say something.
    fn required(&mut self, name: &str) -> Option<String> {
        let Some(value) = self.object.get(name) else {
            self.wrong(name, "is required");
            return None;
        };
        let text = self.string(name, value)?;
        if text.is_empty() {
            self.wrong(name, EMPTY);
            return None;
        }
        if is_blank(&text) {
            self.wrong(name, "must not be blank");
            return None;
        }
        Some(text)
    }

    /// A text that may be missing, and may be empty.
    fn optional(&mut self, name: &str) -> Option<String> {
        let value = self.object.get(name)?;
        self.string(name, value)
    }

    /// A text that may be missing, and has a form.
    fn checked(&mut self, name: &str, is_right: fn(&str) -> bool, reason: &str) -> Option<String> {
        let text = self.optional(name)?;
        if !is_right(&text) {
            self.wrong(name, reason);
            return None;
        }
        Some(text)
    }

    fn string(&mut self, path: &str, value: &Value) -> Option<String> {
        let Some(text) = value.as_str() else {
            self.wrong(path, NOT_A_STRING);
            return None;
        };
        if text.chars().count() > MAX_TEXT_CHARS {
            self.wrong(path, format!("must contain at most {MAX_TEXT_CHARS} characters"));
            return None;
        }
        Some(text.to_owned())
    }

    fn external_ids(&mut self) -> Vec<(String, String)> {
        const NAME: &str = "external_ids";
        let Some(value) = self.object.get(NAME) else {
            return Vec::new();
        };
        let Some(map) = value.as_object() else {
            self.wrong(NAME, "must be an object of strings");
            return Vec::new();
        };
        if map.len() > MAX_EXTERNAL_IDS {
            self.wrong(NAME, format!("must have at most {MAX_EXTERNAL_IDS} entries"));
            return Vec::new();
        }
        let mut pairs = Vec::with_capacity(map.len());
        for (key, value) in map {
            let path = shorten(&format!("{NAME}.{key}"));
            if key.is_empty() {
                self.wrong(NAME, "must have no empty key");
            } else if key.chars().count() > MAX_TEXT_CHARS {
                self.wrong(
                    path,
                    format!("must have a key of at most {MAX_TEXT_CHARS} characters"),
                );
            } else if let Some(value) = self.string(&path, value) {
                pairs.push((key.clone(), value));
            }
        }
        pairs
    }

    fn metadata(&mut self, body: &[u8]) -> Metadata {
        const NAME: &str = "metadata";
        if !self.object.contains_key(NAME) {
            return Metadata::default();
        }
        // Not the tree's node: what is an object is seen in the text, where no number can pass for one.
        let text = std::str::from_utf8(body).ok().and_then(Metadata::of_body);
        let Some(metadata) = text.filter(|metadata| metadata.as_str().starts_with('{')) else {
            self.wrong(NAME, "must be an object");
            return Metadata::default();
        };
        if metadata.as_str().len() > MAX_METADATA_BYTES {
            self.wrong(
                NAME,
                format!("must not be larger than {MAX_METADATA_BYTES} bytes"),
            );
        }
        metadata
    }
}

/// Whether a text says nothing: FHIR has no string of blanks.
pub(super) fn is_blank(text: &str) -> bool {
    text.chars().all(char::is_whitespace)
}

/// `YYYY-MM-DD`, on the calendar.
pub(super) fn is_full_date(text: &str) -> bool {
    text.len() == "YYYY-MM-DD".len() && TimeRange::parse(text).is_some()
}

/// `local@domain`, without blanks; no more is asked of it than what a mail system would refuse anyway.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    text.chars().count() <= MAX_EMAIL_CHARS
        && !text.contains(|c: char| c.is_whitespace() || c.is_control())
        && !local.is_empty()
        && !domain.contains('@')
        && domain.split('.').all(|label| !label.is_empty())
}
