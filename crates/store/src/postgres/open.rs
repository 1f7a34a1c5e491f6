//! Connections to the server.

use diesel::{Connection as _, PgConnection};

use crate::error::{StoreError, classify};
use crate::options::{Durability, Options};
use crate::sql::{Dialect, Sql as _};
use crate::statement::Statement;

/// What libpq is told unless the URL says otherwise: a server that is away is noticed within seconds.
const DEFAULTS: [(&str, &str); 6] = [
    ("connect_timeout", "2"),
    ("tcp_user_timeout", "2000"),
    ("keepalives_idle", "5"),
    ("keepalives_interval", "2"),
    ("keepalives_count", "3"),
    ("application_name", "passerelle"),
];

/// The URL with our defaults.
pub(super) fn with_defaults(url: &str) -> String {
    let mut full = url.to_owned();
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let mut separator = if url.contains('?') { '&' } else { '?' };
    for (name, value) in DEFAULTS {
        let given = query
            .split('&')
            .any(|pair| pair.split_once('=').is_some_and(|(given, _)| given == name));
        if !given {
            full.push(separator);
            full.push_str(name);
            full.push('=');
            full.push_str(value);
            separator = '&';
        }
    }
    full
}

/// How long PostgreSQL keeps a connection that asks nothing, milliseconds. One whose answer was lost on the way waits
/// for it on this side without end, in a thread, and is idle on the other: only PostgreSQL can end both. One that is
/// idle in the pool is made anew when it is needed.
const IDLE_MILLIS: u32 = 30_000;

/// A connection with its time limits set.
pub(super) fn connect(url: &str, options: &Options) -> Result<PgConnection, StoreError> {
    let mut connection = PgConnection::establish(url).map_err(|error| {
        let message = without_secrets(&error.to_string(), url);
        StoreError::Unavailable(format!("connecting to PostgreSQL: {message}"))
    })?;
    let limit = options.statement_timeout.as_millis();
    let settings = format!(
        "SET statement_timeout = {limit}; SET lock_timeout = {limit}; \
         SET idle_in_transaction_session_timeout = {limit}; SET jit = off; \
         SELECT set_config('idle_session_timeout', '{IDLE_MILLIS}', false) \
         WHERE current_setting('idle_session_timeout', true) IS NOT NULL"
    );
    connection
        .batch(&settings)
        .map_err(|error| classify(Dialect::Postgres, "setting a connection up", &error).error)?;
    Ok(connection)
}

/// Refuses a server that would acknowledge what a power cut can take back.
pub(super) fn check_durability(connection: &mut PgConnection, options: &Options) -> Result<(), StoreError> {
    if options.durability == Durability::Unsafe {
        return Ok(());
    }
    let statement = Statement::new(
        "SELECT name::text, setting FROM pg_settings \
         WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit')",
    );
    let settings = connection
        .text_pairs(&statement)
        .map_err(|error| classify(Dialect::Postgres, "reading the server's settings", &error).error)?;
    match settings.iter().find(|(_, value)| value == "off") {
        None => Ok(()),
        Some((name, _)) => Err(StoreError::Refused(format!(
            "PostgreSQL has {name} = off: a write that was answered could be lost in a power cut. Turn it on, \
             or start with unsafe durability if the data may be lost."
        ))),
    }
}

/// A message of libpq without the password, whose spelling it may quote.
fn without_secrets(message: &str, url: &str) -> String {
    let mut clean = message.replace(url, "the database URL");
    for secret in secrets(url) {
        clean = clean.replace(&secret, "***");
        clean = clean.replace(&percent_decoded(&secret), "***");
    }
    clean
}

fn secrets(url: &str) -> Vec<String> {
    let (head, query) = url.split_once('?').unwrap_or((url, ""));
    let in_head = head
        .rsplit_once('@')
        .and_then(|(user, _)| user.split_once("//"))
        .and_then(|(_, user)| user.split_once(':'))
        .map(|(_, password)| password);
    let in_query = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .filter(|(name, _)| name.to_ascii_lowercase().contains("password"))
        .map(|(_, value)| value);
    in_head
        .into_iter()
        .chain(in_query)
        .filter(|secret| !secret.is_empty())
        .map(str::to_owned)
        .collect()
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let digits = rest.clone().take(2).collect::<Vec<_>>();
        let decoded = std::str::from_utf8(&digits)
            .ok()
            .filter(|digits| byte == b'%' && digits.len() == 2)
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match decoded {
            Some(decoded) => {
                bytes.push(decoded);
                rest.next();
                rest.next();
            }
            None => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests;
