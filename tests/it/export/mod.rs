//! A page that people made by hand, written down and adopted without a change.

mod cluster;
pub(super) mod page;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use statuspage_operator::server::Effect;

use crate::server::{PAGE, Running, TOKEN};
use page::{ODD_NAMES, ORGANIZATION};

async fn statuspage(running: &Running, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_statuspage"));
    command
        .args(arguments)
        .env("STATUSPAGE_API_URL", format!("{}/v1", running.origin))
        .env("STATUSPAGE_TOKEN", TOKEN)
        .env("NO_COLOR", "1");
    if !arguments.contains(&"validate") {
        // The server of these tests has no limit, and a command goes on with the window of the one before.
        command.args(["--requests-per-minute", "0"]);
    }
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

/// Runs a command that has to end with this code, and gives what it printed.
pub(super) async fn run(running: &Running, arguments: &[&str], code: i32) -> String {
    let output = statuspage(running, arguments).await;
    let printed = text(&output);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{printed}");
    printed
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// The options that leave nothing out.
pub(super) const EVERYTHING: [&str; 5] = [
    "--personal-data",
    "--user-grants",
    "--closed-incidents",
    "--organization",
    ORGANIZATION,
];

pub(super) struct Exported {
    _directory: tempfile::TempDir,
    pub(super) path: PathBuf,
    printed: String,
}

impl Exported {
    pub(super) async fn of(running: &Running, options: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("page");
        let mut arguments = vec!["export", "--page", PAGE, "--directory", path.to_str().unwrap()];
        arguments.extend(options);
        let printed = run(running, &arguments, 0).await;
        Exported {
            _directory: directory,
            path,
            printed,
        }
    }

    pub(super) fn directory(&self) -> &str {
        self.path.to_str().unwrap()
    }

    fn files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.path).unwrap();
        let mut files: Vec<PathBuf> = entries
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
            .collect();
        files.sort();
        files
    }

    /// Changes the text of every file.
    pub(super) fn edit(&self, change: impl Fn(&str) -> String) {
        for file in self.files() {
            let text = std::fs::read_to_string(&file).unwrap();
            std::fs::write(&file, change(&text)).unwrap();
        }
    }

    /// All manifests, as another reader of YAML reads them, by kind.
    fn read(&self) -> BTreeMap<String, Vec<Value>> {
        use serde::Deserialize;
        let mut objects: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for file in self.files() {
            let text = std::fs::read_to_string(&file).unwrap();
            for document in yaml_oracle::Deserializer::from_str(&text) {
                let object = Value::deserialize(document).unwrap_or_else(|error| panic!("{error}\n{text}"));
                objects
                    .entry(object["kind"].as_str().unwrap().to_owned())
                    .or_default()
                    .push(object);
            }
        }
        objects
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exported_page_is_taken_over_without_a_change() {
    let running = Running::start_with(page::server()).await;
    page::fill(&running).await;
    let exported = Exported::of(&running, &[&EVERYTHING[..], &["--management-policy", "Full"]].concat()).await;
    let objects = exported.read();
    for (kind, objects) in &objects {
        assert!(objects.len() >= 3 || kind == "StatusPage", "{kind}: {}", objects.len());
    }
    assert_eq!(objects.len(), 11, "every kind: {:?}", objects.keys());
    let titles: Vec<&str> = objects["Component"]
        .iter()
        .filter_map(|component| component["spec"]["name"].as_str())
        .collect();
    let missing: Vec<&&str> = ODD_NAMES
        .iter()
        .filter(|name| {
            !titles.contains(name) && !objects["Component"].iter().any(|one| one["metadata"]["name"] == **name)
        })
        .collect();
    assert_eq!(missing, Vec::<&&str>::new());

    let followed = |incident: &&Value| {
        incident["spec"]["subscribers"]
            .as_array()
            .is_some_and(|all| all.len() == 3)
    };
    assert_eq!(objects["Incident"].iter().filter(followed).count(), 1);

    let directory = exported.directory();
    run(&running, &["validate", directory], 0).await;
    running.server.log().clear();
    let plan = run(&running, &["plan", directory], 0).await;
    assert!(plan.contains("Nothing to do"), "{plan}");
    // Nobody's word is needed for that: it is what the page says.
    exported.edit(|text| text.replace("\nspec:\n  pageRef:", "\nspec:\n  driftPolicy: Correct\n  pageRef:"));
    run(&running, &["apply", directory], 0).await;
    run(&running, &["plan", directory], 0).await;
    assert_eq!(running.server.log().writes(), 0, "adopting changes nothing on the page");

    // From now on a change of a manifest is sent, and what others change is changed back.
    exported.edit(|text| text.replace("position: top-right", "position: top-left"));
    let first = objects["Component"][0]["metadata"]["annotations"]["statuspage-operator.io/id"]
        .as_str()
        .unwrap();
    let edited = json!({"component": {"description": "edited by hand"}});
    running.ok("PATCH", &format!("/components/{first}"), edited).await;
    running.server.log().clear();
    run(&running, &["apply", directory], 0).await;
    assert_eq!(running.server.log().writes(), 2);

    // What was adopted stays when its manifests go.
    for file in exported.files() {
        if file.extension().is_some_and(|extension| extension == "yaml") && !file.ends_with("statuspages.yaml") {
            std::fs::remove_file(file).unwrap();
        }
    }
    running.server.log().clear();
    run(&running, &["apply", directory], 0).await;
    assert_eq!(running.server.log().writes(), 0, "what was adopted is orphaned");
    running.stop().await;
}

/// Section 4.1 of the API reference: what a page of every resource costs at least.
#[tokio::test(flavor = "multi_thread")]
async fn a_pass_over_every_resource_costs_what_the_lists_cost() {
    let running = Running::start_with(page::server()).await;
    page::fill(&running).await;
    let exported = Exported::of(&running, &[&EVERYTHING[..], &["--management-policy", "Full"]].concat()).await;
    run(&running, &["apply", exported.directory()], 0).await;
    running.server.log().clear();
    run(&running, &["apply", exported.directory()], 0).await;
    let mut read: BTreeMap<String, usize> = BTreeMap::new();
    for request in running.server.log().entries() {
        assert_eq!(request.method, "GET");
        let path = request.path.replace(&format!("/v1/pages/{PAGE}"), "PAGE");
        let path = match path.rsplit_once('/') {
            Some((parent, _)) if parent.ends_with("/permissions") => parent.to_owned(),
            Some((_, list)) if path.starts_with("PAGE/page_access_users/") => {
                format!("PAGE/page_access_users/*/{list}")
            }
            _ => path,
        };
        *read.entry(path).or_default() += 1;
    }
    let expected = [
        ("/v1/pages", 1),
        ("PAGE/components", 1),
        ("PAGE/incidents", 1),
        ("PAGE/incident_templates", 1),
        ("PAGE/metrics_providers", 1),
        ("PAGE/metrics", 1),
        ("PAGE/subscribers", 1),
        ("PAGE/page_access_groups", 1),
        ("PAGE/page_access_users", 1),
        ("PAGE/status_embed_config", 1),
        // What no list has: what is granted to one user alone, the members of the organization, and the roles of each
        // who has some on this page.
        ("PAGE/page_access_users/*/components", 1),
        ("/v1/organizations/acme-org/users", 1),
        ("/v1/organizations/acme-org/permissions", 2),
    ];
    let expected: BTreeMap<String, usize> = expected.map(|(path, count)| (path.to_owned(), count)).into();
    assert_eq!(read, expected);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_only_observes_until_its_owner_says_otherwise() {
    let running = Running::start_with(page::server()).await;
    page::fill(&running).await;
    let exported = Exported::of(&running, &EVERYTHING).await;
    let directory = exported.directory();
    run(&running, &["plan", directory], 0).await;
    run(&running, &["apply", directory], 0).await;
    exported.edit(|text| text.replace("position: top-right", "position: top-left"));
    exported.edit(|text| {
        text.replace("about API", "About the API")
            .replace("We look.", "We look again.")
    });
    running.server.log().clear();
    let planned = run(&running, &["plan", directory], 1).await;
    for field in ["statusEmbed.position", "description", "updates[0].body"] {
        assert!(planned.contains(field), "{field}: {planned}");
    }
    run(&running, &["apply", directory], 1).await;
    assert_eq!(
        running.server.log().writes(),
        0,
        "nothing is written until the policy says so"
    );

    let observed = "  managementPolicy: ObserveOnly\n  defaults:\n    managementPolicy: ObserveOnly\n";
    assert!(
        std::fs::read_to_string(exported.path.join("statuspages.yaml"))
            .unwrap()
            .contains(observed)
    );
    exported.edit(|text| text.replace(observed, ""));
    run(&running, &["plan", directory], 2).await;
    run(&running, &["apply", directory], 0).await;
    assert_eq!(running.server.log().writes(), 3);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_names_nobody_unless_asked_to() {
    let running = Running::start_with(page::server()).await;
    page::fill(&running).await;
    running.server.log().clear();
    let printed = run(&running, &["export", "--page", PAGE], 0).await;
    for person in ["@", "2025550123", "2025550199", "hook?", "O'Hara", "Zoë", "0e1-jo"] {
        // The page's own sender is no person.
        let printed = printed
            .replace("noreply@example.com", "")
            .replace("account@example.com", "");
        assert!(!printed.contains(person), "{person}: {printed}");
    }
    for server_only in ["created_at", "createdAt", "position: 1", "uid:", ": null\n"] {
        assert!(!printed.contains(server_only), "{server_only}: {printed}");
    }
    for path in ["subscribers", "page_access_users", "organizations"] {
        let asked = running
            .server
            .log()
            .entries()
            .iter()
            .any(|entry| entry.path.contains(path));
        assert!(!asked, "{path} is not even read");
    }
    let exported = Exported::of(&running, &["--management-policy", "full"]).await;
    run(&running, &["plan", exported.directory()], 0).await;
    let printed = run(&running, &["export", "--page", PAGE, "--personal-data"], 0).await;
    assert!(
        printed.contains("Team@example.com") || printed.contains("team@example.com"),
        "{printed}"
    );
    assert!(
        printed.contains("note: members of the organization are left out: give --organization"),
        "{printed}"
    );
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_plan_of_the_page_does_not_have_is_said() {
    let running = Running::start_with(page::server()).await;
    page::fill(&running).await;
    for (path, status) in [
        ("page_access_users", 403),
        ("page_access_groups", 404),
        ("status_embed_config", 404),
        ("incident_templates", 403),
        ("/users", 404),
        ("/subscribers", 403),
    ] {
        let refused = Effect::Answer {
            status,
            body: None,
            retry_after: None,
        };
        running.server.faults().next(1, "GET", path, refused);
    }
    let busy = Effect::Answer {
        status: 420,
        body: None,
        retry_after: Some(0),
    };
    running.server.faults().next(1, "GET", "/metrics_providers", busy);
    let exported = Exported::of(&running, &EVERYTHING).await;
    assert_eq!(running.server.faults().pending(), 0);
    assert!(
        exported.printed.contains("waiting as long as Statuspage asks"),
        "{}",
        exported.printed
    );
    for left_out in [
        "page access users are",
        "page access groups are",
        "settings of the status embed are",
        "incident templates are",
        "members of the organization are",
        "subscribers are",
    ] {
        let note = format!("note: {left_out} left out: ");
        assert!(exported.printed.contains(&note), "{note}: {}", exported.printed);
    }
    assert_eq!(exported.read().len(), 6);
    run(&running, &["plan", exported.directory()], 0).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_overwrites_nothing() {
    let running = Running::start_with(page::server()).await;
    page::fill(&running).await;
    let directory = tempfile::tempdir().unwrap();
    let theirs = directory.path().join("metrics.yaml");
    std::fs::write(&theirs, "# theirs\n").unwrap();
    let path = directory.path().to_str().unwrap();
    let printed = run(&running, &["export", "--page", PAGE, "--directory", path], 1).await;
    assert!(printed.contains("metrics.yaml exists already"), "{printed}");
    let there: Vec<_> = std::fs::read_dir(directory.path()).unwrap().collect();
    assert_eq!(there.len(), 1, "nothing else was written");
    assert_eq!(std::fs::read_to_string(theirs).unwrap(), "# theirs\n");

    let printed = run(&running, &["export", "--page", "nopage000000"], 1).await;
    assert!(printed.contains("nopage000000"), "{printed}");
    assert!(!Path::new("statuspages.yaml").exists());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_of_a_token_are_listed_with_their_ids() {
    let running = Running::start().await;
    let printed = run(&running, &["pages"], 0).await;
    let words: Vec<&str> = printed.split_whitespace().collect();
    assert_eq!(words, [PAGE, "acme.statuspage.io", "Acme"], "{printed}");
    let printed = run(&running, &["pages", "--output", "json"], 0).await;
    let pages: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(
        pages,
        json!([{"id": PAGE, "name": "Acme", "host": "acme.statuspage.io"}])
    );
    assert_eq!(running.server.log().entries().len(), 2, "a request each");
    running.stop().await;
}
