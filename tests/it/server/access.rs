//! Templates, page access, the embedded status, the organization.

use serde_json::{Value, json};
use statuspage_operator::server::ServerOptions;

use super::{PAGE, Running, TOKEN, answer, column, options, text};

#[tokio::test]
async fn templates_are_made_and_listed_only() {
    let running = Running::start().await;
    let api = running.component("API").await;
    let (status, body) = running
        .call("POST", "/incident_templates", json!({"template": {"name": "n"}}))
        .await;
    assert_eq!(
        (status, body),
        (422, json!({"error": ["Title can't be blank", "Body can't be blank"]}))
    );
    let template =
        json!({"name": "n", "title": "t", "body": "b", "component_ids": [api], "update_status": "identified"});
    let (status, made) = running
        .call("POST", "/incident_templates", json!({ "template": template }))
        .await;
    assert_eq!((status, &made["components"][0]["id"]), (201, &json!(api)));
    assert!(made.get("component_ids").is_none());
    assert_eq!(running.get("/incident_templates").await, json!([made]));
    let item = format!("/incident_templates/{}", text(&made["id"]));
    for method in ["GET", "PATCH", "DELETE"] {
        assert_eq!(running.call(method, &item, Value::Null).await.0, 404);
    }
    running
        .server
        .faults()
        .set_behaviour(|behaviour| behaviour.template_items = true);
    let changed = running
        .ok("PATCH", &item, json!({"template": {"title": "other"}}))
        .await;
    assert_eq!((&changed["title"], &changed["body"]), (&json!("other"), &json!("b")));
    assert_eq!(running.call("DELETE", &item, Value::Null).await.0, 200);
    assert_eq!(running.get("/incident_templates").await, json!([]));
}

#[tokio::test]
async fn the_embedded_status_is_always_there() {
    let running = Running::start().await;
    assert_eq!(running.get("/status_embed_config").await["page_id"], PAGE);
    let body = json!({"status_embed_config": {"position": "top-right", "incident_text_color": "#abcdef"}});
    let changed = running.ok("PATCH", "/status_embed_config", body).await;
    assert_eq!(
        (&changed["position"], &changed["incident_text_color"]),
        (&json!("top-right"), &json!("abcdef"))
    );
    assert_eq!(running.get("/status_embed_config").await, changed);
    assert_eq!(running.call("DELETE", "/status_embed_config", Value::Null).await.0, 405);
}

#[tokio::test]
async fn access_is_granted_to_users_and_groups() {
    let running = Running::start().await;
    let (a, b) = (running.component("a").await, running.component("b").await);
    let user = json!({"page_access_user": {"email": "a@example.com", "subscribe_to_components": true}});
    let (status, made) = running.call("POST", "/page_access_users", user.clone()).await;
    assert_eq!((status, &made["page_access_group_ids"]), (200, &json!([])));
    assert_eq!(running.call("POST", "/page_access_users", user).await.0, 409);
    let id = text(&made["id"]);
    let path = format!("/page_access_users/{id}");
    let grants = format!("{path}/components");
    assert_eq!(
        running.call("PATCH", &grants, json!({"component_ids": [a]})).await.0,
        200
    );
    assert_eq!(
        running.call("PATCH", &grants, json!({"component_ids": [b]})).await.0,
        200
    );
    assert_eq!(column(&running.get(&grants).await, "id"), [json!(a), json!(b)]);
    assert_eq!(
        running.call("POST", &grants, json!({"component_ids": [b]})).await.0,
        201
    );
    assert_eq!(column(&running.get(&grants).await, "id"), [json!(b)]);
    assert_eq!(
        running
            .call("POST", &grants, json!({"component_ids": ["elsewhere"]}))
            .await
            .0,
        422
    );
    assert_eq!(
        running.call("DELETE", &format!("{grants}/{b}"), Value::Null).await.0,
        200
    );
    assert_eq!(
        running.call("DELETE", &format!("{grants}/{b}"), Value::Null).await.0,
        404
    );
    running.ok("POST", &grants, json!({"component_ids": [a, b]})).await;
    assert_eq!(running.call("DELETE", &grants, Value::Null).await.0, 200);
    assert_eq!(running.get(&grants).await, json!([]));

    let group = json!({"page_access_group": {"name": "G", "external_identifier": "x", "component_ids": [a],
                                             "page_access_user_ids": [id]}});
    let (status, made) = running.call("POST", "/page_access_groups", group).await;
    assert_eq!(
        (status, &made["page_access_user_ids"], &made["component_ids"]),
        (201, &json!([id]), &json!([a]))
    );
    let group = text(&made["id"]);
    let group_path = format!("/page_access_groups/{group}");
    assert_eq!(running.get(&path).await["page_access_group_ids"], json!([group]));
    let body = json!({"page_access_group": {"page_access_user_ids": [], "component_ids": []}});
    let cleared = running.ok("PATCH", &group_path, body).await;
    assert_eq!(
        (&cleared["page_access_user_ids"], &cleared["name"]),
        (&json!([]), &json!("G"))
    );
    running
        .ok(
            "PATCH",
            &format!("{group_path}/components"),
            json!({"component_ids": [b]}),
        )
        .await;
    assert_eq!(
        column(&running.get(&format!("{group_path}/components")).await, "id"),
        [json!(b)]
    );

    let of_component = format!("/components/{a}/page_access_groups");
    let granted = running
        .call("POST", &of_component, json!({"page_access_group_ids": [group]}))
        .await;
    assert_eq!((granted.0, &granted.1["id"]), (201, &json!(a)));
    assert_eq!(running.get(&group_path).await["component_ids"], json!([b, a]));
    assert_eq!(running.call("DELETE", &of_component, Value::Null).await.0, 200);
    assert_eq!(running.get(&group_path).await["component_ids"], json!([b]));
    let form = running
        .request("POST", &format!("/components/{a}/page_access_users"))
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(format!("page_access_user_ids[]={id}"));
    assert_eq!(answer(form).await.0, 201);
    assert_eq!(column(&running.get(&grants).await, "id"), [json!(a)]);
    assert_eq!(
        column(&running.get("/page_access_users?email=A@example.com").await, "id"),
        [json!(id)]
    );
    assert_eq!(running.call("DELETE", &group_path, Value::Null).await.0, 200);
    assert_eq!(running.call("DELETE", &path, Value::Null).await, (204, Value::Null));
}

#[tokio::test]
async fn permissions_that_are_left_out_are_revoked() {
    let running = Running::start_with(ServerOptions {
        organization: Some("acme".to_owned()),
        ..options()
    })
    .await;
    let call = |method: &str, path: &str, body: Value| {
        let url = format!("{}/v1/organizations/{path}", running.origin);
        let request = running.client.request(method.parse().unwrap(), url);
        answer(request.header("Authorization", format!("OAuth {TOKEN}")).json(&body))
    };
    let user = json!({"user": {"email": "a@example.com", "password": "hidden", "first_name": "A", "last_name": "B"}});
    let (status, made) = call("POST", "acme/users", user.clone()).await;
    assert_eq!((status, &made["organization_id"]), (201, &json!("acme")));
    assert!(!made.to_string().contains("hidden"));
    assert_eq!(call("POST", "acme/users", user).await.0, 422);
    assert_eq!(call("GET", "other/users", json!({})).await.0, 404);
    let path = format!("acme/permissions/{}", text(&made["id"]));
    let (status, set) = call("PUT", &path, json!({"pages": {PAGE: {"incident_manager": true}}})).await;
    assert_eq!(status, 200);
    assert_eq!(
        set["pages"],
        json!([{"page_id": PAGE, "page_configuration": false, "incident_manager": true, "maintenance_manager": false}])
    );
    assert_eq!(call("GET", &path, json!({})).await, (200, set));
    assert_eq!(call("PUT", &path, json!({"pages": {"elsewhere": {}}})).await.0, 422);
    assert_eq!(call("PUT", &path, json!({"pages": {}})).await.1["pages"], json!([]));
    assert_eq!(
        call("DELETE", &format!("acme/users/{}", text(&made["id"])), json!({}))
            .await
            .0,
        200
    );
    assert_eq!(call("GET", "acme/users", json!({})).await.1, json!([]));
}

#[tokio::test]
async fn addresses_of_users_are_checked() {
    let running = Running::start().await;
    let users = format!(
        "{}/v1/organizations/{}/users",
        running.origin,
        running.server.organization()
    );
    let member = |body: Value| {
        let request = running.client.post(&users).header("Authorization", TOKEN);
        answer(request.json(&json!({ "user": body })))
    };
    let invalid = (422, json!({"error": ["Email is invalid"]}));
    for bad in [
        "nobody",
        "a b@example.com",
        "a@b@example.com",
        "@example.com",
        "Ann <ann@example.com>",
    ] {
        assert_eq!(
            member(json!({"email": bad, "password": "secret"})).await,
            invalid,
            "{bad}"
        );
        let viewer = json!({"page_access_user": {"email": bad}});
        assert_eq!(
            running.call("POST", "/page_access_users", viewer).await,
            invalid,
            "{bad}"
        );
    }
    assert_eq!(
        member(json!({"password": "secret"})).await.1,
        json!({"error": ["Email can't be blank"]})
    );
    let long = json!({"email": "ann@example.com", "password": "secret", "last_name": "x".repeat(256)});
    assert_eq!(
        member(long).await.1,
        json!({"error": ["Last name is too long (maximum is 255 characters)"]})
    );
    let ann = json!({"email": "ann@example.com", "password": "secret"});
    assert_eq!(member(ann).await.0, 201);
    let viewer = running
        .ok(
            "POST",
            "/page_access_users",
            json!({"page_access_user": {"email": "ann@example.com"}}),
        )
        .await;
    let path = format!("/page_access_users/{}", text(&viewer["id"]));
    let changed = json!({"page_access_user": {"email": "ann"}});
    assert_eq!(running.call("PATCH", &path, changed).await, invalid);
    assert_eq!(running.get(&path).await["email"], "ann@example.com");
}
