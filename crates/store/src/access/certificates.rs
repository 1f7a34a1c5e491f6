//! By which certificates clients are known.

use super::ClientCertificate;
use super::admin::{Access, Change, audit, refused};
use super::clients::{clients, unknown};
use crate::error::StoreError;
use crate::statement::Statement;
use crate::transaction::Transaction;

/// Longest part of a certificate's description, in bytes.
const MAX_PART_BYTES: usize = 1_000;

impl Access {
    /// Lets a client be known by a certificate. Refused when there is no such client, and when the same certificate
    /// could be another client's.
    pub async fn add_certificate(&self, certificate: ClientCertificate) -> Result<Change, StoreError> {
        check(&certificate)?;
        self.write(move |tx| {
            if !clients(tx)?.iter().any(|client| client.id == certificate.client) {
                return Err(unknown(&certificate.client));
            }
            let known = certificates(tx)?;
            if known.iter().any(|known| is_same(known, &certificate)) {
                return audit(tx, "certificate-add", &certificate.client, Change::None);
            }
            if let Some(other) = known.iter().find(|other| could_be(other, &certificate)) {
                return Err(refused(format!(
                    "This CN and OU are those of the client {} already, and one certificate could be both clients'. \
                     Name a different issuer for each, or remove the other: passerelle client certificate remove {} …",
                    other.client, other.client
                )));
            }
            tx.begin_change()?;
            let row = Statement::new(
                "INSERT INTO client_certificate (space, client, common_name, unit, alternative, issuer) VALUES (0, ",
            )
            .bind(certificate.client.as_str())
            .sql(", ")
            .bind(certificate.common_name.as_str())
            .sql(", ")
            .bind(certificate.unit.as_str())
            .sql(", ")
            .bind(certificate.alternative.as_deref().unwrap_or_default())
            .sql(", ")
            .bind(certificate.issuer.as_deref().unwrap_or_default())
            .sql(")");
            tx.run("adding a client's certificate", &row)?;
            audit(tx, "certificate-add", &certificate.client, Change::Made)
        })
        .await
    }

    /// Lets a client no longer be known by a certificate; one that it is not known by is left as it is.
    pub async fn remove_certificate(&self, certificate: ClientCertificate) -> Result<Change, StoreError> {
        self.write(move |tx| {
            let known = certificates(tx)?
                .into_iter()
                .find(|known| is_same(known, &certificate));
            let Some(known) = known else {
                return audit(tx, "certificate-remove", &certificate.client, Change::None);
            };
            tx.begin_change()?;
            let row = Statement::new("DELETE FROM client_certificate WHERE space = 0 AND client = ")
                .bind(certificate.client.as_str())
                .sql(" AND common_name = ")
                .bind(certificate.common_name.as_str())
                .sql(" AND unit = ")
                .bind(certificate.unit.as_str())
                .sql(" AND alternative = ")
                .bind(certificate.alternative.as_deref().unwrap_or_default())
                .sql(" AND issuer = ")
                .bind(known.issuer.as_deref().unwrap_or_default());
            tx.run("removing a client's certificate", &row)?;
            audit(tx, "certificate-remove", &certificate.client, Change::Made)
        })
        .await
    }
}

fn is_same(one: &ClientCertificate, other: &ClientCertificate) -> bool {
    let is_same_issuer = match (&one.issuer, &other.issuer) {
        (Some(one), Some(other)) => is_same_name(one, other),
        (one, other) => one == other,
    };
    one.client == other.client
        && one.common_name == other.common_name
        && one.unit == other.unit
        && one.alternative == other.alternative
        && is_same_issuer
}

/// Whether two distinguished names are the same, in whichever of the two orders that tools write them in.
fn is_same_name(one: &str, other: &str) -> bool {
    one == other || turned(one) == other
}

/// A distinguished name in the other order of its parts.
fn turned(name: &str) -> String {
    let (mut parts, mut is_escaped) = (vec![String::new()], false);
    for character in name.chars() {
        match parts.last_mut() {
            Some(last) if is_escaped || character != ',' => last.push(character),
            _ => parts.push(String::new()),
        }
        is_escaped = character == '\\' && !is_escaped;
    }
    parts.reverse();
    parts.join(",")
}

/// Whether one certificate could be both clients'. Two alternative names can stand in one certificate, two issuers
/// cannot.
fn could_be(one: &ClientCertificate, other: &ClientCertificate) -> bool {
    let are_issued_apart = match (&one.issuer, &other.issuer) {
        (Some(one), Some(other)) => !is_same_name(one, other),
        _ => false,
    };
    one.client != other.client
        && one.common_name == other.common_name
        && one.unit == other.unit
        && !are_issued_apart
}

fn check(certificate: &ClientCertificate) -> Result<(), StoreError> {
    let needed = [&certificate.common_name, &certificate.unit];
    let optional = [&certificate.alternative, &certificate.issuer];
    let texts = needed.into_iter().chain(optional.into_iter().flatten());
    for text in texts {
        if text.trim().is_empty() || text.len() > MAX_PART_BYTES || text.chars().any(char::is_control) {
            return Err(refused(format!(
                "CN, OU, alternative name and issuer of a certificate are single lines of 1 to {MAX_PART_BYTES} bytes."
            )));
        }
    }
    Ok(())
}

pub(super) fn certificates(tx: &mut Transaction<'_>) -> Result<Vec<ClientCertificate>, StoreError> {
    let statement = Statement::new(
        "SELECT client, common_name, unit, alternative, issuer FROM client_certificate WHERE space = 0 \
         ORDER BY client, common_name, unit, alternative, issuer",
    );
    let rows = tx
        .sql
        .certificates(&statement)
        .map_err(|error| tx.fail("reading the certificates of clients", &error))?;
    let certificates = rows
        .into_iter()
        .map(|(client, common_name, unit, alternative, issuer)| {
            let set = |text: String| Some(text).filter(|text| !text.is_empty());
            ClientCertificate {
                client,
                common_name,
                unit,
                alternative: set(alternative),
                issuer: set(issuer),
            }
        });
    Ok(certificates.collect())
}
