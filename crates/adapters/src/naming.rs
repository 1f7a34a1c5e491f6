//! Names of our identifier systems, extensions and code systems, all below one base that a deployment chooses
//! once (`adapters.md` 5.1).

/// The base, without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naming {
    base: String,
}

/// The social-security number of whom the care is billed to (FR Core 2.2); a family may share it.
pub const NSS_NIR: &str = "urn:oid:1.2.250.1.213.1.4.13";
/// The national health identity, set by FHIR clients only.
pub const INS_NIR: &str = "urn:oid:1.2.250.1.213.1.4.8";
/// <https://terminology.hl7.org/5.3.0/CodeSystem-v2-0203.html>
pub const IDENTIFIER_TYPE: &str = "http://terminology.hl7.org/CodeSystem/v2-0203";
/// <https://terminology.hl7.org/5.3.0/CodeSystem-v2-0131.html>
pub const CONTACT_ROLE: &str = "http://terminology.hl7.org/CodeSystem/v2-0131";

impl Naming {
    /// The base of a server that was not told another.
    pub const DEFAULT_BASE: &str = "https://fhir-facade.example/ns";

    /// Names below this base; slashes at its end mean nothing.
    pub fn new(base: &str) -> Naming {
        Naming {
            base: base.trim_end_matches('/').to_owned(),
        }
    }

    /// The base.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// `{B}/medicapp/patient-id`: the id that both Medicapp doors show.
    pub fn medicapp_patient_id(&self) -> String {
        format!("{}/medicapp/patient-id", self.base)
    }

    /// `{B}/medicapp/nir-rang`: NIR and beneficiary's rank together, by which Medicapp cloud finds.
    pub fn nir_rang(&self) -> String {
        format!("{}/medicapp/nir-rang", self.base)
    }

    /// The external ids of one trust space.
    pub fn trust_space_external_id(&self, trust_space: &str) -> String {
        format!(
            "{}/medicapp/trust-space/{}/external-id",
            self.base,
            segment(trust_space)
        )
    }

    /// `{B}/medicapp/trust-space`: names a trust space itself.
    pub fn trust_space(&self) -> String {
        format!("{}/medicapp/trust-space", self.base)
    }

    /// The external ids of one Medicapp connect space.
    pub fn space_external_id(&self, space: &str) -> String {
        format!("{}/medicapp/space/{}/external-id", self.base, segment(space))
    }

    /// `{B}/medicapp/space`: names a Medicapp connect space itself.
    pub fn medicapp_space(&self) -> String {
        format!("{}/medicapp/space", self.base)
    }

    /// `{B}/patient-graph/patient-id`
    pub fn patient_graph_id(&self) -> String {
        format!("{}/patient-graph/patient-id", self.base)
    }

    /// `{B}/patient-graph/brand`: names a brand itself.
    pub fn brand(&self) -> String {
        format!("{}/patient-graph/brand", self.base)
    }

    /// What every external id system of a brand begins with; the rest is the key, percent-encoded.
    pub fn brand_external_ids(&self, brand: &str) -> String {
        format!(
            "{}/patient-graph/brand/{}/external-id/",
            self.base,
            segment(brand)
        )
    }

    /// The system of one key of a brand's external ids.
    pub fn brand_external_id(&self, brand: &str, key: &str) -> String {
        format!("{}{}", self.brand_external_ids(brand), segment(key))
    }

    /// `{B}/ehealth/preperson-id`
    pub fn preperson_id(&self) -> String {
        format!("{}/ehealth/preperson-id", self.base)
    }

    /// The external ids that one legal entity gives to prepersons.
    pub fn preperson_external_id(&self, legal_entity: &str) -> String {
        format!(
            "{}/ehealth/legal-entity/{}/preperson-external-id",
            self.base,
            segment(legal_entity)
        )
    }

    /// Whether a system is some legal entity's [`Naming::preperson_external_id`].
    pub fn is_preperson_external_id(&self, system: &str) -> bool {
        system
            .strip_prefix(self.base.as_str())
            .and_then(|rest| rest.strip_prefix("/ehealth/legal-entity/"))
            .and_then(|rest| rest.strip_suffix("/preperson-external-id"))
            .is_some_and(|entity| !entity.is_empty() && !entity.contains('/'))
    }

    /// The canonical URL of one of our StructureDefinitions (`adapters.md` 5.2).
    pub fn extension(&self, name: &str) -> String {
        format!("{}/StructureDefinition/{name}", self.base)
    }

    /// The URL of one of our code systems.
    pub fn code_system(&self, name: &str) -> String {
        format!("{}/CodeSystem/{name}", self.base)
    }
}

/// One path segment: everything but the unreserved characters percent-encoded (RFC 3986 2.3).
pub fn segment(text: &str) -> String {
    use std::fmt::Write as _;

    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// The text behind a path segment; `None` when it is no percent-encoded UTF-8.
pub fn from_segment(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let high = char::from(rest.next()?).to_digit(16)?;
            let low = char::from(rest.next()?).to_digit(16)?;
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}
