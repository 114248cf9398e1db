//! The documents say what is so: every test that they name exists.

use std::path::{Path, PathBuf};

fn rust_files(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The last cell of each row of a Markdown table below a heading: names in backticks.
fn named_tests(text: &str, heading: &str) -> Vec<String> {
    let below = text
        .split_once(heading)
        .unwrap_or_else(|| panic!("no heading {heading}"))
        .1;
    let mut names = Vec::new();
    for row in below
        .lines()
        .take_while(|line| !line.starts_with("## "))
        .filter(|line| line.starts_with('|'))
    {
        let last = row.trim_end_matches('|').rsplit('|').next().unwrap_or_default();
        names.extend(last.split('`').skip(1).step_by(2).map(str::to_owned));
    }
    names
}

#[test]
fn every_test_that_a_document_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    rust_files(&root.join("src"), &mut files);
    rust_files(&root.join("crates"), &mut files);
    rust_files(&root.join("tests"), &mut files);
    let code: String = files
        .iter()
        .map(|file| std::fs::read_to_string(file).unwrap())
        .collect();
    for (document, heading, least) in [
        ("docs/promises.md", "## Kept by, shown by", 9),
        ("docs/security.md", "## Who can do what", 9),
        ("docs/ends.md", "## Ends", 9),
    ] {
        let text = std::fs::read_to_string(root.join(document)).unwrap();
        let names = named_tests(&text, heading);
        assert!(names.len() >= least, "{document} names {} tests", names.len());
        for name in names {
            assert!(
                code.contains(&format!("fn {name}(")),
                "{document} names the test {name}, which does not exist"
            );
        }
    }
}
