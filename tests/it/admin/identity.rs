//! Every way to show who asks.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use secrecy::ExposeSecret;
use serde_json::json;
use statuspage_operator::admin::identity::{Gateway, Identity};

use super::{GATEWAY_SECRET, Running, Setup, answer};

#[tokio::test]
async fn the_token_of_a_key_is_taken_in_three_forms() {
    let running = Running::start().await;
    let token = running.ann.token.expose_secret();
    let requests = [
        running.get_as(&running.ann, "/api/v1/resources/"),
        running
            .request("GET", "/api/v1/resources/")
            .header("X-Auth-Token", token),
        running.request("GET", "/api/v1/resources/").bearer_auth(token),
    ];
    for request in requests {
        let (status, list) = answer(request).await;
        assert_eq!((status, &list["meta"]["count"]), (200, &json!(3)));
    }
}

#[tokio::test]
async fn what_is_no_credential_is_refused() {
    let running = Running::start().await;
    let request = || running.request("GET", "/api/v1/resources/");
    let token = running.ann.token.expose_secret();
    let requests = [
        request().header("X-Auth-Token", "notused"),
        request().basic_auth("user", Some("password")),
        request().bearer_auth("a-token-of-somebody-else"),
        // Two at once: it would not be clear who asks.
        request().bearer_auth(token).header("X-Auth-Token", token),
        request()
            .header("X-RH-RBAC-PSK", "secret")
            .header("X-RH-RBAC-ACCOUNT", "1"),
    ];
    for request in requests {
        assert_eq!(answer(request).await.0, 401);
    }
    // Where credentials are optional, wrong ones are still wrong.
    let wrong = running.request("GET", "/api/v1/status/").bearer_auth("wrong");
    assert_eq!(answer(wrong).await.0, 401);
}

#[tokio::test]
async fn a_gateway_is_believed_when_it_shows_its_secret() {
    let running = Running::start().await;
    let document = json!({"identity": {"account_number": "10001", "type": "User",
        "user": {"username": "user_dev", "email": "user_dev@foo.com", "is_org_admin": true}}});
    let request = |identity: String| {
        running
            .request("GET", "/api/v1/resources/")
            .header("x-rh-identity", identity)
            .header("x-statuspage-gateway-secret", GATEWAY_SECRET)
    };
    let text = document.to_string();
    for identity in [STANDARD.encode(&text), STANDARD_NO_PAD.encode(&text)] {
        let (status, list) = answer(request(identity)).await;
        // A tenant without declarations, and an administrator of nothing but that.
        assert_eq!((status, &list["meta"]["count"]), (200, &json!(0)));
    }
    // Not base64, and base64 of something else: the first is a 500 in the original.
    for identity in ["a", "aGVsbG8="] {
        assert_eq!(answer(request(identity.to_owned())).await.0, 401, "{identity}");
    }
    let without = running
        .request("GET", "/api/v1/resources/")
        .header("x-rh-identity", STANDARD.encode(&text));
    assert_eq!(answer(without).await.0, 401);
}

#[tokio::test]
async fn guessing_is_slowed_down_for_those_who_guess() {
    let running = Running::start().await;
    assert_eq!(answer(running.get_as(&running.ann, "/api/v1/pages/")).await.0, 200);
    let guess = |number: usize| {
        running
            .request("GET", "/api/v1/pages/")
            .header("X-Auth-Token", format!("guess-{number}"))
    };
    for number in 0..10 {
        assert_eq!(answer(guess(number)).await.0, 401);
    }
    let response = guess(10).send().await.unwrap();
    assert_eq!(response.status(), 429);
    let seconds: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=61).contains(&seconds));
    let detail = format!("Request was throttled. Expected available in {seconds} seconds.");
    let expected = json!({"errors": [{"detail": detail, "source": "detail", "status": "429"}]});
    assert_eq!(super::body(response).await, expected);
    // Who was let in before is let in still, and who shows nothing has not guessed.
    assert_eq!(answer(running.get_as(&running.ann, "/api/v1/pages/")).await.0, 200);
    assert_eq!(answer(running.request("GET", "/api/v1/status/")).await.0, 200);
}

#[tokio::test]
async fn an_open_server_serves_this_machine_only() {
    let running = Running::with(Setup::open()).await;
    let request = || running.request("GET", "/api/v1/resources/");
    assert_eq!(answer(request()).await.1["meta"]["count"], 5);
    assert_eq!(answer(request().header("X-Auth-Token", "notused")).await.0, 200);
    assert_eq!(answer(request().header("X-Auth-Token", "wrong")).await.0, 401);
    // A name that was made point here by a page in a browser.
    assert_eq!(answer(request().header("Host", "rebound.example")).await.0, 403);
}

/// The address is that of the connection: no header changes it.
#[tokio::test]
async fn a_gateway_is_believed_at_its_address_only() {
    let ask = async |network: &str| {
        let gateway = Gateway::new(None, vec![network.parse().unwrap()]).unwrap();
        let setup = Setup {
            identity: Some(Identity::new().with_gateway(gateway)),
            ..Setup::default()
        };
        let running = Running::with(setup).await;
        let identity = json!({"identity": {"account_number": "10001", "user": {"username": "ann"}}});
        let request = running
            .request("GET", "/api/v1/resources/")
            .header("x-rh-identity", STANDARD.encode(identity.to_string()))
            .header("x-forwarded-for", "192.0.2.7");
        answer(request).await.0
    };
    assert_eq!(ask("127.0.0.0/8").await, 200);
    assert_eq!(ask("192.0.2.0/24").await, 401);
}
