//! On a terminal: one question before something is published, and questions for what is missing.

use super::*;
use crate::support::terminal;

/// The same command on a terminal, where somebody answers questions in this order.
async fn on_a_terminal(local: &Local, directory: &Directory, answers: &[(&str, &str)], arguments: &[&str]) -> Output {
    finish(terminal::on_a_terminal(&command(local, directory, arguments), answers)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn it_shows_what_will_be_published_and_asks_once() {
    let (local, directory) = stage().await;
    for (answer, exit) in [("n", 1), ("", 1), ("^C", 130)] {
        let output = on_a_terminal(&local, &directory, &[("[y/N]", answer)], &OPEN).await;
        assert_eq!(code(&output), exit, "{answer:?}: {}", shown(&output));
        assert!(
            stdout(&output).contains("| We are looking into it."),
            "{}",
            shown(&output)
        );
        assert!(stdout(&output).contains("tells 0 subscribers"), "{}", shown(&output));
        assert_eq!((local.log().writes(), files(&directory).len()), (0, 0), "{answer:?}");
    }
    let output = on_a_terminal(&local, &directory, &[("[y/N]", "y")], &OPEN).await;
    assert_eq!(code(&output), 0, "{}", shown(&output));
    assert_eq!(stdout(&output).matches("[y/N]").count(), 1);
    let output = on_a_terminal(&local, &directory, &[], &["incident", "resolve", "-y"]).await;
    assert_eq!(code(&output), 0, "{}", shown(&output));
    assert!(!stdout(&output).contains("[y/N]"));
    assert_eq!(only_incident(&local).await["status"], "resolved");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_arguments_it_asks_for_everything() {
    let (local, directory) = stage().await;
    let first = [
        ("Title:", "API errors"),
        ("Text", "Looking."),
        ("Affected", "3"),
        ("Affected", "1=major, web=degraded"),
    ];
    let output = on_a_terminal(
        &local,
        &directory,
        &[&first[..], &[("[Y/n]", "n"), ("[y/N]", "y")]].concat(),
        &["incident", "open"],
    )
    .await;
    let said = stdout(&output);
    assert_eq!(code(&output), 0, "{}", shown(&output));
    assert!(
        said.contains("1  Public API  operational") && said.contains("2  Web  operational"),
        "{said}"
    );
    assert!(said.contains("there is no component 3"), "{said}");
    assert!(said.contains("tells no subscriber"), "{said}");
    let incident = only_incident(&local).await;
    assert_eq!(
        (&incident["name"], &incident["incident_updates"][0]["body"]),
        (&json!("API errors"), &json!("Looking."))
    );
    assert_eq!(incident["incident_updates"][0]["deliver_notifications"], false);
    assert_eq!(
        statuses(&local).await,
        json!({"Public API": "major_outage", "Web": "degraded_performance"})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_at_any_question_writes_nothing() {
    let (local, directory) = stage().await;
    let all = [
        ("Title:", "API errors"),
        ("Text", "Looking."),
        ("Affected", "1"),
        ("[Y/n]", "y"),
        ("[y/N]", "y"),
    ];
    for position in 0..all.len() {
        let mut answers = all[..=position].to_vec();
        answers[position].1 = "^C";
        let output = on_a_terminal(&local, &directory, &answers, &["incident", "open"]).await;
        assert_eq!(code(&output), 130, "{position}: {}", shown(&output));
        assert_eq!((local.log().writes(), files(&directory).len()), (0, 0), "{position}");
    }
}
