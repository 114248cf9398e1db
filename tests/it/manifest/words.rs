//! What is said about the mistakes that people make most, and whether it says what to write.

use std::path::PathBuf;

use statuspage_operator::manifest::{Manifests, read_directory};

use super::{PAGE, document, lines, read};

/// The only problem of a document, in its one-line form without the file.
fn problem(text: String) -> String {
    let found = lines(&read(std::slice::from_ref(&text)));
    match found.as_slice() {
        [one] => one.strip_prefix("m.yaml:").unwrap_or(one).to_owned(),
        others => panic!("{text}: {others:#?}"),
    }
}

#[test]
fn another_case_or_the_plural_of_a_kind_is_that_kind() {
    for (written, meant) in [
        ("component", "Component"),
        ("Components", "Component"),
        ("Page", "StatusPage"),
        ("statuspages", "StatusPage"),
        ("Maintenance", "Incident"),
        ("component-group", "ComponentGroup"),
        ("IncidentTemplat", "IncidentTemplate"),
    ] {
        let said = problem(document(written, "a", ""));
        let wanted = format!("2:7: error: unknown kind `{written}` (help: did you mean `{meant}`?)");
        assert_eq!(said, wanted);
    }
}

#[test]
fn nearly_our_api_version_is_not_somebody_elses() {
    for written in [
        "statuspage.io/v1alpha1",
        "statuspage-operator.io",
        "statuspage.com/v1",
        "v1alpha1",
        "v1",
    ] {
        let said = problem(document("Component", "a", "").replace("statuspage-operator.io/v1alpha1", written));
        let wanted = format!(
            "1:13: error: `{written}` is not an apiVersion of a Component (help: write `statuspage-operator.io/v1alpha1`)"
        );
        assert_eq!(said, wanted);
    }
    let backstage = document("Component", "a", "").replace("statuspage-operator.io", "backstage.io");
    assert_eq!(lines(&read(&[backstage])), Vec::<String>::new());
    for (line, said) in [
        (
            "kind: Component\n",
            "1:1: error: kind is missing (help: write `kind:` with one of StatusPage, ",
        ),
        (
            "apiVersion: statuspage-operator.io/v1alpha1\n",
            "1:1: error: apiVersion is missing (help: write `apiVersion: statuspage-operator.io/v1alpha1` for a Component)",
        ),
    ] {
        let found = problem(document("Component", "a", "").replace(line, ""));
        assert!(found.starts_with(said), "{found}");
    }
}

#[test]
fn a_misspelt_annotation_is_an_error_since_nobody_would_read_it() {
    let annotated = |kind: &str, annotation: &str| {
        document(
            kind,
            "a",
            if kind == "Incident" {
                "  updates: [{status: resolved, body: x}]\n"
            } else {
                ""
            },
        )
        .replace("{name: a}", &format!("{{name: a, annotations: {{{annotation}: x}}}}"))
    };
    for (annotation, said) in [
        (
            "statuspage-operator.io/idd",
            "error: unknown annotation `statuspage-operator.io/idd` (help: did you mean `statuspage-operator.io/id`?)",
        ),
        (
            "statuspage-operator.io/request-at",
            "did you mean `statuspage-operator.io/requested-at`?",
        ),
        (
            "statuspage-operator.io/colour",
            "(help: known: statuspage-operator.io/id, ",
        ),
        (
            "statuspage-operator.io/allow-deletes",
            "warning: annotation `statuspage-operator.io/allow-deletes` has no effect on a Component (help: it belongs on a StatusPage)",
        ),
        (
            "statuspage-operators.io/id",
            "warning: annotation `statuspage-operators.io/id` has no effect (help: did you mean `statuspage-operator.io/id`?)",
        ),
    ] {
        let found = problem(annotated("Component", annotation));
        assert!(found.starts_with("3:") && found.contains(said), "{found}");
    }
    for fine in ["statuspage-operator.io/id", "argocd.argoproj.io/sync-wave", "plain"] {
        assert_eq!(lines(&read(&[annotated("Incident", fine)])), Vec::<String>::new());
    }
}

fn page(spec: &str) -> String {
    PAGE.replace("name: acme", "name: other")
        .replace("pageId: 4kx9q2m7vt1b", spec)
}

#[test]
fn an_address_in_place_of_an_id_says_which_part_is_the_id() {
    const RULE: &str =
        "error: pageId is the id alone, the 12 characters after /pages/ in the address of the management console";
    for (written, help) in [
        (
            "https://manage.statuspage.io/pages/9dt3j5u7lf1c",
            "the id is `9dt3j5u7lf1c`",
        ),
        (
            "https://manage.statuspage.io/pages/9dt3j5u7lf1c/incidents#open",
            "the id is `9dt3j5u7lf1c`",
        ),
        (
            "https://api.statuspage.io/v1/pages/9dt3j5u7lf1c.json",
            "the id is `9dt3j5u7lf1c`",
        ),
        (" 9dt3j5u7lf1c", "the id is `9dt3j5u7lf1c`"),
        (
            "https://acme.statuspage.io",
            "write `subdomain: acme` instead of pageId",
        ),
    ] {
        let said = problem(page(&format!("pageId: '{written}'")));
        assert_eq!(said, format!("4:16: {RULE} (help: {help})"));
    }
    assert_eq!(problem(page("pageId: 'my page'")), format!("4:16: {RULE}"));
    let said = problem(page("subdomain: 'https://acme.statuspage.io/history'"));
    assert!(said.ends_with("(help: write `subdomain: acme`)"), "{said}");
}

#[test]
fn two_declarations_of_one_page_are_told() {
    let said = problem(page("pageId: 4kx9q2m7vt1b"));
    assert_eq!(
        said,
        "4:16: warning: StatusPage `acme` is the same page (pageId 4kx9q2m7vt1b) (the other one is at page.yaml:1:1) \
         (help: let every pageRef name `acme`, and remove this one)"
    );
    let elsewhere = page("pageId: 4kx9q2m7vt1b").replace("{name: other}", "{name: other, namespace: b}");
    assert!(problem(elsewhere).contains("let `acme` allow namespace b in spec.allowedNamespaces"));
    // Another server is another page.
    let local = page("pageId: 4kx9q2m7vt1b").replace("api: {", "api: {url: 'http://127.0.0.1:8080/v1', ");
    assert_eq!(lines(&read(&[local])), Vec::<String>::new());
    let twice = page("subdomain: acme") + "---\n" + &page("subdomain: Acme.statuspage.io").replace("other", "third");
    assert!(problem(twice).contains("StatusPage `other` is the same page (subdomain acme)"));
}

#[test]
fn a_name_in_place_of_a_reference_is_shown_in_its_right_form() {
    for (kind, spec, said) in [
        (
            "Component",
            "  groupRef: web\n",
            "groupRef must be a map, not the string `web` (help: write `groupRef: {name: web}`)",
        ),
        (
            "Metric",
            "  providerRef: [own]\n",
            "providerRef must be a map, not a list (help: write `providerRef: {name: own}`)",
        ),
        (
            "Incident",
            "  updates: {status: resolved, body: x}\n",
            "updates must be a list, not a map (help: begin each item with `- `)",
        ),
        (
            "Incident",
            "  updates: [{status: resolved, body: x}]\n  components: [api]\n",
            "components must be a map, not a list (help: write `components: {api: ",
        ),
        (
            "Subscriber",
            "  email: a@example.com\n  components: api\n",
            "(help: write `[api]`)",
        ),
    ] {
        let found = problem(document(kind, "a", spec));
        assert!(found.contains(said), "{found}");
    }
    let found = problem(document("Component", "a", "").replace("pageRef: {name: acme}", "pageRef: acme"));
    assert!(found.ends_with("(help: write `pageRef: {name: acme}`)"), "{found}");
}

#[test]
fn a_value_that_was_not_rendered_is_a_template() {
    let found = problem(document("Component", "'{{ .Values.name }}'", ""));
    assert!(found.contains("helm template"), "{found}");
    // In a text that visitors read it may be meant.
    let text = document("Component", "a", "  description: 'write {{ this }}'\n");
    assert_eq!(lines(&read(&[text])), Vec::<String>::new());
}

#[test]
fn dates_that_do_not_exist_are_told() {
    let found = problem(document("Component", "a", "  startDate: 2026-02-30\n"));
    assert_eq!(
        found,
        "6:14: error: startDate is 2026-02-30, and February 2026 has 28 days (help: correct the date)"
    );
    let found = problem(document(
        "Incident",
        "a",
        "  updates: [{status: resolved, body: x}]\n  backfillDate: 2026-02-28\n",
    ));
    assert_eq!(
        found,
        "7:17: error: backfillDate has no time of day (help: write it like 2026-02-28T00:00:00Z: Z is UTC, or give an \
         offset such as +01:00)"
    );
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_told_and_not_waited_for() {
    use std::os::unix::net::UnixListener;
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    std::fs::write(at("page.yaml"), PAGE).unwrap();
    let status = std::process::Command::new("mkfifo").arg(at("pipe.yaml")).status();
    assert!(status.unwrap().success());
    let _socket = UnixListener::bind(at("socket.yaml")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", at("zero.yaml")).unwrap();
    let manifests: Manifests = read_directory(directory.path()).unwrap();
    let names = |line: &String| line.replace(&directory.path().display().to_string(), "");
    let found: Vec<String> = lines(&manifests).iter().map(names).collect();
    let help = "(help: move it out of the directory of the manifests)";
    assert_eq!(
        found,
        [
            format!("/pipe.yaml:1:1: error: a named pipe, not a file: it is not read {help}"),
            format!("/socket.yaml:1:1: error: a socket, not a file: it is not read {help}"),
            format!("/zero.yaml:1:1: error: a device, not a file: it is not read {help}"),
        ]
    );
    assert_eq!(manifests.manifests.len(), 1, "the others are read");
    for name in ["pipe.yaml", "zero.yaml"] {
        let error = read_directory(&at(name)).unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.ends_with("not a file or a directory"), "{cause}");
    }
    // What a shell hands over can be read: its other end is open.
    let shown = std::process::Command::new("bash")
        .args([
            "-c",
            "exec \"$0\" validate <(cat \"$1\")",
            env!("CARGO_BIN_EXE_statuspage"),
        ])
        .arg(at("page.yaml"))
        .output()
        .unwrap();
    assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stdout));
}

#[test]
fn the_place_of_what_is_not_utf8_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let path: PathBuf = directory.path().join("m.yaml");
    let mut latin = document("Component", "a", "  name: caf").into_bytes();
    latin.extend(b"\xe9\n");
    std::fs::write(&path, &latin).unwrap();
    let found = lines(&read_directory(directory.path()).unwrap());
    let offset = latin.len() - 2;
    assert!(
        found[0].contains(&format!(
            "m.yaml:6:12: error: not UTF-8: byte 0xE9 at offset {offset} of the file"
        )),
        "{found:?}"
    );
    std::fs::write(&path, b"\xff\xfea\0").unwrap();
    assert!(lines(&read_directory(directory.path()).unwrap())[0].contains("the file is UTF-16, not UTF-8"));
}
