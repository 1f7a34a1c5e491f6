//! Certificates made by the tests, and clients that show them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType,
    SerialNumber, date_time_ymd,
};
use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore};

static SERIALS: AtomicU64 = AtomicU64::new(1_000);

/// A certificate authority.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate with its key.
pub struct Issued {
    /// The certificate.
    pub certificate: CertificateDer<'static>,
    /// The certificate as PEM.
    pub pem: String,
    /// Its key as PEM (PKCS#8).
    pub key_pem: String,
    key: PrivateKeyDer<'static>,
    serial: u64,
}

/// For whom a certificate is made.
#[derive(Clone, Debug)]
pub struct Subject {
    /// CN
    pub common_name: String,
    /// OU
    pub unit: Option<String>,
    /// DNS names and URIs.
    pub alternatives: Vec<String>,
    /// From and until when it is valid, relative to now.
    pub validity: Validity,
}

/// When a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// Now and for long.
    Now,
    /// It was until 2020.
    Over,
    /// It will be from 2090 on.
    ToCome,
    /// For this time from now on.
    For(Duration),
}

impl Subject {
    /// With this CN and OU, valid now.
    pub fn new(common_name: &str, unit: &str) -> Subject {
        Subject {
            common_name: common_name.to_owned(),
            unit: Some(unit.to_owned()).filter(|unit| !unit.is_empty()),
            alternatives: Vec::new(),
            validity: Validity::Now,
        }
    }

    /// With this validity.
    #[must_use]
    pub fn valid(self, validity: Validity) -> Subject {
        Subject { validity, ..self }
    }

    /// With this DNS name or URI as well.
    #[must_use]
    pub fn alternative(mut self, name: &str) -> Subject {
        self.alternatives.push(name.to_owned());
        self
    }

    fn params(&self, purpose: ExtendedKeyUsagePurpose, serial: u64) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CountryName, "FR");
        params.distinguished_name.push(DnType::OrganizationName, "Essai");
        if let Some(unit) = &self.unit {
            params
                .distinguished_name
                .push(DnType::OrganizationalUnitName, unit.as_str());
        }
        params
            .distinguished_name
            .push(DnType::CommonName, self.common_name.as_str());
        params.serial_number = Some(SerialNumber::from(serial));
        params.extended_key_usages = vec![purpose];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        for name in &self.alternatives {
            let name = match (name.parse::<IpAddr>(), name.contains(':')) {
                (Ok(address), _) => SanType::IpAddress(address),
                (_, true) => SanType::URI(name.as_str().try_into().expect("a URI of ASCII")),
                (_, false) => SanType::DnsName(name.as_str().try_into().expect("a name of ASCII")),
            };
            params.subject_alt_names.push(name);
        }
        let now = date_time_ymd(1970, 1, 1)
            + SystemTime::now()
                .duration_since(SystemTime::UNIX_EPOCH)
                .expect("a clock after 1970");
        (params.not_before, params.not_after) = match self.validity {
            Validity::Now => (date_time_ymd(2020, 1, 1), date_time_ymd(2099, 1, 1)),
            Validity::Over => (date_time_ymd(2019, 1, 1), date_time_ymd(2020, 1, 1)),
            Validity::ToCome => (date_time_ymd(2090, 1, 1), date_time_ymd(2099, 1, 1)),
            Validity::For(time) => (date_time_ymd(2020, 1, 1), now + time),
        };
        params
    }
}

impl Authority {
    /// A self-signed one of this name.
    pub fn new(name: &str) -> Authority {
        let issuer = CertifiedIssuer::self_signed(Authority::params(name), key());
        Authority {
            issuer: issuer.expect("a CA"),
        }
    }

    /// One whose certificate this one signs.
    pub fn below(&self, name: &str) -> Authority {
        let issuer = CertifiedIssuer::signed_by(Authority::params(name), key(), &self.issuer);
        Authority {
            issuer: issuer.expect("a CA"),
        }
    }

    fn params(name: &str) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CountryName, "FR");
        params
            .distinguished_name
            .push(DnType::OrganizationName, "Autorité d'essai");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2099, 1, 1));
        params.serial_number = Some(SerialNumber::from(SERIALS.fetch_add(1, Ordering::Relaxed)));
        params
    }

    /// Its certificate as PEM.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// Its certificate.
    pub fn certificate(&self) -> CertificateDer<'static> {
        self.issuer.der().clone()
    }

    /// A certificate by which a client tells who it is.
    pub fn client(&self, subject: &Subject) -> Issued {
        self.issue(subject, ExtendedKeyUsagePurpose::ClientAuth)
    }

    /// The certificate of a server at 127.0.0.1.
    pub fn server(&self) -> Issued {
        let subject = Subject::new("passerelle", "").alternative(&Ipv4Addr::LOCALHOST.to_string());
        self.issue(&subject, ExtendedKeyUsagePurpose::ServerAuth)
    }

    fn issue(&self, subject: &Subject, purpose: ExtendedKeyUsagePurpose) -> Issued {
        let serial = SERIALS.fetch_add(1, Ordering::Relaxed);
        let key = key();
        let certificate = subject.params(purpose, serial).signed_by(&key, &self.issuer);
        Issued::new(&certificate.expect("a certificate"), &key, serial)
    }

    /// A list, in force, of what was revoked; as PEM.
    pub fn revoked(&self, certificates: &[&Issued]) -> String {
        self.list(certificates, 2099)
    }

    /// The same, until the beginning of a year.
    pub fn list(&self, certificates: &[&Issued], until: i32) -> String {
        let revoked = certificates.iter().map(|issued| RevokedCertParams {
            serial_number: SerialNumber::from(issued.serial),
            revocation_time: date_time_ymd(2021, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2021, 1, 1),
            next_update: date_time_ymd(until, 1, 1),
            crl_number: SerialNumber::from(SERIALS.fetch_add(1, Ordering::Relaxed)),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = list
            .signed_by(&self.issuer)
            .expect("a list of revoked certificates");
        list.pem().expect("PEM")
    }
}

impl Issued {
    fn new(certificate: &rcgen::Certificate, key: &KeyPair, serial: u64) -> Issued {
        Issued {
            certificate: certificate.der().clone(),
            pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            key: PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            serial,
        }
    }

    /// A certificate that nobody vouches for.
    pub fn self_signed(subject: &Subject) -> Issued {
        let serial = SERIALS.fetch_add(1, Ordering::Relaxed);
        let key = key();
        let params = subject.params(ExtendedKeyUsagePurpose::ClientAuth, serial);
        Issued::new(&params.self_signed(&key).expect("a certificate"), &key, serial)
    }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

/// The versions that a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// TLS 1.2 alone.
    Tls12,
    /// TLS 1.3 alone.
    Tls13,
}

/// How a client speaks TLS. Cheap to clone.
#[derive(Clone)]
pub struct Tls(pub(crate) Arc<ClientConfig>);

// Nothing in it changes: a panic leaves it whole.
impl std::panic::UnwindSafe for Tls {}
impl std::panic::RefUnwindSafe for Tls {}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

impl Tls {
    /// A client that trusts the servers of these authorities, and shows a certificate (with those of the
    /// authorities between it and the one that the server knows) or none.
    pub fn new(trusted: &[&Authority], shown: Option<(&Issued, &[&Authority])>, versions: &[Version]) -> Tls {
        Tls::offering(trusted, shown, versions, &[b"http/1.1"])
    }

    /// The same, offering other protocols.
    pub fn offering(
        trusted: &[&Authority],
        shown: Option<(&Issued, &[&Authority])>,
        versions: &[Version],
        protocols: &[&[u8]],
    ) -> Tls {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        for authority in trusted {
            roots.add(authority.certificate()).expect("a CA");
        }
        let versions: Vec<_> = versions
            .iter()
            .map(|version| match version {
                Version::Tls12 => &TLS12,
                Version::Tls13 => &TLS13,
            })
            .collect();
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions)
            .expect("versions of TLS")
            .with_webpki_verifier(verifier.build().expect("a verifier"));
        let mut config = match shown {
            Some((issued, between)) => {
                let mut chain = vec![issued.certificate.clone()];
                chain.extend(between.iter().map(|authority| authority.certificate()));
                let key = issued.key.clone_key();
                builder.with_client_auth_cert(chain, key).expect("a certificate")
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Tls(Arc::new(config))
    }
}
