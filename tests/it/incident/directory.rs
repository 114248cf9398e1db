//! Every subcommand, in a directory.

use serde_json::{Value, json};
use statuspage_operator::server::{Effect, PageSeed};

use super::*;
use crate::directory::{Running, options};

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
async fn wrong_words_are_refused_before_anything_is_written() {
    let (local, directory) = stage().await;
    let open = |more: &[&'static str]| [&["incident", "open", "Title", "-m", "Text."], more].concat();
    refused(&local, &directory, &open(&["-c", "apii=major"]), "did you mean api?").await;
    refused(
        &local,
        &directory,
        &open(&["-c", "Publik API=major"]),
        "did you mean Public API?",
    )
    .await;
    refused(
        &local,
        &directory,
        &open(&["-c", "api=outage"]),
        "partial_outage, major_outage",
    )
    .await;
    refused(
        &local,
        &directory,
        &open(&["-c", "api=majr_outage"]),
        "did you mean major_outage?",
    )
    .await;
    refused(&local, &directory, &open(&["-c", "api"]), "write api=major_outage").await;
    refused(
        &local,
        &directory,
        &open(&["-c", "api=major", "-c", "api=partial"]),
        "twice",
    )
    .await;
    refused(
        &local,
        &directory,
        &open(&["-s", "scheduled"]),
        "a status of a maintenance",
    )
    .await;
    refused(
        &local,
        &directory,
        &open(&["--name", "Not A Name"]),
        "nothing was written",
    )
    .await;
    refused(&local, &directory, &open(&["--page", "acne"]), "did you mean acme?").await;
    refused(&local, &directory, &["incident", "open"], "give the title and -m").await;
    refused(
        &local,
        &directory,
        &["incident", "open", "", "-m", "x"],
        "the title is empty",
    )
    .await;
    refused(
        &local,
        &directory,
        &["incident", "update", "-m", "x"],
        "no incident is open",
    )
    .await;
    refused(
        &local,
        &directory,
        &["incident", "resolve", "down"],
        "no Incident down is declared",
    )
    .await;
    done(&local, &directory, &OPEN).await;
    refused(&local, &directory, &["incident", "update"], "give -m, -s or -c").await;
    refused(
        &local,
        &directory,
        &["incident", "update", "-m", "x", "-s", "verifying"],
        "no status of an incident",
    )
    .await;
    let other = ["incident", "open", "Web is slow", "-m", "Looking."];
    done(&local, &directory, &other).await;
    refused(
        &local,
        &directory,
        &["incident", "resolve"],
        "several incidents are open",
    )
    .await;
    // Without a token nothing is asked or written.
    let mut unknown = command(&local, &directory, &OPEN);
    unknown.env_remove("STATUSPAGE_TOKEN");
    let output = finish(unknown).await;
    assert!(
        shown(&output).contains("error: there is no API token"),
        "{}",
        shown(&output)
    );
    assert_eq!((code(&output), files(&directory).len()), (1, 2));
    let empty = Directory::empty();
    refused(&local, &empty, &OPEN, "no Component api is declared").await;
    refused(&local, &empty, &["incident", "list"], "no StatusPage is declared").await;
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
async fn what_others_have_pending_stays_pending() {
    let (local, directory) = stage().await;
    directory.write("page.yaml", &page("  settings: {name: Acme Cloud}\n"));
    directory.write("api.yaml", &declaration("Component", "api", &["name: API of ours"]));
    directory.write("new.yaml", &declaration("Component", "new", &[]));
    directory.remove("web.yaml");
    // Somebody is in the middle of an edit.
    directory.write(
        "broken.yaml",
        "apiVersion: statuspage-operator.io/v1alpha1\nkind: Component\nmetadata: {name: half",
    );
    done(&local, &directory, &OPEN).await;
    assert_eq!(local.log().writes(), 1, "{:?}", local.log().entries());
    done(&local, &directory, &["incident", "resolve"]).await;
    assert_eq!(local.log().writes(), 2);
    assert_eq!(
        statuses(&local).await,
        json!({"Public API": "operational", "Web": "operational"})
    );
    directory.remove("broken.yaml");
    let (plan, _) = local.plan(&directory).await;
    assert_eq!(plan["pages"][0]["requests"], 4, "{plan:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_did_in_the_console_is_shown_and_stays() {
    let (local, directory) = stage().await;
    done(&local, &directory, &[&OPEN[..], &["-c", "web=partial"]].concat()).await;
    let rows = local.get("/components").await;
    let web = rows
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["name"] == "Web")
        .unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    local
        .call(
            "PATCH",
            &format!("/components/{web}"),
            json!({"component": {"status": "degraded_performance"}}),
        )
        .await;
    // Another component moves, that one stays.
    let said = done(&local, &directory, &["incident", "update", "-c", "api=partial"]).await;
    assert!(said.contains("web: stays degraded_performance"), "{said}");
    assert_eq!(
        statuses(&local).await,
        json!({"Public API": "partial_outage", "Web": "degraded_performance"})
    );
    local
        .call(
            "PATCH",
            &format!("/components/{web}"),
            json!({"component": {"status": "under_maintenance"}}),
        )
        .await;
    let said = done(&local, &directory, &["incident", "resolve"]).await;
    assert!(
        said.contains("api: partial_outage → operational") && said.contains("-c web=operational"),
        "{said}"
    );
    assert_eq!(
        statuses(&local).await,
        json!({"Public API": "operational", "Web": "under_maintenance"})
    );

    done(
        &local,
        &directory,
        &["incident", "open", "Again", "-m", "Looking.", "-c", "api=major"],
    )
    .await;
    let open = incidents(&local)
        .await
        .into_iter()
        .find(|one| one["status"] == "investigating")
        .unwrap();
    let ended = json!({"incident": {"status": "resolved", "body": "It was a false alarm.", "components": {}}});
    local
        .call("PATCH", &format!("/incidents/{}", open["id"].as_str().unwrap()), ended)
        .await;
    local.log().clear();
    let output = run(&local, &directory, &["incident", "update", "-m", "Still looking."]).await;
    assert_eq!(code(&output), 1, "{}", shown(&output));
    assert!(
        stdout(&output).contains("Somebody ended it on the page"),
        "{}",
        shown(&output)
    );
    assert_eq!(local.log().writes(), 0);
    let before = local.get(&format!("/incidents/{}", open["id"].as_str().unwrap())).await["incident_updates"].clone();
    let said = done(&local, &directory, &["incident", "resolve"]).await;
    assert!(said.contains("Somebody ended it on the page"), "{said}");
    let after = local.get(&format!("/incidents/{}", open["id"].as_str().unwrap())).await["incident_updates"].clone();
    assert_eq!(before, after, "nobody is told twice");
    assert!(
        files(&directory)
            .iter()
            .any(|(_, text)| text.contains("It was a false alarm."))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_of_another_open_incident_is_not_brought_back() {
    let (local, directory) = stage().await;
    done(&local, &directory, &[&OPEN[..], &["--name", "first"]].concat()).await;
    done(
        &local,
        &directory,
        &[
            "incident",
            "open",
            "Slow",
            "-m",
            "x",
            "-c",
            "api=major",
            "-c",
            "web=degraded",
            "--name",
            "second",
        ],
    )
    .await;
    let said = done(&local, &directory, &["incident", "resolve", "first"]).await;
    assert!(
        said.contains("api: stays major_outage") && said.contains("second"),
        "{said}"
    );
    assert_eq!(statuses(&local).await["Public API"], "major_outage");
    done(&local, &directory, &["incident", "resolve"]).await;
    assert_eq!(
        statuses(&local).await,
        json!({"Public API": "operational", "Web": "operational"})
    );
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
async fn what_cannot_be_sent_stays_declared_and_is_sent_later_once() {
    let (local, directory) = stage().await;
    let mut away = command(&local, &directory, &OPEN);
    away.env("STATUSPAGE_TOKEN", "revoked");
    let output = finish(away).await;
    assert_eq!(code(&output), 1, "{}", shown(&output));
    let said = shown(&output);
    assert!(
        said.contains("It stays declared") && said.contains("--only incident/") && said.contains("Unauthorized"),
        "{said}"
    );
    assert!(only_file(&directory).1.contains("We are looking into it."));
    assert!(incidents(&local).await.is_empty());
    // It says what sends it.
    let name = only_file(&directory)
        .0
        .file_stem()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    let only = format!("incident/{name}");
    done(&local, &directory, &["apply", ".", "--only", &only]).await;
    only_incident(&local).await;
    // A lost reply: it is found, and told once.
    local.server.faults().next(1, "PATCH", "/incidents", Effect::LoseReply);
    done(&local, &directory, &["incident", "update", "-m", "Once."]).await;
    let incident = only_incident(&local).await;
    assert_eq!(
        incident["incident_updates"].as_array().unwrap().len(),
        2,
        "{incident:#}"
    );
}

/// Somebody resolves an incident in the console while an update of it could not be sent.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_declared_and_never_sent_is_not_forgotten() {
    let (local, directory) = stage().await;
    done(&local, &directory, &OPEN).await;
    let mut away = command(&local, &directory, &["incident", "update", "-m", "A disk is replaced."]);
    away.env("STATUSPAGE_TOKEN", "revoked");
    let output = finish(away).await;
    assert_eq!(code(&output), 1, "{}", shown(&output));
    let said = done(&local, &directory, &["incident", "list"]).await;
    assert!(said.contains("1 declared update is not on the page"), "{said}");
    let id = only_incident(&local).await["id"].as_str().unwrap().to_owned();
    let ended = json!({"incident": {"status": "resolved", "body": "It works again."}});
    local.call("PATCH", &format!("/incidents/{id}"), ended).await;
    let said = done(&local, &directory, &["incident", "list"]).await;
    assert!(
        said.contains("  resolved") && said.contains("1 declared update is not on the page"),
        "{said}"
    );
    let output = run(&local, &directory, &["incident", "list", "-o", "json"]).await;
    let rows: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(rows[0]["unsent"], 1, "{rows}");
    let output = run(&local, &directory, &["incident", "resolve"]).await;
    let said = shown(&output);
    assert!(
        said.contains("declared before, and not on the page yet: investigating, \"A disk is replaced.\""),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_changed_safely_is_not_changed() {
    let (local, directory) = stage().await;
    let spec = [
        "name: Down",
        "updates: &posts [{status: investigating, body: Looking.}] # by hand",
        "components: {api: &down major_outage, web: *down}",
    ];
    directory.write("down.yaml", &declaration("Incident", "down", &spec));
    local.apply(&directory).await;
    // An anchor that nothing refers to is no obstacle.
    done(&local, &directory, &["incident", "update", "-m", "Found."]).await;
    let text = std::fs::read_to_string(directory.path().join("down.yaml")).unwrap();
    let expected = "&posts [{status: investigating, body: Looking.}, {status: investigating, body: Found.}] # by hand";
    assert!(text.contains(expected), "{text}");
    // One that something refers to is: it would change with it.
    refused(&local, &directory, &["incident", "resolve"], "Add by hand").await;
    assert_eq!(
        std::fs::read_to_string(directory.path().join("down.yaml")).unwrap(),
        text
    );
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

/// Ctrl-C while the incident is being sent: the request under way ends first. What is on the page is said, and is a success; what
/// is not is said to stay declared.
#[tokio::test(flavor = "multi_thread")]
async fn who_ends_it_while_it_sends_is_told_how_far_it_came() {
    let slow = Effect::Delay(Duration::from_secs(2));
    let fails = Effect::Answer {
        status: 503,
        body: None,
        retry_after: None,
    };
    for (fault, times, signal, exit, said) in [
        (&slow, 1, "-INT", 0, "On the page: investigating"),
        (&slow, 1, "-TERM", 0, "On the page: investigating"),
        (&fails, u32::MAX, "-INT", 130, ""),
        (&fails, u32::MAX, "-TERM", 143, ""),
    ] {
        let (local, directory) = stage().await;
        local.server.faults().next(times, "POST", "/incidents", fault.clone());
        let mut opening = Running::start(command(&local, &directory, &OPEN));
        attempt_is_recorded(directory.path()).await;
        opening.signal(signal);
        let status = opening.ends(Duration::from_secs(20)).await;
        let told = opening.says(said).await;
        assert_eq!(status.code(), Some(exit), "{signal}: {told}");
        assert_eq!(
            incidents(&local).await.len(),
            usize::from(exit == 0),
            "{signal}: {told}"
        );
    }
}
