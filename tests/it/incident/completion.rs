//! What a shell completes.

use super::*;

/// What may come at the end of a line, in bash.
fn completed(directory: &Directory, words: &[&str]) -> Vec<String> {
    let mut command = crate::directory::program();
    command
        .current_dir(directory.path())
        .env("COMPLETE", "bash")
        .env("_CLAP_IFS", "\n")
        .env("_CLAP_COMPLETE_INDEX", words.len().to_string())
        .env("_CLAP_COMPLETE_COMP_TYPE", "9")
        .env("_CLAP_COMPLETE_SPACE", "true")
        .args(["--", "statuspage"])
        .args(words);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", shown(&output));
    stdout(&output).lines().map(|line| line.trim().to_owned()).collect()
}

#[test]
fn names_of_components_and_incidents_and_statuses_are_completed() {
    let directory = Directory::new();
    directory.write("api.yaml", &declaration("Component", "api", &["name: Public API"]));
    directory.write("app.yaml", &declaration("Component", "app", &[]));
    let incident = |name: &str, status: &str| {
        declaration(
            "Incident",
            name,
            &[&format!("updates: [{{status: {status}, body: x}}]")],
        )
    };
    directory.write(
        "incidents.yaml",
        &(incident("down", "investigating") + &incident("done", "resolved")),
    );
    let open = ["incident", "open", "Title"];
    let at = |words: &[&str]| completed(&directory, &[&open[..], words].concat());
    assert_eq!(at(&["-c", "ap"]), ["api=", "app="]);
    assert_eq!(at(&["-c", "api=ma"]), ["api=major_outage"]);
    assert_eq!(at(&["-c", "api="]).len(), 5);
    assert_eq!(completed(&directory, &["incident", "update", "d"]), ["down"]);
    assert_eq!(completed(&directory, &["incident", "show", "do"]), ["down", "done"]);
    assert_eq!(completed(&directory, &["incident", "res"]), ["resolve"]);
    let elsewhere = Directory::empty();
    let named = completed(&elsewhere, &["incident", "open", "-d", directory.text(), "-c", "api"]);
    assert_eq!(named, ["api="]);
}

#[test]
fn bash_itself_completes_a_status() {
    let directory = Directory::new();
    directory.write("api.yaml", &declaration("Component", "api", &[]));
    let program = PathBuf::from(env!("CARGO_BIN_EXE_statuspage"));
    let path = format!(
        "{}:{}",
        program.parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    // As bash splits the line, with the word under the cursor.
    for (words, at, word, expected) in [
        (r#"-c """#, 5, "", "api="),
        (r#"-c api = ma"#, 7, "ma", "major_outage"),
        (
            r#"-c api = """#,
            7,
            "",
            "operational under_maintenance degraded_performance partial_outage major_outage",
        ),
    ] {
        let script = format!(
            "source <(statuspage completions bash); COMP_WORDS=(statuspage incident open T {words}); COMP_CWORD={at}; \
             COMP_TYPE=9; _statuspage statuspage '{word}' x; echo \"${{COMPREPLY[@]}}\""
        );
        let mut bash = Command::new("bash");
        bash.args(["-c", &script])
            .env("PATH", &path)
            .current_dir(directory.path());
        let output = bash.output().unwrap();
        assert_eq!(stdout(&output).trim(), expected, "{words}: {}", shown(&output));
    }
}
