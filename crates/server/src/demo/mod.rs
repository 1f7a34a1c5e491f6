//! `passerelle demo`: a sandbox that works at once, and keeps its data and credentials.

mod people;

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use engine::{Caller, Door, Engine, Refusal, Scopes, Session};
use fhir::{Interaction, Resource};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use store::Store;
use store::access::{Binding, Client};

use crate::auth::attributes::{self, ApiKeyDigest, new_api_key};
use crate::cli::{self, Kind, issue_key, say};
use crate::config::Settings;
use crate::rate::Allowance;
use crate::{log, start};

/// How often the load of one sample is tried while the database does not answer. Each try waits for it.
const LOAD_ATTEMPTS: u32 = 10;
const SPACE: &str = "demo";
const TRUST_SPACE: &str = "ts_demo00000001";
const BRAND: &str = "demo-brand";
const REALM: &str = "demo-realm";
const LEGAL_ENTITY: &str = "7cc91a5d-c02f-41e9-b571-1ea4f2375552";
const EHEALTH_USER: &str = "4261eacf-8008-4e62-899f-de1e2f7065f0";

/// What `passerelle demo` can be told.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Directory for demo.json and, unless --database names another, the database; created when missing
    #[arg(long, default_value = "demo-data", value_name = "DIR")]
    data: PathBuf,
    /// Load no sample data (what is there already stays)
    #[arg(long)]
    empty: bool,
    /// TOML file that completes the settings; the database that it names is not used
    // No environment variable: one that is set for a real server must not lead the demo to its data.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    // Whatever `serve` can be told, the demo can be: people try settings here first. Without --database the
    // data lies in DIR.
    #[command(flatten)]
    settings: Settings,
}

/// Runs the demo until it is told to stop.
///
/// # Errors
/// A sentence for the operator.
pub fn run(options: &Options) -> anyhow::Result<()> {
    std::fs::create_dir_all(&options.data)
        .with_context(|| format!("cannot create the directory {}", options.data.display()))?;
    let in_folder = format!("sqlite:{}", options.data.join("passerelle.db").display());
    let settings = Settings {
        database: Some(options.settings.database.clone().unwrap_or(in_folder)),
        ..options.settings.clone()
    };
    let mut settings = settings.with_file(options.config.as_ref())?;
    // On another database than the folder's, what is kept beside a database lies here all the same.
    settings.audit_key = settings
        .audit_key()
        .or_else(|| Some(options.data.join("passerelle.db.audit-key")));
    settings.audit_heads = settings
        .audit_heads()
        .or_else(|| Some(options.data.join("passerelle.db.audit-heads")));
    settings.erasure_ledger = settings
        .erasure_ledger()
        .or_else(|| Some(options.data.join("passerelle.erasures")));
    log::start(settings.log_format.as_deref())?;
    let file = options.data.join("demo.json");
    let ended = start::block_on(async {
        let prepared = start::prepare(&settings).await?;
        let doors = set_up(&prepared.store, &read_back(&file)).await?;
        // First: those who are loaded get their ids for the doors.
        prepared.auth.refresh(&prepared.engine).await?;
        cli::fill_in_patient_ids(&prepared.store).await?;
        if !options.empty {
            load(&prepared.engine).await?;
        }
        let (listener, address) = start::bind(&settings)?;
        let scheme = if settings.tls_certificate.is_some() {
            "https"
        } else {
            "http"
        };
        let base = format!("{scheme}://{address}");
        let (admin, admin_address) = start::bind_admin(&settings)?.unzip();
        let mut description = describe(&base, &doors);
        if let (Value::Object(entries), Some(address)) = (&mut description, admin_address) {
            entries.insert("admin".to_owned(), format!("http://{address}").into());
        }
        write_whole(&file, &description)?;
        print_welcome(&base, &doors, &file)?;
        start::run(listener, admin, prepared).await
    });
    ended.map_err(log::fatal)
}

/// The credentials of the demo.
struct Credentials {
    fhir: String,
    sas: String,
    cloud: String,
    connect: String,
    graph: String,
    ehealth: String,
    ehealth_api_key: String,
}

/// Space, bindings, clients and keys: creates what is missing. A key that demo.json still knows and the
/// database still accepts stays.
async fn set_up(store: &Store, known: &Value) -> anyhow::Result<Credentials> {
    let access = store.access();
    access.add_space(SPACE, true).await?;
    let words = [
        (Door::MedicappCloud, TRUST_SPACE),
        (Door::MedicappConnect, ""),
        (Door::PatientGraph, BRAND),
        (Door::Ehealth, REALM),
    ];
    for (door, word) in words {
        let binding = Binding {
            door: door.as_str().into(),
            word: word.into(),
            space: SPACE.into(),
        };
        access.add_binding(binding).await?;
    }
    let api_key = match text(known, "ehealth", "api_key") {
        Some(key) => key.to_owned(),
        None => new_api_key(),
    };
    for client in clients(&api_key) {
        access.put_client(client).await?;
    }
    let bearer = |entry: &str| text(known, entry, "bearer");
    Ok(Credentials {
        fhir: key_for(store, bearer("fhir"), "demo-fhir").await?,
        sas: key_for(store, bearer("sas"), "demo-sas").await?,
        cloud: key_for(store, bearer("medicapp-cloud"), "demo-medicapp-cloud").await?,
        connect: key_for(store, bearer("medicapp-connect"), "demo-medicapp-connect").await?,
        graph: key_for(store, bearer("patient-graph"), "demo-patient-graph").await?,
        ehealth: key_for(store, bearer("ehealth"), "demo-ehealth").await?,
        ehealth_api_key: api_key,
    })
}

fn clients(ehealth_api_key: &str) -> Vec<Client> {
    let client = |id: &str, name: &str, door: Door, scopes: &[&str]| Client {
        id: id.to_owned(),
        name: name.to_owned(),
        spaces: vec![SPACE.to_owned()],
        doors: vec![door.as_str().to_owned()],
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        policy: None,
        // Whoever tries it out measures it, too.
        attributes: vec![(
            attributes::RATE_LIMIT.to_owned(),
            Allowance::Unlimited.to_string(),
        )],
        enabled: true,
        expires: None,
    };
    let mut sas = client(
        "demo-sas",
        "SAS platform",
        Door::Fhir,
        &["system/Practitioner.crus"],
    );
    sas.policy = Some(engine::ClientPolicy::SasRegulator.as_str().to_owned());
    let partner = &["partner:administrative"];
    let mut ehealth = client(
        "demo-ehealth",
        "eHealth facility",
        Door::Ehealth,
        &["preperson:read", "preperson:write"],
    );
    let digest = ApiKeyDigest::of(ehealth_api_key.as_bytes()).to_string();
    let registry = [
        (attributes::LEGAL_ENTITY_ID, LEGAL_ENTITY),
        (attributes::LEGAL_ENTITY_TYPE, "OUTPATIENT"),
        (attributes::LEGAL_ENTITY_STATUS, "ACTIVE"),
        (attributes::USER_ID, EHEALTH_USER),
        (attributes::API_KEY_SHA256, &digest),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    ehealth.attributes.extend(registry);
    vec![
        client(
            "demo-fhir",
            "EHR",
            Door::Fhir,
            &[
                "system/Patient.cruds",
                "system/Practitioner.cruds",
                "system/AuditEvent.rs",
            ],
        ),
        sas,
        client(
            "demo-medicapp-cloud",
            "Medicapp cloud partner",
            Door::MedicappCloud,
            partner,
        ),
        client(
            "demo-medicapp-connect",
            "Medicapp connect partner",
            Door::MedicappConnect,
            partner,
        ),
        client(
            "demo-patient-graph",
            "Patient graph service",
            Door::PatientGraph,
            &["patient-graph:all"],
        ),
        ehealth,
    ]
}

async fn key_for(store: &Store, known: Option<&str>, client: &str) -> anyhow::Result<String> {
    if let Some(key) = known {
        let hash: [u8; 32] = Sha256::digest(key.as_bytes()).into();
        let accepted =
            |row: &store::access::ClientKey| row.client == client && row.hash == hash && !row.revoked;
        if store.access().snapshot().await?.keys.iter().any(accepted) {
            return Ok(key.to_owned());
        }
    }
    issue_key(store, client, Kind::OfDefaultSpace, None).await
}

/// Loads the sample people by conditional creates: a second start adds nobody twice.
async fn load(engine: &Engine) -> anyhow::Result<()> {
    let space = engine
        .store()
        .access()
        .snapshot()
        .await?
        .spaces
        .into_iter()
        .find(|space| space.id == SPACE);
    let space = space.context("the demo space is missing")?;
    let caller = Caller {
        client: "demo-loader".to_owned(),
        space: space.key,
        door: Door::Fhir,
        scopes: Scopes::parse(&["system/*.cruds"]).map_err(anyhow::Error::msg)?,
        policy: engine::ClientPolicy::None,
        request_id: "demo-load".to_owned(),
        author: "demo-loader".to_owned(),
        witness: engine::Witness::default(),
    };
    let session = engine.for_caller(Arc::new(caller));
    let people = people::all();
    let total = people.len();
    for (number, person) in people.into_iter().enumerate() {
        let refused = load_one(&session, &person).await?;
        if let Some(refusal) = refused {
            let texts: Vec<&str> = refusal.issues.iter().map(|issue| issue.text.as_str()).collect();
            anyhow::bail!("sample {number} was refused: {}", texts.join("; "));
        }
        let done = number + 1;
        if done == total || done % 8 == 0 {
            // Progress is for a person; a closed standard error is no reason to stop.
            let _ = write!(std::io::stderr(), "\rloading sample people: {done} of {total}");
        }
    }
    let _ = writeln!(std::io::stderr());
    Ok(())
}

/// Tries again while the database is busy: a start that others slow down is no reason to give up. Gives back
/// the refusal of the last try.
async fn load_one(session: &Session, person: &people::Person) -> anyhow::Result<Option<Refusal>> {
    let mut attempt = 1;
    loop {
        let result = session.run(conditional_create(person)?).await;
        match result.map_err(|error| error.refusal()) {
            Ok(_) => return Ok(None),
            Err(refusal) if refusal.status == 503 && attempt < LOAD_ATTEMPTS => attempt += 1,
            Err(refusal) => return Ok(Some(refusal)),
        }
    }
}

fn conditional_create(person: &people::Person) -> anyhow::Result<Interaction> {
    let Value::Object(tree) = person.resource.clone() else {
        anyhow::bail!("a sample is no object")
    };
    let resource = Resource::from_guarded(person.kind, tree);
    let criteria = fhir::query::Criteria {
        kind: person.kind,
        clauses: vec![fhir::query::Clause {
            param: fhir::query::SearchParam::Identifier,
            test: fhir::query::Test::Token(vec![fhir::query::TokenTest::SystemCode {
                system: person.system.clone(),
                code: person.value.clone(),
            }]),
        }],
    };
    Ok(Interaction::ConditionalCreate { criteria, resource })
}

fn describe(base: &str, keys: &Credentials) -> Value {
    let fhir = format!("{base}/fhir");
    json!({
        "base": base,
        "fhir": { "url": fhir, "bearer": keys.fhir },
        "sas": { "url": fhir, "bearer": keys.sas },
        "medicapp-cloud": {
            "url": format!("{base}/cloud/partner/v5"), "bearer": keys.cloud, "trustSpaceUuid": TRUST_SPACE
        },
        "medicapp-connect": { "url": format!("{base}/v5"), "bearer": keys.connect },
        "patient-graph": { "url": format!("{base}/v1"), "bearer": keys.graph, "brand_id": BRAND },
        "ehealth": { "url": format!("{base}/api"), "bearer": keys.ehealth, "api_key": keys.ehealth_api_key },
    })
}

/// What an earlier start wrote; nothing when there is none or it cannot be read.
fn read_back(file: &Path) -> Value {
    let bytes = std::fs::read(file).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or(Value::Object(Map::new()))
}

fn text<'v>(known: &'v Value, entry: &str, field: &str) -> Option<&'v str> {
    known.get(entry)?.get(field)?.as_str()
}

/// Writes beside and renames: whoever reads the file reads all of it.
fn write_whole(file: &Path, content: &Value) -> anyhow::Result<()> {
    let beside = file.with_extension("json.new");
    let text = serde_json::to_string_pretty(content)?;
    // It holds credentials. What a start that was cut short left must not lend it its mode.
    let _ = std::fs::remove_file(&beside);
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)
        .and_then(|mut new| new.write_all((text + "\n").as_bytes()))
        .and_then(|()| std::fs::rename(&beside, file))
        .with_context(|| format!("cannot write {}", file.display()))
}

fn print_welcome(base: &str, keys: &Credentials, file: &Path) -> anyhow::Result<()> {
    let sample = people::regulator_to_try();
    say(&format!(
        r#"Passerelle demo at {base} (credentials of all doors: {file})

Read a page of patients:
  curl -H 'Authorization: Bearer {fhir}' '{base}/fhir/Patient?_count=3&_pretty=true'

Find a practitioner by identifier:
  curl -H 'Authorization: Bearer {fhir}' --get '{base}/fhir/Practitioner' --data-urlencode 'identifier={system}|{value}'

Push a regulator's account as SAS does (201 the first time, 200 ever after):
  curl -i -X PUT -H 'Authorization: Bearer {sas}' -H 'Content-Type: application/fhir+json' \
    '{base}/fhir/Practitioner?identifier={system}%7C{value}' \
    -d '{sample}'

The same patients as a patient-graph service sees them:
  curl -H 'Authorization: Bearer {graph}' '{base}/v1/patients?brand_id={brand}&limit=3'

And a Medicapp partner: the list, and a patient that is created once however often it is sent:
  curl -H 'Authorization: Bearer {connect}' '{base}/v5/patients?per_page=2'
  curl -H 'Authorization: Bearer {cloud}' -H 'Content-Type: application/json' '{base}/cloud/partner/v5/patients' \
    -d '{{"trustSpaceUuid":"{trust_space}","firstName":"Sophie","lastName":"Bernard","birthDate":"1988-11-03","gender":"F","externalId":"EMP-4821"}}'

Somebody nobody knows yet, in the eHealth registry:
  curl -H 'Authorization: Bearer {ehealth}' -H 'API-key: {api_key}' -H 'Content-Type: application/json' \
    '{base}/api/prepersons' -d '{{"external_id":"ward-7","gender":"MALE","note":"unconscious, about 40"}}'

What this server can do:
  curl '{base}/fhir/metadata?_pretty=true'

Ctrl-C stops it; the data stays."#,
        fhir = keys.fhir,
        sas = keys.sas,
        graph = keys.graph,
        brand = BRAND,
        connect = keys.connect,
        cloud = keys.cloud,
        trust_space = TRUST_SPACE,
        ehealth = keys.ehealth,
        api_key = keys.ehealth_api_key,
        file = file.display(),
        system = people::INTRN,
        value = people::TRY_VALUE,
    ))
}
