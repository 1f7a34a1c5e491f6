//! What a server is started with.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Backend, DatabaseHold, Server};
use crate::postgres::Postgres;
use crate::sweep::TemporaryFolder;
use crate::tls::Tls;

/// Whether the demo's own sample data is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Spaces, clients and bindings only.
    Empty,
    /// The demo's sample data as well.
    Samples,
}

/// What a server is started with.
#[derive(Clone, Debug)]
pub struct Settings {
    pub(super) binary: PathBuf,
    database: DatabaseChoice,
    pub(super) content: Content,
    pub(super) listen: String,
    pub(super) arguments: Vec<String>,
    pub(super) environment: Vec<(String, String)>,
    pub(super) tls: Option<Tls>,
    place: Option<PathBuf>,
    log: Option<PathBuf>,
}

#[derive(Clone, Debug)]
enum DatabaseChoice {
    Own(Backend),
    Url(String),
}

impl Settings {
    /// The binary at `binary` on a fresh database of kind `backend`, without sample data.
    pub fn new(binary: impl AsRef<Path>, backend: Backend) -> Settings {
        Settings {
            binary: binary.as_ref().to_owned(),
            database: DatabaseChoice::Own(backend),
            content: Content::Empty,
            listen: "127.0.0.1:0".to_owned(),
            arguments: Vec::new(),
            environment: Vec::new(),
            tls: None,
            place: None,
            log: None,
        }
    }

    /// With its data folder in this folder instead of a temporary one of its own.
    pub fn data_in(mut self, folder: &Path) -> Settings {
        self.place = Some(folder.to_owned());
        self
    }

    /// With its log in this file.
    pub fn log_file(mut self, file: &Path) -> Settings {
        self.log = Some(file.to_owned());
        self
    }

    /// On the database at this URL, which is left alone afterwards.
    pub fn database_url(mut self, url: &str) -> Settings {
        self.database = DatabaseChoice::Url(url.to_owned());
        self
    }

    /// With or without the demo's sample data.
    pub fn content(mut self, content: Content) -> Settings {
        self.content = content;
        self
    }

    /// Listening here instead of on a free port.
    pub fn listen(mut self, address: &str) -> Settings {
        self.listen = address.to_owned();
        self
    }

    /// With one more command-line argument.
    pub fn argument(mut self, argument: &str) -> Settings {
        self.arguments.push(argument.to_owned());
        self
    }

    /// With an admin address of its own; see [`Server::admin`].
    pub fn admin(self) -> Settings {
        self.argument("--admin-listen").argument("127.0.0.1:0")
    }

    /// With one more environment variable.
    pub fn environment(mut self, name: &str, value: &str) -> Settings {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Reached by TLS: by those who look whether it is ready, and by its clients unless they choose another.
    pub fn tls(mut self, tls: &Tls) -> Settings {
        self.tls = Some(tls.clone());
        self
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Panics
    /// When it ends or is not ready in time; the message holds its log.
    #[track_caller]
    pub fn start(self) -> Server {
        let folder = Arc::new(TemporaryFolder::new("server"));
        let database = match &self.database {
            DatabaseChoice::Own(Backend::Sqlite) => DatabaseHold::InFolder,
            DatabaseChoice::Own(Backend::Postgres) => {
                DatabaseHold::Postgres(Arc::new(Postgres::shared().fresh_database()))
            }
            DatabaseChoice::Url(url) => DatabaseHold::Elsewhere(url.clone()),
        };
        let data = self.place.as_deref().unwrap_or(folder.path()).join("data");
        std::fs::create_dir(&data).expect("a data folder");
        // Not beside the data: a full disk there must not take the log with it.
        let log = self
            .log
            .clone()
            .unwrap_or_else(|| folder.path().join("data.stderr"));
        Server::launch(self, database, folder, data, log)
    }
}
