//! The searchset Bundle — <https://hl7.org/fhir/R4/search.html#response>

use fhir::canonical::write_value;
use fhir::query::Query;
use serde_json::{Value, json};
use store::{Page, Stored};

use crate::base::Base;
use crate::error::Failure;
use crate::respond;

/// The query strings of a search's links: what was applied, nothing else.
pub struct Links {
    path: &'static str,
    own: String,
    first: String,
    query: Query,
}
