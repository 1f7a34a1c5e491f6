//! What a deployment chose where a partner's documents leave the choice (`adapters.md` 10).

use actix_web::http::StatusCode;
use adapters::{ehealth, medicapp, patient_graph};
use chrono::{FixedOffset, Offset as _, Utc};

/// The switches of the partner doors. [`PartnerSettings::default`] is what the contract proposes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartnerSettings {
    /// What both Medicapp doors heed.
    pub medicapp: medicapp::Switches,
    /// `medicapp.find-status`: what a cloud POST that found a patient answers, 200 or 201.
    pub medicapp_find_status: StatusCode,
    /// What the patient-graph door heeds.
    pub patient_graph: patient_graph::Switches,
    /// `patient-graph.required-scopes`: a client without one of these is refused.
    pub patient_graph_required_scopes: Vec<String>,
    /// What the eHealth door heeds.
    pub ehealth: ehealth::Switches,
    /// `ehealth.public-url`: what `meta.url` begins with, without a slash at its end. `None`: told by each
    /// request.
    pub ehealth_public_url: Option<String>,
    /// `ehealth.timezone`: where the day begins that a date of birth must not lie behind.
    pub ehealth_time_zone: FixedOffset,
}

impl Default for PartnerSettings {
    fn default() -> PartnerSettings {
        PartnerSettings {
            medicapp: medicapp::Switches::default(),
            medicapp_find_status: StatusCode::OK,
            patient_graph: patient_graph::Switches::default(),
            patient_graph_required_scopes: Vec::new(),
            ehealth: ehealth::Switches::default(),
            ehealth_public_url: None,
            ehealth_time_zone: Utc.fix(),
        }
    }
}
