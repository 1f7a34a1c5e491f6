//! GET /patients: which page of which patients, and the envelope of the answer.

use fhir::Timestamp;
use fhir::time::TimeRange;
use serde::Serialize;

use crate::medicapp::fields::Faults;
use crate::medicapp::parameters::Parameters;
use crate::medicapp::{Fault, PerPageOver, Rules, TemplateFhir};

/// Most patients on a page.
pub const MAX_PER_PAGE: u64 = 100;
/// Patients on a page when `per_page` is absent.
const DEFAULT_PER_PAGE: u64 = 20;

/// What of the list is wanted. The order is: created, then Medicapp id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// From 1.
    pub page: u64,
    /// 1 to [`MAX_PER_PAGE`].
    pub per_page: u64,
    /// Only patients created later than this, to the microsecond.
    pub created_after: Option<Timestamp>,
    /// Only patients modified later than this, to the microsecond.
    pub modified_after: Option<Timestamp>,
    /// In which form.
    pub template: Template,
}

/// The form of the items of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Template {
    /// The door's own.
    Native,
    /// FHIR R4 Patients.
    Fhir,
}

/// A page of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listing<T> {
    /// The items: [`super::Patient`]s, or FHIR Patients under [`Template::Fhir`].
    pub data: Vec<T>,
    /// Where in the list they stand.
    pub pagination: Pagination,
}

/// Where a page stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pagination {
    /// The page that was asked for.
    pub page: u64,
    /// The page size that was applied.
    pub per_page: u64,
    /// All patients that the filters leave.
    pub total: u64,
    /// All pages; 0 for no patient.
    pub total_pages: u64,
}

impl Page {
    /// How many patients stand before the page; `None` for more than can be counted, which no list has.
    pub fn offset(&self) -> Option<u64> {
        self.page.checked_sub(1)?.checked_mul(self.per_page)
    }

    /// The end of the answer. `total` is from the same snapshot as the items.
    pub fn pagination(&self, total: u64) -> Pagination {
        Pagination {
            page: self.page,
            per_page: self.per_page,
            total,
            total_pages: total.div_ceil(self.per_page.max(1)),
        }
    }
}

/// Reads the query string.
///
/// # Errors
/// All faulty parameters.
pub fn read_page(query: &str, rules: &Rules<'_>) -> Result<Page, Fault> {
    let parameters = Parameters::new(query);
    let mut faults = Faults::default();
    let number = |text: Option<String>, default: u64| match text {
        None => Ok(default),
        Some(text) => counted(&text),
    };
    let page = parameters.get("page").and_then(|text| number(text, 1));
    let page = faults.take("page", page);
    let per_page = parameters
        .get("per_page")
        .and_then(|text| number(text, DEFAULT_PER_PAGE))
        .and_then(|wanted| match rules.switches.per_page_over {
            PerPageOver::Refuse if wanted > MAX_PER_PAGE => Err("must be at most 100"),
            _ => Ok(wanted.min(MAX_PER_PAGE)),
        });
    let per_page = faults.take("per_page", per_page);
    let [created_after, modified_after] = ["created_after", "modified_after"].map(|name| {
        let point = parameters
            .get(name)
            .and_then(|text| text.map(|text| point(&text)).transpose());
        faults.take(name, point)
    });
    let template = parameters.get("template").and_then(|text| match text.as_deref() {
        None => Ok(Template::Native),
        Some("FHIR") if rules.switches.template_fhir == TemplateFhir::Offered => Ok(Template::Fhir),
        Some(_) => Err("is not a known template"),
    });
    let template = faults.take("template", template);
    match (
        faults.into_list(),
        page,
        per_page,
        created_after,
        modified_after,
        template,
    ) {
        (None, Some(page), Some(per_page), Some(created_after), Some(modified_after), Some(template)) => {
            Ok(Page {
                page,
                per_page,
                created_after,
                modified_after,
                template,
            })
        }
        (violations, ..) => Err(Fault::Invalid(violations.unwrap_or_default())),
    }
}

/// A whole number from 1 on. One with more digits than fit is beyond every list, not wrong.
fn counted(text: &str) -> Result<u64, &'static str> {
    const FAULT: &str = "must be a whole number from 1 on";
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(FAULT);
    }
    match text.parse() {
        Ok(0) => Err(FAULT),
        Ok(number) => Ok(number),
        Err(_) => Ok(u64::MAX),
    }
}

/// A full date (its midnight in UTC) or date-time, without offset in UTC. The `+` of an offset that form
/// decoding made a blank is one.
fn point(text: &str) -> Result<Timestamp, &'static str> {
    let text = text.replace(' ', "+");
    let is_full = text.len() >= "YYYY-MM-DD".len();
    let range = is_full.then(|| TimeRange::parse(&text)).flatten();
    range
        .map(|range| Timestamp::from_micros(range.low))
        .ok_or("must be an ISO 8601 date or date-time, such as 2024-01-15T09:30:00Z")
}
