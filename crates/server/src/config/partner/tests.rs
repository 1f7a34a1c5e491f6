use super::*;

fn read(file: &str) -> anyhow::Result<PartnerSettings> {
    toml::from_str::<Settings>(file)?.partner()
}

#[test]
fn a_file_without_the_tables_means_the_defaults() {
    assert_eq!(
        read("listen = '127.0.0.1:0'").expect("settings"),
        PartnerSettings::default()
    );
    let empty = read("[medicapp]\n[patient-graph]\n[ehealth]");
    assert_eq!(empty.expect("settings"), PartnerSettings::default());
}

#[test]
fn every_switch_can_be_turned() {
    let settings = read(
        r#"
        [medicapp]
        find-status = 201
        strict-key-conflict = true
        locked-fields = "ignore"
        cloud-get-full = false
        per-page-over = "reject"
        reject-future-birth = false
        template-fhir = false
        match-ins = false
        nir-system = ".8"
        [patient-graph]
        duplicate-email = false
        get-by-id = false
        required-scopes = ["patient-graph:all"]
        [ehealth]
        patch-note = "allow"
        death-deactivates = true
        external-id-pattern = true
        strict-names = true
        allow-suspended-le = true
        array-path = "bracket"
        404-message = "none"
        public-url = "https://registry.example/"
        timezone = "+02:00"
        "#,
    )
    .expect("settings");
    let expected = PartnerSettings {
        medicapp: medicapp::Switches {
            future_birth: FutureBirth::Take,
            key_conflict: KeyConflict::Refuse,
            locked_fields: LockedFields::Ignore,
            cloud_get: CloudGet::Keys,
            per_page_over: PerPageOver::Refuse,
            template_fhir: TemplateFhir::Refused,
            match_ins: MatchIns::Off,
            nir_system: NirSystem::Ins,
        },
        medicapp_find_status: StatusCode::CREATED,
        patient_graph: patient_graph::Switches {
            duplicate_email: false,
            get_by_id: false,
        },
        patient_graph_required_scopes: vec!["patient-graph:all".to_owned()],
        ehealth: ehealth::Switches {
            patch_note: ehealth::PatchNote::Allow,
            death_deactivates: ehealth::DeathDeactivates::Yes,
            external_id_pattern: ehealth::Pattern::Enforced,
            strict_names: ehealth::Names::Ukrainian,
            suspended_legal_entity: ehealth::SuspendedLegalEntity::Allow,
            array_path: ehealth::ArrayPath::Bracket,
            not_found_message: ehealth::NotFoundMessage::None,
        },
        ehealth_public_url: Some("https://registry.example".to_owned()),
        ehealth_time_zone: FixedOffset::east_opt(7_200).expect("an offset"),
    };
    assert_eq!(settings, expected);
}

#[test]
fn every_switch_takes_the_word_of_its_default() {
    let settings = read(
        r#"
        [medicapp]
        find-status = 200
        strict-key-conflict = false
        locked-fields = "reject-if-different"
        cloud-get-full = true
        per-page-over = "clamp"
        reject-future-birth = true
        template-fhir = true
        match-ins = true
        nir-system = ".13"
        [patient-graph]
        duplicate-email = true
        get-by-id = true
        required-scopes = []
        [ehealth]
        patch-note = "same-or-422"
        death-deactivates = false
        external-id-pattern = false
        strict-names = false
        allow-suspended-le = false
        array-path = "dotted"
        404-message = "Preperson not found"
        timezone = "+00:00"
        "#,
    );
    assert_eq!(settings.expect("settings"), PartnerSettings::default());
}

#[test]
fn a_wrong_word_is_refused_with_the_setting_and_the_words_it_takes() {
    for (file, setting, words) in [
        (
            "[medicapp]\nfind-status = 204",
            "medicapp.find-status is 204",
            "200 or 201",
        ),
        (
            "[medicapp]\nfind-status = '201'",
            "medicapp.find-status is \"201\"",
            "200 or 201",
        ),
        (
            "[medicapp]\nlocked-fields = 'reject'",
            "medicapp.locked-fields is \"reject\"",
            "\"reject-if-different\" or",
        ),
        (
            "[medicapp]\nmatch-ins = 'on'",
            "medicapp.match-ins is \"on\"",
            "true or false",
        ),
        (
            "[medicapp]\nnir-system = 0.13",
            "medicapp.nir-system is a value of the type float",
            "\".13\" or \".8\"",
        ),
        (
            "[patient-graph]\nget-by-id = 1",
            "patient-graph.get-by-id is 1",
            "true or false",
        ),
        (
            "[patient-graph]\nrequired-scopes = ['system/Patient.r']",
            "patient-graph.required-scopes",
            "client add",
        ),
        (
            "[patient-graph]\nrequired-scopes = ['a b']",
            "patient-graph.required-scopes",
            "without blanks",
        ),
        (
            "[ehealth]\npatch-note = 'Allow'",
            "ehealth.patch-note is \"Allow\"",
            "\"same-or-422\" or \"allow\" or \"ignore\"",
        ),
        (
            "[ehealth]\n404-message = ''",
            "ehealth.404-message is \"\"",
            "\"none\"",
        ),
        (
            "[ehealth]\npublic-url = 'registry.example'",
            "ehealth.public-url",
            "https://",
        ),
        (
            "[ehealth]\npublic-url = 'https://'",
            "ehealth.public-url",
            "https://",
        ),
        (
            "[ehealth]\ntimezone = 'Europe/Kyiv'",
            "ehealth.timezone is \"Europe/Kyiv\"",
            "+02:00",
        ),
    ] {
        let text = format!("{:#}", read(file).expect_err(file));
        assert!(text.contains(setting) && text.contains(words), "{file}: {text}");
    }
}

#[test]
fn a_name_that_no_table_knows_is_refused() {
    for file in [
        "[medicapp]\nfind_status = 200",
        "[patient-graph]\nrate-limit = 1",
        "[ehealth]\nnotes = 'allow'",
        "[patient_graph]",
    ] {
        let text = format!("{:#}", read(file).expect_err(file));
        assert!(text.contains("unknown field"), "{file}: {text}");
    }
}

#[test]
fn an_offset_is_two_digits_each_and_one_that_clocks_have() {
    for (text, seconds) in [
        ("+00:00", 0),
        ("+02:00", 7_200),
        ("-03:30", -12_600),
        ("+14:00", 50_400),
    ] {
        let offset = offset(text).expect(text);
        assert_eq!(offset.local_minus_utc(), seconds, "{text}");
    }
    for text in [
        "", "+", "02:00", "+2:00", "+02:0", "+0200", "+02:60", "+14:01", "+99:00", "Z", "é02:00", "++2:00",
    ] {
        assert!(offset(text).is_none(), "{text}");
    }
}
