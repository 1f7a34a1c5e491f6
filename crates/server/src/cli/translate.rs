//! `passerelle translate`: records of one dialect as records of another, for people to look at before anything
//! moves. Nothing is stored and no server is asked.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _, Read, Write};
use std::path::{Path, PathBuf};

use adapters::naming::Naming;
use adapters::translate::{self as translation, Dialect, Entry, Ledger, Problem, Translated};
use anyhow::{Context as _, bail};
use clap::Args;
use clap::builder::NonEmptyStringValueParser;

pub(super) mod records;

use records::{Found, Records};

/// Records between two lines of progress on a terminal.
const PROGRESS_SHOWN: u64 = 10_000;
/// The same in a log.
const PROGRESS_LOGGED: u64 = 100_000;

/// What to translate, and what its records do not say.
#[derive(Args)]
pub(super) struct Options {
    /// Dialect of the input: fhir, medicapp-cloud, medicapp-connect, patient-graph, ehealth
    #[arg(long, value_name = "DIALECT", value_parser = dialect)]
    from: Dialect,
    /// Dialect of the output, one of the same
    #[arg(long, value_name = "DIALECT", value_parser = dialect)]
    to: Dialect,
    /// Medicapp: the trust space or space of output, and of input records without a trustSpaceUuid of their own
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    space: Option<String>,
    /// patient-graph: the brand of output, and of input records without a brand_id of their own
    #[arg(long, value_name = "BRAND", value_parser = NonEmptyStringValueParser::new())]
    brand: Option<String>,
    /// eHealth: UUID of the legal entity whose external ids the records carry
    #[arg(long, value_name = "UUID", value_parser = NonEmptyStringValueParser::new())]
    legal_entity: Option<String>,
    /// Base of the server's own identifier systems and profiles
    #[arg(
        long,
        env = "PASSERELLE_NAMING_BASE",
        value_name = "URL",
        default_value = Naming::DEFAULT_BASE
    )]
    naming_base: String,
    /// Day that decides what is current and what lies ahead, YYYY-MM-DD [default: today in UTC]
    #[arg(long, value_name = "DAY", value_parser = day)]
    today: Option<String>,
    /// File with NDJSON, one JSON list, or a Bundle; - is standard input
    #[arg(default_value = "-", value_name = "FILE")]
    file: PathBuf,
}

pub(super) fn dialect(name: &str) -> Result<Dialect, String> {
    Dialect::parse(name).ok_or_else(|| {
        let known: Vec<&str> = Dialect::ALL.iter().map(|dialect| dialect.as_str()).collect();
        format!("write one of {}", known.join(", "))
    })
}

pub(super) fn day(text: &str) -> Result<String, String> {
    let is_day = text.len() == "YYYY-MM-DD".len() && text.parse::<chrono::NaiveDate>().is_ok();
    if is_day {
        Ok(text.to_owned())
    } else {
        Err("write an existing day as YYYY-MM-DD".to_owned())
    }
}

/// Translates the input, and says on standard error what was refused and what became of the fields.
///
/// # Errors
/// A sentence when an option is missing, the input cannot be read, or a record was refused.
pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    options.check()?;
    let input: Box<dyn Read> = if options.file == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        let open = || format!("cannot read {}", options.file.display());
        Box::new(File::open(&options.file).with_context(open)?)
    };
    let mut work = Work {
        options,
        naming: Naming::new(&options.naming_base),
        today: options.today.clone().unwrap_or_else(today),
        output: BufWriter::new(io::stdout().lock()),
        tally: Tally::default(),
    };
    let done = work.all(input).and_then(|()| Ok(work.output.flush()?));
    match done {
        // Nobody reads on.
        Err(error) if is_closed_pipe(&error) => return Ok(()),
        done => done?,
    }
    let Tally { read, refused, .. } = work.tally;
    tell(&work.tally.to_string());
    if refused > 0 {
        bail!("{refused} of {read} records were refused; each is named above with its place");
    }
    Ok(())
}

pub(super) fn today() -> String {
    chrono::Utc::now().date_naive().to_string()
}

pub(super) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let cause = error.downcast_ref::<io::Error>();
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

/// Writes to standard error; when nobody reads it, to nobody.
pub(super) fn tell(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

impl Options {
    /// What would refuse every single record is said once.
    fn check(&self) -> anyhow::Result<()> {
        let (from, to) = (self.from, self.to);
        if from == to {
            bail!("--from and --to name the same dialect, {from}: nothing would be translated");
        }
        let is_towards = |dialect| to == dialect && from != Dialect::Fhir;
        let needs_space = from == Dialect::MedicappConnect
            || is_towards(Dialect::MedicappConnect)
            || is_towards(Dialect::MedicappCloud);
        if needs_space && self.space.is_none() {
            bail!("these records do not say which Medicapp space is meant: add --space <NAME>");
        }
        if is_towards(Dialect::PatientGraph) && self.brand.is_none() {
            bail!("these records do not say which brand is meant: add --brand <BRAND>");
        }
        if from == Dialect::Ehealth && self.legal_entity.is_none() {
            bail!("the records do not say whose external ids they carry: add --legal-entity <UUID>");
        }
        Ok(())
    }
}

/// Counts of a run.
#[derive(Default)]
struct Tally {
    read: u64,
    translated: u64,
    refused: u64,
    /// Entries of Bundles that are no Patients.
    passed_over: u64,
    ledger: Ledger,
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "read {}, translated {}, refused {}",
            self.read, self.translated, self.refused
        )?;
        if self.passed_over > 0 {
            write!(
                f,
                ", passed over {} (entries that hold no Patient)",
                self.passed_over
            )?;
        }
        write_ledger(f, &self.ledger)
    }
}

/// What became of the fields, as a table below the counts; nothing when no field was met.
pub(super) fn write_ledger(f: &mut std::fmt::Formatter<'_>, ledger: &Ledger) -> std::fmt::Result {
    let width = ledger.rows().map(|(path, _)| path.chars().count()).max();
    let Some(width) = width else { return Ok(()) };
    let width = width.max("field".len());
    write!(
        f,
        "\n{:width$} {:>8} {:>9} {:>8}",
        "field", "used", "defaulted", "dropped"
    )?;
    for (path, counts) in ledger.rows() {
        write!(
            f,
            "\n{path:width$} {:>8} {:>9} {:>8}",
            counts.used, counts.defaulted, counts.dropped
        )?;
    }
    Ok(())
}

struct Work<'o> {
    options: &'o Options,
    naming: Naming,
    today: String,
    output: BufWriter<io::StdoutLock<'o>>,
    tally: Tally,
}

impl Work<'_> {
    fn all(&mut self, input: impl Read) -> anyhow::Result<()> {
        let every = if io::stderr().is_terminal() {
            PROGRESS_SHOWN
        } else {
            PROGRESS_LOGGED
        };
        let mut records = Records::new(input, translation::list_key(self.options.from));
        while let Some((place, found)) = records.next().context("the input cannot be read")? {
            let problems = match found {
                Found::Record(text) => match self.one(&text, place.entry.is_some()) {
                    Ok(None) => {
                        self.tally.passed_over += 1;
                        continue;
                    }
                    Ok(Some(translated)) => {
                        self.tally.translated += 1;
                        self.tally.ledger.add(&translated.ledger);
                        writeln!(self.output, "{}", translated.content)?;
                        Vec::new()
                    }
                    Err(problems) => problems,
                },
                Found::Broken(what) => vec![Problem::new("$", what)],
            };
            self.tally.read += 1;
            self.tally.refused += u64::from(!problems.is_empty());
            for problem in problems {
                tell(&format!("{place}: {problem}"));
            }
            if self.tally.read.is_multiple_of(every) {
                tell(&format!("{} records so far", self.tally.read));
            }
        }
        Ok(())
    }

    /// One record, or an entry of a Bundle; `None` for an entry that is to be passed over.
    fn one(&self, item: &[u8], is_entry: bool) -> Result<Option<Translated<String>>, Vec<Problem>> {
        let options = translation::Options {
            naming: &self.naming,
            today: &self.today,
            space: self.options.space.as_deref(),
            space_flag: "--space",
            brand: self.options.brand.as_deref(),
            legal_entity: self.options.legal_entity.as_deref(),
        };
        let mut record = item;
        if is_entry {
            match translation::entry(self.options.from, item).map_err(|problem| vec![problem])? {
                Entry::Record(inner) => record = inner,
                Entry::Other => return Ok(None),
            }
        }
        translation::translate(self.options.from, self.options.to, record, &options).map(Some)
    }
}
