//! Whatever a manifest says, it is read or its problems are shown.

use std::path::{Path, PathBuf};

use statuspage_operator::manifest::Manifests;

/// Reads a text and asks for everything that can be asked.
pub(crate) fn check(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    // A carriage return alone is the end of a line of YAML too.
    let lines = text.split(['\n', '\r']).count();
    let file = PathBuf::from("x.yaml");
    let mut manifests = Manifests::from_texts([(file.clone(), text)]);
    manifests.check_times(jiff::Timestamp::UNIX_EPOCH);
    let text = manifests.text(Path::new("x.yaml"));
    for problem in &manifests.problems {
        assert!(problem.line >= 1 && problem.column >= 1, "{problem}");
        assert!(problem.line <= lines, "{problem} beyond the {lines} lines");
        assert!(problem.render(text, true).contains(&problem.message), "{problem}");
        assert!(problem.to_string().len() < 10_000, "a problem, not a copy of the file");
    }
    for manifest in &manifests.manifests {
        assert!(!manifest.name.is_empty() && !manifest.namespace.is_empty());
        assert_eq!(manifest.source.file, file);
        let changes = manifest.check_change(manifest);
        let ours = |message: &str| manifests.problems.iter().any(|problem| problem.message == message);
        // What stays as it is was not forbidden to change, unless it was wrong from the beginning.
        assert!(changes.iter().all(|change| ours(&change.message)), "{changes:?}");
    }
}
