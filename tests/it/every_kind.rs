//! Templates, page access, members, the embedded status and annotations, from manifests to the local server and back.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use statuspage_operator::server::ServerOptions;

use crate::server::{PAGE, Running, TOKEN, answer, column, options, text};

const PAGE_MANIFEST: &str = r##"
apiVersion: statuspage-operator.io/v1alpha1
kind: StatusPage
metadata: {name: acme}
spec:
  pageId: page00000001
  organizationId: acme-org
  api: {tokenSecretRef: {name: statuspage-token}}
  observe: {subscribers: true}
  settings:
    branding: premium
    subdomain: acme-status
    colors: {greens: "#2FCC66", noData: "#abc"}
    allowWebhookSubscribers: true
  statusEmbed: {position: top-right, incidentTextColor: "#ABCDEF"}
"##;

const MANIFESTS: &str = r"
apiVersion: statuspage-operator.io/v1alpha1
kind: Component
metadata: {name: api}
spec: {pageRef: {name: acme}}
---
apiVersion: statuspage-operator.io/v1alpha1
kind: MetricsProvider
metadata: {name: own}
spec: {pageRef: {name: acme}, type: Self}
---
apiVersion: statuspage-operator.io/v1alpha1
kind: Metric
metadata: {name: latency}
spec: {pageRef: {name: acme}, providerRef: {name: own}, suffix: ms}
---
apiVersion: statuspage-operator.io/v1alpha1
kind: Subscriber
metadata:
  name: team
  annotations: {statuspage-operator.io/resend-confirmation: first}
spec: {pageRef: {name: acme}, email: Team@example.com}
---
apiVersion: statuspage-operator.io/v1alpha1
kind: IncidentTemplate
metadata: {name: outage}
spec:
  pageRef: {name: acme}
  title: Outage
  body: |
    We are looking into it.
  updateStatus: investigating
  shouldSendNotifications: true
  components: [api]
---
apiVersion: statuspage-operator.io/v1alpha1
kind: PageAccessUser
metadata: {name: viewer}
spec: {pageRef: {name: acme}, email: Viewer@example.com, subscribeToComponents: true}
---
apiVersion: statuspage-operator.io/v1alpha1
kind: PageAccessUser
metadata: {name: known}
spec: {pageRef: {name: acme}, email: KNOWN@example.com, externalLogin: k-1, adoptionPolicy: ByName}
---
apiVersion: statuspage-operator.io/v1alpha1
kind: PageAccessGroup
metadata: {name: customers}
spec:
  pageRef: {name: acme}
  externalIdentifier: customers
  users: [viewer, known]
  components: [api]
  metrics: [latency]
---
apiVersion: statuspage-operator.io/v1alpha1
kind: OrganizationUser
metadata: {name: jo}
spec:
  pageRef: {name: acme}
  email: Jo@example.com
  firstName: Jo
  passwordSecretRef: {name: first-password, key: password}
  permissions:
  - {page: acme, incidentManager: true}
";

struct Directory {
    directory: tempfile::TempDir,
    api: String,
}

impl Directory {
    fn new(running: &Running) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("page.yaml"), PAGE_MANIFEST).unwrap();
        Directory {
            directory,
            api: format!("{}/v1", running.origin),
        }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn write(&self, text: &str) {
        std::fs::write(self.path().join("objects.yaml"), text).unwrap();
    }

    /// Runs a command of ours on the directory and gives its JSON and its exit code.
    async fn run(&self, command: &'static str) -> (Value, i32) {
        let mut process = Command::new(env!("CARGO_BIN_EXE_statuspage"));
        process
            .args([
                command,
                "--output",
                "json",
                "--requests-per-minute",
                "0",
                "--api-url",
                &self.api,
            ])
            .arg(self.path())
            .env("STATUSPAGE_TOKEN", TOKEN)
            .env("STATUSPAGE_SECRET_FIRST_PASSWORD_PASSWORD", "correct-horse");
        let output = tokio::task::spawn_blocking(move || process.output().unwrap())
            .await
            .unwrap();
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!shown.contains("correct-horse") && !errors.contains("correct-horse"));
        let report = serde_json::from_str(&shown).unwrap_or_else(|error| panic!("{error}: {shown}\n{errors}"));
        (report, output.status.code().unwrap())
    }

    async fn applied(&self) -> Value {
        let (report, code) = self.run("apply").await;
        assert_eq!(code, 0, "{report:#}");
        report
    }
}

async fn start() -> Running {
    Running::start_with(ServerOptions {
        organization: Some("acme-org".to_owned()),
        rate_limit: 0,
        ..options()
    })
    .await
}

async fn organization(running: &Running, method: &str, path: &str, body: Value) -> Value {
    let url = format!("{}/v1/organizations/acme-org/{path}", running.origin);
    let request = running.client.request(method.parse().unwrap(), url);
    let (status, body) = answer(request.header("Authorization", format!("OAuth {TOKEN}")).json(&body)).await;
    assert!((200..300).contains(&status), "{status} {body}");
    body
}

fn object<'a>(report: &'a Value, name: &str) -> &'a Value {
    let objects = report["pages"][0]["objects"].as_array().unwrap();
    objects.iter().find(|object| object["name"] == name).unwrap()
}

#[tokio::test]
async fn every_new_kind_is_created_compared_and_ended_by_policy() {
    let running = start().await;
    let known = json!({"page_access_user": {"email": "known@example.com"}});
    let known = text(&running.ok("POST", "/page_access_users", known).await["id"]);
    let directory = Directory::new(&running);
    directory.write(MANIFESTS);
    directory.applied().await;

    let page = running.get("").await;
    assert_eq!(
        (
            &page["branding"],
            &page["subdomain"],
            &page["css_greens"],
            &page["css_no_data"]
        ),
        (
            &json!("premium"),
            &json!("acme-status"),
            &json!("2fcc66"),
            &json!("aabbcc")
        )
    );
    let embed = running.get("/status_embed_config").await;
    assert_eq!(
        (
            &embed["position"],
            &embed["incident_text_color"],
            &embed["maintenance_text_color"]
        ),
        (&json!("top-right"), &json!("abcdef"), &json!("FFFFFF"))
    );
    let template = &running.get("/incident_templates").await[0];
    assert_eq!(
        (&template["name"], &template["title"], &template["update_status"]),
        (&json!("outage"), &json!("Outage"), &json!("investigating"))
    );
    assert_eq!(column(&template["components"], "name"), ["api"]);
    let group = &running.get("/page_access_groups").await[0];
    assert_eq!(group["name"], "customers");
    let users = group["page_access_user_ids"].as_array().unwrap();
    assert!(users.len() == 2 && users.contains(&json!(known)));
    assert_eq!(group["component_ids"].as_array().unwrap().len(), 1);
    assert_eq!(group["metric_ids"].as_array().unwrap().len(), 1);
    assert_eq!(
        running.get(&format!("/page_access_users/{known}")).await["external_login"],
        "k-1"
    );
    let members = organization(&running, "GET", "users", json!({})).await;
    assert_eq!(members[0]["email"], "Jo@example.com");
    let permissions = format!("permissions/{}", text(&members[0]["id"]));
    let roles = organization(&running, "GET", &permissions, json!({})).await;
    assert_eq!(
        (&roles["pages"][0]["page_id"], &roles["pages"][0]["incident_manager"]),
        (&json!(PAGE), &json!(true))
    );

    // A pass that finds nothing to do: pages, components, providers, metrics, subscribers, their numbers, templates,
    // access users, access groups, embed, members, permissions of one member.
    let (plan, code) = directory.run("plan").await;
    assert_eq!((code, &plan["pages"][0]["requests"]), (0, &json!(0)), "{plan:#}");
    assert_eq!(plan["pages"][0]["requests_to_plan"], 12);
    let again = directory.applied().await;
    assert_eq!(
        (&again["pages"][0]["writes"], &again["pages"][0]["reads"]),
        (&json!(0), &json!(12))
    );

    // All manifests but the page are gone.
    std::fs::remove_file(directory.path().join("objects.yaml")).unwrap();
    let deleted = directory.applied().await;
    assert_eq!(deleted["counts"]["deleted"], 7, "{deleted:#}");
    assert_eq!(
        column(&running.get("/page_access_users").await, "id"),
        [json!(known)],
        "adopted: left"
    );
    assert_eq!(
        column(&running.get("/incident_templates").await, "name"),
        ["outage"],
        "cannot be deleted"
    );
    assert_eq!(running.get("/page_access_groups").await, json!([]));
    assert_eq!(organization(&running, "GET", "users", json!({})).await, json!([]));
    running.stop().await;
}

#[tokio::test]
async fn permissions_of_other_pages_are_kept() {
    let mut options = ServerOptions {
        organization: Some("acme-org".to_owned()),
        rate_limit: 0,
        ..options()
    };
    for (id, name) in [("page00000002", "Beta"), ("page00000003", "Gamma")] {
        options.pages.push(statuspage_operator::server::PageSeed {
            id: Some(id.to_owned()),
            name: name.to_owned(),
        });
    }
    let running = Running::start_with(options).await;
    let jo = json!({"user": {"email": "jo@example.com", "password": "x"}});
    let jo = text(&organization(&running, "POST", "users", jo).await["id"]);
    let path = format!("permissions/{jo}");
    let before = json!({"pages": {"page00000003": {"maintenance_manager": true}, PAGE: {"page_configuration": true}}});
    organization(&running, "PUT", &path, before).await;
    let directory = Directory::new(&running);
    let beta = PAGE_MANIFEST.replace("acme}", "beta}").replace(PAGE, "page00000002");
    let beta = beta
        .lines()
        .take_while(|line| !line.contains("observe"))
        .collect::<Vec<_>>()
        .join("\n");
    std::fs::write(directory.path().join("beta.yaml"), beta).unwrap();
    directory.write(
        "apiVersion: statuspage-operator.io/v1alpha1
kind: OrganizationUser
metadata: {name: jo}
spec:
  pageRef: {name: acme}
  email: JO@example.com
  adoptionPolicy: ByName
  permissions:
  - {page: acme, incidentManager: true}
  - {page: beta, maintenanceManager: true}
",
    );
    directory.applied().await;
    let roles = organization(&running, "GET", &path, json!({})).await;
    let of = |id: &str| {
        let pages = roles["pages"].as_array().unwrap();
        let page = pages.iter().find(|page| page["page_id"] == id).unwrap();
        ["page_configuration", "incident_manager", "maintenance_manager"].map(|role| page[role].as_bool().unwrap())
    };
    assert_eq!(of(PAGE), [true, true, false], "a role that is not declared stays");
    assert_eq!(of("page00000002"), [false, false, true]);
    assert_eq!(
        of("page00000003"),
        [false, false, true],
        "a page that is not declared stays"
    );
    running.stop().await;
}

#[tokio::test]
async fn a_template_is_never_repaired() {
    let running = start().await;
    running
        .server
        .faults()
        .set_behaviour(|behaviour| behaviour.template_items = true);
    let directory = Directory::new(&running);
    let template = "apiVersion: statuspage-operator.io/v1alpha1
kind: IncidentTemplate
metadata: {name: outage}
spec: {pageRef: {name: acme}, title: Outage, body: We are looking.}
";
    directory.write(template);
    directory.applied().await;
    let id = text(&running.get("/incident_templates").await[0]["id"]);
    let edited = json!({"template": {"title": "Edited"}});
    running.ok("PATCH", &format!("/incident_templates/{id}"), edited).await;

    let report = directory.applied().await;
    assert_eq!(report["pages"][0]["writes"], 0, "{report:#}");
    assert_eq!(report["counts"]["warnings"], 1, "the difference is told");
    directory.write(&template.replace("We are looking.", "We look."));
    let (report, code) = directory.run("apply").await;
    assert_eq!(code, 1, "{report:#}");
    let outage = object(&report, "outage");
    assert_eq!(outage["reason"], "NotHonoured");
    let message = text(&outage["message"]);
    assert!(
        message.contains("body") && message.contains("in the console"),
        "{message}"
    );
    assert_eq!(running.get("/incident_templates").await.as_array().unwrap().len(), 1);
    running.stop().await;
}

#[tokio::test]
async fn a_list_that_is_refused_stops_only_its_kind() {
    let running = start().await;
    let directory = Directory::new(&running);
    std::fs::write(
        directory.path().join("page.yaml"),
        PAGE_MANIFEST.replace("acme-org", "other-org"),
    )
    .unwrap();
    directory.write(MANIFESTS);
    let (report, code) = directory.run("apply").await;
    assert_eq!(code, 1);
    let not_ready: Vec<&Value> = report["pages"][0]["objects"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|object| object["ready"] == json!(false))
        .collect();
    assert_eq!(not_ready.len(), 1, "{not_ready:#?}");
    assert_eq!(
        (&not_ready[0]["name"], &not_ready[0]["reason"]),
        (&json!("jo"), &json!("RemoteNotFound"))
    );
    running.stop().await;
}

#[tokio::test]
async fn an_annotation_acts_once_for_each_value() {
    let running = start().await;
    let directory = Directory::new(&running);
    let subscriber = |annotation: &str, value: &str| {
        format!(
            "apiVersion: statuspage-operator.io/v1alpha1
kind: Subscriber
metadata:
  name: team
  annotations: {{statuspage-operator.io/{annotation}: {value}}}
spec: {{pageRef: {{name: acme}}, email: team@example.com}}
"
        )
    };
    let writes = async |text: String| {
        directory.write(&text);
        directory.applied().await["pages"][0]["writes"].clone()
    };
    assert_eq!(
        writes(subscriber("resend-confirmation", "a")).await,
        json!(3),
        "settings, embed, create"
    );
    assert_eq!(writes(subscriber("resend-confirmation", "a")).await, json!(0));
    assert_eq!(writes(subscriber("resend-confirmation", "b")).await, json!(1));
    assert_eq!(writes(subscriber("resend-confirmation", "b")).await, json!(0));
    running.stop().await;
}

/// The example for people, applied as its README says.
#[tokio::test]
async fn the_example_of_access_is_applied() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/access");
    let running = Running::start_with(ServerOptions {
        organization: Some("5hr8w3y6nc0d".to_owned()),
        rate_limit: 0,
        pages: vec![statuspage_operator::server::PageSeed {
            id: Some("7kq2m9x4vt1b".to_owned()),
            name: "Acme".to_owned(),
        }],
        ..options()
    })
    .await;
    let directory = Directory::new(&running);
    for entry in std::fs::read_dir(example).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, directory.path().join(path.file_name().unwrap())).unwrap();
    }
    let report = directory.applied().await;
    assert_eq!(report["counts"]["created"], 7, "{report:#}");
    let (_, code) = directory.run("plan").await;
    assert_eq!(code, 0);
    running.stop().await;
}
