//! The request window is the token's, not the process's.

use std::process::Command;

use super::{Directory, LIMIT, Local, Running, code, components, finish, shown, stderr};

/// A command with a small window.
fn limited(local: &Local, arguments: &[&str]) -> Command {
    let mut all = arguments.to_vec();
    all.extend(["--requests-per-minute", "20"]);
    local.command(&all)
}

/// The records of sent requests of a directory.
fn records(directory: &Directory) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(directory.path().join(".statuspage"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with("requests-"))
        .collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_and_a_second_apply_stay_inside_one_window() {
    let local = Local::start().await;
    let directory = Directory::new();
    directory.write("components.yaml", &components(40));
    let mut first = Running::start(limited(&local, &["apply", directory.text()]));
    local.creates(5).await;
    first.signal("-KILL");
    first.ends(LIMIT).await;
    let before = local.log().entries().len();

    let second = finish(limited(&local, &["apply", directory.text(), "--timeout", "6"])).await;
    let said = stderr(&second);
    assert_eq!(code(&second), 1, "{}", shown(&second));
    let after = local.log().entries().len();
    assert!(after >= before, "{}", shown(&second));
    assert!(local.log().peak_per_minute() <= 20, "{before}, then {after}: {said}");
    // Whatever is left of the window is given to a third one, which has to wait then and says so.
    let third = finish(limited(&local, &["apply", directory.text(), "--timeout", "6"])).await;
    assert!(
        stderr(&third).contains("the token's request budget is used up, resuming in "),
        "{}",
        shown(&third)
    );
    assert!(local.log().peak_per_minute() <= 20);
    assert_eq!(records(&directory).len(), 1, "one token at one server");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_and_an_apply_share_the_window() {
    let local = Local::start().await;
    let directory = Directory::new();
    directory.write("components.yaml", &components(3));
    for _ in 0..2 {
        let plan = finish(limited(&local, &["plan", directory.text()])).await;
        assert_eq!(code(&plan), 2, "{}", shown(&plan));
    }
    let plans = local.log().entries().len();
    assert!(plans > 0);
    let names = records(&directory);
    assert_eq!(names.len(), 1, "{names:?}");
    let text = std::fs::read_to_string(directory.path().join(".statuspage").join(&names[0])).unwrap();
    assert!(!text.contains(super::TOKEN), "{text}");
    let record: serde_json::Value = serde_json::from_str(&text).unwrap();
    let processes: Vec<&serde_json::Value> = record["processes"].as_object().unwrap().values().collect();
    let ended = processes.iter().flat_map(|usage| usage["ended"].as_array().unwrap());
    let spent: u64 = ended.map(|spent| spent["requests"].as_u64().unwrap()).sum();
    let open: u64 = processes.iter().map(|usage| usage["open"].as_u64().unwrap()).sum();
    assert_eq!((spent, open), (plans as u64, 0), "a clean end is exact: {record}");
}

/// Where no record can be kept a command works all the same, and says so.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_waits_for_a_place_for_the_record() {
    let local = Local::start().await;
    let directory = Directory::new();
    directory.write("components.yaml", &components(3));
    // Named there the server has its lock file beside the manifests.
    directory.edit("page.yaml", "api: {", &format!("api: {{url: \"{}\", ", local.url));
    directory.write(".statuspage", "no directory");
    for (command, expected) in [("plan", 2), ("apply", 0), ("plan", 0)] {
        let mut command = limited(&local, &[command, directory.text()]);
        command.env_remove("STATUSPAGE_API_URL");
        let output = finish(command).await;
        assert_eq!(code(&output), expected, "{}", shown(&output));
        assert!(
            stderr(&output).contains("requests of the last minute are not counted across commands"),
            "{}",
            shown(&output)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_at_the_same_time_share_the_window() {
    let local = Local::start().await;
    let directory = Directory::new();
    directory.write("components.yaml", &components(40));
    let mut apply = Running::start(limited(&local, &["apply", directory.text(), "--timeout", "6"]));
    let plans: Vec<Running> = (0..3)
        .map(|_| Running::start(limited(&local, &["plan", directory.text()])))
        .collect();
    apply.ends(LIMIT).await;
    let sent = local.log().entries().len();
    // They wait for what one of them has reserved and has not used.
    assert!((10..=20).contains(&sent), "{sent}");
    assert!(local.log().peak_per_minute() <= 20);
    // One that has ended by then is not there to be killed.
    for mut plan in plans {
        if plan.child.try_wait().unwrap().is_none() {
            plan.signal("-KILL");
            plan.ends(LIMIT).await;
        }
    }
}
