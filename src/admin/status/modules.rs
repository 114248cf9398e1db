//! The crates that this is made of, out of the lock file of the build.

use std::collections::BTreeMap;
use std::sync::LazyLock;

const LOCK: &str = include_str!("../../../Cargo.lock");
const MANIFEST: &str = include_str!("../../../Cargo.toml");

/// Direct dependencies and their versions. Those of tests are not in the binary, and so not here.
pub fn modules() -> &'static BTreeMap<String, String> {
    static MODULES: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| read(MANIFEST, LOCK));
    &MODULES
}

fn read(manifest: &str, lock: &str) -> BTreeMap<String, String> {
    let versions = versions(lock);
    dependencies(manifest)
        .into_iter()
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

/// Name and requirement of what stands below `[dependencies]`.
fn dependencies(manifest: &str) -> Vec<(String, String)> {
    let quoted = |text: &str| text.split('"').nth(1).map(str::to_owned);
    manifest
        .lines()
        .skip_while(|line| line.trim() != "[dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| {
            let (name, value) = line.split_once(" = ")?;
            let package = value.split_once("package = ").and_then(|(_, rest)| quoted(rest));
            let requirement = match value.split_once("version = ") {
                Some((_, rest)) => quoted(rest),
                None => quoted(value),
            };
            Some((package.unwrap_or_else(|| name.to_owned()), requirement?))
        })
        .collect()
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
        let manifest = "[dependencies]\nkube = { version = \"5.0.0\", features = [\"client\"] }\nsha2 = \"0.10\"\n\
                        yaml = { package = \"saphyr\", version = \"2\" }\n\n[dev-dependencies]\ntempfile = \"3\"\n";
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
        assert_eq!(read(manifest, &lock), BTreeMap::from(expected));
    }

    #[test]
    fn every_dependency_has_a_version() {
        let all = dependencies(MANIFEST);
        assert!(all.len() > 20);
        for (name, _) in all {
            assert!(modules().contains_key(&name), "{name}");
        }
        assert!(!modules().contains_key("tempfile"));
    }
}
