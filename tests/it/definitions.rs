//! The generated CustomResourceDefinitions that are checked in.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use clap::CommandFactory;
use statuspage_operator::api::Kind;
use statuspage_operator::manifest::{SCHEMA_FILE, editor_schema};

const REGENERATE: &str =
    "generate again: cargo run -- crds --output crds --output charts/statuspage-operator/files/crds";
const PLACES: [&str; 2] = ["crds", "charts/statuspage-operator/files/crds"];

fn names(directory: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn checked_in_definitions_are_those_of_the_types() {
    let generated = tempfile::tempdir().unwrap();
    let status = Command::new(env!("CARGO_BIN_EXE_statuspage"))
        .args(["crds", "--output"])
        .arg(generated.path())
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    let expected = names(generated.path());
    assert_eq!(expected.len(), Kind::ALL.len());
    for place in PLACES {
        let place = Path::new(env!("CARGO_MANIFEST_DIR")).join(place);
        assert_eq!(names(&place), expected, "{}: {REGENERATE}", place.display());
        for name in &expected {
            let there = std::fs::read_to_string(place.join(name)).unwrap();
            let generated = std::fs::read_to_string(generated.path().join(name)).unwrap();
            assert!(
                there == generated,
                "{} is not what the types say: {REGENERATE}",
                place.join(name).display()
            );
        }
    }
}

#[test]
fn another_yaml_reader_reads_the_same_definitions() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    for kind in Kind::ALL {
        let definition = kind.definition();
        let path = directory.join(format!("{}.yaml", definition.spec.names.plural));
        let read: serde_json::Value = yaml_oracle::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert!(
            read == serde_json::to_value(&definition).unwrap(),
            "{kind} reads otherwise: {REGENERATE}"
        );
    }
}

#[test]
fn every_field_of_a_spec_is_described() {
    fn walk(schema: &serde_json::Value, path: &str, missing: &mut Vec<String>) {
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{name}");
            if property["description"].as_str().is_none_or(str::is_empty) {
                missing.push(path.clone());
            }
            walk(property, &path, missing);
            walk(&property["items"], &path, missing);
        }
    }
    let mut missing = Vec::new();
    for kind in Kind::ALL {
        let definition = serde_json::to_value(kind.definition()).unwrap();
        let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        assert!(
            !schema["description"].as_str().unwrap().contains("Auto-generated"),
            "{kind}"
        );
        walk(&schema["properties"]["spec"], kind.as_str(), &mut missing);
    }
    assert_eq!(missing, Vec::<String>::new());
}

/// A default that an apiserver writes into the items of a list looks like a change to whoever applies the list.
#[test]
fn no_default_is_inside_a_list() {
    fn walk(schema: &serde_json::Value, path: &str, inside: bool, found: &mut Vec<String>) {
        if inside && schema.get("default").is_some() {
            found.push(path.to_owned());
        }
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            walk(property, &format!("{path}.{name}"), inside, found);
        }
        if schema["items"].is_object() {
            walk(&schema["items"], path, true, found);
        }
    }
    let mut found = Vec::new();
    for kind in Kind::ALL {
        let definition = serde_json::to_value(kind.definition()).unwrap();
        let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        walk(&schema["properties"]["spec"], kind.as_str(), false, &mut found);
    }
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn the_pages_of_conditions_and_metrics_are_generated() {
    for (name, generated) in [
        ("conditions.md", statuspage_operator::api::conditions_page()),
        ("metrics.md", statuspage_operator::operator::metrics_page()),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&path, &generated).unwrap();
        }
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            there == generated,
            "docs/{name} is not what the code says: UPDATE_DOCS=1 cargo test --test it definitions"
        );
    }
}

#[test]
fn a_category_is_no_name_of_a_kind() {
    // kubectl would take `kubectl get statuspage acme` for all kinds of the category, and refuse the name.
    let names: BTreeSet<String> = Kind::ALL
        .into_iter()
        .flat_map(|kind| {
            let names = kind.definition().spec.names;
            let short = names.short_names.unwrap_or_default();
            short
                .into_iter()
                .chain([names.plural, names.singular.unwrap_or_default()])
        })
        .collect();
    for kind in Kind::ALL {
        for category in kind.definition().spec.names.categories.unwrap_or_default() {
            assert!(!names.contains(&category), "{kind}: {category}");
        }
    }
}

#[test]
fn the_schema_for_editors_is_generated() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(SCHEMA_FILE);
    let generated = format!("{:#}\n", editor_schema());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &generated).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == generated,
        "docs/{SCHEMA_FILE} is not what the types say: UPDATE_DOCS=1 cargo test --test it definitions"
    );
    let printed = Command::new(env!("CARGO_BIN_EXE_statuspage"))
        .arg("schema")
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(printed.stdout).unwrap(), generated);
}

#[test]
fn the_manual_is_generated() {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("man");
    let generated = tempfile::tempdir().unwrap();
    let command = statuspage_operator::cli::Cli::command();
    clap_mangen::generate_to(command, generated.path()).unwrap();
    // What is printed for a terminal has no place in a file that is checked in: ends of lines, and nothing behind them.
    for name in names(generated.path()) {
        let path = generated.path().join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        let lines = text.lines().map(|line| format!("{}\n", line.trim_end()));
        std::fs::write(path, lines.collect::<String>()).unwrap();
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        drop(std::fs::remove_dir_all(&place));
        std::fs::create_dir_all(&place).unwrap();
        for name in names(generated.path()) {
            std::fs::copy(generated.path().join(&name), place.join(&name)).unwrap();
        }
    }
    let expected = names(generated.path());
    assert!(expected.contains("statuspage.1") && expected.contains("statuspage-incident-open.1"));
    let stale = |name: &&String| {
        let read = |directory: &Path| std::fs::read_to_string(directory.join(name.as_str())).unwrap_or_default();
        read(&place) != read(generated.path())
    };
    let stale: Vec<&String> = expected.iter().filter(stale).collect();
    assert!(
        stale.is_empty() && names(&place) == expected,
        "man/ is not what --help says ({stale:?}): UPDATE_DOCS=1 cargo test --test it definitions"
    );
}
