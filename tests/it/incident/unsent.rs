//! What could not be sent, or not to the end, stays declared and is said.

use statuspage_operator::server::Effect;

use super::*;
use crate::directory::Running;

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
