//! What others have pending, did in the console or declare beside it is left alone, and said.

use super::*;

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
