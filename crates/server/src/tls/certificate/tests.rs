use testkit::tls::{Authority, Issued, Subject, Validity};

use super::*;

fn read(issued: &Issued) -> ClientCertificate {
    ClientCertificate::read(vec![issued.certificate.clone()]).unwrap()
}

fn parts(text: &str) -> Vec<String> {
    distinguished_name(text).unwrap()
}

#[test]
fn a_certificate_says_whose_it_is() {
    let subject = Subject::new("Nom, prénom", "10B0000000")
        .alternative("a.example")
        .alternative("urn:oid:1.2.3")
        .alternative("127.0.0.1");
    let certificate = read(&Authority::new("CA, première").client(&subject));
    let identity = certificate.identity();
    assert_eq!(identity.common_name.as_deref(), Some("Nom, prénom"));
    assert_eq!(identity.units, ["10B0000000"]);
    assert_eq!(identity.alternatives, ["a.example", "urn:oid:1.2.3"]);
    assert_eq!(
        identity.issuer,
        parts("C=FR,O=Autorité d'essai,CN=CA\\, première")
    );
}

#[test]
fn what_a_subject_lacks_is_not_made_up() {
    let certificate = read(&Authority::new("CA").client(&Subject::new("", "")));
    assert!(certificate.identity().units.is_empty());
    assert_eq!(certificate.identity().common_name.as_deref(), Some(""));
    assert!(ClientCertificate::read(Vec::new()).is_err());
    assert!(ClientCertificate::read(vec![CertificateDer::from(vec![0x30, 0])]).is_err());
}

#[test]
fn names_are_the_same_in_either_order_and_with_any_spaces() {
    let found = parts("C=FR,O=ASIP-SANTE,OU=0002 187512751,CN=AC IGC-SANTE");
    for same in [
        "C=FR, O=ASIP-SANTE, OU=0002 187512751, CN=AC IGC-SANTE",
        "C = FR, O = ASIP-SANTE, OU = 0002 187512751, CN = AC IGC-SANTE",
        "CN=AC IGC-SANTE,OU=0002 187512751,O=ASIP-SANTE,C=FR",
        "cn=AC IGC-SANTE,ou=0002 187512751,o=ASIP-SANTE,c=FR",
    ] {
        assert!(is_same_name(&parts(same), &found), "{same}");
    }
    for other in [
        "C=FR,O=ASIP-SANTE,CN=AC IGC-SANTE",
        "O=ASIP-SANTE,C=FR,OU=0002 187512751,CN=AC IGC-SANTE",
        "C=FR,O=ASIP-SANTE,OU=0002 187512751,CN=AC igc-sante",
        "C=FR,O=ASIP-SANTE,OU=0002 187512751,CN=AC IGC-SANTE,CN=B",
    ] {
        assert!(!is_same_name(&parts(other), &found), "{other}");
    }
    assert_eq!(parts("CN=a\\,b,C=FR"), ["CN=a\\,b", "C=FR"]);
}

#[test]
fn what_is_no_name_is_told_by_its_part() {
    for (text, part) in [
        ("", ""),
        ("CN", "CN"),
        ("CN=a,,C=FR", ""),
        ("CN=a,b", "b"),
        ("CN=a,nonsense=b", "nonsense=b"),
        ("CN=a\\", "CN=a\\"),
    ] {
        match distinguished_name(text) {
            Err(found) => assert_eq!(found, part, "{text}"),
            Ok(parts) => panic!("{text}: {parts:?}"),
        }
    }
}

#[test]
fn a_certificate_holds_from_its_first_to_its_last_second() {
    let over = read(&Authority::new("CA").client(&Subject::new("a", "b").valid(Validity::Over)));
    let at = |seconds: u64| {
        over.in_time(UnixTime::since_unix_epoch(std::time::Duration::from_secs(
            seconds,
        )))
    };
    // 2019-01-01 and 2020-01-01.
    assert_eq!(at(1_546_300_799), Err(CertificateFault::NotYetValid));
    assert_eq!(at(1_546_300_800), Ok(()));
    assert_eq!(at(1_577_836_800), Ok(()));
    assert_eq!(at(1_577_836_801), Err(CertificateFault::Expired));
}
