//! SMART v2 system scopes — <https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html>

use fhir::ResourceType;

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

impl Permission {
    const ALL: [(Permission, char); 5] = [
        (Permission::Create, 'c'),
        (Permission::Read, 'r'),
        (Permission::Update, 'u'),
        (Permission::Delete, 'd'),
        (Permission::Search, 's'),
    ];

    const fn bit(self) -> u8 {
        1 << self as u8
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
    /// Reads scopes as written, `system/Patient.cruds` or `system/*.rs`.
    ///
    /// # Errors
    /// The first `system/` scope that is malformed or names a type that is not stored here.
    pub fn parse<S: AsRef<str>>(written: &[S]) -> Result<Scopes, String> {
        let mut scopes = Scopes::default();
        for scope in written.iter().map(AsRef::as_ref) {
            let Some(rest) = scope.strip_prefix("system/") else {
                scopes.other.push(scope.to_owned());
                continue;
            };
            let (kind, letters) = rest.split_once('.').ok_or_else(|| complaint(scope))?;
            let bits = letters_to_bits(letters).ok_or_else(|| complaint(scope))?;
            match kind {
                "*" => {
                    scopes.patient |= bits;
                    scopes.practitioner |= bits;
                }
                // Not with `*`: who may read patients may not for that reason read who else did.
                "AuditEvent" => {
                    scopes.audit |= bits;
                    scopes.other.push(scope.to_owned());
                }
                name => match ResourceType::parse(name).ok_or_else(|| complaint(scope))? {
                    ResourceType::Patient => scopes.patient |= bits,
                    ResourceType::Practitioner => scopes.practitioner |= bits,
                },
            }
        }
        Ok(scopes)
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
    let mut bits = 0;
    for letter in letters.chars() {
        let (permission, _) = Permission::ALL.into_iter().find(|(_, known)| *known == letter)?;
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
