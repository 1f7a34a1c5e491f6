//! A Patient in the words of the cloud door: the five keys of a POST, and with the administrative fields.

use fhir::Resource;
use serde::Serialize;
use serde_json::Value;

use crate::gender::Words;
use crate::medicapp::identity::{self, IdentificationKey};
use crate::medicapp::telecom::Point;
use crate::medicapp::{CloudGet, Context, Kept, Space, names, person};
use crate::naming::Naming;
use crate::tree::{identifier as identifier_of, text};

/// The answer to POST and PUT.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Keys {
    /// The Medicapp id.
    pub patient_uuid: String,
    /// Whether this request created the patient.
    pub created: bool,
    /// The id in the partner's system.
    pub external_id: Option<String>,
    /// NIR and rank in the form in which they were sent.
    pub identification_key: Option<IdentificationKey>,
    /// What the partner should look at.
    pub warning: Option<&'static str>,
}

/// The answer to GET.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Full {
    /// The keys.
    #[serde(flatten)]
    pub keys: Keys,
    /// The trust space.
    pub trust_space_uuid: String,
    /// The first given name.
    pub first_name: Option<String>,
    /// The family name.
    pub last_name: Option<String>,
    /// `YYYY-MM-DD`; `null` when only a part is known.
    pub birth_date: Option<String>,
    /// `M`, `F` or `U`
    pub gender: Option<&'static str>,
    /// The e-mail address.
    pub email: Option<String>,
    /// The telephone number.
    pub phone: Option<String>,
}

/// What a GET shows, by the switch `medicapp.cloud_get_full`.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum View {
    /// Everything.
    Full(Full),
    /// The five keys.
    Keys(Keys),
}

/// The answer to a POST that created.
pub fn show_created(
    patient: &Resource,
    kept: &Kept<'_>,
    context: &Context<'_>,
    warning: Option<&'static str>,
) -> Keys {
    Keys {
        created: true,
        ..show_found(patient, kept, context, warning)
    }
}

/// The answer to a POST that found, and to a PUT.
pub fn show_found(
    patient: &Resource,
    kept: &Kept<'_>,
    context: &Context<'_>,
    warning: Option<&'static str>,
) -> Keys {
    let tree = patient.tree();
    Keys {
        patient_uuid: identity::patient_id(tree, &context.rules, kept).to_owned(),
        created: false,
        external_id: identity::external_id(tree, context).map(str::to_owned),
        identification_key: identity::key(tree, context),
        warning,
    }
}

/// Of several trust spaces that are one tenant, the one that a patient is of: what its managing organization says,
/// else where it has an externalId, else the first.
pub fn trust_space<'w>(patient: &Resource, words: &[&'w str], naming: &Naming) -> Option<&'w str> {
    let tree = patient.tree();
    let organization = tree.get("managingOrganization").and_then(Value::as_object);
    let identifier = organization.and_then(|held| held.get("identifier")?.as_object());
    let said = identifier
        .filter(|held| text(held, "system") == Some(&naming.trust_space()))
        .and_then(|held| text(held, "value"));
    let has_external_id = |word: &str| identifier_of(tree, &naming.trust_space_external_id(word)).is_some();
    let named = words.iter().find(|word| said == Some(**word));
    let known = || words.iter().find(|word| has_external_id(word));
    named.or_else(known).or_else(|| words.first()).copied()
}

/// The answer to a GET.
pub fn show(patient: &Resource, kept: &Kept<'_>, context: &Context<'_>) -> View {
    let keys = show_found(patient, kept, context, None);
    if context.rules.switches.cloud_get == CloudGet::Keys {
        return View::Keys(keys);
    }
    let tree = patient.tree();
    let today = context.rules.today;
    let (Space::Trust(space) | Space::Connect(space)) = context.space;
    View::Full(Full {
        keys,
        trust_space_uuid: space.to_owned(),
        first_name: names::first_name(tree, today).map(str::to_owned),
        last_name: names::last_name(tree, today).map(str::to_owned),
        birth_date: person::birth_date(tree).map(str::to_owned),
        gender: person::gender(tree, Words::MedicappCloud),
        email: Point::Email.shown(tree, context),
        phone: Point::Phone.shown(tree, context),
    })
}
