//! Whose a certificate is.

use testkit::harness::{Context, Test};
use testkit::tests;
use testkit::tls::Subject;
use testkit::wait::wait_for;

use super::*;

pub const TESTS: &[Test] = tests![
    t28_a_wrong_cn_or_ou_is_a_401_that_says_which_to_check_and_not_what_is_right,
    alternative_name_and_issuer_are_compared_where_they_are_configured,
    a_certificate_and_a_key_have_to_be_those_of_one_client,
    a_certificate_opens_the_partner_doors_of_its_client_and_a_wrong_one_is_refused_in_their_words,
    a_removed_certificate_is_refused_within_a_second,
    an_issuer_is_the_same_in_either_order_and_a_removal_of_none_names_what_is_near,
    wrong_certificates_of_one_address_are_slowed_down,
];

fn t28_a_wrong_cn_or_ou_is_a_401_that_says_which_to_check_and_not_what_is_right(context: &Context) {
    let (site, server) = shared_site(context);
    let text = |subject: &Subject| {
        let client = site.client(server, &site.clients.client(subject));
        text_of_401(client.get("/Practitioner/nobody").send())
    };
    for (wrong, asked, known) in [
        (Subject::new("autre.sante.example", OU), "CN", None),
        // Upper case is another name.
        (Subject::new(&CN.to_uppercase(), OU), "CN", None),
        (Subject::new(CN, "999999999"), "OU", Some("its CN is registered")),
        (Subject::new(CN, ""), "OU", Some("its CN is registered")),
        // The values of the other field.
        (Subject::new(OU, CN), "CN", None),
    ] {
        let said = text(&wrong);
        assert!(
            said.contains(&format!("check the {asked}")) || said.contains(&format!("Check the {asked}")),
            "{said}"
        );
        assert!(
            !said.contains(CN) && !said.contains(OU) && !said.contains("demo-sas"),
            "{said}"
        );
        assert!(known.is_none_or(|known| said.contains(known)), "{said}");
    }
}

fn alternative_name_and_issuer_are_compared_where_they_are_configured(context: &Context) {
    let site = Site::new();
    let other = testkit::tls::Authority::new("Second CA, of clients");
    site.write("ca.pem", &(site.clients.pem() + &other.pem()));
    site.write("crl.pem", &(site.clients.revoked(&[]) + &other.revoked(&[])));
    let server = site.settings(context).start();
    let add = |rest: &[&str]| {
        let mut arguments = vec![
            "client",
            "certificate",
            "add",
            "demo-fhir",
            "--cn",
            CN,
            "--ou",
            OU,
        ];
        arguments.extend(rest);
        server.command(&arguments)
    };
    // As `openssl x509 -issuer` writes it; the comma in the CA's own name is escaped.
    let issuer = "C=FR, O=Autorité d'essai, CN=Second CA\\, of clients";
    add(&["--issuer", issuer, "--san", "urn:oid:1.2.250.1.71"]);
    let right = sas()
        .alternative("urn:oid:1.2.250.1.71")
        .alternative("sas.example");
    wait_until_known(&site.client(&server, &other.client(&right)), "/Patient/nobody");
    let answer = |issued| site.client(&server, &issued).get("/Patient/nobody").send();
    for wrong in [
        site.clients.client(&right),
        other.client(&sas()),
        other.client(&sas().alternative("urn:oid:1.2.250.1.72")),
    ] {
        let said = text_of_401(answer(wrong));
        assert!(said.contains("issuer or alternative name"), "{said}");
    }
    // One more description of the same client, by a DNS name: each is enough.
    add(&["--san", "ehr.example"]);
    let by_name = site.clients.client(&sas().alternative("ehr.example"));
    wait_until_known(&site.client(&server, &by_name), "/Patient/nobody");
}

fn a_certificate_and_a_key_have_to_be_those_of_one_client(context: &Context) {
    let (site, server) = shared_site(context);
    let own = site.client(server, &site.clients.client(&sas()));
    let nobodys = site.client(server, &site.clients.client(&Subject::new("x.example", OU)));
    let bearer = |door: &str| server.credential(door).bearer.clone();
    let ask = |client: &Client, key: &str| client.clone().with_bearer(key).get("/Practitioner/nobody").send();
    ask(&own, &bearer("sas")).expect(404);
    let said = text_of_401(ask(&own, &bearer("fhir")));
    assert!(said.contains("different clients"), "{said}");
    text_of_401(ask(&own, "sk_test_000000000000_0"));
    let said = text_of_401(ask(&nobodys, &bearer("fhir")));
    assert!(said.contains("no client's"), "{said}");
}

fn a_certificate_opens_the_partner_doors_of_its_client_and_a_wrong_one_is_refused_in_their_words(
    context: &Context,
) {
    let site = Site::new();
    let server = site.start(context);
    let api_key = server.credential("ehealth").entry["api_key"]
        .as_str()
        .unwrap()
        .to_owned();
    for (client, target) in [
        ("demo-medicapp-connect", "/v5/patients"),
        ("demo-patient-graph", "/v1/patients?brand_id=demo-brand"),
        (
            "demo-ehealth",
            "/api/prepersons/7cc91a5d-c02f-41e9-b571-1ea4f2375552",
        ),
    ] {
        let cn = format!("{client}.example");
        server.command(&["client", "certificate", "add", client, "--cn", &cn, "--ou", OU]);
        let known_by = |issued: &Issued| {
            let client = server.anonymous().with_tls(&site.showing(issued));
            client.with_header("API-key", &api_key)
        };
        let right = site.clients.client(&Subject::new(&cn, OU));
        wait_until_known(&known_by(&right), target);
        let ask = |issued: &Issued| known_by(issued).get(target).send();
        // No OperationOutcome: the door has words of its own.
        let refused = ask(&site.clients.client(&Subject::new(&cn, "1"))).expect(401);
        assert!(refused.header("www-authenticate").is_some(), "{refused:?}");
        assert!(
            refused.issues().is_empty() && refused.json().is_object(),
            "{refused:?}"
        );
        // The regulators' platform has no business here.
        let sas = ask(&site.clients.client(&sas()));
        assert!(matches!(sas.status, 401 | 403), "{target}: {sas:?}");
    }
}

fn an_issuer_is_the_same_in_either_order_and_a_removal_of_none_names_what_is_near(context: &Context) {
    let server = context.server();
    let run = |what: &str, client: &str, issuer: &[&str]| {
        let described = ["client", "certificate", what, client, "--cn", CN, "--ou", OU];
        let output = passerelle(context, &server, &[&described[..], issuer].concat());
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).expect("UTF-8"))
    };
    let issuer = ["--issuer", r"CN=CA\, first,O=ASIP,C=FR"];
    let turned = ["--issuer", r"C=FR, O=ASIP, CN=CA\, first"];
    assert!(run("add", "demo-sas", &issuer).0);
    // One certificate would be both clients'.
    let (done, said) = run("add", "demo-fhir", &turned);
    assert!(!done && said.contains("demo-sas"), "{said}");
    assert!(run("add", "demo-fhir", &["--issuer", "CN=Another,C=FR"]).0);
    // Already so: it is not there twice.
    assert!(run("add", "demo-sas", &turned).0);
    let list = server.command(&["client", "certificate", "list", "demo-sas"]);
    assert_eq!(list.lines().count(), 1, "{list}");
    for other in [&[][..], &["--issuer", "CN=Another,C=FR"]] {
        let (done, said) = run("remove", "demo-sas", other);
        assert!(
            !done && said.contains("--issuer") && said.contains("ASIP"),
            "{said}"
        );
    }
    let (done, said) = run("remove", "demo-sas", &turned);
    assert!(done && said.contains("no longer known by"), "{said}");
    assert!(run("remove", "demo-sas", &turned).1.contains("was not known by"));
}

fn a_removed_certificate_is_refused_within_a_second(context: &Context) {
    let site = Site::new();
    let server = site.start(context);
    let sas = site.client(&server, &site.clients.client(&sas()));
    let ask = || sas.get("/Practitioner/nobody").send();
    ask().expect(404);
    let described = ["demo-sas", "--cn", CN, "--ou", OU];
    let run = |what: &str| {
        let mut arguments = vec!["client", "certificate", what];
        arguments.extend(described);
        server.command(&arguments)
    };
    // Every command may be repeated, and the list shows what holds.
    assert!(run("add").contains("known by"));
    let list = server.command(&["client", "certificate", "list"]);
    assert_eq!(list, format!("demo-sas\tCN {CN}\tOU {OU}\n"));
    assert!(run("remove").contains("no longer known by"));
    wait_for(SOON, "the removal to be in force", || {
        (ask().status == 401).then_some(())
    });
    assert!(run("remove").contains("was not known by"));
    assert_eq!(server.command(&["client", "certificate", "list", "demo-sas"]), "");
    run("add");
    wait_until_known(&sas, "/Practitioner/nobody");
    // A client that is switched off has no certificate either.
    server.command(&[
        "client",
        "add",
        "demo-sas",
        "--space",
        "demo",
        "--door",
        "fhir",
        "--scope",
        "system/Practitioner.crus",
        "--policy",
        "sas-regulator",
        "--disabled",
    ]);
    wait_for(SOON, "the client to be switched off", || {
        (ask().status == 401).then_some(())
    });
    let rows = execute(
        &server,
        "SELECT count(*) FROM audit WHERE interaction LIKE 'certificate-%' AND id = 'demo-sas'",
    );
    assert_eq!(rows, "5");
}

fn wrong_certificates_of_one_address_are_slowed_down(context: &Context) {
    let site = Site::new();
    let server = site.start(context);
    let wrong = site.client(&server, &site.clients.client(&Subject::new("x.example", OU)));
    let status = || wrong.get("/Practitioner/nobody").send().status;
    // Some were sent already, until the right one was known.
    let statuses: Vec<u16> = std::iter::repeat_with(status).take(101).collect();
    let (refused, slowed) = statuses.split_at(statuses.iter().take_while(|status| **status == 401).count());
    assert!((50..=100).contains(&refused.len()), "{statuses:?}");
    assert!(slowed.iter().all(|status| *status == 429), "{statuses:?}");
    // Who shows the right one is let in.
    let sas = site.client(&server, &site.clients.client(&sas()));
    sas.get("/Practitioner/nobody").send().expect(404);
}
