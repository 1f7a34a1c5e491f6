//! `passerelle client certificate`: by which certificates clients are known (`access.md` 2).

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use store::access::ClientCertificate;
use store::{Change, Store};

use super::{Database, say};
use crate::tls::certificate::distinguished_name;
use crate::tls::{ClientCertificate as Shown, read_client_certificate};

/// `passerelle client certificate …`
#[derive(Subcommand)]
pub enum CertificateCommand {
    /// Let a client be known by a certificate; one that it is known by already is left as it is
    ///
    /// CN and OU are compared letter by letter with those of the certificate's subject; of several OUs any one may be
    /// it. Whether the certificate is genuine is judged by tls-client-ca, or by the proxy in front.
    Add(Described),
    /// Let a client no longer be known by a certificate: every server refuses it within a second
    Remove(Described),
    /// List the certificates by which clients are known
    List {
        /// Those of this client only
        client: Option<String>,
        #[command(flatten)]
        database: Database,
    },
}

/// Which certificates are meant.
#[derive(Args)]
pub struct Described {
    /// The client's id
    client: String,
    /// CN of the certificate's subject
    #[arg(long, required_unless_present = "from")]
    cn: Option<String>,
    /// OU of the certificate's subject
    #[arg(long, required_unless_present = "from")]
    ou: Option<String>,
    /// DNS name or URI that has to be among the certificate's alternative names [default: whichever it has]
    #[arg(long, value_name = "NAME")]
    san: Option<String>,
    /// Distinguished name of the CA that issued it, such as CN=CA,O=ASIP-SANTE,C=FR [default: any of tls-client-ca]
    #[arg(long, value_name = "NAME")]
    issuer: Option<String>,
    /// PEM or DER file with the client's certificate: CN and OU are those in it, unless they are said here
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    #[command(flatten)]
    database: Database,
}

impl CertificateCommand {
    /// What it works on.
    pub fn database(&self) -> Database {
        match self {
            CertificateCommand::Add(described) | CertificateCommand::Remove(described) => {
                described.database.clone()
            }
            CertificateCommand::List { database, .. } => database.clone(),
        }
    }
}

/// Runs the command.
///
/// # Errors
/// A sentence for the operator.
pub async fn run(store: Store, command: CertificateCommand) -> anyhow::Result<()> {
    match command {
        CertificateCommand::Add(described) => {
            let certificate = described.into_certificate()?;
            store.access().add_certificate(certificate.clone()).await?;
            say(&format!("known by {}", line_of(&certificate)))
        }
        CertificateCommand::Remove(described) => {
            let certificate = described.into_certificate()?;
            match store.access().remove_certificate(certificate.clone()).await? {
                Change::Made => say(&format!("no longer known by {}", line_of(&certificate))),
                Change::None => not_there(&store, &certificate).await,
            }
        }
        CertificateCommand::List { client, .. } => {
            let known = store.access().snapshot().await?.certificates;
            let of_client =
                |known: &&ClientCertificate| client.as_ref().is_none_or(|client| known.client == *client);
            known
                .iter()
                .filter(of_client)
                .try_for_each(|known| say(&line_of(known)))
        }
    }
}

/// What was not there needs not be removed; but who left out the issuer or the alternative name means one that is.
async fn not_there(store: &Store, certificate: &ClientCertificate) -> anyhow::Result<()> {
    let known = store.access().snapshot().await?.certificates;
    let near: Vec<String> = known
        .iter()
        .filter(|known| {
            known.client == certificate.client
                && known.common_name == certificate.common_name
                && known.unit == certificate.unit
        })
        .map(line_of)
        .collect();
    if near.is_empty() {
        return say(&format!(
            "was not known by {}; `passerelle client certificate list` shows what clients are known by",
            line_of(certificate)
        ));
    }
    bail!(
        "nothing was removed: {} is none of them, and the client is still known by\n{}\nSay --san and --issuer as they \
         stand there",
        line_of(certificate),
        near.join("\n")
    )
}

fn line_of(certificate: &ClientCertificate) -> String {
    let alternative = certificate.alternative.as_ref();
    let issuer = certificate.issuer.as_ref();
    format!(
        "{}\tCN {}\tOU {}{}{}",
        certificate.client,
        certificate.common_name,
        certificate.unit,
        alternative
            .map(|name| format!("\tSAN {name}"))
            .unwrap_or_default(),
        issuer.map(|name| format!("\tissuer {name}")).unwrap_or_default(),
    )
}

impl Described {
    fn into_certificate(self) -> anyhow::Result<ClientCertificate> {
        let shown = self.from.as_deref().map(read).transpose()?;
        let identity = shown.as_ref().map(Shown::identity);
        let common_name = self
            .cn
            .or_else(|| identity.and_then(|found| found.common_name.clone()));
        let unit = match (self.ou, identity.map(|found| found.units.as_slice())) {
            (Some(unit), _) => unit,
            (None, Some([unit])) => unit.clone(),
            (None, Some([])) => {
                bail!("the certificate's subject has no OU, and a client is known by CN and OU")
            }
            (None, Some(several)) => bail!(
                "the certificate's subject has several OUs: say with --ou which of them it is ({})",
                several.join(", ")
            ),
            (None, None) => bail!("say the OU of the certificate's subject with --ou"),
        };
        let issuer = self.issuer.as_deref().map(|name| {
            let parts = distinguished_name(name).map_err(|part| {
                anyhow::anyhow!(
                    "'{part}' is no part of a distinguished name: write --issuer as CN=CA,O=ASIP-SANTE,C=FR"
                )
            })?;
            Ok::<_, anyhow::Error>(parts.join(","))
        });
        Ok(ClientCertificate {
            client: self.client,
            common_name: common_name.context("say the CN of the certificate's subject with --cn")?,
            unit,
            alternative: self.san,
            issuer: issuer.transpose()?,
        })
    }
}

fn read(path: &Path) -> anyhow::Result<Shown> {
    read_client_certificate(path, "--from")
}
