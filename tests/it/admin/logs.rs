//! What the process writes about its requests, at its most talkative.

use std::process::Stdio;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret;
use statuspage_operator::admin::caller::Scope;
use statuspage_operator::admin::identity::access_keys::AccessKeys;

use super::command::{Killed, collected, statuspage};
use super::{GATEWAY_SECRET, answer, new_key};
use crate::support::eventually;

#[tokio::test]
async fn no_credential_is_in_the_log_however_it_was_sent() {
    crate::support::control_plane::install_crypto();
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name);
    let key = AccessKeys::of(file("keys.json"))
        .create(new_key("ann", Scope::All))
        .unwrap();
    std::fs::write(file("gateway"), GATEWAY_SECRET).unwrap();
    std::fs::create_dir(file("pages")).unwrap();
    let [pages, keys, gateway] = ["pages", "keys.json", "gateway"].map(|name| file(name).to_str().unwrap().to_owned());
    let mut command = statuspage(&["dev", &pages, "--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"]);
    command.args(["--access-keys", &keys, "--gateway-secret-file", &gateway]);
    command.args(["--log-format", "json", "--log-level", "trace"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let said = collected(child.stdout.take().unwrap());
    let log = collected(child.stderr.take().unwrap());
    let _killed = Killed(child);
    let origin = eventually("the address of the HTTP API", Duration::from_secs(60), async || {
        let lines = said.lock().unwrap();
        let address = lines
            .iter()
            .find_map(|line| line.strip_prefix("HTTP API at ")?.strip_suffix("/openapi.json"));
        address.map(str::to_owned).ok_or_else(|| lines.join("\n"))
    })
    .await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let token = key.token.expose_secret();
    let wrong = format!("{}-wrong", "w".repeat(40));
    let identity = STANDARD.encode(r#"{"identity": {"account_number": "1", "user": {"username": "gus"}}}"#);
    let get = |query: &str| client.get(format!("{origin}/api/v1/resources/{query}"));
    for (request, status) in [
        (get("").header("X-Key", &key.id).header("X-Access-Token", token), 200),
        (get("").header("X-Auth-Token", token), 200),
        (get("").bearer_auth(token), 200),
        (get("").header("X-Auth-Token", &wrong), 401),
        (get("").basic_auth("ann", Some(&wrong)), 401),
        (
            get("")
                .header("x-rh-identity", &identity)
                .header("x-statuspage-gateway-secret", GATEWAY_SECRET),
            200,
        ),
        (
            get("")
                .header("x-rh-identity", &identity)
                .header("x-statuspage-gateway-secret", &wrong),
            401,
        ),
        (get(&format!("?x_key={}&access_token={token}", key.id)), 400),
        (get(&format!("?%74oken={token}")), 400),
        (get(&format!("?{token}")), 400),
        (get(&format!("?{}=", STANDARD.encode(token))), 400),
        // In the place of a name, an id, a type, or a path.
        (get(&format!("{token}/Component/web/")), 404),
        (
            client.get(format!("{origin}/v2/events/{token}")).bearer_auth(token),
            404,
        ),
        (
            client
                .get(format!("{origin}/v2/event_types/{token}/traits"))
                .bearer_auth(token),
            200,
        ),
        (client.get(format!("{origin}/{token}")), 404),
        (get("").header("Cookie", format!("session={wrong}")), 200),
        (get("?limit=7").header("X-RH-INSIGHTS-REQUEST-ID", "the-last-one"), 200),
    ] {
        assert_eq!(answer(request).await.0, status);
    }
    let text = eventually("the entry of the last request", Duration::from_secs(60), async || {
        let text = log.lock().unwrap().join("\n");
        let is_there = text.contains("\"request_id\":\"the-last-one\"");
        if is_there { Ok(text) } else { Err("not yet".to_owned()) }
    })
    .await;
    assert!(text.contains("/api/v1/resources/?limit=7"), "{text}");
    for start in [
        "Platform:",
        "system - Linux",
        "Rust: 1.",
        "Modules: ",
        "Commit: ",
        "API Version: 1",
    ] {
        assert!(text.contains(&format!("\"{start}")), "{start}");
    }
    assert!(text.contains("\"username\":\"gus\"") && text.contains("\"account\":\"acct1\""));
    let stored = std::fs::read_to_string(keys).unwrap();
    let stored: serde_json::Value = serde_json::from_str(&stored).unwrap();
    let signature = token.rsplit('.').next().unwrap();
    let basic = STANDARD.encode(format!("ann:{wrong}"));
    let signing_secret = stored["signing_secret"].as_str().unwrap();
    for secret in [
        token,
        signature,
        &STANDARD.encode(token)[..40],
        &wrong,
        &basic,
        GATEWAY_SECRET,
        &identity,
        signing_secret,
    ] {
        let line = text.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret}");
    }
}
