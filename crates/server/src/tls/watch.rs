//! New files are taken up while the server runs: at SIGHUP, and when their times or sizes change.

use std::os::unix::fs::MetadataExt as _;
use std::time::SystemTime;

use actix_web::rt::signal::unix::{SignalKind, signal};
use actix_web::rt::time::sleep;
use futures_util::future::{Either, select};

use super::{Files, LOOK_INTERVAL, Tls};

/// Looks after the files for as long as it is polled.
pub async fn watch(tls: Tls) {
    let mut hangup = match signal(SignalKind::hangup()) {
        Ok(hangup) => hangup,
        Err(error) => return tracing::error!(%error, "SIGHUP cannot be listened to: TLS is not reloaded"),
    };
    let mut told = tls.warnings();
    told.iter().for_each(|warning| tracing::warn!("{warning}"));
    let mut known = tls.shared.seen.clone();
    loop {
        let asked = match select(
            std::pin::pin!(hangup.recv()),
            std::pin::pin!(sleep(LOOK_INTERVAL)),
        )
        .await
        {
            Either::Left(_) => true,
            Either::Right(_) => false,
        };
        let seen = look(&tls).await;
        if asked || seen != known {
            // Looked at before they are read: what changes in between is seen by the next look.
            known = seen;
            reload(&tls).await;
        }
        let warnings = tls.warnings();
        if warnings != told {
            warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
            told = warnings;
        }
    }
}

async fn reload(tls: &Tls) {
    let reloading = tls.clone();
    match actix_web::rt::task::spawn_blocking(move || reloading.reload()).await {
        Ok(Ok(())) => tracing::info!("the files of TLS were read again and are in force"),
        Ok(Err(error)) => tracing::error!("the files of TLS stay in force as they were: {error:#}"),
        Err(error) => tracing::error!(%error, "the files of TLS could not be read again"),
    }
}

/// Time, size and place of each file; nothing of one that cannot be looked at.
pub(super) type Look = Vec<Option<(SystemTime, u64, u64)>>;

async fn look(tls: &Tls) -> Look {
    let files = tls.files().clone();
    let looked = actix_web::rt::task::spawn_blocking(move || look_at(&files)).await;
    looked.unwrap_or_default()
}

pub(super) fn look_at(files: &Files) -> Look {
    let seen = files.all().map(|path| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len(), metadata.ino()))
    });
    seen.collect()
}
