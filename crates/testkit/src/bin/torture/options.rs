//! The command line.

use std::path::PathBuf;

use testkit::server::Backend;

use crate::parts::{PARTS, Part};

/// What `--help` says before the list of parts.
const HELP: &str = "\
Tries to make a Passerelle server break its promises: the longer programme of docs/RELIABILITY.md (tier L).

  cargo build --release -p server
  cargo run --release -p testkit --bin torture -- --binary target/release/passerelle

  --binary FILE     the server to be tried (required)
  --only LIST       some of the parts below, such as t6,t33    [all]
  --database NAME   sqlite or postgres                         [both]
  --rounds N        rounds of T1, T2 and T3, per database      [100]
  --seconds N       seconds of load in T5, per database        [60]
  --kills N         kills in T6, per database                  [200]
  --percent N       so much of the rounds, seconds and sizes of every other part, for a trial [100]
  --seed N          seed of everything random                  [1]
  --help            this text

";

/// What it says after them.
const HELP_END: &str = "
One line per round. The exit code is 0 when every round has passed, 1 when one has failed, 2 when the
command line is wrong or leaves nothing to be tried. Everything runs on this machine, in a temporary folder that is removed at the end.
T11 mounts small disks and wants root, T7 wants strace, T35 wants sqlite3. Deadlines are those of the
promises, to the millisecond: run it on a machine that does nothing else.
";

/// What the command line says.
pub struct Options {
    /// The server to be tried.
    pub binary: PathBuf,
    /// Rounds of T1, T2 and T3.
    pub rounds: u64,
    /// Seconds of load in T5.
    pub seconds: u64,
    /// Kills in T6.
    pub kills: u32,
    /// How much of the other parts, in percent.
    pub percent: u64,
    only: Option<Vec<String>>,
    /// The databases it is tried on.
    pub databases: Vec<Backend>,
    /// The seed of everything random.
    pub seed: u64,
}

/// Why the command line cannot be run.
pub enum Unusable {
    /// `--help` was asked for.
    HelpWanted,
    /// What is wrong, as a sentence.
    Wrong(String),
}

impl Options {
    /// Reads the arguments after the program's name.
    pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Options, Unusable> {
        let mut options = Options {
            binary: PathBuf::new(),
            rounds: 100,
            seconds: 60,
            kills: 200,
            percent: 100,
            only: None,
            databases: vec![Backend::Sqlite, Backend::Postgres],
            seed: 1,
        };
        while let Some(name) = arguments.next() {
            if matches!(name.as_str(), "--help" | "-h") {
                return Err(Unusable::HelpWanted);
            }
            let value = arguments
                .next()
                .ok_or_else(|| Unusable::Wrong(format!("{name} needs a value")))?;
            options.take(&name, &value)?;
        }
        if !options.binary.is_file() {
            let problem = format!("--binary '{}' is no file", options.binary.display());
            return Err(Unusable::Wrong(problem));
        }
        Ok(options)
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), Unusable> {
        let number = || {
            let parsed = value.parse::<u64>();
            parsed.map_err(|_| Unusable::Wrong(format!("{name} {value}: not a number")))
        };
        // Of what there is none, nothing is tried.
        let amount = || match number()? {
            0 => Err(Unusable::Wrong(format!("{name} 0: write 1 or more"))),
            amount => Ok(amount),
        };
        match name {
            "--binary" => self.binary = PathBuf::from(value),
            "--rounds" => self.rounds = amount()?,
            "--seconds" => self.seconds = amount()?,
            "--kills" => {
                self.kills = u32::try_from(amount()?)
                    .map_err(|_| Unusable::Wrong(format!("--kills {value}: too many")))?;
            }
            "--percent" => self.percent = amount()?,
            "--seed" => self.seed = number()?,
            "--only" => self.only = Some(parts(value)?),
            "--database" => self.databases = vec![backend(value)?],
            _ => return Err(Unusable::Wrong(format!("there is no option {name}"))),
        }
        Ok(())
    }

    /// Whether this part is to be run on this database.
    pub fn wants(&self, part: &Part, backend: Backend) -> bool {
        let chosen = self.only.as_ref();
        part.databases.contains(&backend)
            && chosen.is_none_or(|only| only.iter().any(|name| name == part.name))
    }

    /// What is to be run, on which database.
    pub fn parts(&self) -> impl Iterator<Item = (&'static Part, Backend)> {
        self.databases.iter().flat_map(|backend| {
            let wanted = PARTS.iter().filter(|part| self.wants(part, *backend));
            wanted.map(|part| (part, *backend))
        })
    }

    /// So much of `whole` as `--percent` says, and at least one.
    pub fn share(&self, whole: u64) -> u64 {
        (whole * self.percent / 100).max(1)
    }
}

/// What `--help` prints.
pub fn help() -> String {
    let line = |part: &Part| format!("{:<9}{}\n", part.name, part.about);
    let parts: String = PARTS.iter().map(line).collect();
    format!("{HELP}{parts}{HELP_END}")
}

fn parts(list: &str) -> Result<Vec<String>, Unusable> {
    let parts: Vec<String> = list.split(',').map(str::to_ascii_lowercase).collect();
    let is_known = |name: &String| PARTS.iter().any(|part| part.name == name);
    match parts.iter().find(|name| !is_known(name)) {
        Some(unknown) => Err(Unusable::Wrong(format!(
            "--only {unknown}: there is no such part"
        ))),
        None => Ok(parts),
    }
}

fn backend(name: &str) -> Result<Backend, Unusable> {
    [Backend::Sqlite, Backend::Postgres]
        .into_iter()
        .find(|known| known.name() == name)
        .ok_or_else(|| Unusable::Wrong(format!("--database {name}: sqlite or postgres")))
}

#[cfg(test)]
mod tests {
    use super::{Options, Unusable};

    fn parse(line: &str) -> Result<Options, Unusable> {
        // Any file will do: nothing is started.
        let line = format!("--binary {}/Cargo.toml {line}", env!("CARGO_MANIFEST_DIR"));
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn what_would_try_nothing_is_refused() {
        for line in ["--rounds 0", "--kills 0", "--percent 0", "--seconds 0"] {
            assert!(matches!(parse(line), Err(Unusable::Wrong(_))), "{line}");
        }
        for (line, parts) in [
            ("--only t9 --database sqlite", 0),
            ("--only t9", 1),
            ("--only t6,t9", 3),
        ] {
            let Ok(options) = parse(line) else {
                panic!("{line} is refused")
            };
            assert_eq!(options.parts().count(), parts, "{line}");
        }
    }
}
