//! What is measured: a running server, or one started for the purpose. Loopback only.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use testkit::postgres::{Database, Postgres};
use testkit::server::{Backend, Server, Settings};

use crate::arguments::Arguments;
use crate::doors::DoorAccess;

/// How to reach the server.
#[derive(Clone, Debug)]
pub struct ServerAccess {
    /// Its address.
    pub address: SocketAddr,
    /// The path of the FHIR API.
    pub path: String,
    /// The credential.
    pub bearer: String,
    /// Its process, when known.
    pub pid: Option<u32>,
}

/// The server and whatever keeps it alive.
pub struct Target {
    access: Option<ServerAccess>,
    started: Option<Server>,
    // Dropped after the server that uses it.
    _database: Option<Database>,
}

impl Target {
    /// Finds or starts the server; none when only floors are asked for.
    pub fn choose(arguments: &Arguments) -> Result<Target, String> {
        if let Some(base) = &arguments.base {
            let (address, path) = loopback_url(base)?;
            let access = ServerAccess {
                address,
                path,
                bearer: arguments.bearer.clone(),
                pid: arguments.pid,
            };
            return Ok(Target {
                access: Some(access),
                started: None,
                _database: None,
            });
        }
        if arguments.demo {
            return Target::demo(arguments);
        }
        if arguments.floor {
            return Ok(Target {
                access: None,
                started: None,
                _database: None,
            });
        }
        Err("name a server with --base, or start one with --demo (see --help)".to_owned())
    }

    fn demo(arguments: &Arguments) -> Result<Target, String> {
        let binary = match &arguments.binary {
            Some(binary) => binary.clone(),
            None => beside_this_one()?,
        };
        if !binary.is_file() {
            return Err(format!(
                "{} is missing; build it with cargo build --release",
                binary.display()
            ));
        }
        let mut database = None;
        let settings = match arguments.database.as_deref() {
            None => Settings::new(&binary, Backend::Sqlite),
            Some("temporary") if !Postgres::available() => {
                return Err("no PostgreSQL programs on this machine".to_owned());
            }
            Some("temporary") => {
                let fresh = Postgres::shared().fresh_database();
                let settings = Settings::new(&binary, Backend::Postgres).database_url(&fresh.url());
                database = Some(fresh);
                settings
            }
            Some(url) => Settings::new(&binary, Backend::Postgres).database_url(url),
        };
        let server = settings.start();
        let credential = server.credential("fhir").clone();
        let (address, path) = loopback_url(&credential.url)?;
        let access = ServerAccess {
            address,
            path,
            bearer: credential.bearer,
            pid: Some(server.pid()),
        };
        Ok(Target {
            access: Some(access),
            started: Some(server),
            _database: database,
        })
    }

    /// How to reach the server, when there is one.
    pub fn server(&self) -> Option<ServerAccess> {
        self.access.clone()
    }

    /// How to come in at the partner doors of a server that was started here.
    pub fn doors(&self) -> Option<DoorAccess> {
        self.started.as_ref().map(DoorAccess::of)
    }

    /// Where the flush floor is measured: beside the data of the server started here, else where
    /// temporary files go.
    pub fn data_folder(&self) -> PathBuf {
        self.started
            .as_ref()
            .map_or_else(std::env::temp_dir, |server| server.data_folder().to_owned())
    }
}

fn beside_this_one() -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|error| format!("own path unknown: {error}"))?;
    Ok(own.parent().unwrap_or(Path::new(".")).join("passerelle"))
}

/// Address and path of a loopback URL; the path is /fhir when there is none.
fn loopback_url(url: &str) -> Result<(SocketAddr, String), String> {
    let rest = url
        .strip_prefix("http://")
        .ok_or(format!("{url}: only http:// is spoken"))?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let address: SocketAddr = authority
        .parse()
        .map_err(|_| format!("{authority} is not IP:PORT, such as 127.0.0.1:8080"))?;
    if !address.ip().is_loopback() {
        return Err(format!(
            "{address} is not a loopback address: this generator loads nobody else's machine"
        ));
    }
    let path = path.trim_end_matches('/');
    Ok((
        address,
        if path.is_empty() {
            "/fhir".to_owned()
        } else {
            path.to_owned()
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::loopback_url;

    #[test]
    fn only_loopback_is_loaded() {
        assert_eq!(loopback_url("http://127.0.0.1:80").unwrap().1, "/fhir");
        assert_eq!(loopback_url("http://[::1]:80/other/").unwrap().1, "/other");
        for refused in [
            "http://10.0.0.1:80",
            "http://example.org:80",
            "https://127.0.0.1:80",
            "http://0.0.0.0:80",
        ] {
            assert!(loopback_url(refused).is_err(), "{refused}");
        }
    }
}
