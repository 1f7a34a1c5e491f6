use std::path::PathBuf;

use fhir::Timestamp;

use super::block::{read_hashes, read_numbers, write_hashes, write_numbers};
use super::head::{Head, append, read_heads};
use super::key::{Keys, Signer};

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("trail-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn head(signer: Option<&Signer>) -> Head {
    let mut head = Head {
        space: 3,
        block: 2,
        count: 1_500,
        hash: [7; 32],
        digest: [9; 32],
        time: Timestamp::from_micros(1_795_000_000_123_456),
        key_id: signer.map(|signer| signer.id().to_owned()).unwrap_or_default(),
        signature: Vec::new(),
    };
    if let Some(signer) = signer {
        head.signature = signer.sign(&head.message());
    }
    head
}

/// A file that is its owner's alone.
fn write_private(path: &std::path::Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn lists_are_read_as_they_were_written() {
    for numbers in [
        vec![],
        vec![1, 2, 3],
        vec![5, 4, 1_000_000, -7, i64::MAX, i64::MIN, 0],
        (1..=1_024).collect(),
    ] {
        let bytes = write_numbers(&numbers);
        assert_eq!(read_numbers(&bytes), Some(numbers));
    }
    assert_eq!(write_numbers(&(1..=1_024).collect::<Vec<_>>()).len(), 1_024);
    assert_eq!(read_numbers(&[0x80]), None);
    assert_eq!(read_numbers(&[0xff; 11]), None);
    assert_eq!(
        read_hashes(&write_hashes(&[1, u32::MAX])),
        Some(vec![1, u32::MAX])
    );
    assert_eq!(read_hashes(&[1, 2, 3]), None);
}

#[test]
fn a_key_is_made_once_for_its_owner_alone_and_its_public_half_verifies() {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder("key").join("audit-key");
    let signer = Signer::load_or_make(&path).unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(Signer::load_or_make(&path).unwrap().id(), signer.id());
    let public = Keys::load(&path.with_file_name("audit-key.pub")).unwrap();
    let head = head(Some(&signer));
    assert!(head.is_signed_by(&public) && head.is_signed_by(&Keys::load(&path).unwrap()));
    assert!(!head.is_signed_by(&Keys::default()));
    let changed = Head { count: 1_499, ..head };
    assert!(!changed.is_signed_by(&public));
    std::fs::remove_file(&path).unwrap();
    let gone = Signer::load_or_make(&path).map(|signer| signer.id().to_owned());
    assert!(gone.unwrap_err().contains("says that there was one"));
    assert!(!path.exists(), "a new key stands for the one that is lost");
    write_private(&path, "no key");
    assert!(Signer::load_or_make(&path).is_err());
    assert!(Keys::load(&path).unwrap_err().contains("holds no Ed25519 key"));
    std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
}

#[test]
fn a_key_that_another_tool_made_is_read() {
    // openssl genpkey -algorithm ed25519, and its public key: RFC 8410, 10.
    let path = folder("foreign").join("key.pem");
    let text = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
    std::fs::write(&path, text).unwrap();
    let open = Signer::load(&path).map(|_| ());
    assert!(open.unwrap_err().contains("chmod 600"));
    write_private(&path, text);
    let signer = Signer::load_or_make(&path).unwrap();
    let public = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
    std::fs::write(&path, public).unwrap();
    assert!(head(Some(&signer)).is_signed_by(&Keys::load(&path).unwrap()));
    std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
}

#[test]
fn heads_are_read_as_they_were_written_and_a_torn_line_harms_no_other() {
    let path = folder("heads").join("heads");
    let head = head(None);
    append(&path, &[head.clone(), head.clone()]).unwrap();
    assert_eq!(read_heads(&path).unwrap(), [head.clone(), head.clone()]);
    // Killed in the middle of a line.
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.get(..text.len() - 30).unwrap()).unwrap();
    assert_eq!(read_heads(&path).unwrap(), std::slice::from_ref(&head));
    append(&path, std::slice::from_ref(&head)).unwrap();
    assert_eq!(read_heads(&path).unwrap(), [head.clone(), head]);
    std::fs::write(&path, "something else\n").unwrap();
    assert!(read_heads(&path).unwrap_err().contains("line 1"));
    std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
}
