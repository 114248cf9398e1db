//! Bytes that nobody should write. Each file but this one and `generated` is the check of a fuzz target of `fuzz/`,
//! and gets its seeds here.

mod form;
mod generated;
mod in_process;
mod lock_file;
pub(crate) mod manifest;
mod reply;
mod retry_after;

use std::fs;
use std::path::PathBuf;

use http::HeaderMap;
use statuspage_operator::statuspage::{Budget, Error};

use crate::client::every_operation;
use every_operation::all;
use in_process::{answering, in_process};

fn folder(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target)
}

/// Gives each seed of a target to its check, whose name is the target's.
macro_rules! seeds {
    ($($target:ident),+) => {
        const TARGETS: &[&str] = &[$(stringify!($target)),+];

        mod seeds {
            $(#[test]
            fn $target() {
                super::check_seeds(stringify!($target), super::$target::check);
            })+
        }
    };
}

seeds!(form, lock_file, manifest, reply, retry_after);

fn check_seeds(target: &str, check: fn(&[u8])) {
    let mut count = 0;
    for entry in fs::read_dir(folder(target)).unwrap() {
        let path = entry.unwrap().path();
        // Captured by the test, and shown when it fails.
        println!("{}", path.display());
        check(&fs::read(path).unwrap());
        count += 1;
    }
    assert!(count > 1, "{target} has seeds");
}

/// A target without seeds here would never run in `cargo test`.
#[test]
fn every_target_is_run() {
    let fuzz = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    let mut targets: Vec<String> = fs::read_dir(fuzz.join("fuzz_targets"))
        .unwrap()
        .map(|entry| {
            entry
                .unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    targets.sort();
    assert_eq!(targets, TARGETS);
    for target in targets {
        assert!(manifest.contains(&format!("name = \"{target}\"")), "{target}");
    }
}

/// The honest seeds, by the operation that has to understand each.
#[test]
fn seeds_that_are_honest_are_understood() {
    for (name, operation) in [
        ("component.json", "components.get(\"x\")"),
        ("component-odd-types.json", "components.get(\"x\")"),
        ("component-group.json", "groups.get(\"x\")"),
        ("incident.json", "incidents.get(\"x\")"),
        ("incident-odd-lists.json", "incidents.get(\"x\")"),
        (
            "incident-update.json",
            "incidents.correct_update(\"i\", \"x\", &update)",
        ),
        (
            "incident-template.json",
            "page.incident_templates().create(&IncidentTemplateWrite::default())",
        ),
        ("metric.json", "metrics.get(\"x\")"),
        ("metrics-provider.json", "providers.get(\"x\")"),
        ("subscriber.json", "subscribers.get(\"x\")"),
        ("subscriber-histogram.json", "subscribers.histogram()"),
        ("subscriber-count.json", "subscribers.count(None, None)"),
        ("page.json", "page.get()"),
        ("page-access-user.json", "users.get(\"x\")"),
        ("page-access-group.json", "access_groups.get(\"x\")"),
        (
            "organization-user.json",
            "client.organization(\"o\").users().create(&OrganizationUserWrite::default())",
        ),
        ("permissions-list.json", "organization.permissions(\"x\")"),
        ("postmortem.json", "postmortem.get()"),
        ("status-embed.json", "page.status_embed_config()"),
        ("uptime.json", "components.uptime(\"x\", &range)"),
        ("metric-point.json", "page.metrics().send_point(\"x\", point)"),
        ("list.json", "page.components().list()"),
        ("list-of-incidents.json", "incidents.list()"),
    ] {
        let body = fs::read(folder("reply").join(name)).unwrap();
        let outcomes = in_process(all(&answering(200, HeaderMap::new(), body, Budget::new(0))));
        let (_, result) = outcomes.into_iter().find(|(name, _)| *name == operation).unwrap();
        assert!(result.is_ok(), "{name}: {operation}: {result:?}");
    }
}

/// Memory is the size of what is read, and small bodies are not read into large ones.
#[test]
fn a_reply_of_nothing_but_commas_is_not_read() {
    for body in [
        format!("[{}0]", "0,".repeat(2 << 20)),
        format!("[{}{{}}]", "{},".repeat(2 << 20)),
        format!("{{\"id\":\"x\",\"components\":[{}0]}}", "0,".repeat(2 << 20)),
    ] {
        let client = answering(200, HeaderMap::new(), body, Budget::new(0));
        let error = in_process(async { client.page("p").incidents().get("x").await.unwrap_err() });
        assert!(matches!(error, Error::TooLarge { unit: "values", .. }), "{error}");
    }
}
