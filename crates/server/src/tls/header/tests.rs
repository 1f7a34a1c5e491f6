use testkit::http::percent_encode;
use testkit::tls::{Authority, Subject};

use super::*;
use crate::mutants;
use crate::tls::ClientCertificate;

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(
            HeaderName::from_static(name),
            HeaderValue::from_str(value).unwrap(),
        );
    }
    headers
}

const NAME: &str = "client-cert";

fn chain_of(
    lines: &[(&'static str, &str)],
) -> Result<Option<Vec<CertificateDer<'static>>>, CertificateFault> {
    chain(&headers(lines), &HeaderName::from_static(NAME))
}

fn base64(pem: &str) -> String {
    let lines = pem.lines().filter(|line| !line.starts_with("-----"));
    format!(":{}:", lines.collect::<String>())
}

#[test]
fn each_way_of_writing_a_certificate_is_the_same_certificate() {
    let authority = Authority::new("CA");
    let issued = authority.client(&Subject::new("cn", "ou"));
    let leaf = Some(vec![issued.certificate.clone()]);
    let whole = Some(vec![issued.certificate.clone(), authority.certificate()]);
    let escaped = percent_encode(&issued.pem);
    assert_eq!(chain_of(&[(NAME, &escaped)]), Ok(leaf.clone()));
    assert_eq!(chain_of(&[(NAME, &base64(&issued.pem))]), Ok(leaf.clone()));
    let amazon = issued.pem.replace('\n', "%0A").replace(' ', "%20");
    assert_eq!(chain_of(&[(NAME, &amazon)]), Ok(leaf));
    let pem = percent_encode(&(issued.pem.clone() + &authority.pem()));
    assert_eq!(chain_of(&[(NAME, &pem)]), Ok(whole.clone()));
    let (one, other) = (base64(&issued.pem), base64(&authority.pem()));
    assert_eq!(
        chain_of(&[(NAME, &one), ("client-cert-chain", &other)]),
        Ok(whole)
    );
    // The chain means nothing beside PEM, which brings its own.
    assert_eq!(
        chain_of(&[(NAME, &escaped), ("client-cert-chain", &other)]),
        Ok(Some(vec![issued.certificate.clone()]))
    );
}

#[test]
fn nothing_is_no_certificate_and_two_are_too_many() {
    assert_eq!(chain_of(&[]), Ok(None));
    assert_eq!(chain_of(&[(NAME, "")]), Ok(None));
    let pem = percent_encode(&Authority::new("CA").pem());
    assert_eq!(
        chain_of(&[(NAME, &pem), (NAME, &pem)]),
        Err(CertificateFault::Repeated)
    );
    assert_eq!(chain_of(&[(NAME, "(null)")]), Err(CertificateFault::Unreadable));
    let eleven = percent_encode(&Authority::new("CA").pem().repeat(11));
    assert_eq!(chain_of(&[(NAME, &eleven)]), Err(CertificateFault::Unreadable));
}

#[test]
fn t12_a_mutated_certificate_is_the_one_of_the_corpus_or_refused() {
    let issued = Authority::new("CA").client(&Subject::new("cn", "ou"));
    let text = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
    let corpus = Box::leak(Box::new([
        text(percent_encode(&issued.pem)),
        text(base64(&issued.pem)),
    ]));
    let count = mutants::each(NAME, corpus, |headers| {
        // Whether it is genuine is the verifier's to say: here it need only be read or refused.
        match chain(headers, &HeaderName::from_static(NAME)) {
            Ok(None) => assert!(headers.get_all(NAME).all(HeaderValue::is_empty)),
            Ok(Some(chain)) => drop(ClientCertificate::read(chain).map_err(CertificateFault::text)),
            Err(fault) => assert!(!fault.text().is_empty()),
        }
        Ok(())
    });
    assert_eq!(count.taken, mutants::MUTANTS);
}
