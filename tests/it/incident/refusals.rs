//! What is refused before anything is written.

use super::*;

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
