//! Whatever a lock file holds, it is refused and left alone, or what it holds is kept.

use std::fs;
use std::path::Path;

use statuspage_operator::driver::Store as _;
use statuspage_operator::statuspage::Token;
use statuspage_operator::store::directory::{DirectoryOptions, DirectoryStore};

const MANIFESTS: &str = "\
apiVersion: statuspage-operator.io/v1alpha1
kind: StatusPage
metadata: {name: acme}
spec: {pageId: page00000001, api: {tokenSecretRef: {name: token}}}
---
apiVersion: statuspage-operator.io/v1alpha1
kind: Component
metadata: {name: api}
spec: {pageRef: {name: acme}, name: API}
";

/// Opens a directory with this lock file, and once more with what that has made of it.
pub(crate) fn check(bytes: &[u8]) {
    let directory = tempfile::tempdir().unwrap();
    let lock = directory.path().join("statuspage.lock.json");
    fs::write(directory.path().join("page.yaml"), MANIFESTS).unwrap();
    fs::write(&lock, bytes).unwrap();
    let Some(first) = opened(directory.path()) else {
        assert_eq!(fs::read(&lock).unwrap(), bytes, "a file that is refused is left alone");
        return;
    };
    let written = fs::read_to_string(&lock).unwrap();
    let second = opened(directory.path()).expect("what was written can be read");
    assert_eq!(second, first, "what is on record stays there");
    assert_eq!(fs::read_to_string(&lock).unwrap(), written, "and is written as before");
}

/// What a directory declares and has on record, once it has written it.
fn opened(root: &Path) -> Option<Vec<String>> {
    let options = DirectoryOptions {
        token: Some(Token::new("correct-horse".to_owned()).unwrap()),
        ..DirectoryOptions::default()
    };
    let (store, manifests) = DirectoryStore::open(root, options).ok()?;
    assert!(!manifests.has_errors(), "{:?}", manifests.problems);
    let pages = store.pages();
    assert_eq!(pages.len(), 1);
    let view = store.view(&pages[0]).unwrap();
    let mut known: Vec<String> = std::iter::once(&view.page)
        .chain(&view.declarations)
        .map(|declaration| {
            let id = declaration.recorded_id();
            format!("{} {id:?} {}", declaration.key, declaration.deleting)
        })
        .collect();
    known.extend(
        store
            .stranded()
            .into_iter()
            .map(|(page, count)| format!("{page} {count}")),
    );
    store.record().unwrap();
    Some(known)
}
