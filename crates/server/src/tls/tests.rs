use testkit::sweep::TemporaryFolder;
use testkit::tls::{Authority, Issued, Subject};

use super::*;

/// 2030-01-01T00:00:00Z, where the list of these tests ends.
const END: u64 = 1_893_456_000;

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

/// The TLS behind a proxy: CAs and a list alone.
fn tls(folder: &TemporaryFolder, ca: &Authority, list: &str) -> Tls {
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("ca.pem"), ca.pem()).expect("a file");
    std::fs::write(path("crl.pem"), list).expect("a file");
    Tls::load(Files {
        certificate: None,
        client_ca: Some(path("ca.pem")),
        client_crl: vec![path("crl.pem")],
    })
    .expect("files that can be read")
}

fn shown(chain: &[&Issued]) -> ClientCertificate {
    let chain = chain.iter().map(|issued| issued.certificate.clone());
    ClientCertificate::read(chain.collect()).expect("a certificate")
}

#[test]
fn a_list_that_ends_while_a_connection_is_open_ends_what_was_found_by_it() {
    let (folder, ca) = (TemporaryFolder::new("tls"), Authority::new("CA"));
    let tls = tls(&folder, &ca, &ca.list(&[], 2030));
    let certificate = shown(&[&ca.client(&Subject::new("a.example", "1"))]);
    assert_eq!(tls.judge(&certificate, at(END - 10)), Ok(()));
    assert_eq!(tls.judge(&certificate, at(END - 1)), Ok(()));
    let ended = Err(CertificateFault::RevocationUnknown);
    assert_eq!(tls.judge(&certificate, at(END)), ended);
    assert_eq!(tls.judge(&certificate, at(END + 10)), ended);
}

#[test]
fn what_was_found_of_a_certificate_holds_for_a_minute() {
    let (folder, ca) = (TemporaryFolder::new("tls"), Authority::new("CA"));
    let tls = tls(&folder, &ca, &ca.list(&[], 2030));
    let (loaded, time) = (tls.loaded(), END - 1_000);
    let holds = |generation, now| {
        let checked = Checked { generation, at: time };
        loaded.still_holds(checked, at(now))
    };
    assert!(holds(1, time) && holds(1, time + 59));
    assert!(!holds(1, time + 60) && !holds(2, time));
    // A clock that was set back.
    assert!(!holds(1, time - 1));
}
