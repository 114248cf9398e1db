//! Every example, applied.

use std::path::Path;

use statuspage_operator::server::{PageSeed, ServerOptions};

use super::{Directory, Local, options};

#[tokio::test(flavor = "multi_thread")]
async fn every_example_is_applied() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut applied = 0;
    for entry in std::fs::read_dir(examples).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let directory = Directory::example(&name);
        let manifests = statuspage_operator::manifest::read_directory(directory.path()).unwrap();
        let pages: Vec<PageSeed> = manifests
            .manifests
            .iter()
            .filter_map(|manifest| match &manifest.object {
                statuspage_operator::manifest::Object::StatusPage(page) => Some(PageSeed {
                    id: page.spec.page_id.clone(),
                    name: "Example".to_owned(),
                }),
                _ => None,
            })
            .collect();
        assert!(!pages.is_empty(), "{name} declares a page");
        let organization = manifests.manifests.iter().find_map(|manifest| match &manifest.object {
            statuspage_operator::manifest::Object::StatusPage(page) => page.spec.organization_id.clone(),
            _ => None,
        });
        let local = Local::start_with(ServerOptions {
            pages,
            organization,
            ..options()
        })
        .await;
        let said = local.apply(&directory).await;
        assert!(said.contains(" created"), "{name}: {said}");
        local.is_settled(&directory).await;
        applied += 1;
    }
    assert!(applied >= 2);
}
