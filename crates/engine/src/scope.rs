//! SMART v2 system scopes — <https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html>

use std::fmt;

use fhir::ResourceType;

#[cfg(test)]
mod tests;

/// One letter of a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// `c`
    Create,
    /// `r`: read, vread, instance history.
    Read,
    /// `u`: update, also where it creates; patch.
    Update,
    /// `d`
    Delete,
    /// `s`: search, type and system history.
    Search,
}

/// What a caller's scopes do not let it do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lacking {
    /// This on a type.
    Of(ResourceType, Permission),
    /// This on the audit trail.
    OfTrail(Permission),
}

impl fmt::Display for Lacking {
    /// The least scope that would.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lacking::Of(kind, permission) => f.write_str(&permission.scope(*kind)),
            Lacking::OfTrail(permission) => write!(f, "system/AuditEvent.{}", permission.letter()),
        }
    }
}

impl Permission {
    /// All of them, in the order in which SMART writes their letters.
    pub const ALL: [Permission; 5] = [
        Permission::Create,
        Permission::Read,
        Permission::Update,
        Permission::Delete,
        Permission::Search,
    ];

    const fn bit(self) -> u8 {
        1 << self as u8
    }

    /// The least scope that allows this on a type.
    pub fn scope(self, kind: ResourceType) -> String {
        format!("system/{kind}.{}", self.letter())
    }

    /// The letter.
    pub const fn letter(self) -> char {
        match self {
            Permission::Create => 'c',
            Permission::Read => 'r',
            Permission::Update => 'u',
            Permission::Delete => 'd',
            Permission::Search => 's',
        }
    }
}

/// What a client may do with each type. Scopes of other kinds (`partner:administrative`) are kept as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes {
    patient: u8,
    practitioner: u8,
    audit: u8,
    other: Vec<String>,
}

impl Scopes {
    /// Reads scopes as written, `system/Patient.cruds` or `system/*.rs`; the words of SMART v1 (`read`, `write`, `*`)
    /// are taken in the place of the letters.
    ///
    /// # Errors
    /// The first `system/` scope that is malformed or names a type that is not stored here.
    pub fn parse<S: AsRef<str>>(written: &[S]) -> Result<Scopes, String> {
        let mut scopes = Scopes::default();
        for scope in written.iter().map(AsRef::as_ref) {
            scopes.add(scope)?;
        }
        Ok(scopes)
    }

    /// Those of the scopes of a token that are understood. The others grant nothing: types that are not stored here,
    /// and scopes narrowed by a search (`system/Patient.rs?…`), of which nothing may be left out.
    pub fn of_token<'s>(written: impl IntoIterator<Item = &'s str>) -> Scopes {
        let mut scopes = Scopes::default();
        for scope in written {
            // Refused before anything of it is granted.
            let _ = scopes.add(scope);
        }
        scopes
    }

    /// What is granted here and by `other` as well.
    #[must_use]
    pub fn narrowed_to(&self, other: &Scopes) -> Scopes {
        let both = self.other.iter().filter(|scope| other.has(scope));
        Scopes {
            patient: self.patient & other.patient,
            practitioner: self.practitioner & other.practitioner,
            audit: self.audit & other.audit,
            other: both.cloned().collect(),
        }
    }

    /// Grants one scope more, or nothing when it is not understood.
    fn add(&mut self, scope: &str) -> Result<(), String> {
        let Some(rest) = scope.strip_prefix("system/") else {
            self.other.push(scope.to_owned());
            return Ok(());
        };
        let (kind, letters) = rest.split_once('.').ok_or_else(|| complaint(scope))?;
        let bits = letters_to_bits(letters).ok_or_else(|| complaint(scope))?;
        match kind {
            "*" => {
                self.patient |= bits;
                self.practitioner |= bits;
            }
            // Not with `*`: who may read patients may not for that reason read who else did.
            "AuditEvent" => {
                self.audit |= bits;
                self.other.push(scope.to_owned());
            }
            name => match ResourceType::parse(name).ok_or_else(|| complaint(scope))? {
                ResourceType::Patient => self.patient |= bits,
                ResourceType::Practitioner => self.practitioner |= bits,
            },
        }
        Ok(())
    }

    /// Whether this is allowed on this type.
    pub fn allow(&self, kind: ResourceType, permission: Permission) -> bool {
        let bits = match kind {
            ResourceType::Patient => self.patient,
            ResourceType::Practitioner => self.practitioner,
        };
        bits & permission.bit() != 0
    }

    /// Whether this is allowed on the audit trail.
    pub fn allow_audit(&self, permission: Permission) -> bool {
        self.audit & permission.bit() != 0
    }

    /// Whether a scope that is not FHIR's was granted, by its exact text.
    pub fn has(&self, scope: &str) -> bool {
        self.other.iter().any(|granted| granted == scope)
    }
}

fn letters_to_bits(letters: &str) -> Option<u8> {
    // SMART v1 — <https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html#scopes-for-requesting-fhir-resources>
    let letters = match letters {
        "read" => "rs",
        "write" => "cud",
        "*" => "cruds",
        letters => letters,
    };
    let mut bits = 0;
    for letter in letters.chars() {
        let permission = Permission::ALL
            .into_iter()
            .find(|known| known.letter() == letter)?;
        bits |= permission.bit();
    }
    (bits != 0).then_some(bits)
}

fn complaint(scope: &str) -> String {
    format!(
        "scope '{scope}' is not understood: write system/Patient.cruds, system/Practitioner.rs or system/*.rs \
         with letters out of c, r, u, d, s"
    )
}
