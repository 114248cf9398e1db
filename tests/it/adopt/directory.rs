//! In a directory, whose lock file keeps the id.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::export::{EVERYTHING, Exported, page, run};
use crate::server::{Running, text};

const DECLARED: &str = "apiVersion: statuspage-operator.io/v1alpha1
kind: StatusPage
metadata: {name: acme}
spec:
  pageId: page00000001
  api: {tokenSecretRef: {name: statuspage-token}}
---
apiVersion: statuspage-operator.io/v1alpha1
kind: Component
metadata: {name: api}
spec: {pageRef: {name: acme}, name: API, description: ours}
---
apiVersion: statuspage-operator.io/v1alpha1
kind: Component
metadata: {name: web}
spec: {pageRef: {name: acme}, name: Web}
";

struct Directory {
    directory: tempfile::TempDir,
}

impl Directory {
    fn new(manifests: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("page.yaml"), manifests).unwrap();
        Directory { directory }
    }

    fn path(&self) -> &str {
        self.directory.path().to_str().unwrap()
    }

    fn write(&self, manifests: &str) {
        std::fs::write(self.directory.path().join("page.yaml"), manifests).unwrap();
    }

    /// Everything that is recorded.
    fn recorded(&self) -> String {
        lock_file(self.directory.path()).map_or(String::new(), |path| std::fs::read_to_string(path).unwrap())
    }

    /// A command that has to be refused with these words, and changes nothing anywhere.
    async fn refused(&self, running: &Running, arguments: &[&str], words: &[&str]) {
        let before = self.recorded();
        running.server.log().clear();
        let all = [&["adopt", self.path()], arguments].concat();
        let printed = run(running, &all, 1).await;
        assert!(printed.starts_with("error: "), "{arguments:?}: {printed}");
        for word in words {
            assert!(printed.contains(word), "{arguments:?}: {word}: {printed}");
        }
        assert_eq!(self.recorded(), before, "{arguments:?}");
        assert_eq!(running.server.log().writes(), 0, "{arguments:?}");
    }
}

/// The lock file of another server than Statuspage itself.
fn lock_file(directory: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(directory.join(".statuspage")).ok()?;
    let mut paths = entries.map(|entry| entry.unwrap().path());
    paths.find(|path| path.to_string_lossy().ends_with(".lock.json"))
}

async fn component(running: &Running, name: &str, description: &str) -> String {
    let body = json!({"component": {"name": name, "description": description}});
    text(&running.ok("POST", "/components", body).await["id"])
}

#[tokio::test(flavor = "multi_thread")]
async fn the_only_one_of_the_name_is_bound_and_nothing_is_written() {
    let running = Running::start_with(page::server()).await;
    let api = component(&running, "API", "by hand").await;
    let directory = Directory::new(DECLARED);
    running.server.log().clear();

    let shown = run(&running, &["adopt", directory.path(), "component/api", "--dry-run"], 0).await;
    assert!(shown.contains("Dry run: nothing was recorded."), "{shown}");
    assert_eq!(directory.recorded(), "");

    let shown = run(&running, &["adopt", directory.path(), "component/api"], 0).await;
    for line in [
        &format!("Component default/api is {api}  \"API\", since 2026-03-01\n"),
        "The next apply writes:\n  description: \"by hand\" → \"ours\"\n",
        "nothing was written to the page.\n",
        "When the declaration is removed, it stays on the page.\n",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    assert_eq!(running.server.log().writes(), 0, "nothing is written to the page");
    let lock: Value = serde_json::from_str(&directory.recorded()).unwrap();
    let entry = &lock["objects"]["default/Component/api"];
    assert_eq!((&entry["id"], &entry["status"]["adopted"]), (&json!(api), &json!(true)));
    assert_eq!(entry["deletion"], "Orphan");

    for id in [&[api.as_str()][..], &[]] {
        let again = run(
            &running,
            &[&["adopt", directory.path(), "component/api"], id].concat(),
            0,
        )
        .await;
        assert!(again.contains("Already recorded."), "{again}");
    }
    let plan = run(&running, &["plan", directory.path()], 2).await;
    assert!(plan.contains("1 to create, 1 to update, 0 to delete"), "{plan}");
    run(&running, &["apply", directory.path()], 0).await;
    assert_eq!(running.get("/components").await.as_array().unwrap().len(), 2);
    assert_eq!(running.get(&format!("/components/{api}")).await["description"], "ours");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_bound_stays_when_its_manifest_goes_at_once() {
    let running = Running::start_with(page::server()).await;
    let api = component(&running, "API", "by hand").await;
    let directory = Directory::new(DECLARED);
    run(
        &running,
        &["adopt", directory.path(), "components/default/api", &api],
        0,
    )
    .await;
    directory.write(DECLARED.split("---").next().unwrap());
    run(&running, &["apply", directory.path()], 0).await;
    assert_eq!(
        running.get(&format!("/components/{api}")).await["description"],
        "by hand"
    );
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_the_ids_are_listed() {
    let running = Running::start_with(page::server()).await;
    let outside = component(&running, "Web", "").await;
    let inside = component(&running, "Web", "").await;
    let group = json!({"component_group": {"name": "Europe", "components": [inside]}});
    running.ok("POST", "/component-groups", group).await;
    let directory = Directory::new(DECLARED);
    let inside_line = format!("\n  {inside}  \"Web\" in group \"Europe\", since 2026-03-01");
    let outside_line = format!("\n  {outside}  \"Web\", since 2026-03-01");
    let words = ["run again with the id of one of them", &inside_line, &outside_line];
    directory.refused(&running, &["spcomp/web"], &words).await;
    // Nothing is called like that: what is there and free is listed.
    directory
        .refused(
            &running,
            &["component/api"],
            &["not declared:", &inside_line, &outside_line],
        )
        .await;
    run(&running, &["adopt", directory.path(), "component/web", &inside], 0).await;
    // What is bound is no candidate any more.
    let printed = run(&running, &["adopt", directory.path(), "component/api", &outside], 0).await;
    assert!(printed.contains("name: \"Web\" → \"API\""), "{printed}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_id_or_name_is_refused_and_nothing_is_half_done() {
    let running = Running::start_with(page::server()).await;
    let api = component(&running, "API", "").await;
    let other = component(&running, "Other", "").await;
    let group = json!({"component_group": {"name": "Europe", "components": [other]}});
    let group = text(&running.ok("POST", "/component-groups", group).await["id"]);
    let directory = Directory::new(DECLARED);
    let refused = async |arguments: &[&str], words: &[&str]| directory.refused(&running, arguments, words).await;
    refused(
        &["component/api", "2gcfmflvgs66"],
        &["page page00000001 has no component with id 2gcfmflvgs66", &api],
    )
    .await;
    refused(
        &["component/api", &group],
        &["has no component with id", "it is a component group, \"Europe\""],
    )
    .await;
    refused(
        &["component/apj"],
        &["no Component apj is declared in ", "did you mean api?"],
    )
    .await;
    refused(
        &["api"],
        &["\"api\" is not a declaration: write KIND/NAME, such as component/api"],
    )
    .await;
    refused(
        &["service/api"],
        &["\"service\" is not a kind: use one of ComponentGroup, Component"],
    )
    .await;
    refused(
        &["statuspage/acme"],
        &["has its pageId or subdomain: there is nothing to adopt"],
    )
    .await;
    refused(&["component/api", &api, "more"], &["unexpected"]).await;
    refused(&[], &["give DIR and KIND/NAME"]).await;

    run(&running, &["adopt", directory.path(), "component/api", &api], 0).await;
    refused(
        &["component/web", &api],
        &["Component default/api is bound to", "one object has one declaration"],
    )
    .await;
    let bound = format!("Component default/api is bound to {api} already, which is on the page: \"API\"");
    refused(&["component/api", &other], &[&bound]).await;
    // What it was bound to is gone: then another one can take its place.
    running.ok("DELETE", &format!("/components/{api}"), Value::Null).await;
    let shown = run(&running, &["adopt", directory.path(), "component/api", &other], 0).await;
    assert!(
        shown.contains(&format!("It was bound to {api}, which is no longer on the page.")),
        "{shown}"
    );

    let annotated = DECLARED.replace(
        "{name: web}",
        "{name: web, annotations: {statuspage-operator.io/id: gone00000000}}",
    );
    directory.write(&annotated);
    let web = component(&running, "Web", "").await;
    let place = "page.yaml:15:";
    refused(
        &["component/web", &web],
        &[place, "the manifest has id gone00000000", &format!("write {web} there")],
    )
    .await;
    directory.write(&DECLARED.replace("name: Web}", "name: Web, suspend: true}"));
    let shown = run(
        &running,
        &["adopt", directory.path(), "component/web", &web, "--dry-run"],
        0,
    )
    .await;
    assert!(
        shown.contains("The next apply writes nothing: suspend is true"),
        "{shown}"
    );
    directory.write(&DECLARED.replace("page00000001", "nopage000000"));
    refused(
        &["component/web", &web],
        &["the token sees no page with id nopage000000"],
    )
    .await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declaration_of_every_kind_can_be_bound() {
    let running = Running::start_with(page::server()).await;
    page::fill(&running).await;
    // Older than the newest hundred, and still open.
    for number in 0..100 {
        let body = json!({"incident": {"name": format!("later {number}"), "status": "resolved", "body": "over"}});
        running.ok("POST", "/incidents", body).await;
    }
    let exported = Exported::of(&running, &[&EVERYTHING[..], &["--management-policy", "Full"]].concat()).await;
    // The last of each kind loses its annotation.
    let mut lost = Vec::new();
    for entry in std::fs::read_dir(&exported.path).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let Some((before, rest)) = text.rsplit_once("  annotations:\n    statuspage-operator.io/id: ") else {
            continue;
        };
        let (id, after) = rest.split_once('\n').unwrap();
        let name = before
            .rsplit_once("  name: ")
            .unwrap()
            .1
            .trim()
            .trim_matches('"')
            .to_owned();
        let kind = path.file_stem().unwrap().to_str().unwrap().to_owned();
        lost.push((format!("{kind}/{name}"), id.to_owned()));
        std::fs::write(&path, format!("{before}{after}")).unwrap();
    }
    assert_eq!(lost.len(), 10, "every kind but the page");
    // What others refer to first, so that each can be compared.
    lost.sort_by_key(|(object, _)| {
        let referred = [
            "componentgroups/",
            "components/",
            "metricsproviders/",
            "metrics/",
            "pageaccessusers/",
        ];
        referred
            .iter()
            .position(|kind| object.starts_with(kind))
            .unwrap_or(referred.len())
    });
    running.server.log().clear();
    for (object, id) in &lost {
        let shown = run(&running, &["adopt", exported.directory(), object, id], 0).await;
        assert!(
            shown.contains("The page shows what is declared: The next apply writes nothing."),
            "{shown}"
        );
    }
    run(&running, &["apply", exported.directory()], 0).await;
    assert_eq!(running.server.log().writes(), 0);
    let incident = lost
        .iter()
        .find(|(object, _)| object.starts_with("incidents/"))
        .unwrap();
    let newest = running.get("/incidents?limit=100").await;
    assert!(
        crate::server::column(&newest, "id")
            .iter()
            .all(|id| *id != json!(incident.1)),
        "an old one"
    );
    running.stop().await;
}
