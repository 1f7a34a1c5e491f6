//! The list: pages, filters, order, templates.

use serde_json::{Value, json};
use testkit::harness::{Context, Test};
use testkit::http::{Client, percent_encode};
use testkit::tests;

use super::{made, shown_list};
use crate::partner::medicapp::*;
use crate::support::*;

pub const TESTS: &[Test] = tests![
    n16_pages_are_whole_numbers_and_sizes_are_at_most_a_hundred,
    n17_the_pages_are_as_many_as_the_total_needs,
    n18_created_after_is_strict_to_the_last_digit,
    n19_a_point_in_time_may_be_spelled_in_every_usual_way,
    n20_the_order_holds_while_patients_come,
    n20_patients_of_one_instant_keep_their_order,
    n21_the_template_fhir_shows_fhir_patients,
];

/// The keys of an item, in their order.
const ITEM: [&str; 11] = [
    "id",
    "firstName",
    "lastName",
    "birthDate",
    "gender",
    "email",
    "phone",
    "externalId",
    "recordsCount",
    "createdAt",
    "modifiedAt",
];

#[track_caller]
fn list(client: &Client, query: &str) -> Value {
    shown_list(&client.get(format!("/patients?{query}")).send())
}

fn ids_of(list: &Value) -> Vec<String> {
    let items = list["data"].as_array().expect("data");
    items.iter().map(|item| text(item, "id")).collect()
}

/// The item of a patient among those that a filter leaves, on whatever page it stands.
#[track_caller]
pub fn find(client: &Client, filter: &str, id: &str) -> Option<Value> {
    let mut page = 1;
    loop {
        let list = list(client, &format!("{filter}&per_page=100&page={page}"));
        let items = list["data"].as_array().expect("data");
        if let Some(item) = items.iter().find(|item| item["id"] == id) {
            return Some(item.clone());
        }
        if items.is_empty() {
            return None;
        }
        page += 1;
    }
}

/// The same without a filter.
#[track_caller]
pub fn item(client: &Client, id: &str) -> Option<Value> {
    find(client, "", id)
}

fn n16_pages_are_whole_numbers_and_sizes_are_at_most_a_hundred(context: &Context) {
    let client = connect(context);
    made(&client, json!({}));
    for query in [
        "page=0",
        "page=-1",
        "page=abc",
        "page=1.5",
        "page=",
        "page=%00",
        "per_page=0",
        "per_page=",
        "per_page=x",
        "page=1e3",
    ] {
        let name = query.split('=').next().expect("a name");
        let refused = client.get(format!("/patients?{query}")).send();
        let message = faulty(&refused, 400, "VALIDATION_ERROR");
        assert!(message.contains(name), "{query}: {message}");
    }
    let both = client.get("/patients?page=0&per_page=0&template=x").send();
    let message = faulty(&both, 400, "VALIDATION_ERROR");
    assert!(
        ["page", "per_page", "template"]
            .iter()
            .all(|name| message.contains(name)),
        "{message}"
    );
    for beyond in [
        "9999",
        "9223372036854775807",
        "18446744073709551615",
        "99999999999999999999999999",
    ] {
        let list = list(&client, &format!("page={beyond}"));
        assert_eq!(list["data"], json!([]));
        assert!(list["pagination"]["total"].as_u64() > Some(0), "{list}");
    }
    for (query, page, per_page) in [
        ("", 1, 20),
        ("per_page=101", 1, 100),
        ("per_page=99999999999", 1, 100),
        ("per_page=100", 1, 100),
        ("page=2&per_page=1", 2, 1),
        // The last of several counts, and what is unknown does not.
        ("page=7&page=1&per_page=5&unknown=x&x", 1, 5),
    ] {
        let list = list(&client, query);
        assert_eq!(list["pagination"]["page"], page, "{query}");
        assert_eq!(list["pagination"]["perPage"], per_page, "{query}");
        let items = list["data"].as_array().expect("data");
        assert!(items.len() <= per_page as usize, "{query}");
        items.iter().for_each(|item| assert_eq!(keys(item), ITEM));
    }
}

fn n17_the_pages_are_as_many_as_the_total_needs(context: &Context) {
    let server = context.server();
    let client = server.client("medicapp-connect");
    let counted = |total: u64, pages: u64| {
        assert_eq!(
            list(&client, "")["pagination"],
            json!({ "page": 1, "perPage": 20, "total": total, "totalPages": pages })
        );
    };
    counted(0, 0);
    let ids: Vec<String> = (0..41)
        .map(|number| {
            let id = made(&client, json!({ "lastName": format!("Numéro {number}") }));
            if number == 39 {
                counted(40, 2);
            }
            id
        })
        .collect();
    counted(41, 3);
    let pages: Vec<Vec<String>> = (1..=3)
        .map(|page| ids_of(&list(&client, &format!("page={page}"))))
        .collect();
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [20, 20, 1]);
    assert_eq!(pages.concat(), ids);
    // HEAD asks the same and gets no body.
    let head = client.head("/patients?page=2").send();
    assert_eq!((head.status, head.body.len()), (200, 0));
}

/// A patient and its instant of creation, to the last digit that is stored.
fn born(context: &Context) -> (String, String) {
    let id = made(&connect(context), json!({}));
    let instant = text(&fhir_of(&shared_fhir(context), &id)["meta"], "lastUpdated");
    (id, instant)
}

fn n18_created_after_is_strict_to_the_last_digit(context: &Context) {
    let client = connect(context);
    let (id, instant) = born(context);
    let whole = text(&shown(get(&client, &id), 200), "createdAt");
    assert!(
        instant.starts_with(whole.trim_end_matches('Z')),
        "{instant} and {whole}"
    );
    for name in ["created_after", "modified_after"] {
        assert!(
            find(&client, &format!("{name}={instant}"), &id).is_none(),
            "{name} {instant}"
        );
        if instant != whole {
            // Who feeds back what was shown sees it again rather than never.
            assert!(
                find(&client, &format!("{name}={whole}"), &id).is_some(),
                "{name} {whole}"
            );
        }
        assert!(find(&client, &format!("{name}=2020-01-01"), &id).is_some());
    }
    let changed = shown(put(&client, &id, &json!({ "email": "a@example.org" })), 200);
    assert_eq!(changed["createdAt"], whole.as_str());
    assert!(find(&client, &format!("modified_after={instant}"), &id).is_some());
    assert!(find(&client, &format!("created_after={instant}"), &id).is_none());
    let both = format!("created_after={instant}&modified_after={instant}");
    assert!(find(&client, &both, &id).is_none());
    assert_eq!(
        list(&client, "created_after=2100-01-01")["pagination"]["total"],
        0
    );
}

fn n19_a_point_in_time_may_be_spelled_in_every_usual_way(context: &Context) {
    let client = connect(context);
    let (id, instant) = born(context);
    let (later, _) = born(context);
    let bare = instant.trim_end_matches('Z');
    for spelled in [
        instant.clone(),
        bare.to_owned(),
        format!("{bare}+00:00"),
        format!("{bare}%2B00:00"),
        format!("{bare}%2b00%3A00"),
        format!("{bare}%2000:00"),
        percent_encode(&instant),
    ] {
        let filter = format!("created_after={spelled}");
        assert!(find(&client, &filter, &id).is_none(), "{spelled}");
        assert!(find(&client, &filter, &later).is_some(), "{spelled}");
    }
    for taken in [
        "2024-01-15",
        "2024-01-15T09:30:00Z",
        "2024-01-15T09:30:00",
        "2024-01-15T09:30:00+01:00",
        "2024-01-15T09:30:00%2B01:00",
        "2024-01-15T09:30:00-05:00",
        "2024-01-15T09:30:00.123456Z",
    ] {
        let list = list(&client, &format!("created_after={taken}"));
        assert!(list["pagination"]["total"].as_u64() >= Some(2), "{taken}");
    }
    for wrong in [
        "2024-13-01",
        "2024-02-30",
        "2024",
        "2024-01",
        "yesterday",
        "",
        "1705311000",
        "2024-01-15T25:00:00Z",
    ] {
        for name in ["created_after", "modified_after"] {
            let refused = client.get(format!("/patients?{name}={wrong}")).send();
            let message = faulty(&refused, 400, "VALIDATION_ERROR");
            assert!(message.contains(name), "{wrong}: {message}");
        }
    }
}

fn n20_the_order_holds_while_patients_come(context: &Context) {
    let server = context.server();
    let client = server.client("medicapp-connect");
    let mut made_so_far: Vec<String> = (0..25).map(|_| made(&client, json!({}))).collect();
    let mut seen = Vec::new();
    for page in 1.. {
        let ids = ids_of(&list(&client, &format!("per_page=10&page={page}")));
        if ids.is_empty() {
            break;
        }
        seen.extend(ids);
        if page <= 3 {
            made_so_far.push(made(&client, json!({})));
            // A change does not move anybody.
            shown(
                put(
                    &client,
                    &made_so_far[3],
                    &json!({ "email": format!("p{page}@example.org") }),
                ),
                200,
            );
        }
    }
    // Who came after the last page stands behind all others.
    assert_eq!(seen, made_so_far[..seen.len()]);
    assert!(seen.len() >= 27, "{seen:?}");
}

fn n20_patients_of_one_instant_keep_their_order(context: &Context) {
    let server = context.server();
    let client = server.client("medicapp-connect");
    let mut ids: Vec<String> = (0..12).map(|_| made(&client, json!({}))).collect();
    execute(&server, "UPDATE resource SET created = 1700000000000000");
    let pages = || -> Vec<String> {
        (1..=6)
            .flat_map(|page| ids_of(&list(&client, &format!("per_page=2&page={page}"))))
            .collect()
    };
    let mut seen = pages();
    assert_eq!(seen, pages());
    assert_eq!(seen, ids_of(&list(&client, "")));
    seen.sort();
    ids.sort();
    assert_eq!(seen, ids);
}

fn n21_the_template_fhir_shows_fhir_patients(context: &Context) {
    let server = context.server();
    let (client, fhir) = (server.client("medicapp-connect"), server.client("fhir"));
    let ids: Vec<String> = (0..3).map(|_| made(&client, json!({}))).collect();
    let list = list(&client, "template=FHIR&per_page=2&page=2");
    assert_eq!(
        list["pagination"],
        json!({ "page": 2, "perPage": 2, "total": 3, "totalPages": 2 })
    );
    assert_eq!(list["data"], json!([fhir_of(&fhir, &ids[2])]));
    for wrong in ["fhir", "XML", "", "FHIR2"] {
        let refused = client.get(format!("/patients?template={wrong}")).send();
        assert!(
            faulty(&refused, 400, "VALIDATION_ERROR").contains("template"),
            "{wrong}"
        );
    }
}
