//! The crates that this is made of, out of the lock file of the build.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

const LOCK: &str = include_str!("../../../Cargo.lock");
/// This package, which also says each version, and the crates of this workspace that it is made of.
const MANIFESTS: [&str; 4] = [
    include_str!("../../../Cargo.toml"),
    include_str!("../../../crates/statuspage-client/Cargo.toml"),
    include_str!("../../../crates/statuspage-clock/Cargo.toml"),
    include_str!("../../../crates/statuspage-server/Cargo.toml"),
];

/// Direct dependencies and their versions. Those of tests are not in the binary, and so not here.
pub fn modules() -> &'static BTreeMap<String, String> {
    static MODULES: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| read(&MANIFESTS, LOCK));
    &MODULES
}

fn read(manifests: &[&str], lock: &str) -> BTreeMap<String, String> {
    let versions = versions(lock);
    let used: BTreeSet<&str> = manifests.iter().flat_map(|manifest| used(manifest)).collect();
    let requirements = manifests.iter().flat_map(|manifest| requirements(manifest));
    requirements
        .filter(|(name, _)| used.contains(name))
        .map(|(name, value)| package(name, value))
        .filter_map(|(name, requirement)| {
            // Several versions of one crate: ours is the one that the requirement begins.
            let mut candidates: Vec<&String> = versions.get(&name)?.iter().collect();
            if candidates.len() > 1 {
                candidates.retain(|version| begins(version, &requirement));
            }
            Some((name, candidates.last()?.to_string()))
        })
        .collect()
}

fn begins(version: &str, requirement: &str) -> bool {
    let leading: Vec<&str> = match requirement.split('.').collect::<Vec<_>>().as_slice() {
        // Below 1 the second number decides, above the first one.
        ["0", minor, ..] => vec!["0", minor],
        [major, ..] => vec![major],
        [] => vec![],
    };
    version.split('.').zip(&leading).all(|(have, want)| have == *want)
}

/// What a manifest takes from the workspace for the program, not for its tests.
fn used(manifest: &str) -> impl Iterator<Item = &str> {
    table(manifest, "[dependencies]").filter_map(|(name, _)| name.strip_suffix(".workspace"))
}

/// Name and value of what the workspace depends on.
fn requirements(manifest: &str) -> impl Iterator<Item = (&str, &str)> {
    table(manifest, "[workspace.dependencies]").filter(|(_, value)| !value.contains("path = "))
}

/// Name and requirement of a package.
fn package(name: &str, value: &str) -> (String, String) {
    let quoted = |text: &str| text.split('"').nth(1).unwrap_or_default().to_owned();
    let after = |key: &str| value.split_once(key).map(|(_, rest)| quoted(rest));
    (
        after("package = ").unwrap_or_else(|| name.to_owned()),
        after("version = ").unwrap_or_else(|| quoted(value)),
    )
}

/// The lines of a table.
fn table<'a>(manifest: &'a str, heading: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
    manifest
        .lines()
        .skip_while(move |line| line.trim() != heading)
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once(" = "))
}

fn versions(lock: &str) -> BTreeMap<String, Vec<String>> {
    let mut versions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in lock.split("[[package]]") {
        let field = |name: &str| {
            package
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(" = \"")?.strip_suffix('"'))
        };
        if let (Some(name), Some(version)) = (field("name"), field("version")) {
            versions.entry(name.to_owned()).or_default().push(version.to_owned());
        }
    }
    versions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_one_that_is_linked() {
        let manifest = "[workspace.dependencies]\nown = { version = \"0.1.0\", path = \"own\" }\n\
                        kube = { version = \"5.0.0\", features = [\"client\"] }\nsha2 = \"0.10\"\n\
                        yaml = { package = \"saphyr\", version = \"2\" }\ntempfile = \"3\"\n\n\
                        [dependencies]\nown.workspace = true\nkube.workspace = true\nyaml.workspace = true\n\n\
                        [dev-dependencies]\ntempfile.workspace = true\n";
        let other = "[dependencies]\nsha2.workspace = true\n";
        let entry = |name: &str, version: &str| format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n");
        let lock = [
            entry("kube", "5.0.1"),
            entry("saphyr", "2.0.0"),
            entry("sha2", "0.10.9"),
            entry("sha2", "0.11.1"),
            entry("tempfile", "3.1.0"),
        ]
        .concat();
        let expected = [("kube", "5.0.1"), ("saphyr", "2.0.0"), ("sha2", "0.10.9")];
        let expected = expected.map(|(name, version)| (name.to_owned(), version.to_owned()));
        assert_eq!(read(&[manifest, other], &lock), BTreeMap::from(expected));
    }

    #[test]
    fn every_dependency_has_a_version() {
        let all: Vec<_> = MANIFESTS.iter().flat_map(|manifest| used(manifest)).collect();
        assert!(all.len() > 20);
        for name in all.into_iter().filter(|name| !name.starts_with("statuspage-")) {
            // serde_yaml is the name here of another package.
            let package = if name == "serde_yaml" { "serde-saphyr" } else { name };
            assert!(modules().contains_key(package), "{name}");
        }
        assert!(!modules().contains_key("tempfile"));
    }
}
