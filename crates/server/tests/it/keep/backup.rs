//! Backups of SQLite: made while a server runs, known to be whole, restored without a way to lose anything by mistake.

use std::path::PathBuf;

use testkit::harness::{Context, Test};
use testkit::sweep::TemporaryFolder;
use testkit::tests;

use super::*;

pub const SQLITE: &[Test] = tests![
    a_backup_of_a_running_server_is_whole_and_becomes_a_database,
    a_backup_overwrites_nothing,
    a_damaged_backup_is_told_and_not_restored,
    a_backup_and_its_manifest_belong_together,
    a_backup_of_a_database_with_faults_is_made_and_tells_them,
    no_command_makes_the_database_that_it_was_to_look_at,
    what_a_killed_restore_left_does_no_harm,
    a_restore_replaces_only_what_is_nobodys_and_when_told_so,
    a_restore_wants_the_ledger_unless_told_so,
];

pub const POSTGRES: &[Test] = tests![on_postgresql_a_backup_says_what_to_do_and_shows_no_password];

struct Place(TemporaryFolder);

impl Place {
    fn new() -> Place {
        Place(TemporaryFolder::new("backup"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }
}

/// `passerelle restore`, with the ledger of a server.
fn restore(context: &Context, server: &Server, arguments: &[&str]) -> Output {
    passerelle(context, server, &[&["restore"], arguments].concat())
}

#[track_caller]
fn back_up(context: &Context, server: &Server, to: &str) -> String {
    succeeds(context, server, &["backup", "--to", to])
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).expect("a file").permissions().mode() & 0o777
}

fn a_backup_of_a_running_server_is_whole_and_becomes_a_database(context: &Context) {
    let (server, fhir) = context.fhir();
    let place = Place::new();
    let id = fhir
        .post("/Patient")
        .json(&patient(&unique()))
        .send()
        .expect(201)
        .id();
    let gone = somebody(&server, "Gone");
    gone.erase(&server);
    let backup = place.text("monday.db");
    let said = back_up(context, &server, &backup);
    for words in ["resources 2", "superseded versions 1", "erasures 1", "sha256"] {
        assert!(said.contains(words), "{said}");
    }
    assert_eq!(
        (
            mode(&place.path("monday.db")),
            mode(&place.path("monday.db.manifest"))
        ),
        (0o600, 0o600)
    );
    let manifest: Value =
        serde_json::from_slice(&std::fs::read(place.path("monday.db.manifest")).expect("a manifest"))
            .expect("JSON");
    assert_eq!(manifest["rows"]["resource"], 2);
    assert!(ledger_of(&server).contains(manifest["erasure-ledger"].as_str().expect("a ledger")));
    let said = succeeds(context, &server, &["verify", &backup]);
    assert!(said.contains("is whole"), "{said}");
    // What comes later is not in it.
    fhir.post("/Patient").json(&patient(&unique())).send().expect(201);
    let to = place.text("restored.db");
    let output = restore(context, &server, &[&backup, "--to", &format!("sqlite:{to}")]);
    assert!(output.status.success(), "{output:?}");
    let left: Vec<String> = std::fs::read_dir(place.0.path())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .filter(|name| !["monday.db", "monday.db.manifest", "restored.db"].contains(&name.as_str()))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    let restored = context
        .settings()
        .database_url(&format!("sqlite:{to}"))
        .argument("--erasure-ledger")
        .argument(&server.erasure_ledger().display().to_string())
        .argument("--audit-key")
        .argument(
            &server
                .data_folder()
                .join("passerelle.db.audit-key")
                .display()
                .to_string(),
        )
        .start();
    let there = restored.client("fhir");
    assert_eq!((read(&there, &id), read(&there, &gone.id)), (200, 410));
    let total = there.get("/Patient?_total=accurate").send().expect(200).json();
    assert_eq!(total["total"], 1);
}

fn a_backup_overwrites_nothing(context: &Context) {
    let server = context.server();
    let place = Place::new();
    let backup = place.text("a.db");
    back_up(context, &server, &backup);
    let before = std::fs::read(&backup).expect("a backup");
    let sentence = fails(context, &server, &["backup", "--to", &backup]);
    assert!(sentence.contains("exists; choose another name"), "{sentence}");
    assert_eq!(std::fs::read(&backup).expect("a backup"), before);
    std::fs::remove_file(&backup).expect("removed");
    let sentence = fails(context, &server, &["backup", "--to", &backup]);
    assert!(sentence.contains("a.db.manifest exists"), "{sentence}");
    let sentence = fails(
        context,
        &server,
        &["backup", "--to", &place.text("no/such/folder.db")],
    );
    assert!(sentence.contains("cannot write"), "{sentence}");
    let missing = passerelle(
        context,
        &server,
        &[
            "backup",
            "--to",
            &place.text("b.db"),
            "--database",
            &format!("sqlite:{}", place.text("none.db")),
        ],
    );
    assert!(said(&missing).contains("there is no database at"), "{missing:?}");
    assert!(!place.path("none.db").exists(), "a database was made");
}

fn a_damaged_backup_is_told_and_not_restored(context: &Context) {
    let (server, fhir) = context.fhir();
    for _ in 0..40 {
        fhir.post("/Patient").json(&patient(&unique())).send().expect(201);
    }
    let place = Place::new();
    let (backup, to) = (place.text("a.db"), place.text("restored.db"));
    back_up(context, &server, &backup);
    let whole = std::fs::read(&backup).expect("a backup");
    let mut random = context.random();
    let mut damaged: Vec<Vec<u8>> = (0..6)
        .map(|_| {
            let mut bytes = whole.clone();
            let at = random.below(bytes.len());
            bytes[at] ^= 0x40;
            bytes
        })
        .collect();
    damaged.push(whole[..whole.len() - 1].to_vec());
    damaged.push(whole[..whole.len() / 2].to_vec());
    damaged.push(Vec::new());
    for bytes in damaged {
        std::fs::write(&backup, bytes).expect("damaged");
        let sentence = fails(context, &server, &["verify", &backup]);
        assert!(sentence.contains("do not restore this backup"), "{sentence}");
        let output = restore(context, &server, &[&backup, "--to", &to]);
        assert!(!output.status.success(), "{output:?}");
        assert!(
            said(&output).contains("is not whole; nothing was restored"),
            "{output:?}"
        );
        assert!(!Path::new(&to).exists());
    }
}

fn a_backup_and_its_manifest_belong_together(context: &Context) {
    let server = context.server();
    let place = Place::new();
    let (backup, to) = (place.text("a.db"), place.text("restored.db"));
    back_up(context, &server, &backup);
    let manifest = place.path("a.db.manifest");
    let text = std::fs::read_to_string(&manifest).expect("a manifest");
    let other = text.replace("\"resource\": 0", "\"resource\": 7");
    assert_ne!(other, text);
    for (content, words) in [
        (other.as_str(), "resource has 0 rows, and had 7"),
        ("{}", "is no manifest"),
        (&text.replace("\"form\": 1", "\"form\": 2"), "newer server"),
    ] {
        std::fs::write(&manifest, content).expect("changed");
        let told = passerelle(context, &server, &["verify", &backup]);
        assert!(!told.status.success());
        let told = format!("{}{}", String::from_utf8_lossy(&told.stdout), said(&told));
        assert!(told.contains(words), "{told}");
    }
    std::fs::remove_file(&manifest).expect("removed");
    for output in [
        passerelle(context, &server, &["verify", &backup]),
        restore(context, &server, &[&backup, "--to", &to]),
    ] {
        assert!(said(&output).contains("a.db.manifest is missing"), "{output:?}");
    }
    assert!(!Path::new(&to).exists());
}

fn a_backup_of_a_database_with_faults_is_made_and_tells_them(context: &Context) {
    let (server, fhir) = context.fhir();
    let id = fhir
        .post("/Patient")
        .json(&patient(&unique()))
        .send()
        .expect(201)
        .id();
    execute(
        &server,
        &format!("UPDATE resource SET version = 3 WHERE id = '{id}'"),
    );
    let place = Place::new();
    let (backup, to) = (place.text("a.db"), place.text("restored.db"));
    let sentence = fails(context, &server, &["backup", "--to", &backup]);
    assert!(
        sentence.contains("whose versions are not consecutive: 1"),
        "{sentence}"
    );
    assert!(sentence.contains("the backup was made"), "{sentence}");
    let sentence = fails(context, &server, &["verify", &backup]);
    assert!(
        sentence.contains("which the database had when it was backed up"),
        "{sentence}"
    );
    let output = restore(context, &server, &[&backup, "--to", &to]);
    assert!(output.status.success(), "{output:?}");
    let checked = passerelle(
        context,
        &server,
        &["check", "--database", &format!("sqlite:{to}")],
    );
    assert!(!checked.status.success());
    assert!(
        String::from_utf8_lossy(&checked.stdout).contains("not consecutive from 1"),
        "{checked:?}"
    );
}

fn no_command_makes_the_database_that_it_was_to_look_at(context: &Context) {
    let server = context.server();
    let place = Place::new();
    let database = format!("sqlite:{}", place.text("typo.db"));
    let commands: [&[&str]; 3] = [
        &["check"],
        &["erase", "--space", "demo", "Patient/x"],
        &["backup", "--to", &place.text("a.db")],
    ];
    for arguments in commands {
        let arguments = [arguments, &["--database", &database]].concat();
        let sentence = fails(context, &server, &arguments);
        assert!(
            sentence.contains("there is no database at"),
            "{arguments:?}: {sentence}"
        );
        assert!(!place.path("typo.db").exists(), "{arguments:?} made one");
    }
}

fn what_a_killed_restore_left_does_no_harm(context: &Context) {
    let server = context.server();
    let person = somebody(&server, "Kept");
    let place = Place::new();
    let (backup, to) = (place.text("a.db"), place.text("restored.db"));
    back_up(context, &server, &backup);
    // Half a copy, and the log of one.
    for (name, bytes) in [
        ("restored.db.restoring", &b"half"[..]),
        ("restored.db.restoring-wal", &[7; 5000]),
    ] {
        std::fs::write(place.path(name), bytes).expect("left behind");
    }
    std::fs::write(place.path("b.db.part"), "half").expect("left behind");
    back_up(context, &server, &place.text("b.db"));
    succeeds(context, &server, &["verify", &place.text("b.db")]);
    let output = restore(context, &server, &[&backup, "--to", &to]);
    assert!(output.status.success(), "{output:?}");
    let check = ["check", "--database", &format!("sqlite:{to}")];
    assert_eq!(succeeds(context, &server, &check), "");
    assert_eq!(person.status(&server), 200);
}

fn a_restore_replaces_only_what_is_nobodys_and_when_told_so(context: &Context) {
    let mut server = context.server();
    let place = Place::new();
    let backup = place.text("a.db");
    let kept = somebody(&server, "Kept");
    back_up(context, &server, &backup);
    let later = somebody(&server, "Later");
    let database = server.data_folder().join("passerelle.db").display().to_string();
    let output = restore(context, &server, &[&backup, "--to", &database]);
    assert!(
        said(&output).contains("exists; restore to another name, or say --force"),
        "{output:?}"
    );
    let output = restore(context, &server, &[&backup, "--to", &database, "--force"]);
    assert!(said(&output).contains("is in use"), "{output:?}");
    assert_eq!((kept.status(&server), later.status(&server)), (200, 200));
    // Killed: what is in its log belongs to the old database.
    server.kill9();
    let output = restore(context, &server, &[&backup, "--to", &database, "--force"]);
    assert!(output.status.success(), "{output:?}");
    server.restart();
    assert_eq!((kept.status(&server), later.status(&server)), (200, 404));
    let output = restore(
        context,
        &server,
        &[&backup, "--to", "postgres://a:secret@host/db"],
    );
    assert!(
        said(&output).contains("PostgreSQL is restored by its own tools"),
        "{output:?}"
    );
}

fn a_restore_wants_the_ledger_unless_told_so(context: &Context) {
    let server = context.server();
    let place = Place::new();
    let (backup, to) = (place.text("a.db"), place.text("restored.db"));
    let person = somebody(&server, "Gone");
    back_up(context, &server, &backup);
    person.erase(&server);
    let elsewhere = |more: &[&str]| {
        let mut command = command(context);
        command.args(["restore", &backup, "--to", &to]).args(more);
        command.output().expect("the binary runs")
    };
    let output = elsewhere(&[]);
    assert!(!output.status.success());
    assert!(
        said(&output).contains("the erasure ledger of this database is missing"),
        "{output:?}"
    );
    assert!(!Path::new(&to).exists() && !place.path("restored.db.restoring").exists());
    let output = elsewhere(&["--without-erasure-ledger"]);
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("erased again: 0"));
    std::fs::remove_file(&to).expect("removed");
    let ledger = server.erasure_ledger().display().to_string();
    let output = elsewhere(&["--erasure-ledger", &ledger]);
    assert!(output.status.success(), "{output:?}");
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("erased again: 1"),
        "{output:?}"
    );
}

fn on_postgresql_a_backup_says_what_to_do_and_shows_no_password(context: &Context) {
    let place = Place::new();
    let mut command = command(context);
    command.args(["backup", "--to", &place.text("a.dump")]).env(
        "PASSERELLE_DATABASE",
        "postgres://passerelle:s3cret@db.example/clinic?password=s3cret",
    );
    let output = command.output().expect("the binary runs");
    assert!(!output.status.success());
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    for words in [
        "pg_dump",
        "pg_restore",
        "postgres://passerelle@db.example/clinic",
        "docs/backup.md",
    ] {
        assert!(printed.contains(words), "{printed}");
    }
    assert!(
        !printed.contains("s3cret") && !said(&output).contains("s3cret"),
        "{output:?}"
    );
    assert!(said(&output).contains("nothing was written"), "{output:?}");
}
