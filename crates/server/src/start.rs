//! From settings to a running server, and to a clean end.

use std::mem::ManuallyDrop;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use adapters::naming::Naming;
use adapters::sticky;
use anyhow::{Context as _, bail};
use engine::{Engine, KeySystems, RandomIds};
use fhir::Resource;
use fhir::interaction::Ownership;
use fhir::profile::Profiles;
use store::trail::Sealer;
use store::{Durability, Options, Store, StoreError};

use crate::app;
use crate::auth::Authenticator;
use crate::auth::token::Issuers;
use crate::config::Settings;
use crate::conformance::Catalogue;
use crate::{erasures, log};

/// The setting under which the naming base lies in the database.
pub const NAMING_BASE: &str = "naming-base";

/// Opens the database and brings its schema up to date.
///
/// # Errors
/// A sentence for the operator.
pub fn open_migrated(settings: &Settings) -> anyhow::Result<Store> {
    let store = open(settings)?;
    store
        .migrate()
        .context("the database schema could not be brought up to date")?;
    Ok(store)
}

/// Opens the database as it is; one without any tables gets them.
///
/// # Errors
/// A sentence for the operator: also when the schema is older than this program, whose servers may be running on it.
pub fn open_current(settings: &Settings) -> anyhow::Result<Store> {
    let store = open(settings)?;
    let pending = store.pending_migrations()?;
    if !pending.is_empty() && store.has_schema()? {
        bail!(
            "the schema of the database is older than this program ({} steps): run `passerelle migrate` first, which servers of \
             the release before notice (docs/OPERATIONS.md, Upgrade)",
            pending.len()
        );
    }
    store
        .migrate()
        .context("the database schema could not be brought up to date")?;
    Ok(store)
}

/// Brings the schema up to date and tells which steps that took.
///
/// # Errors
/// A sentence for the operator.
pub fn migrate(settings: &Settings) -> anyhow::Result<Vec<String>> {
    let store = open(settings)?;
    let pending = store.pending_migrations()?;
    store
        .migrate()
        .context("the database schema could not be brought up to date")?;
    Ok(pending)
}

fn open(settings: &Settings) -> anyhow::Result<Store> {
    let mut options = Options::default();
    if let Some(connections) = settings.connections {
        options.connections = connections;
    }
    if settings.unsafe_durability() {
        options.durability = Durability::Unsafe;
    }
    Store::open(settings.database(), options).context("the database could not be opened")
}

/// Everything that a server runs on, before it listens.
pub struct Prepared {
    /// The store; to be closed last.
    pub store: Store,
    /// The engine on it.
    pub engine: Engine,
    /// Who may call.
    pub auth: Authenticator,
    /// Seals the audit trail.
    pub sealer: Sealer,
    /// How to serve.
    pub settings: app::Settings,
}

/// Checks the settings, opens the store, fixes the naming base, makes engine and authenticator.
///
/// # Errors
/// A sentence for the operator.
pub async fn prepare(settings: &Settings) -> anyhow::Result<Prepared> {
    let app_settings = app_settings(settings)?;
    let issuers = Issuers::start(settings.issuers()?)?;
    let store = open_migrated(settings)?;
    let sealing = settings.sealer(store.seals().await?)?;
    let base = settings.naming_base();
    let fixed = store.access().put_setting_once(NAMING_BASE, base).await?;
    if fixed != base {
        bail!(
            "this database was started with the naming base {fixed}, and identifiers in it carry that. Start with \
             --naming-base {fixed}, or use another database for {base}"
        );
    }
    let naming = Naming::new(base);
    let again = naming.clone();
    let owned = Ownership {
        replaced: Arc::new(
            move |stored: &Resource, allocated: Option<&str>, sent: &Resource| {
                sticky::keep(stored, allocated, sent, &naming)
            },
        ),
        patched: Arc::new(
            move |stored: &Resource, allocated: Option<&str>, patched: &Resource| {
                sticky::patched(stored, allocated, patched, &again)
            },
        ),
    };
    let engine = Engine::keeping(
        store.clone(),
        Arc::new(RandomIds),
        KeySystems::new(base, &[]),
        owned,
    )
    .with_profiles(profiles(base)?);
    let auth = Authenticator::start(store.clone(), &engine, base, settings.naming_oids.clone()).await?;
    let auth = auth.with_issuers(issuers);
    erasures::keep(settings, &engine, &Naming::new(base)).await?;
    let sealer = store.start_sealer(sealing)?;
    Ok(Prepared {
        store,
        engine,
        auth,
        sealer,
        settings: app_settings,
    })
}

/// The profiles of this deployment, as they are published.
///
/// # Errors
/// The definition that cannot be understood.
pub fn profiles(naming_base: &str) -> anyhow::Result<Profiles> {
    let catalogue = Catalogue::new(naming_base);
    Profiles::compile(catalogue.resources()).context("the profiles of this server cannot be enforced")
}

/// Binds the listening socket, so that its port is known before anything is said about it.
///
/// # Errors
/// A sentence for the operator.
pub fn bind(settings: &Settings) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(settings.listen()).with_context(|| {
        format!(
            "cannot listen on {}; choose another --listen address",
            settings.listen()
        )
    })?;
    let address = listener
        .local_addr()
        .context("the listening socket has no address")?;
    Ok((listener, address))
}

/// Binds the socket of the admin address, if there is to be one.
///
/// # Errors
/// A sentence for the operator.
pub fn bind_admin(settings: &Settings) -> anyhow::Result<Option<(TcpListener, SocketAddr)>> {
    let Some(wanted) = settings.admin_listen.as_deref() else {
        return Ok(None);
    };
    let listener = TcpListener::bind(wanted)
        .with_context(|| format!("cannot listen on {wanted}; choose another --admin-listen address"))?;
    let address = listener.local_addr().context("the admin socket has no address")?;
    tracing::info!(%address, "metrics and health");
    Ok(Some((listener, address)))
}

/// `passerelle serve`.
///
/// # Errors
/// A sentence for the operator.
pub fn serve(settings: &Settings) -> anyhow::Result<()> {
    log::start(settings.log_format.as_deref())?;
    let ended = block_on(async {
        let prepared = prepare(settings).await?;
        let (listener, _) = bind(settings)?;
        let admin = bind_admin(settings)?;
        run(listener, admin.map(|(listener, _)| listener), prepared).await
    });
    ended.map_err(log::fatal)
}

/// Runs a server, as the last thing that its process does. The runtime is not taken down: that would wait for threads
/// that hang in a database which answers nobody, for as long as it does.
pub fn block_on<T>(server: impl Future<Output = T>) -> T {
    ManuallyDrop::new(actix_web::rt::System::new()).block_on(server)
}

/// Serves until told to stop, then drains and closes the store.
///
/// # Errors
/// A sentence for the operator.
pub async fn run(
    listener: TcpListener,
    admin: Option<TcpListener>,
    prepared: Prepared,
) -> anyhow::Result<()> {
    let Prepared {
        store,
        engine,
        auth,
        sealer,
        settings,
    } = prepared;
    let ready = |address| tracing::info!(%address, "serving");
    let served = app::serve(listener, admin, engine, auth.clone(), settings, ready).await;
    let closing = async {
        auth.stop();
        store.close().await?;
        // What came last is sealed too; what cannot be is at the next start.
        let sealed = actix_web::rt::task::spawn_blocking(|| sealer.finish()).await;
        if let Ok(Err(error)) = sealed {
            tracing::warn!(%error, "the end of the audit trail is not sealed yet");
        }
        Ok::<(), StoreError>(())
    };
    let (outcome, closed) = match served {
        Ok(ended) => ended.while_closing(closing).await,
        Err(error) => (Err(error), closing.await),
    };
    outcome.context("the server stopped")?;
    closed.context("the database could not be closed")
}

pub(crate) fn app_settings(settings: &Settings) -> anyhow::Result<app::Settings> {
    let defaults = app::Settings::default();
    let trusted_proxies = settings.trusted_proxies.iter().map(|text| {
        text.parse()
            .map_err(|_| anyhow::anyhow!("'{text}' is not an address or network of a trusted proxy"))
    });
    let base_url = settings.base_url.as_deref();
    Ok(app::Settings {
        base_url: base_url.map(|url| url.trim_end_matches('/').to_owned()),
        trusted_proxies: trusted_proxies.collect::<anyhow::Result<_>>()?,
        body_deadline: settings
            .body_deadline
            .map_or(defaults.body_deadline, Duration::from_secs),
        max_concurrent_requests: settings
            .max_concurrent
            .unwrap_or(defaults.max_concurrent_requests),
        workers: settings.workers.unwrap_or(defaults.workers),
        cors_origins: settings.cors_origins.clone(),
        collector: settings.otlp_endpoint.as_deref().map(str::parse).transpose()?,
        partner: settings.partner()?,
        client_certificate_header: settings.client_certificate_header()?,
        tls: settings.tls()?,
        ..defaults
    })
}
