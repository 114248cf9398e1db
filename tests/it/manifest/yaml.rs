//! YAML and files: values as kubectl reads them, anchors, directories, secrets.

use std::path::PathBuf;

use statuspage_operator::manifest::{LOCK_FILE, Manifests, Object, read_directory};

use super::{PAGE, document, lines, read};

#[test]
fn secrets_are_never_shown() {
    let secret = "apiVersion: v1\nkind: Secret\nstringData: {token: hunter2\n".to_owned();
    let list = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, stringData: {token: hunter2}}\n- \
                {apiVersion: statuspage-operator.io/v1alpha1, kind: Componnt, note: hunter2}\n"
        .to_owned();
    let manifests = read(&[secret, list]);
    assert_eq!(manifests.problems.len(), 2, "{:?}", lines(&manifests));
    for problem in &manifests.problems {
        let shown = problem.render(manifests.text(&problem.file), true);
        let json = serde_json::to_string(problem).unwrap();
        assert!(!format!("{shown}{json}{problem}").contains("hunter2"), "{shown}");
        assert!(shown.contains("m.yaml"), "{shown}");
    }
}

#[test]
fn yaml_is_read_as_kubectl_reads_it() {
    let component = |spec: &str| read(&[document("Component", "api", spec)]);
    assert_eq!(
        lines(&component("  name: yes\n")),
        ["m.yaml:6:9: error: name must be a string, not true (help: put it in quotes: YAML reads it as true or false)"]
    );
    assert!(lines(&component("  name: 017\n"))[0].contains("not the number 15"));
    assert!(
        lines(&component("  name: a\n  name: b\n"))[0]
            .starts_with("m.yaml:7:3: error: not valid YAML: `name` is written twice")
    );
    assert_eq!(
        lines(&component("  name: \"yes\"\n  showcase: on\n")),
        Vec::<String>::new()
    );

    let page = PAGE.replace("spec: {", "spec: {deletionCap: 1e1, ");
    let manifests = Manifests::from_texts([(PathBuf::from("page.yaml"), page)]);
    assert_eq!(lines(&manifests), Vec::<String>::new());
    let Object::StatusPage(page) = &manifests.manifests[0].object else {
        panic!("a page")
    };
    assert_eq!(page.spec.deletion_cap, Some(10));
}

#[test]
fn anchors_and_merges_are_resolved() {
    let text = "apiVersion: statuspage-operator.io/v1alpha1
kind: Component
metadata: {name: &name api}
spec:
  <<: &defaults {pageRef: {name: acme}, showcase: true}
  description: *name
";
    let manifests = read(&[text.to_owned()]);
    assert_eq!(lines(&manifests), Vec::<String>::new());
    let Object::Component(component) = &manifests.manifests[1].object else {
        panic!("a component")
    };
    assert_eq!(component.spec.description.as_deref(), Some("api"));
    assert_eq!(component.spec.showcase, Some(true));
    // One anchor for a whole list is usual.
    let items: String = (0..300)
        .map(|index| {
            let page = if index == 0 { "&page {name: acme}" } else { "*page" };
            format!(
                "- {{apiVersion: statuspage-operator.io/v1alpha1, kind: Component, metadata: {{name: c{index}}}, spec: \
                 {{pageRef: {page}}}}}\n"
            )
        })
        .collect();
    let manifests = read(&[format!("apiVersion: v1\nkind: List\nitems:\n{items}")]);
    assert_eq!((lines(&manifests), manifests.manifests.len()), (Vec::new(), 301));
}

#[test]
fn a_document_that_grows_without_end_is_refused() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let below = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{below}]\n"));
    }
    let manifests = read(&[text]);
    assert!(
        lines(&manifests)[0].contains("not valid YAML"),
        "{:?}",
        lines(&manifests)
    );
}

#[test]
fn directories_are_read_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let write = |path: &str, text: &[u8]| {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("b.yml", document("Component", "b", "").as_bytes());
    write("a/deep/a.yaml", document("Component", "a", "").as_bytes());
    write(
        "page.yaml",
        format!("\u{feff}{}", PAGE.replace('\n', "\r\n")).as_bytes(),
    );
    let json = r#"{"apiVersion": "statuspage-operator.io/v1alpha1", "kind": "Component", "metadata": {"name": "c"},
	"spec": {"pageRef": {"name": "acme"}}}"#;
    write("c.json", json.as_bytes());
    for ignored in [
        ".hidden.yaml",
        ".git/x.yaml",
        LOCK_FILE,
        "a/kustomization.yaml",
        "notes.txt",
    ] {
        write(ignored, b"not: [a manifest");
    }
    write("latin.yaml", b"a: 1\nb: \xff\n");
    #[cfg(unix)]
    std::os::unix::fs::symlink(root, root.join("a/loop")).unwrap();

    let manifests = read_directory(root).unwrap();
    let names: Vec<&str> = manifests
        .manifests
        .iter()
        .map(|manifest| manifest.name.as_str())
        .collect();
    assert_eq!(names, ["a", "b", "c", "acme"]);
    let found = lines(&manifests);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].ends_with(
            "latin.yaml:2:4: error: not UTF-8: byte 0xFF at offset 8 of the file (help: save the file as UTF-8)"
        ),
        "{found:?}"
    );
    assert!(manifests.manifests[0].source.file.starts_with(root));

    let one = read_directory(&root.join("page.yaml")).unwrap();
    assert_eq!(one.manifests.len(), 1);
    let error = read_directory(&root.join("absent")).unwrap_err();
    assert!(error.to_string().starts_with("cannot read "));
}
