//! Sends every operation to the local server, each with a body that succeeds.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use statuspage_operator::server::ServerOptions;

use super::Operation;
use super::document::{Document, Found};
use crate::server::{PAGE, Running, TOKEN, answer, options, text};

const ORGANIZATION: &str = "acme-org";

pub(super) struct Walk<'a> {
    running: Running,
    document: Option<&'a Document>,
    operations: BTreeSet<Operation>,
    found: Found,
}

/// What the walk has seen.
pub(super) struct Sent {
    pub(super) operations: BTreeSet<Operation>,
    pub(super) misfits: BTreeSet<String>,
    pub(super) excused: BTreeSet<&'static str>,
}

impl<'a> Walk<'a> {
    pub(super) async fn start(document: Option<&'a Document>) -> Self {
        let running = Running::start_with(ServerOptions {
            organization: Some(ORGANIZATION.to_owned()),
            rate_limit: 0,
            ..options()
        })
        .await;
        Self {
            running,
            document,
            operations: BTreeSet::new(),
            found: Found::default(),
        }
    }

    pub(super) async fn finish(self) -> Sent {
        self.running.stop().await;
        Sent {
            operations: self.operations,
            misfits: self.found.misfits,
            excused: self.found.excused,
        }
    }

    /// Sends an operation. The ids fill the path from the left, behind page or organization.
    async fn send(&mut self, method: &str, template: &str, ids: &[&str], body: Value) -> Value {
        let template = match template.strip_prefix('~') {
            Some(rest) => format!("/pages/{{page_id}}{rest}"),
            None => template.to_owned(),
        };
        let mut ids = ids.iter();
        let path: Vec<&str> = template
            .split('/')
            .map(|segment| match segment {
                "{page_id}" => PAGE,
                "{organization_id}" => ORGANIZATION,
                _ if segment.starts_with('{') => ids.next().unwrap(),
                _ => segment,
            })
            .collect();
        let url = format!("{}/v1{}", self.running.origin, path.join("/"));
        let mut request = self
            .running
            .client
            .request(method.parse().unwrap(), url)
            .header("Authorization", format!("OAuth {TOKEN}"));
        if !body.is_null() {
            request = request.json(&body);
        }
        let (status, answered) = answer(request).await;
        assert!((200..300).contains(&status), "{method} {template}: {status} {answered}");
        if let Some(document) = self.document {
            document.compare(method, &template, status, &answered, &mut self.found);
        }
        self.operations.insert((method.to_owned(), template));
        answered
    }

    async fn made(&mut self, template: &str, ids: &[&str], body: Value) -> String {
        text(&self.send("POST", template, ids, body).await["id"])
    }

    /// Both verbs that change an object.
    async fn changed(&mut self, template: &str, ids: &[&str], body: Value) {
        self.send("PATCH", template, ids, body.clone()).await;
        self.send("PUT", template, ids, body).await;
    }

    async fn read(&mut self, template: &str, ids: &[&str]) -> Value {
        self.send("GET", template, ids, Value::Null).await
    }

    async fn removed(&mut self, template: &str, ids: &[&str]) {
        self.send("DELETE", template, ids, Value::Null).await;
    }

    async fn component(&mut self, name: &str) -> String {
        self.made(
            "~/components",
            &[],
            json!({"component": {"name": name, "showcase": true, "start_date": "2026-01-01"}}),
        )
        .await
    }

    pub(super) async fn all(&mut self) {
        self.page().await;
        self.components().await;
        self.incidents().await;
        self.metrics().await;
        self.subscribers().await;
        self.access().await;
        self.organization().await;
    }

    async fn page(&mut self) {
        self.read("/pages", &[]).await;
        self.changed("/pages/{page_id}", &[], json!({"page": {"url": "https://example.com"}}))
            .await;
        self.read("/pages/{page_id}", &[]).await;
        self.changed(
            "~/status_embed_config",
            &[],
            json!({"status_embed_config": {"position": "top-left"}}),
        )
        .await;
        self.read("~/status_embed_config", &[]).await;
    }

    async fn components(&mut self) {
        let id = self.component("a").await;
        self.changed(
            "~/components/{component_id}",
            &[&id],
            json!({"component": {"description": "d"}}),
        )
        .await;
        let group = json!({"component_group": {"name": "g", "components": [id]}});
        let group_id = self.made("~/component-groups", &[], group.clone()).await;
        self.changed("~/component-groups/{id}", &[&group_id], group).await;
        self.read("~/component-groups", &[]).await;
        self.read("~/component-groups/{id}", &[&group_id]).await;
        self.read("~/component-groups/{id}/uptime", &[&group_id]).await;
        self.read("~/components", &[]).await;
        self.read("~/components/{component_id}", &[&id]).await;
        self.read("~/components/{component_id}/uptime", &[&id]).await;
        self.removed("~/component-groups/{id}", &[&group_id]).await;
        self.removed("~/components/{component_id}", &[&id]).await;
    }

    async fn incidents(&mut self) {
        let component = self.component("b").await;
        let template = json!({"name": "n", "title": "t", "body": "b", "component_ids": [component],
                              "update_status": "identified"});
        self.send("POST", "~/incident_templates", &[], json!({ "template": template }))
            .await;
        self.read("~/incident_templates", &[]).await;
        let incident = json!({"incident": {"name": "i", "body": "We look.", "status": "investigating",
            "components": {component.clone(): "major_outage"}, "metadata": {"jira": {"issue_id": "value"}}}});
        let made = self.send("POST", "~/incidents", &[], incident).await;
        let id = text(&made["id"]);
        let update = text(&made["incident_updates"][0]["id"]);
        let maintenance = json!({"incident": {"name": "m", "status": "scheduled", "body": "soon",
            "component_ids": [component],
            "scheduled_for": "2026-03-02T00:00:00Z", "scheduled_until": "2026-03-02T01:00:00Z"}});
        self.send("POST", "~/incidents", &[], maintenance).await;
        let running = json!({"incident": {"name": "r", "status": "in_progress", "body": "now",
            "scheduled_for": "2026-03-01T11:00:00Z", "scheduled_until": "2026-03-01T13:00:00Z"}});
        self.send("POST", "~/incidents", &[], running).await;
        self.read("~/incidents", &[]).await;
        for view in ["active_maintenance", "upcoming", "scheduled", "unresolved"] {
            let listed = self.read(&format!("~/incidents/{view}"), &[]).await;
            assert_ne!(listed, json!([]), "{view}");
        }
        self.changed("~/incidents/{incident_id}", &[&id], json!({"incident": {"name": "j"}}))
            .await;
        self.read("~/incidents/{incident_id}", &[&id]).await;
        self.changed(
            "~/incidents/{incident_id}/incident_updates/{incident_update_id}",
            &[&id, &update],
            json!({"incident_update": {"body": "We look closer."}}),
        )
        .await;
        let subscribers = "~/incidents/{incident_id}/subscribers";
        let subscriber = json!({"subscriber": {"email": "i@example.com"}});
        let subscriber = self.made(subscribers, &[&id], subscriber).await;
        let item = format!("{subscribers}/{{subscriber_id}}");
        self.read(subscribers, &[&id]).await;
        self.read(&item, &[&id, &subscriber]).await;
        self.send(
            "POST",
            &format!("{item}/resend_confirmation"),
            &[&id, &subscriber],
            Value::Null,
        )
        .await;
        self.removed(&item, &[&id, &subscriber]).await;
        let postmortem = "~/incidents/{incident_id}/postmortem";
        self.send(
            "PATCH",
            "~/incidents/{incident_id}",
            &[&id],
            json!({"incident": {"status": "resolved"}}),
        )
        .await;
        self.send("PUT", postmortem, &[&id], json!({"postmortem": {"body_draft": "Why."}}))
            .await;
        self.send(
            "PUT",
            &format!("{postmortem}/publish"),
            &[&id],
            json!({"postmortem": {"notify_subscribers": false}}),
        )
        .await;
        self.read(postmortem, &[&id]).await;
        self.read("~/incidents/{incident_id}", &[&id]).await;
        self.send("PUT", &format!("{postmortem}/revert"), &[&id], Value::Null)
            .await;
        self.removed(postmortem, &[&id]).await;
        self.removed("~/incidents/{incident_id}", &[&id]).await;
    }

    async fn metrics(&mut self) {
        let provider = self
            .made(
                "~/metrics_providers",
                &[],
                json!({"metrics_provider": {"type": "Self"}}),
            )
            .await;
        let item = "~/metrics_providers/{metrics_provider_id}";
        self.read("~/metrics_providers", &[]).await;
        self.read(item, &[&provider]).await;
        self.changed(item, &[&provider], json!({"metrics_provider": {"type": "Self"}}))
            .await;
        let metrics = format!("{item}/metrics");
        let metric = json!({"metric": {"name": "Latency", "suffix": "ms"}});
        let metric = self.made(&metrics, &[&provider], metric).await;
        let timestamp = crate::server::beginning().as_second();
        let point = json!({"timestamp": timestamp, "value": 12.5});
        self.send(
            "POST",
            "~/metrics/data",
            &[],
            json!({"data": {metric.clone(): [point]}}),
        )
        .await;
        self.send(
            "POST",
            "~/metrics/{metric_id}/data",
            &[&metric],
            json!({ "data": point }),
        )
        .await;
        self.read(&metrics, &[&provider]).await;
        self.read("~/metrics", &[]).await;
        self.read("~/metrics/{metric_id}", &[&metric]).await;
        self.changed(
            "~/metrics/{metric_id}",
            &[&metric],
            json!({"metric": {"name": "Response time"}}),
        )
        .await;
        self.removed("~/metrics/{metric_id}/data", &[&metric]).await;
        self.removed("~/metrics/{metric_id}", &[&metric]).await;
        self.removed(item, &[&provider]).await;
    }

    async fn subscribers(&mut self) {
        let component = self.component("c").await;
        let subscriber = json!({"subscriber": {"email": "s@example.com", "component_ids": [component]}});
        let id = self.made("~/subscribers", &[], subscriber).await;
        let sms = json!({"subscriber": {"phone_country": "US", "phone_number": "2125550123"}});
        self.send("POST", "~/subscribers", &[], sms).await;
        let item = "~/subscribers/{subscriber_id}";
        self.send("POST", &format!("{item}/resend_confirmation"), &[&id], Value::Null)
            .await;
        self.send(
            "POST",
            "~/subscribers/resend_confirmation",
            &[],
            json!({"subscribers": [id]}),
        )
        .await;
        self.running.server.quarantine_subscriber(PAGE, &id).await.unwrap();
        self.read(item, &[&id]).await;
        self.send("POST", "~/subscribers/reactivate", &[], json!({"subscribers": [id]}))
            .await;
        self.read("~/subscribers", &[]).await;
        self.read("~/subscribers/count", &[]).await;
        self.read("~/subscribers/histogram_by_state", &[]).await;
        self.send("PATCH", item, &[&id], json!({"component_ids": [component]}))
            .await;
        self.removed(item, &[&id]).await;
        let other = self
            .made("~/subscribers", &[], json!({"subscriber": {"email": "t@example.com"}}))
            .await;
        self.send(
            "POST",
            "~/subscribers/unsubscribe",
            &[],
            json!({"subscribers": [other], "state": "all"}),
        )
        .await;
        assert_ne!(self.read("~/subscribers/unsubscribed", &[]).await, json!([]));
    }

    async fn access(&mut self) {
        let component = self.component("d").await;
        let provider = self
            .made(
                "~/metrics_providers",
                &[],
                json!({"metrics_provider": {"type": "Self"}}),
            )
            .await;
        let metrics = "~/metrics_providers/{metrics_provider_id}/metrics";
        let metric = self
            .made(metrics, &[&provider], json!({"metric": {"name": "Latency"}}))
            .await;
        let user = json!({"page_access_user": {"email": "a@example.com"}});
        let users = "~/page_access_users";
        let user_id = self.made(users, &[], user.clone()).await;
        let user_item = format!("{users}/{{page_access_user_id}}");
        self.changed(&user_item, &[&user_id], user).await;
        let group = json!({"page_access_group": {"name": "g", "page_access_user_ids": [user_id],
            "component_ids": [component], "metric_ids": [metric]}});
        let groups = "~/page_access_groups";
        let group_id = self.made(groups, &[], group.clone()).await;
        let group_item = format!("{groups}/{{page_access_group_id}}");
        self.changed(&group_item, &[&group_id], group).await;
        for (item, holder, kind, one, granted) in [
            (&user_item, &user_id, "component", "component_ids", &component),
            (&user_item, &user_id, "metric", "metric_ids", &metric),
            (&group_item, &group_id, "component", "component_ids", &component),
        ] {
            let list = format!("{item}/{kind}s");
            let body = json!({ one: [granted] });
            self.send("POST", &list, &[holder], body.clone()).await;
            self.changed(&list, &[holder], body.clone()).await;
            assert_ne!(self.read(&list, &[holder]).await, json!([]));
            self.removed(&format!("{list}/{{{kind}_id}}"), &[holder, granted]).await;
            self.send("DELETE", &list, &[holder], body).await;
        }
        self.read(users, &[]).await;
        self.read(&user_item, &[&user_id]).await;
        self.read(groups, &[]).await;
        self.read(&group_item, &[&group_id]).await;
        for (segment, key, id) in [
            ("page_access_users", "page_access_user_ids", &user_id),
            ("page_access_groups", "page_access_group_ids", &group_id),
        ] {
            let path = format!("~/components/{{component_id}}/{segment}");
            self.send("POST", &path, &[&component], json!({ key: [id] })).await;
            self.removed(&path, &[&component]).await;
        }
        self.removed(&group_item, &[&group_id]).await;
        self.removed(&user_item, &[&user_id]).await;
    }

    async fn organization(&mut self) {
        let user =
            json!({"user": {"email": "a@example.com", "password": "hidden", "first_name": "A", "last_name": "B"}});
        let user = self.made("/organizations/{organization_id}/users", &[], user).await;
        self.read("/organizations/{organization_id}/users", &[]).await;
        let permissions = "/organizations/{organization_id}/permissions/{user_id}";
        self.send(
            "PUT",
            permissions,
            &[&user],
            json!({"pages": {PAGE: {"incident_manager": true}}}),
        )
        .await;
        self.read(permissions, &[&user]).await;
        self.removed("/organizations/{organization_id}/users/{user_id}", &[&user])
            .await;
    }
}
