//! A kind lives in its own files: those that all kinds share name it in a few lines, and this counts them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use statuspage_operator::api::Kind;

/// So many lines of shared files may name a kind.
const BOUND: usize = 15;

/// Kinds with a part in the flow itself, which another kind has not: how many lines they may have, and why.
const IN_THE_FLOW: [(Kind, usize, &str); 2] = [
    (
        Kind::StatusPage,
        100,
        "all others are of a page: its spec has address, token, defaults and grants",
    ),
    (
        Kind::Incident,
        35,
        "goes before everything else, carries a mark that says whose it is, and is ended instead of deleted",
    ),
];

/// What belongs to kinds although its name is not theirs.
const OWN: [(&str, &str); 9] = [
    ("src/api/opening.rs", "how a template opens an incident"),
    ("src/engine/backlog.rs", "what incidents wait for"),
    ("src/engine/template.rs", "incidents that begin with a template"),
    ("src/engine/unsubscribed.rs", "subscribers who left"),
    ("src/engine/kinds/page.rs", "the settings of a page"),
    ("src/cli/incident/", "`statuspage incident`"),
    ("src/manifest/incidents.rs", "checks of incidents and their templates"),
    (
        "src/manifest/export/",
        "a file per group of kinds, and their names in mod.rs",
    ),
    ("src/simulation/", "a page of its own, with some of the kinds"),
];

#[test]
fn a_kind_is_named_in_few_lines_of_the_files_that_all_kinds_share() {
    let lines = lines_that_name_a_kind();
    for kind in Kind::ALL {
        let found = lines.get(&kind).map(Vec::as_slice).unwrap_or_default();
        let bound = IN_THE_FLOW.iter().find(|(named, ..)| *named == kind);
        let bound = bound.map_or(BOUND, |(_, bound, _)| *bound);
        // The list and the exports of its types.
        assert!(
            found.len() >= 2,
            "{kind} is not found: does this test look in the right place?"
        );
        assert!(
            found.len() <= bound,
            "{} shared lines name {kind}, {bound} may. What is particular to a kind belongs in its own files, behind \
             `KindSpec` and `Rules`:\n{}",
            found.len(),
            found.join("\n")
        );
    }
}

/// What would have to be touched for another kind like this one.
fn lines_that_name_a_kind() -> BTreeMap<Kind, Vec<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut lines: BTreeMap<Kind, Vec<String>> = BTreeMap::new();
    for path in sources(&root.join("src")) {
        let shown = path.strip_prefix(root).unwrap().display().to_string();
        if is_own(&shown) {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.split("\n#[cfg(test)]\nmod tests").next().unwrap();
        for (number, line) in code.lines().enumerate() {
            if line.trim_start().starts_with("//") {
                continue;
            }
            for kind in Kind::ALL.into_iter().filter(|kind| names(line, *kind)) {
                lines
                    .entry(kind)
                    .or_default()
                    .push(format!("{shown}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    lines
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// True for the files of a kind and for tests.
fn is_own(path: &str) -> bool {
    let parts = path.trim_end_matches(".rs").split('/');
    let of_a_kind = |part: &str| part == "tests" || Kind::ALL.into_iter().any(|kind| part == file_name(kind));
    parts.into_iter().any(of_a_kind) || OWN.iter().any(|(own, _)| path.starts_with(own))
}

/// `ComponentGroup` as `component_group`.
fn file_name(kind: Kind) -> String {
    let mut name = String::new();
    for letter in kind.as_str().chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

/// True when a line of code has a variant of this kind, or its spec.
fn names(line: &str, kind: Kind) -> bool {
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let variants = ["Kind", "Spec", "Status", "Object"].map(|list| format!("{list}::{kind}"));
    variants.iter().chain([&format!("{kind}Spec")]).any(|word| {
        line.match_indices(word.as_str()).any(|(at, _)| {
            let (before, after) = (&line[..at], &line[at + word.len()..]);
            !before.ends_with(is_word) && !after.starts_with(is_word)
        })
    })
}

#[test]
fn the_count_tells_kinds_apart() {
    let seen = |line: &str| -> Vec<Kind> { Kind::ALL.into_iter().filter(|kind| names(line, *kind)).collect() };
    assert_eq!(seen("Kind::Component => 1,"), [Kind::Component]);
    assert_eq!(
        seen("Kind::ComponentGroup | Kind::Metric => 2,"),
        [Kind::ComponentGroup, Kind::Metric]
    );
    assert_eq!(seen("of::<MetricSpec>()"), [Kind::Metric]);
    assert_eq!(seen("ObjectKind::Component => CollectionKind::Components,"), []);
    assert!(is_own("src/api/component_group.rs") && is_own("src/engine/kinds/incident/mark.rs"));
    assert!(!is_own("src/engine/planner.rs"));
}
