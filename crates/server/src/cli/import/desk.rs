//! One record into the space: found, created, replaced or refused, in one atomic step each.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use adapters::naming::Naming;
use adapters::translate::{self as translation, Dialect, Import, Likeness, Problem, Translated};
use anyhow::bail;
use engine::{CANDIDATES, Door, Engine, Error, RandomIds, Reply, Session, WriteReply, Written};
use fhir::canonical;
use fhir::interaction::{FindOrCreate, Judge, Judgement, Precondition, Refusal};
use fhir::query::{Criteria, Query, Total};
use fhir::{Id, Identifier, Interaction, Issue, IssueCode, Resource, ResourceType};
use store::access::{AccessSnapshot, Space};
use store::{Store, StoreError, Stored};
use uuid::Uuid;

use super::{Options, caller, explained, space_of};
use crate::alias::Aliases;
use crate::auth;
use crate::cli::translate::today;
use crate::config::Settings;
use crate::start;

/// The setting under which a database has a name of its own, so that a progress file is not taken for another's.
const DATABASE_ID: &str = "database-id";
/// How often a record is tried while the database is busy or away.
const ATTEMPTS: u32 = 12;
/// The first wait between two tries, in milliseconds; each is twice the one before, up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// The longest wait between two tries, in seconds.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// Patients of one page when all that could be equal are looked through.
const PAGE: u32 = 500;

/// What became of a record.
pub(super) enum Outcome {
    /// It is no Patient.
    PassedOver,
    /// Nobody was found: the person is new.
    Created,
    /// The person is there, and was left alone.
    ThereAlready,
    /// The person is there, and has another content now.
    Replaced,
    /// It could not be stored.
    Refused(Vec<Problem>),
}

/// What is to be known for reading a record.
pub(super) struct Words {
    from: Dialect,
    naming: Naming,
    aliases: Aliases,
    today: String,
    word: Option<String>,
    brand: Option<String>,
    legal_entity: Option<String>,
}

impl Words {
    fn new(
        options: &Options,
        space: &Space,
        snapshot: &AccessSnapshot,
        naming: Naming,
        settings: &Settings,
    ) -> Words {
        let bound = |door: Door| {
            let mut words = snapshot
                .bindings
                .iter()
                .filter(|binding| binding.door == door.as_str() && binding.space == space.id)
                .map(|binding| binding.word.clone());
            // Of several none is meant.
            words.next().filter(|_| words.next().is_none())
        };
        let word = match options.from {
            Dialect::MedicappCloud => options.word.clone().or_else(|| bound(Door::MedicappCloud)),
            // This door's word for a space is the space's id.
            _ => options.word.clone().or_else(|| Some(space.id.clone())),
        };
        Words {
            from: options.from,
            aliases: Aliases::new(naming.base(), snapshot, &settings.naming_oids),
            naming,
            today: options.today.clone().unwrap_or_else(today),
            word,
            brand: options.brand.clone().or_else(|| bound(Door::PatientGraph)),
            legal_entity: options.legal_entity.clone(),
        }
    }

    /// The dialect of the records.
    pub(super) fn from(&self) -> Dialect {
        self.from
    }

    /// A record as it is to be stored.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub(super) fn translate(&self, record: &[u8]) -> Result<Translated<Import>, Vec<Problem>> {
        let options = translation::Options {
            naming: &self.naming,
            today: &self.today,
            space: self.word.as_deref(),
            space_flag: "--word",
            brand: self.brand.as_deref(),
            legal_entity: self.legal_entity.as_deref(),
        };
        let mut translated = translation::import(self.from, record, &options)?;
        let import = &mut translated.content;
        self.aliases.rewrite_resource(&mut import.patient);
        import.key = translation::idempotency_key(&import.patient, &self.naming);
        Ok(translated)
    }

    /// By what the Patient could be recognised.
    pub(super) fn names(&self, import: &Import) -> Vec<String> {
        let held = fhir::identifier::of(&import.patient).map(|held| held.identifier);
        let mut names: Vec<String> = held
            .map(|Identifier { system, value }| format!("{system}|{value}"))
            .chain(import.patient.body_id().map(str::to_owned))
            .collect();
        if import.key.is_none() {
            names.push(Likeness::of(&import.patient, &self.naming).name());
        }
        names
    }
}

/// Where records are stored.
pub(super) struct Desk {
    session: Session,
    words: Arc<Words>,
    replace: bool,
}

impl Desk {
    /// Looks up space and naming base.
    ///
    /// # Errors
    /// A sentence when there is no such space, or another naming base.
    pub(super) async fn new(store: &Store, options: &Options, settings: &Settings) -> anyhow::Result<Desk> {
        let access = store.access();
        let snapshot = access.snapshot().await?;
        let space = space_of(&snapshot, &options.space)?;
        let fixed = access
            .put_setting_once(start::NAMING_BASE, settings.naming_base())
            .await?;
        if settings.naming_base.is_some() && settings.naming_base() != fixed {
            bail!(
                "this database has the naming base {fixed}, and identifiers in it carry that: leave --naming-base out, or \
                 name another database"
            );
        }
        let naming = Naming::new(&fixed);
        let keys = auth::key_systems(naming.base(), &snapshot);
        let engine = Engine::new(store.clone(), Arc::new(RandomIds), keys)
            .with_profiles(start::profiles(naming.base())?);
        let door = Door::parse(options.from.as_str()).unwrap_or(Door::Fhir);
        let caller = caller(
            "import",
            (space, door),
            "system/Patient.cruds",
            &snapshot,
            &naming,
        )?;
        Ok(Desk {
            session: engine.for_caller(Arc::new(caller)),
            words: Arc::new(Words::new(options, space, &snapshot, naming, settings)),
            replace: options.replace,
        })
    }

    /// What is to be known for reading a record.
    pub(super) fn words(&self) -> Arc<Words> {
        Arc::clone(&self.words)
    }

    /// The name of the database, given when it is first asked for.
    ///
    /// # Errors
    /// What the store says.
    pub(super) async fn database(&self, store: &Store) -> anyhow::Result<String> {
        let fresh = Uuid::new_v4().to_string();
        Ok(store.access().put_setting_once(DATABASE_ID, &fresh).await?)
    }

    /// Stores one record, however long the database is busy.
    ///
    /// # Errors
    /// A sentence when the database does not work: no record would fare better.
    pub(super) async fn keep(&self, import: Import) -> anyhow::Result<Outcome> {
        let mut wait = FIRST_WAIT;
        for attempt in 1.. {
            let error = match self.once(&import).await {
                Ok(outcome) => return Ok(outcome),
                Err(error) => error,
            };
            match &error {
                Error::Store(StoreError::Contention(_) | StoreError::Unavailable(_))
                | Error::NotFound(_)
                | Error::Gone { .. }
                    if attempt < ATTEMPTS => {}
                Error::Store(_) => return Err(explained(&error)),
                refused => return Ok(Outcome::Refused(self.problems(refused, &import))),
            }
            actix_web::rt::time::sleep(wait).await;
            wait = LONGEST_WAIT.min(2 * wait);
        }
        bail!("the record was never tried")
    }

    async fn once(&self, import: &Import) -> Result<Outcome, Error> {
        let reply = self.find_or_create(import).await?;
        match reply.written {
            Written::Created => Ok(Outcome::Created),
            _ if !self.replace => Ok(Outcome::ThereAlready),
            _ => self.put(reply.stored, import).await,
        }
    }

    async fn find_or_create(&self, import: &Import) -> Result<WriteReply, Error> {
        let (wanted, overflow) = self.wanted(import);
        match self.written(Interaction::FindOrCreate(wanted)).await {
            // Too many are alike for one look.
            Err(Error::Rule(_)) if overflow.load(Ordering::Relaxed) => match self.look_through(import).await?
            {
                Some(stored) => Ok(WriteReply {
                    body: engine::reply::Body::Shown,
                    written: Written::Found,
                    stored,
                    issues: Vec::new(),
                    remark: None,
                }),
                None => self.create(import).await,
            },
            // Somebody else has the id, or had it: the person gets a fresh one.
            Err(Error::IdInUse(_)) => {
                let (wanted, _) = self.wanted(import);
                let wanted = FindOrCreate { id: None, ..wanted };
                self.written(Interaction::FindOrCreate(wanted)).await
            }
            done => done,
        }
    }

    /// Who is looked for, and whom to create otherwise; beside it, whether more are alike than can be judged.
    fn wanted(&self, import: &Import) -> (FindOrCreate, Arc<AtomicBool>) {
        let overflow = Arc::new(AtomicBool::new(false));
        let (search, judge, alone): (Criteria, Judge, Vec<String>) = match &import.key {
            Some(key) => {
                let (words, imported) = (self.words(), import.patient.clone());
                // Beside whom a given key stands, its resource does not say: a value of it has one owner for ever.
                let is_given = translation::is_given(&key.system, &words.naming);
                let judge = move |found: &[Resource]| {
                    let known = |stored: &Resource| {
                        is_given || translation::is_known_by_key(stored, &imported, &words.naming)
                    };
                    let position = found.iter().position(known);
                    position.map_or(Judgement::Create { remark: None }, found_at)
                };
                let search = Criteria::by_identifier(ResourceType::Patient, key);
                (search, Box::new(judge), Vec::new())
            }
            None => {
                let likeness = Likeness::of(&import.patient, &self.words.naming);
                let (alone, overflow) = (likeness.name(), Arc::clone(&overflow));
                let judge =
                    move |found: &[Resource]| match found.iter().position(|stored| likeness.is(stored)) {
                        Some(position) => found_at(position),
                        None if found.len() < CANDIDATES => Judgement::Create { remark: None },
                        None => {
                            overflow.store(true, Ordering::Relaxed);
                            let issue = Issue::error(IssueCode::Conflict, "Too many are alike.");
                            Judgement::Refuse(Refusal { issues: vec![issue] })
                        }
                    };
                (Likeness::criteria(&import.patient), Box::new(judge), vec![alone])
            }
        };
        let wanted = FindOrCreate {
            searches: vec![search],
            judge,
            alone,
            resource: import.patient.clone(),
            id: import.patient.body_id().and_then(Id::parse),
        };
        (wanted, overflow)
    }

    /// Creates, since all that could be equal have been looked through.
    async fn create(&self, import: &Import) -> Result<WriteReply, Error> {
        let create = |id: Option<Id>| {
            Interaction::FindOrCreate(FindOrCreate {
                searches: Vec::new(),
                judge: Box::new(|_| Judgement::Create { remark: None }),
                alone: Vec::new(),
                resource: import.patient.clone(),
                id,
            })
        };
        let own = import.patient.body_id().and_then(Id::parse);
        match self.written(create(own)).await {
            Err(Error::IdInUse(_)) => self.written(create(None)).await,
            done => done,
        }
    }

    /// The one among all that could be equal which is.
    async fn look_through(&self, import: &Import) -> Result<Option<Stored>, Error> {
        let likeness = Likeness::of(&import.patient, &self.words.naming);
        let mut cursor = None;
        loop {
            let query = Query {
                count: PAGE,
                total: Total::None,
                cursor,
                ..Query::of(Likeness::criteria(&import.patient))
            };
            let Reply::Page(page) = self.session.run(Interaction::Search(query)).await? else {
                return Err(broken("a search has no page"));
            };
            for stored in page.matches {
                let tree = canonical::read(&stored.body).map_err(|_| broken("a stored body is no JSON"))?;
                if likeness.is(&Resource::from_guarded(stored.target.kind, tree)) {
                    return Ok(Some(stored));
                }
            }
            cursor = page.next;
            if cursor.is_none() {
                return Ok(None);
            }
        }
    }

    /// Puts the imported content in the place of what is there.
    async fn put(&self, stored: Stored, import: &Import) -> Result<Outcome, Error> {
        let (words, imported) = (self.words(), import.patient.clone());
        let allocated = stored.medicapp_id;
        let edit = move |stored: &Resource| {
            Ok(translation::replacement(
                stored,
                allocated.as_deref(),
                &imported,
                &words.naming,
            ))
        };
        let interaction = Interaction::Edit {
            target: stored.target,
            edit: Box::new(edit),
            precondition: Precondition::None,
        };
        Ok(match self.written(interaction).await?.written {
            Written::Unchanged => Outcome::ThereAlready,
            _ => Outcome::Replaced,
        })
    }

    async fn written(&self, interaction: Interaction) -> Result<WriteReply, Error> {
        match self.session.run(interaction).await? {
            Reply::Written(reply) => Ok(reply),
            _ => Err(broken("a write has no reply of one")),
        }
    }

    /// Why a record is refused, with the place in it. Values are not repeated: they may be personal.
    fn problems(&self, error: &Error, import: &Import) -> Vec<Problem> {
        match error {
            Error::Duplicate { system, owner, .. } => {
                let words = &self.words;
                let field = translation::field_of(words.from, system, &import.patient, &words.naming);
                let owner = owner
                    .as_ref()
                    .map_or_else(|| "another Patient".to_owned(), |(target, _)| target.to_string());
                let known_by = match &import.key {
                    Some(key) => format!("its value of {}", key.system),
                    None => "its whole content".to_owned(),
                };
                let text = format!(
                    "belongs to {owner} already, as a value of {system}, and the record, which is known by {known_by}, is \
                     not that one; correct the one or the other"
                );
                vec![Problem::new(&field, text)]
            }
            error => {
                let issues = error.refusal().issues.into_iter().filter(Issue::is_error);
                issues
                    .map(|issue| Problem::new(issue.expression.as_deref().unwrap_or("$"), issue.text))
                    .collect()
            }
        }
    }
}

fn found_at(position: usize) -> Judgement {
    Judgement::Found {
        position,
        remark: None,
    }
}

fn broken(what: &str) -> Error {
    Error::Store(StoreError::Internal(what.to_owned()))
}
