use actix_web::body::to_bytes;
use actix_web::http::Method;
use actix_web::test::TestRequest;
use actix_web::{FromRequest, dev};
use engine::{Door, Engine, KeySystems, RandomIds};
use serde_json::Value;
use store::access::{Binding, Client};
use store::{Options, Store};
use testkit::sweep::TemporaryFolder;

use crate::app::Settings;
use crate::auth::attributes::{self, ApiKeyDigest};
use crate::auth::{Authenticator, new_key};

use super::*;

#[test]
fn a_sane_request_id_is_kept() {
    for sent in [
        "a",
        "3f2c-1_x.Y",
        "12345678",
        "550e8400-e29b-41d4-a716-446655440000",
        "a8505-20-0608.4",
        "28505A2006084C",
        "285052A00608",
        &"z".repeat(64),
        &"a".repeat(63),
    ] {
        let request = TestRequest::default()
            .insert_header((X_REQUEST_ID, sent))
            .to_http_request();
        assert_eq!(request_id(&request), sent);
    }
}

#[test]
fn any_other_request_id_is_replaced() {
    let (number, key) = ("285057800608441", "sk_test_0123_4567");
    for sent in [
        "",
        "a b",
        "é",
        "a\"b",
        "a\tb",
        number,
        "06-12-34-59-87",
        "285052A006084",
        "285052B006084",
        "2-85-05-2A-006-084-82",
        "2.85.05.2b.006.084_8",
        key,
        &"0123456789abcdef".repeat(4),
        &"0123456789ABCDEF".repeat(4),
        &"a".repeat(65),
    ] {
        let request = TestRequest::default()
            .insert_header((X_REQUEST_ID, sent.as_bytes()))
            .to_http_request();
        let id = request_id(&request);
        assert_ne!(id, sent);
        assert!(is_request_id(&id), "{id}");
    }
    let (one, two) = (
        TestRequest::default().to_http_request(),
        TestRequest::default().to_http_request(),
    );
    assert_ne!(request_id(&one), request_id(&two));
}

/// A handler at fault, with what it must not tell.
static PANICKING: Row = Row {
    method: Method::GET,
    pattern: "/panics",
    door: Door::Fhir,
    interaction: None,
    operation: None,
    handler: Handler::Open(|_| Box::pin(async { panic!("1 85 05 78 006 084 36") })),
};
/// A handler that is never reached without a credential.
static GUARDED: Row = Row {
    method: Method::GET,
    pattern: "/guarded",
    door: Door::Fhir,
    interaction: None,
    operation: None,
    handler: Handler::Known(|_| Box::pin(async { Ok(HttpResponse::Ok().finish()) })),
};

/// The same at the registry's door; tells the space.
static REGISTRY: Row = Row {
    method: Method::GET,
    pattern: "/registry",
    door: Door::Ehealth,
    interaction: None,
    operation: None,
    handler: Handler::Known(|ask| {
        Box::pin(async move { Ok(HttpResponse::Ok().body(ask.caller.space.0.to_string())) })
    }),
};

/// A server's shared state on an empty database, which goes away with the folder.
async fn app(settings: Settings) -> (TemporaryFolder, Arc<App>) {
    let folder = TemporaryFolder::new("gate");
    let url = format!("sqlite:{}", folder.path().join("gate.db").display());
    let store = Store::open(&url, Options::default()).expect("a store");
    store.migrate().expect("a schema");
    let engine = Engine::new(store.clone(), Arc::new(RandomIds), KeySystems::default());
    let auth = Authenticator::start(
        store,
        &engine,
        "https://naming.example",
        std::collections::BTreeMap::new(),
    )
    .await
    .expect("a directory");
    let address = ([127, 0, 0, 1], 8080).into();
    (folder, Arc::new(App::new(settings, engine, auth, address)))
}

async fn ask(app: &Arc<App>, row: &'static Row) -> (HttpResponse, Value) {
    ask_with(app, row, &[]).await
}

async fn ask_with(
    app: &Arc<App>,
    row: &'static Row,
    headers: &[(&'static str, &str)],
) -> (HttpResponse, Value) {
    let request = TestRequest::default().insert_header((X_REQUEST_ID, "the-request"));
    let request = headers
        .iter()
        .fold(request, |request, header| request.append_header(*header));
    let request = request.to_http_request();
    let payload = web::Payload::from_request(&request, &mut dev::Payload::None)
        .await
        .expect("a payload");
    let (head, body) = answer(Arc::clone(app), row, request, payload).await.into_parts();
    let bytes = to_bytes(body).await.expect("a body");
    (
        head.set_body(actix_web::body::BoxBody::new(())),
        serde_json::from_slice(&bytes).unwrap_or(Value::Null),
    )
}

#[actix_web::test]
async fn t37_a_panic_is_a_500_with_the_request_id_and_the_next_request_is_served() {
    let (_folder, app) = app(Settings {
        max_concurrent_requests: 1,
        ..Settings::default()
    })
    .await;
    for _ in 0..3 {
        let (response, outcome) = ask(&app, &PANICKING).await;
        assert_eq!(response.status().as_u16(), 500);
        assert_eq!(
            response.headers().get(X_REQUEST_ID),
            Some(&HeaderValue::from_static("the-request"))
        );
        assert_eq!(outcome["issue"][0]["code"], "exception");
        let text = outcome.to_string();
        assert!(text.contains("the-request") && !text.contains("1 85"), "{text}");
    }
    let (response, _) = ask(&app, &GUARDED).await;
    assert_eq!(response.status().as_u16(), 401);
}

#[actix_web::test]
async fn without_a_credential_no_handler_is_reached() {
    let (_folder, app) = app(Settings::default()).await;
    let (response, outcome) = ask(&app, &GUARDED).await;
    assert_eq!(response.status().as_u16(), 401);
    assert!(response.headers().contains_key("www-authenticate"));
    assert_eq!(outcome["issue"][0]["code"], "login");
}

#[actix_web::test]
async fn at_the_registry_both_credentials_are_needed_and_the_realm_tells_the_space() {
    let (_folder, app) = app(Settings::default()).await;
    let access = app.engine.store().access();
    access.add_space("home", false).await.expect("a space");
    let (ward, _) = access.add_space("ward", false).await.expect("a space");
    let binding = Binding {
        door: Door::Ehealth.as_str().to_owned(),
        word: "realm".to_owned(),
        space: ward.id.clone(),
    };
    access.add_binding(binding).await.expect("a binding");
    let client = Client {
        id: "registry".to_owned(),
        name: "Registry".to_owned(),
        spaces: vec!["home".to_owned(), ward.id],
        doors: vec![Door::Ehealth.as_str().to_owned()],
        scopes: vec!["preperson:read".to_owned()],
        policy: None,
        attributes: vec![(
            attributes::API_KEY_SHA256.to_owned(),
            ApiKeyDigest::of(b"the-api-key").to_string(),
        )],
        enabled: true,
        expires: None,
    };
    access.put_client(client).await.expect("a client");
    let (key, row) = new_key("registry", false, 0, None);
    access.issue_key(row).await.expect("a key");
    app.auth.refresh(&app.engine).await.expect("a directory");
    let bearer = format!("Bearer {key}");
    let (token, api_key) = (("authorization", bearer.as_str()), ("API-KEY", "the-api-key"));
    for headers in [&[token][..], &[api_key], &[token, ("api-key", "another")]] {
        let (response, outcome) = ask_with(&app, &REGISTRY, headers).await;
        assert_eq!(response.status().as_u16(), 401, "{outcome}");
    }
    let (response, space) = ask_with(&app, &REGISTRY, &[token, api_key]).await;
    assert_eq!(response.status().as_u16(), 200, "{space}");
    assert_eq!(space, ward.key.0);
}

#[actix_web::test]
async fn a_request_over_the_limit_is_refused_at_once() {
    let (_folder, app) = app(Settings {
        max_concurrent_requests: 1,
        ..Settings::default()
    })
    .await;
    let permit = app.permit(Instant::now()).expect("the first permit");
    let (response, outcome) = ask(&app, &GUARDED).await;
    assert_eq!(response.status().as_u16(), 429);
    assert_eq!(
        response.headers().get("retry-after"),
        Some(&HeaderValue::from_static("1"))
    );
    assert_eq!(outcome["issue"][0]["code"], "throttled");
    drop(permit);
    let (response, _) = ask(&app, &GUARDED).await;
    assert_eq!(response.status().as_u16(), 401);
}
