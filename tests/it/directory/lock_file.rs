//! The lock file: safe to commit, stable, whole.

use serde_json::{Value, json};
use statuspage_operator::statuspage::BaseUrl;
use statuspage_operator::store::directory::lock_path;

use super::{Directory, Local, code, components, declaration, shown, stderr};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_secret_is_in_it() {
    let local = Local::start().await;
    let directory = Directory::new();
    directory.write(
        "subscribers.yaml",
        &declaration("Subscriber", "desk", &["email: desk@example.com"]),
    );
    directory.write(
        "provider.yaml",
        &declaration(
            "MetricsProvider",
            "pingdom",
            &[
                "type: Pingdom",
                "email: probe@example.com",
                "passwordSecretRef: {name: pingdom-login, key: password}",
                "applicationKeySecretRef: {name: pingdom-login, key: application-key}",
            ],
        ),
    );
    directory.write(
        "component.yaml",
        &declaration("Component", "api", &["description: Call +1 555 0100"]),
    );
    // The remote's words are shown, and may repeat what was sent.
    let words = json!({"error": ["desk@example.com is subscribed already"]}).to_string();
    local.server.faults().next(
        1,
        "POST",
        "/subscribers",
        statuspage_operator::server::Effect::Answer {
            status: 422,
            body: Some(words),
            retry_after: None,
        },
    );
    let mut apply = local.command(&["apply", directory.text()]);
    apply
        .env("STATUSPAGE_SECRET_PINGDOM_LOGIN_PASSWORD", "correct-horse")
        .env("STATUSPAGE_SECRET_PINGDOM_LOGIN_APPLICATION_KEY", "battery-staple");
    let output = super::finish(apply).await;
    assert_eq!(code(&output), 1, "the refused subscriber: {}", shown(&output));
    assert!(
        local.log().count("POST", "/v1/pages/page00000001/metrics_providers") > 0,
        "{}",
        shown(&output)
    );
    let lock = directory.lock_text();
    for secret in ["@", "correct-horse", "battery-staple", "555", super::TOKEN, "127.0.0.1"] {
        assert!(!lock.contains(secret), "{secret} in {lock}");
    }
    assert!(!shown(&output).contains("correct-horse"));
}

#[tokio::test(flavor = "multi_thread")]
async fn lock_files_that_cannot_be_used() {
    let local = Local::start().await;
    let directory = Directory::new();
    directory.write("components.yaml", &components(2));
    local.apply(&directory).await;
    local.log().clear();
    let good = directory.lock_text();
    let newer = good.replacen("\"version\": 1", "\"version\": 2", 1);
    for (text, words) in [
        ("", "cannot be read: take the last committed version of it"),
        (
            "<<<<<<< HEAD\n{}",
            "cannot be read: take the last committed version of it",
        ),
        (
            "{\"version\": 1}",
            "cannot be read: take the last committed version of it",
        ),
        (
            newer.as_str(),
            "has version 2, this program knows 1: use a newer statuspage",
        ),
    ] {
        std::fs::write(directory.lock_path(), text).unwrap();
        for command in ["plan", "apply"] {
            let output = local.run(command, &directory).await;
            assert_eq!(code(&output), 1, "{text}: {}", shown(&output));
            assert!(stderr(&output).contains(words), "{text}: {}", shown(&output));
        }
        assert_eq!(
            std::fs::read_to_string(directory.lock_path()).unwrap(),
            text,
            "it is left as it is"
        );
    }
    assert_eq!(local.log().count("", "/"), 0);
    std::fs::write(directory.lock_path(), good).unwrap();
    local.is_settled(&directory).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_cannot_be_written_is_found_out_before_anything_is_sent() {
    let local = Local::start().await;
    let directory = Directory::new();
    directory.write("components.yaml", &components(2));
    local.apply(&directory).await;
    directory.edit("components.yaml", "A part.", "Another part.");
    // Works for root too, unlike taking the permission away.
    let draft = format!("{}.new", directory.lock_path().display());
    std::fs::create_dir(&draft).unwrap();
    local.log().clear();
    let output = local.run("apply", &directory).await;
    assert_eq!(code(&output), 1);
    assert!(
        stderr(&output).contains("cannot use the lock file"),
        "{}",
        shown(&output)
    );
    assert_eq!(local.log().count("", "/"), 0);
    let output = local.run("plan", &directory).await;
    assert_eq!(code(&output), 2, "a plan writes nothing: {}", shown(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_between_draft_and_rename_does_no_harm() {
    let local = Local::start().await;
    let directory = Directory::new();
    directory.write("components.yaml", &components(3));
    local.apply(&directory).await;
    let draft = format!("{}.new", directory.lock_path().display());
    std::fs::write(&draft, "{\"version\": 1, \"obj").unwrap();
    local.is_settled(&directory).await;
    assert!(!std::path::Path::new(&draft).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_lock_file_creates_nothing_twice() {
    let local = Local::start().await;
    let directory = Directory::new();
    directory.write("components.yaml", &components(3));
    local.apply(&directory).await;
    std::fs::remove_file(directory.lock_path()).unwrap();
    local.log().clear();
    let output = local.run("apply", &directory).await;
    assert_eq!(code(&output), 1);
    assert!(super::stdout(&output).contains("AlreadyExists"), "{}", shown(&output));
    assert_eq!(local.log().writes(), 0);
    let text = std::fs::read_to_string(directory.path().join("components.yaml")).unwrap();
    directory.write(
        "components.yaml",
        &text.replace("  description", "  adoptionPolicy: ByName\n  description"),
    );
    local.apply(&directory).await;
    assert_eq!(local.log().writes(), 0);
    assert_eq!(local.component_names().await.len(), 3);
}

#[test]
fn it_lies_where_the_documentation_says() {
    let directory = Directory::new();
    let beside = directory.path().join("statuspage.lock.json");
    assert_eq!(lock_path(directory.path(), None), beside);
    let real = BaseUrl::parse("https://api.statuspage.io/v1/", false).unwrap();
    assert_eq!(lock_path(directory.path(), Some(&real)), beside);
    assert_eq!(lock_path(&directory.path().join("page.yaml"), None), beside);
    let local = BaseUrl::parse("http://127.0.0.1:8080/v1", false).unwrap();
    let other = directory.path().join(".statuspage/127.0.0.1-8080-v1.lock.json");
    assert_eq!(lock_path(directory.path(), Some(&local)), other);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_sorted_and_ends_with_a_line_end() {
    let local = Local::start().await;
    let directory = Directory::new();
    directory.write("components.yaml", &components(3));
    local.apply(&directory).await;
    let text = directory.lock_text();
    assert!(text.ends_with("}\n"));
    let lock: Value = serde_json::from_str(&text).unwrap();
    let names: Vec<&String> = lock["objects"].as_object().unwrap().keys().collect();
    assert!(names.is_sorted(), "{names:?}");
}
