use std::path::PathBuf;

use crate::config::Settings;

fn settings(database: &str) -> Settings {
    Settings {
        database: Some(database.to_owned()),
        ..Settings::default()
    }
}

#[test]
fn key_and_heads_lie_beside_a_sqlite_file_and_nowhere_by_themselves_otherwise() {
    let own = settings("sqlite:/srv/data/passerelle.db");
    assert_eq!(
        own.audit_key(),
        Some(PathBuf::from("/srv/data/passerelle.db.audit-key"))
    );
    assert_eq!(
        own.audit_heads(),
        Some(PathBuf::from("/srv/data/passerelle.db.audit-heads"))
    );
    let server = settings("postgres://somebody@host/name");
    assert_eq!((server.audit_key(), server.audit_heads()), (None, None));
    let named = Settings {
        audit_key: Some(PathBuf::from("/etc/key")),
        ..server
    };
    assert_eq!(named.audit_key(), Some(PathBuf::from("/etc/key")));
}
