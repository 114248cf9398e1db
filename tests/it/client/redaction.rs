//! A service that repeats what it was sent never brings a credential to anybody's eyes.

use std::error::Error as _;
use std::fmt::Debug;
use std::future::ready;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;
use serde_json::{Value, json};
use statuspage_operator::statuspage::{
    BaseUrl, Budget, Client, Error, Incoming, MetricsProviderType, MetricsProviderWrite, OrganizationUserWrite,
    Outgoing, Token, Trace,
};

/// What the client authenticates with; no word of ours begins like it.
const TOKEN: &str = "zq7+horse/battery";

/// How the service repeats a request.
#[derive(Clone, Copy, Debug)]
enum Echo {
    Json,
    JsonInJson,
    Html,
    Plain,
    Percent,
    Base64,
    /// An honest object whose texts hold everything.
    Entity,
}

const ECHOES: [Echo; 7] = [
    Echo::Json,
    Echo::JsonInJson,
    Echo::Html,
    Echo::Plain,
    Echo::Percent,
    Echo::Base64,
    Echo::Entity,
];

/// The request as text, the way that a proxy shows it.
fn dump(request: &Outgoing) -> String {
    let mut text = format!("{} {}\n", request.method, request.url);
    for (name, value) in &request.headers {
        text.push_str(&format!("{name}: {}\n", value.to_str().unwrap()));
    }
    text.push_str(&String::from_utf8_lossy(request.body.as_deref().unwrap_or_default()));
    text
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

fn echo(how: Echo, request: &Outgoing) -> String {
    let dump = dump(request);
    let body: Value = serde_json::from_slice(request.body.as_deref().unwrap_or(b"null")).unwrap();
    match how {
        Echo::Json => {
            let authorization = request.headers["authorization"].to_str().unwrap();
            json!({"error": "odd request", "headers": {"authorization": authorization}, "body": body}).to_string()
        }
        Echo::JsonInJson => json!({"message": json!({"request": dump}).to_string()}).to_string(),
        Echo::Html => format!("<html><title>Bad: {0}</title><pre>{0}</pre></html>", html(&dump)),
        Echo::Plain => dump,
        Echo::Percent => form_urlencoded::byte_serialize(dump.as_bytes()).collect(),
        Echo::Base64 => STANDARD.encode(&dump),
        Echo::Entity => {
            json!({"id": "x", "metric_base_uri": dump, "type": dump, "email": dump, "first_name": body, dump: 1})
                .to_string()
        }
    }
}

/// Everything that anybody may print of a result.
fn shown<T: Debug>(result: Result<T, Error>, trace: &Trace) -> String {
    let mut shown = format!("{:?}", trace.lock().unwrap());
    match result {
        Ok(value) => shown.push_str(&format!("{value:?}")),
        Err(error) => {
            shown.push_str(&format!("{error} {error:?} {:?}", error.request_ids()));
            let mut cause = error.source();
            while let Some(error) = cause {
                shown.push_str(&format!("{error} {error:?}"));
                cause = error.source();
            }
            if let Error::Status { message, body, .. } = &error {
                shown.push_str(&format!("{message}{body}"));
            }
        }
    }
    shown
}

/// Asks an echoing service for something and returns what can be seen of the answer.
fn seen(how: Echo, status: u16, cut: Option<usize>, secrets: &[String]) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let answer = move |request: Outgoing| {
        let mut body = echo(how, &request).into_bytes();
        if let Some(cut) = cut {
            body.truncate(cut % (body.len() + 1));
        }
        let mut headers = HeaderMap::new();
        let pad = "x".repeat(cut.unwrap_or_default() % 300);
        let id = format!("{pad} {}", request.headers["authorization"].to_str().unwrap());
        headers.insert("x-request-id", HeaderValue::from_str(&id).unwrap());
        ready(Ok(Incoming::new(status, headers, body)))
    };
    let provider = MetricsProviderWrite {
        r#type: Some(MetricsProviderType::Datadog),
        password: secrets.first().map(|secret| secret.as_str().into()),
        api_key: secrets.get(1).map(|secret| secret.as_str().into()),
        api_token: secrets.get(2).map(|secret| secret.as_str().into()),
        application_key: secrets.get(3).map(|secret| secret.as_str().into()),
        ..Default::default()
    };
    let user = OrganizationUserWrite {
        email: Some("desk@example.com".to_owned()),
        password: secrets.first().map(|secret| secret.as_str().into()),
        ..Default::default()
    };
    runtime.block_on(async {
        let trace = Trace::default();
        let base_url = BaseUrl::parse("http://127.0.0.1:1/v1", false).unwrap();
        let client = Client::builder(base_url, Token::new(TOKEN.to_owned()).unwrap());
        let client = client.budget(Budget::new(0)).transport(Arc::new(answer)).build();
        let client = client.unwrap().with_trace(&trace);
        let providers = client.page("p").metrics_providers();
        [
            shown(providers.create(&provider).await, &trace),
            shown(providers.update("x", &provider).await, &trace),
            shown(client.organization("o").users().create(&user).await, &trace),
            shown(client.page("p").get().await, &trace),
            shown(client.page("p").components().delete("c").await, &trace),
        ]
        .concat()
    })
}

/// The ways in which a text of Rust, or of JSON in it, can show a secret.
fn appearances(secret: &str) -> Vec<String> {
    let json = Value::String(secret.to_owned()).to_string();
    let json = &json[1..json.len() - 1];
    vec![
        secret.to_owned(),
        secret.escape_debug().to_string(),
        json.to_owned(),
        json.escape_debug().to_string(),
        html(secret),
        form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
    ]
}

/// Without this the others could pass because nothing was repeated.
#[test]
fn the_echo_is_seen_without_its_secrets() {
    let secrets = ["first-pass-phrase".to_owned()];
    for how in ECHOES {
        for status in [200, 201, 422, 502] {
            let seen = seen(how, status, None, &secrets);
            assert!(seen.contains("[redacted]"), "{how:?} {status}: {seen}");
        }
    }
    let seen = seen(Echo::Plain, 422, None, &secrets);
    assert!(seen.contains("authorization: OAuth [redacted]"), "{seen}");
    assert!(
        seen.contains(r#"{"password":"[redacted]"}"#) || seen.contains("[redacted]\\\""),
        "{seen}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn an_echo_gives_no_credential_away(
        how in prop::sample::select(ECHOES.to_vec()),
        status in prop::sample::select(vec![200_u16, 201, 202, 302, 401, 404, 422, 429, 500, 503]),
        cut in prop::option::of(0_usize..3000),
        secrets in prop::collection::vec(prop_oneof!["[a-z0-9]{8,40}", "[!-~ä😀]{8,24}"], 4),
    ) {
        let seen = seen(how, status, cut, &secrets);
        for secret in secrets.iter().map(String::as_str).chain([TOKEN]) {
            for appearance in appearances(secret) {
                prop_assert!(!seen.contains(&appearance), "{appearance} in {seen}");
            }
        }
        // However little of the token came before the end.
        prop_assert!(!seen.contains(&TOKEN[..4]), "{seen}");
        for offset in 0..3 {
            let encoded = STANDARD.encode(format!("{}{TOKEN}", "_".repeat(offset)));
            prop_assert!(!seen.contains(&encoded[4..12]), "{encoded} in {seen}");
        }
    }
}
