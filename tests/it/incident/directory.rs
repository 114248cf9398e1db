//! Every subcommand, in a directory.

use statuspage_operator::server::PageSeed;

use super::*;
use crate::directory::options;

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_takes_one_line_and_a_request_beside_what_has_to_be_read() {
    let (local, directory) = stage().await;
    let typed = "statuspage incident open \"API errors\" -m \"We are looking into it.\" -c api=major";
    assert!(typed.len() < 100, "{}", typed.len());
    let said = done(&local, &directory, &OPEN).await;
    // The page, its incidents (is it there already? where none is shown at all, a second look), and the incident itself.
    assert_eq!(
        sent(&local),
        ["GET ", "GET /incidents", "GET /incidents", "POST /incidents"]
    );
    let incident = only_incident(&local).await;
    assert_eq!(incident["name"], "API errors");
    assert_eq!(incident["status"], "investigating");
    assert_eq!(incident["incident_updates"][0]["body"], "We are looking into it.");
    assert_eq!(incident["incident_updates"][0]["deliver_notifications"], true);
    assert_eq!(
        statuses(&local).await,
        json!({"Public API": "major_outage", "Web": "operational"})
    );
    assert!(said.contains(incident["shortlink"].as_str().unwrap()), "{said}");
    let (path, text) = only_file(&directory);
    assert!(said.contains(path.file_name().unwrap().to_str().unwrap()), "{said}");
    assert!(
        text.contains("name: API errors") && text.contains("api: major_outage"),
        "{text}"
    );
    local.is_settled(&directory).await;
    local.log().clear();
    done(&local, &directory, &["incident", "open", "Another", "-m", "Looking."]).await;
    assert_eq!(sent(&local), ["GET ", "GET /incidents", "POST /incidents"]);
}

/// What was asked of the page, in order.
fn sent(local: &Local) -> Vec<String> {
    let page = format!("/v1/pages/{PAGE}");
    let entries = local.log().entries();
    let path = |path: &str| path.strip_prefix(&page).unwrap_or_default().to_owned();
    entries
        .iter()
        .map(|one| format!("{} {}", one.method, path(&one.path)))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_goes_from_the_first_word_to_the_postmortem() {
    let (local, directory) = stage().await;
    done(&local, &directory, &OPEN).await;
    let (path, text) = only_file(&directory);
    // Somebody makes it theirs.
    let ours = text
        .replace("spec:\n", "# Ann leads this one.\nspec:\n")
        .replace("api: major_outage", "api: major_outage # all regions");
    std::fs::write(&path, &ours).unwrap();
    local.log().clear();
    let said = done(
        &local,
        &directory,
        &[
            "incident",
            "update",
            "-m",
            "A disk: it\nis replaced.",
            "-s",
            "ident",
            "-c",
            "Web=degraded",
        ],
    )
    .await;
    let id = only_incident(&local).await["id"].as_str().unwrap().to_owned();
    let this = format!("/incidents/{id}");
    // The page, its incidents, this one as it is now, the update; then the look of the test.
    let expected = [
        "GET ",
        "GET /incidents",
        &format!("GET {this}"),
        &format!("PATCH {this}"),
        "GET /incidents",
    ];
    assert_eq!(sent(&local), expected);
    assert!(said.contains("web: degraded_performance"), "{said}");
    let (_, text) = only_file(&directory);
    let body = "  - status: identified\n    body: |-\n      A disk: it\n      is replaced.\n";
    assert!(
        text.contains("# Ann leads this one.")
            && text.contains("api: major_outage # all regions")
            && text.contains(body),
        "{text}"
    );
    let incident = only_incident(&local).await;
    assert_eq!(incident["status"], "identified");
    assert_eq!(
        statuses(&local).await,
        json!({"Public API": "major_outage", "Web": "degraded_performance"})
    );

    // A component alone tells nobody.
    local.log().clear();
    done(&local, &directory, &["incident", "update", "-c", "api=partial"]).await;
    assert_eq!(local.log().writes(), 1);
    let incident = only_incident(&local).await;
    assert_eq!(
        incident["incident_updates"].as_array().unwrap().len(),
        2,
        "{incident:#}"
    );
    assert_eq!(statuses(&local).await["Public API"], "partial_outage");

    let said = done(&local, &directory, &["incident", "list"]).await;
    assert!(
        said.contains("API errors") && said.contains("identified") && said.contains("Public API partial_outage"),
        "{said}"
    );
    let listed = done(&local, &directory, &["incident", "list", "-o", "json"]).await;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed[0]["id"], incident["id"]);
    let name = listed[0]["name"].as_str().unwrap().to_owned();

    let said = done(&local, &directory, &["incident", "resolve", "--no-notify"]).await;
    assert!(
        said.contains("api: partial_outage → operational") && said.contains("web: degraded_performance → operational"),
        "{said}"
    );
    assert_eq!(
        statuses(&local).await,
        json!({"Public API": "operational", "Web": "operational"})
    );
    let incident = only_incident(&local).await;
    assert_eq!(incident["status"], "resolved");
    assert_eq!(
        incident["incident_updates"][0]["body"],
        "This incident has been resolved."
    );
    assert_eq!(incident["incident_updates"][0]["deliver_notifications"], false);
    assert!(only_file(&directory).1.contains("# Ann leads this one."));
    assert!(
        done(&local, &directory, &["incident", "list"])
            .await
            .contains("No incident is open.")
    );
    assert!(
        done(&local, &directory, &["incident", "list", "--all"])
            .await
            .contains("resolved")
    );

    let shown = done(&local, &directory, &["incident", "show", &name]).await;
    assert!(
        shown.find("resolved").unwrap() < shown.find("A disk: it").unwrap(),
        "newest first: {shown}"
    );
    let shown = done(
        &local,
        &directory,
        &["incident", "show", incident["id"].as_str().unwrap(), "-o", "json"],
    )
    .await;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["updates"].as_array().unwrap().len(), 3, "{shown:#}");

    directory.write("postmortem.md", "# What happened\n\nA disk failed.\n");
    done(
        &local,
        &directory,
        &["incident", "postmortem", &name, "--file", "postmortem.md"],
    )
    .await;
    let at = format!("/incidents/{}/postmortem", incident["id"].as_str().unwrap());
    let draft = local.get(&at).await;
    assert!(
        draft["published_at"].is_null() && draft["body_draft"].as_str().unwrap().contains("A disk failed."),
        "{draft:#}"
    );
    done(
        &local,
        &directory,
        &[
            "incident",
            "postmortem",
            &name,
            "-m",
            "A disk failed. We bought another.",
            "--publish",
        ],
    )
    .await;
    let public = local.get(&at).await;
    assert!(
        !public["published_at"].is_null() && public["body"].as_str().unwrap().contains("another"),
        "{public:#}"
    );
    local.is_settled(&directory).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_shows_what_would_be_sent_and_writes_nothing() {
    let (local, directory) = stage().await;
    let said = done(&local, &directory, &[&OPEN[..], &["--dry-run"]].concat()).await;
    assert!(
        said.contains("| We are looking into it.") && said.contains("status investigating"),
        "{said}"
    );
    assert!(
        said.contains("Nothing was written or sent") && said.contains("api: major_outage"),
        "{said}"
    );
    assert_eq!((local.log().writes(), files(&directory).len()), (0, 0));
    done(&local, &directory, &OPEN).await;
    let before = files(&directory);
    local.log().clear();
    for arguments in [["update", "-m", "More."], ["resolve", "-m", "Done."]] {
        let said = done(
            &local,
            &directory,
            &[&["incident"], &arguments[..], &["--dry-run"]].concat(),
        )
        .await;
        assert!(said.contains(&format!("| {}", arguments[2])), "{said}");
    }
    assert_eq!(local.log().writes(), 0);
    assert_eq!(files(&directory), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_pages_the_components_tell_which() {
    let other = "page00000002";
    let mut options = options();
    options.pages.push(PageSeed {
        id: Some(other.to_owned()),
        name: "Internal".to_owned(),
    });
    let local = Local::start_with(options).await;
    let directory = Directory::new();
    directory.write(
        "internal.yaml",
        &page("").replace("acme", "internal").replace(PAGE, other),
    );
    let component = declaration("Component", "intranet", &[]).replace("acme", "internal");
    directory.write("components.yaml", &(declaration("Component", "api", &[]) + &component));
    local.apply(&directory).await;
    refused(
        &local,
        &directory,
        &["incident", "open", "Down", "-m", "x"],
        "several pages (internal, acme)",
    )
    .await;
    refused(
        &local,
        &directory,
        &[
            "incident",
            "open",
            "Down",
            "-m",
            "x",
            "-c",
            "api=major",
            "-c",
            "intranet=major",
        ],
        "one incident is on one page",
    )
    .await;
    done(
        &local,
        &directory,
        &["incident", "open", "Down", "-m", "x", "-c", "intranet=major"],
    )
    .await;
    assert!(incidents(&local).await.is_empty(), "the other page");
    done(
        &local,
        &directory,
        &["incident", "open", "Slow", "-m", "x", "--page", "acme"],
    )
    .await;
    assert_eq!(only_incident(&local).await["name"], "Slow");
    let listed = done(&local, &directory, &["incident", "list", "-o", "json"]).await;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 2, "{listed:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_maintenance_is_completed() {
    let (local, directory) = stage().await;
    directory.write(
        "incidents.yaml",
        &declaration(
            "Incident",
            "upgrade",
            &[
                "name: Upgrade",
                "updates: [{status: scheduled, body: Soon.}, {status: in_progress, body: Begun.}]",
                "components: {web: under_maintenance}",
                "schedule: {start: 2126-01-01T00:00:00Z, end: 2126-01-01T01:00:00Z}",
            ],
        ),
    );
    local.apply(&directory).await;
    assert_eq!(statuses(&local).await["Web"], "under_maintenance");
    done(&local, &directory, &["incident", "resolve", "upgrade"]).await;
    let maintenance = only_incident(&local).await;
    assert_eq!(maintenance["status"], "completed");
    assert_eq!(
        maintenance["incident_updates"][0]["body"],
        "The scheduled maintenance has been completed."
    );
    assert_eq!(statuses(&local).await["Web"], "operational");
    local.is_settled(&directory).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_gives_what_is_not_given() {
    let (local, directory) = stage().await;
    let spec = [
        "name: Region down",
        "title: \"{{region}} is down\"",
        "body: \"We look into {{region}}.\"",
        "updateStatus: identified",
    ];
    directory.write("template.yaml", &declaration("IncidentTemplate", "region-down", &spec));
    local.apply(&directory).await;
    let open = ["incident", "open", "--template", "region-down"];
    refused(&local, &directory, &open, "no value for {{region}}").await;
    refused(
        &local,
        &directory,
        &["incident", "open", "--template", "region-dwn"],
        "did you mean region-down?",
    )
    .await;
    refused(
        &local,
        &directory,
        &[&open[..], &["--set", "region"]].concat(),
        "is no KEY=VALUE",
    )
    .await;
    refused(
        &local,
        &directory,
        &[&open[..], &["--no-notify"]].concat(),
        "give -m to say it yourself",
    )
    .await;
    done(
        &local,
        &directory,
        &[&open[..], &["--set", "region=eu-west-1", "-c", "api=major"]].concat(),
    )
    .await;
    let incident = only_incident(&local).await;
    assert_eq!(
        (&incident["name"], &incident["status"]),
        (&json!("eu-west-1 is down"), &json!("identified"))
    );
    assert_eq!(incident["incident_updates"][0]["body"], "We look into eu-west-1.");
    assert!(only_file(&directory).0.to_str().unwrap().ends_with("-region-down.yaml"));
    done(&local, &directory, &["incident", "update", "-m", "Half of it is back."]).await;
    assert_eq!(only_incident(&local).await["status"], "identified");
    let name = only_file(&directory)
        .0
        .file_stem()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    let shown = done(&local, &directory, &["incident", "show", &name]).await;
    assert!(
        shown.contains("We look into eu-west-1.") && !shown.contains("not on the page"),
        "{shown}"
    );
    done(&local, &directory, &["incident", "resolve"]).await;
    let incident = only_incident(&local).await;
    assert_eq!(
        (
            &incident["status"],
            incident["incident_updates"].as_array().unwrap().len()
        ),
        (&json!("resolved"), 3)
    );
    assert_eq!(statuses(&local).await["Public API"], "operational");
    local.is_settled(&directory).await;
}
