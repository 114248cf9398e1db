//! Templates, page access, the embedded status and organizations go to their places with their bodies.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use statuspage_operator::statuspage::*;

use super::remote::{Remote, asked, honest};

#[tokio::test]
async fn templates_and_the_embedded_status() {
    let remote = Remote::start(honest).await;
    let page = remote.client().page("p");
    let templates = page.incident_templates();
    templates.list().await.unwrap();
    asked(
        &remote,
        "GET /v1/pages/p/incident_templates?page=1&per_page=100",
        Value::Null,
    );
    let write = IncidentTemplateWrite {
        name: Some("n".to_owned()),
        update_status: Some(IncidentStatus::Identified),
        ..Default::default()
    };
    templates.create(&write).await.unwrap();
    let body = json!({"template": {"name": "n", "update_status": "identified"}});
    asked(&remote, "POST /v1/pages/p/incident_templates", body);

    page.status_embed_config().await.unwrap();
    asked(&remote, "GET /v1/pages/p/status_embed_config", Value::Null);
    let write = StatusEmbedConfigWrite {
        position: Some("top-left".to_owned()),
        ..Default::default()
    };
    page.update_status_embed_config(&write).await.unwrap();
    let body = json!({"status_embed_config": {"position": "top-left"}});
    asked(&remote, "PATCH /v1/pages/p/status_embed_config", body);
}

#[tokio::test]
async fn access_users_groups_and_what_they_may_see() {
    let remote = Remote::start(honest).await;
    let page = remote.client().page("p");
    let users = page.page_access_users();
    users.with_email("a@b").await.unwrap();
    asked(
        &remote,
        "GET /v1/pages/p/page_access_users?email=a%40b&page=1&per_page=100",
        Value::Null,
    );
    let write = PageAccessUserWrite {
        email: Some("a@b".to_owned()),
        ..Default::default()
    };
    let body = json!({"page_access_user": {"email": "a@b"}});
    users.create(&write).await.unwrap();
    asked(&remote, "POST /v1/pages/p/page_access_users", body.clone());
    users.update("u", &write).await.unwrap();
    asked(&remote, "PATCH /v1/pages/p/page_access_users/u", body);
    users.get("u").await.unwrap();
    asked(&remote, "GET /v1/pages/p/page_access_users/u", Value::Null);
    users.delete("u").await.unwrap();
    asked(&remote, "DELETE /v1/pages/p/page_access_users/u", Value::Null);

    let ids = ["m".to_owned()];
    let body = json!({"metric_ids": ["m"]});
    let grants = users.metrics("u");
    let path = "/v1/pages/p/page_access_users/u/metrics";
    grants.list().await.unwrap();
    asked(&remote, &format!("GET {path}?page=1&per_page=100"), Value::Null);
    grants.add(&ids).await.unwrap();
    asked(&remote, &format!("PATCH {path}"), body.clone());
    grants.replace(&ids).await.unwrap();
    asked(&remote, &format!("POST {path}"), body.clone());
    grants.remove(&ids).await.unwrap();
    asked(&remote, &format!("DELETE {path}"), body);
    grants.remove_one("m").await.unwrap();
    asked(&remote, &format!("DELETE {path}/m"), Value::Null);
    assert!(grants.remove(&[]).await.is_err(), "it would take everything away");
    assert_eq!(remote.seen().len(), 0);
    grants.remove_all().await.unwrap();
    asked(&remote, &format!("DELETE {path}"), Value::Null);
    users.components("u").add(&ids).await.unwrap();
    let line = "PATCH /v1/pages/p/page_access_users/u/components";
    asked(&remote, line, json!({"component_ids": ["m"]}));

    let groups = page.page_access_groups();
    groups.list().await.unwrap();
    asked(
        &remote,
        "GET /v1/pages/p/page_access_groups?page=1&per_page=100",
        Value::Null,
    );
    let write = PageAccessGroupWrite {
        external_identifier: Some(None),
        page_access_user_ids: Some(vec![]),
        ..Default::default()
    };
    let body = json!({"page_access_group": {"external_identifier": null, "page_access_user_ids": []}});
    groups.create(&write).await.unwrap();
    asked(&remote, "POST /v1/pages/p/page_access_groups", body.clone());
    groups.update("g", &write).await.unwrap();
    asked(&remote, "PATCH /v1/pages/p/page_access_groups/g", body);
    groups.get("g").await.unwrap();
    asked(&remote, "GET /v1/pages/p/page_access_groups/g", Value::Null);
    groups.delete("g").await.unwrap();
    asked(&remote, "DELETE /v1/pages/p/page_access_groups/g", Value::Null);
    groups.components("g").remove_all().await.unwrap();
    asked(
        &remote,
        "DELETE /v1/pages/p/page_access_groups/g/components",
        Value::Null,
    );

    let components = page.components();
    let path = "/v1/pages/p/components/c";
    components.add_page_access_users("c", &ids).await.unwrap();
    asked(
        &remote,
        &format!("POST {path}/page_access_users"),
        json!({"page_access_user_ids": ["m"]}),
    );
    components.remove_page_access_users("c").await.unwrap();
    asked(&remote, &format!("DELETE {path}/page_access_users"), Value::Null);
    components.add_page_access_groups("c", &ids).await.unwrap();
    asked(
        &remote,
        &format!("POST {path}/page_access_groups"),
        json!({"page_access_group_ids": ["m"]}),
    );
    components.remove_page_access_groups("c").await.unwrap();
    asked(&remote, &format!("DELETE {path}/page_access_groups"), Value::Null);
}

#[tokio::test]
async fn members_and_their_permissions() {
    let remote = Remote::start(honest).await;
    let organization = remote.client().organization("o");
    organization.users().list().await.unwrap();
    asked(
        &remote,
        "GET /v1/organizations/o/users?page=1&per_page=100",
        Value::Null,
    );
    let write = OrganizationUserWrite {
        email: Some("a@b".to_owned()),
        password: Some("correct-horse".into()),
        ..Default::default()
    };
    organization.users().create(&write).await.unwrap();
    let body = json!({"user": {"email": "a@b", "password": "correct-horse"}});
    asked(&remote, "POST /v1/organizations/o/users", body);
    organization.users().delete("u").await.unwrap();
    asked(&remote, "DELETE /v1/organizations/o/users/u", Value::Null);
    organization.permissions("u").await.unwrap();
    asked(&remote, "GET /v1/organizations/o/permissions/u", Value::Null);
    let roles = PageRoles {
        incident_manager: Some(true),
        ..Default::default()
    };
    let permissions = Permissions {
        pages: BTreeMap::from([("p".to_owned(), roles), ("q".to_owned(), PageRoles::default())]),
    };
    organization.set_permissions("u", &permissions).await.unwrap();
    let body = json!({"pages": {"p": {"incident_manager": true}, "q": {}}});
    asked(&remote, "PUT /v1/organizations/o/permissions/u", body);
    assert!(remote.client().page("p").own_organization().is_err());
}

/// A reply of something else must not be read as an answer that says nothing.
#[tokio::test]
async fn a_message_of_a_proxy_is_no_answer() {
    let remote = Remote::answering(200, r#"{"message":"please log in"}"#).await;
    let client = remote.client();
    assert!(client.organization("o").permissions("u").await.is_err());
    assert!(client.page("p").status_embed_config().await.is_err());
    assert!(client.organization("o").users().list().await.is_err());
}
