//! Value sets of the required bindings — <https://hl7.org/fhir/R4/terminologies.html#required>

use super::type_names;

/// A required binding: which codes an element may hold.
pub struct Binding {
    /// The name of the value set, as its page is called.
    pub name: &'static str,
    /// How a code is checked.
    pub codes: Codes,
}

/// The codes of a value set.
pub enum Codes {
    /// Exactly these.
    List(&'static [&'static str]),
    /// Media types (RFC 6838): too many to list, so their form is checked.
    MediaType,
    /// ISO 4217 currencies: their form (three capitals) is checked.
    Currency,
    /// The names of R4's resources and datatypes.
    TypeName,
}

impl Binding {
    /// Whether the code belongs to the value set.
    pub fn allows(&self, code: &str) -> bool {
        match self.codes {
            Codes::List(codes) => codes.contains(&code),
            Codes::MediaType => is_media_type(code),
            Codes::Currency => code.len() == 3 && code.bytes().all(|b| b.is_ascii_uppercase()),
            Codes::TypeName => type_names::is_type(code),
        }
    }

    /// For a person: what to write.
    pub fn advice(&self) -> String {
        match self.codes {
            Codes::List(codes) if codes.len() <= 12 => format!("Write one of: {}.", codes.join(", ")),
            Codes::List(codes) => format!(
                "Write one of the {} codes of hl7.org/fhir/R4/valueset-{}.html.",
                codes.len(),
                self.name
            ),
            Codes::MediaType => "Write a media type such as image/jpeg or application/pdf.".to_owned(),
            Codes::Currency => "Write a currency code of ISO 4217 such as EUR.".to_owned(),
            Codes::TypeName => "Write the name of an R4 resource or datatype such as Observation.".to_owned(),
        }
    }
}

/// `type/subtype`, perhaps with parameters.
fn is_media_type(code: &str) -> bool {
    let essence = code.split(';').next().unwrap_or_default().trim_end();
    let token = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+*".contains(&b))
    };
    essence
        .split_once('/')
        .is_some_and(|(kind, subtype)| token(kind) && token(subtype))
}

macro_rules! value_sets {
    ($($ident:ident $name:literal [$($code:literal)*])*) => {
        $(pub(super) static $ident: Binding = Binding { name: $name, codes: Codes::List(&[$($code),*]) };)*
    };
}

value_sets! {
    ADMINISTRATIVE_GENDER "administrative-gender" ["male" "female" "other" "unknown"]
    NAME_USE "name-use" ["usual" "official" "temp" "nickname" "anonymous" "old" "maiden"]
    ADDRESS_USE "address-use" ["home" "work" "temp" "old" "billing"]
    ADDRESS_TYPE "address-type" ["postal" "physical" "both"]
    CONTACT_POINT_SYSTEM "contact-point-system" ["phone" "fax" "email" "pager" "url" "sms" "other"]
    CONTACT_POINT_USE "contact-point-use" ["home" "work" "temp" "old" "mobile"]
    IDENTIFIER_USE "identifier-use" ["usual" "official" "temp" "secondary" "old"]
    NARRATIVE_STATUS "narrative-status" ["generated" "extensions" "additional" "empty"]
    LINK_TYPE "link-type" ["replaced-by" "replaces" "refer" "seealso"]
    QUANTITY_COMPARATOR "quantity-comparator" ["<" "<=" ">=" ">"]
    UNITS_OF_TIME "units-of-time" ["s" "min" "h" "d" "wk" "mo" "a"]
    DAYS_OF_WEEK "days-of-week" ["mon" "tue" "wed" "thu" "fri" "sat" "sun"]
    EVENT_TIMING "event-timing" [
        "MORN" "MORN.early" "MORN.late" "NOON" "AFT" "AFT.early" "AFT.late" "EVE" "EVE.early" "EVE.late"
        "NIGHT" "PHS" "HS" "WAKE" "C" "CM" "CD" "CV" "AC" "ACM" "ACD" "ACV" "PC" "PCM" "PCD" "PCV"
    ]
    CONTRIBUTOR_TYPE "contributor-type" ["author" "editor" "reviewer" "endorser"]
    SORT_DIRECTION "sort-direction" ["ascending" "descending"]
    PARAMETER_USE "operation-parameter-use" ["in" "out"]
    RELATED_ARTIFACT_TYPE "related-artifact-type" [
        "documentation" "justification" "citation" "predecessor" "successor" "derived-from" "depends-on"
        "composed-of"
    ]
    TRIGGER_TYPE "trigger-type" [
        "named-event" "periodic" "data-changed" "data-added" "data-modified" "data-removed" "data-accessed"
        "data-access-ended"
    ]
}

pub(super) static MIME_TYPE: Binding = Binding {
    name: "mimetypes",
    codes: Codes::MediaType,
};
pub(super) static CURRENCY: Binding = Binding {
    name: "currencies",
    codes: Codes::Currency,
};
pub(super) static ALL_TYPES: Binding = Binding {
    name: "all-types",
    codes: Codes::TypeName,
};
