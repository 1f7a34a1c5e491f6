//! Which of the candidates the patient of a POST is, and what to warn of (the table of `adapters.md` 3.1).

use fhir::Resource;

use super::create::Create;
use crate::medicapp::identity::{self, IdentificationKey};
use crate::medicapp::{Fault, KeyConflict, Rules, is_live, names, person};
use crate::tree::Object;

/// What becomes of a POST.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is this candidate; nothing is written. 200.
    Found {
        /// Its position among the candidates.
        position: usize,
        /// What to tell the partner.
        warning: Option<Warning>,
    },
    /// It is none of them. 201.
    Create {
        /// What to tell the partner.
        warning: Option<Warning>,
    },
    /// It is refused.
    Refuse(Fault),
}

/// What the partner should look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warning {
    /// Found by NIR and rank; the externalId is another patient's.
    ExternalIdElsewhere,
    /// Found by NIR and rank; the patient's externalId is not the one that was sent.
    ExternalIdNotChanged,
    /// Found by externalId; the patient has another NIR or rank.
    KeyDiffers,
    /// Found by externalId; a find does not attach the key that was sent.
    KeyNotStored,
    /// Found by name and date of birth alone.
    MatchedByName,
    /// Created although somebody of this name and date of birth is there, with other keys.
    PossibleDuplicate,
    /// Created although several of this name and date of birth are there.
    SeveralHomonyms,
}

impl Warning {
    /// For a person.
    pub const fn text(self) -> &'static str {
        match self {
            Warning::ExternalIdElsewhere => "externalId belongs to another patient",
            Warning::ExternalIdNotChanged => "externalId not changed, use PUT",
            Warning::KeyDiffers => "identificationKey differs from the one stored",
            Warning::KeyNotStored => "identificationKey not stored, use PUT",
            Warning::MatchedByName => "matched on name and date of birth",
            Warning::PossibleDuplicate => {
                "possible duplicate: a patient of this name and date of birth has other keys"
            }
            Warning::SeveralHomonyms => "several patients share this name and date of birth",
        }
    }
}

/// Name and date of birth as the third step compares them: without case, accents and surplus blanks. Two
/// equal POSTs without keys give one patient only if find and create exclude each other under this text.
pub fn match_key(last_name: &str, first_name: &str, birth_date: &str) -> String {
    names::match_key(last_name, first_name, birth_date)
}

/// Judges the candidates that [`super::criteria`] found, each of them once. Those that a merge replaced do not
/// count.
pub fn judge(create: &Create, candidates: &[&Resource], rules: &Rules<'_>) -> Verdict {
    let live = || {
        candidates
            .iter()
            .map(|candidate| candidate.tree())
            .enumerate()
            .filter(|(_, candidate)| is_live(candidate))
    };
    let external = create.person.external_id.as_deref();
    let context = create.context(*rules);
    let has_external = |patient: &Object| identity::external_id(patient, &context) == external;
    let of_external = external.and_then(|_| live().find(|(_, patient)| has_external(patient)));
    if let Some((position, patient)) = of_key(create, rules, live()) {
        let warning = match of_external {
            _ if external.is_none() || has_external(patient) => None,
            Some(_) => Some(Warning::ExternalIdElsewhere),
            None => Some(Warning::ExternalIdNotChanged),
        };
        return Verdict::Found { position, warning };
    }
    let held = |patient: &Object| identity::key(patient, &context);
    if let Some((position, patient)) = of_external {
        return by_external_id(create, position, held(patient), rules);
    }
    let wanted = Some(create.match_key());
    let mut homonyms = live().filter(|(_, patient)| person::match_key(patient, rules) == wanted);
    match (homonyms.next(), homonyms.next()) {
        (None, _) => Verdict::Create { warning: None },
        (Some(_), Some(_)) => Verdict::Create {
            warning: Some(Warning::SeveralHomonyms),
        },
        (Some((position, patient)), None) => {
            let other_key = match (&create.key, held(patient)) {
                (Some(sent), Some(held)) => held.differs(sent),
                _ => false,
            };
            // Nobody has the external id that was sent: any other is a different one.
            let other_id = external.is_some() && identity::external_id(patient, &context).is_some();
            if other_key || other_id {
                let warning = Some(Warning::PossibleDuplicate);
                Verdict::Create { warning }
            } else {
                let warning = Some(Warning::MatchedByName);
                Verdict::Found { position, warning }
            }
        }
    }
}

/// The holder of NIR and rank: by the cloud's own key first, then by a qualified INS.
fn of_key<'t>(
    create: &Create,
    rules: &Rules<'_>,
    live: impl Iterator<Item = (usize, &'t Object)>,
) -> Option<(usize, &'t Object)> {
    let key = create.key.as_ref()?;
    let composite = key.composite()?;
    let system = rules.naming.nir_rang();
    live.filter(|(_, patient)| identity::projected_key(patient, rules).is_some_and(|held| !held.differs(key)))
        .min_by_key(|(_, patient)| crate::tree::identifier(patient, &system) != Some(composite.as_str()))
}

fn by_external_id(
    create: &Create,
    position: usize,
    held: Option<IdentificationKey>,
    rules: &Rules<'_>,
) -> Verdict {
    let warning = match (&create.key, &held) {
        (None, _) => None,
        (Some(sent), Some(held)) if held.covers(sent) => None,
        (Some(sent), Some(held)) if held.differs(sent) => Some(Warning::KeyDiffers),
        (Some(_), _) => Some(Warning::KeyNotStored),
    };
    if warning == Some(Warning::KeyDiffers) && rules.switches.key_conflict == KeyConflict::Refuse {
        return Verdict::Refuse(Fault::IdentificationKeyConflict);
    }
    Verdict::Found { position, warning }
}
