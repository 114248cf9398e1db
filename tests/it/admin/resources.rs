//! `/api/v1/pages/` and `/api/v1/resources/`: sections 2.3 and 2.4 of the contract, and tenancy.

use serde_json::{Value, json};

use super::{Running, answer};

fn names(list: &Value) -> Vec<String> {
    let text = |entry: &Value, name: &str| entry[name].as_str().unwrap().to_owned();
    let data = list["data"].as_array().unwrap();
    data.iter()
        .map(|entry| format!("{}/{}", text(entry, "namespace"), text(entry, "name")))
        .collect()
}

#[tokio::test]
async fn a_tenant_sees_its_own_and_nothing_else() {
    let running = Running::start().await;
    let list = running.json_as(&running.ann, "/api/v1/resources/").await;
    assert_eq!(names(&list), ["a/api", "a/web", "a/main"]);
    assert_eq!(list["meta"]["count"], 3);
    let list = running.json_as(&running.bob, "/api/v1/resources").await;
    assert_eq!(names(&list), ["b/guest", "b/shop"]);
    let list = running.json_as(&running.root, "/api/v1/resources/").await;
    assert_eq!(list["meta"]["count"], 5);
    // Asking for the other one's namespace by name changes nothing.
    for filter in ["namespace=b", "page=b/shop", "page=shop"] {
        let list = running
            .json_as(&running.ann, &format!("/api/v1/resources/?{filter}"))
            .await;
        assert_eq!(
            (&list["meta"]["count"], &list["data"]),
            (&json!(0), &json!([])),
            "{filter}"
        );
    }
    for (namespace, name) in [("b", "guest"), ("b", "nope"), ("a", "nope")] {
        let path = format!("/api/v1/resources/{namespace}/Component/{name}/");
        let expected = json!({"errors": [{"detail": "Not found.", "source": "detail", "status": "404"}]});
        assert_eq!(answer(running.get_as(&running.ann, &path)).await, (404, expected));
    }
}

#[tokio::test]
async fn a_page_counts_what_the_caller_may_see() {
    let running = Running::start().await;
    let pages = running.json_as(&running.ann, "/api/v1/pages/").await;
    assert_eq!(names(&pages), ["a/main"]);
    let page = &pages["data"][0];
    assert_eq!(
        (&page["declarations"], &page["pending_changes"]),
        (&json!(3), &json!(1))
    );
    let budget = json!({"limit": 60, "used": 7, "remaining": 53, "waiting": 0});
    assert_eq!(page["budget"], budget);
    let pages = running.json_as(&running.root, "/api/v1/pages/?ready=true").await;
    assert_eq!(names(&pages), ["a/main"]);
    // The guest of namespace b counts for whoever sees it.
    assert_eq!(pages["data"][0]["declarations"], 4);
    let pages = running.json_as(&running.bob, "/api/v1/pages/").await;
    assert_eq!(names(&pages), ["b/shop"]);
}

#[tokio::test]
async fn one_declaration_by_its_name() {
    let running = Running::start().await;
    for path in [
        "/api/v1/resources/a/Component/web/",
        "/api/v1/resources/a/Component/web",
    ] {
        let one = running.json_as(&running.ann, path).await;
        assert_eq!(one["remote_id"], "remote-web");
        assert_eq!(
            (&one["ready"], &one["synced"], &one["pending"]),
            (&json!(true), &json!(true), &json!(false))
        );
        assert_eq!((&one["reason"], &one["drift"]), (&json!("Synced"), &json!([])));
    }
}

#[tokio::test]
async fn filters_and_together() {
    let running = Running::start().await;
    let cases = [
        ("kind=Component", &["a/api", "a/web", "b/guest"][..]),
        ("kind=component&ready=false", &["a/api", "b/guest"]),
        ("page=a/main&namespace=b", &["b/guest"]),
        ("page=main&kind=StatusPage", &["a/main"]),
        ("ready=true", &["a/web", "a/main"]),
        ("namespace=c", &[]),
    ];
    for (filter, expected) in cases {
        let list = running
            .json_as(&running.root, &format!("/api/v1/resources/?{filter}"))
            .await;
        assert_eq!(names(&list), expected, "{filter}");
    }
}

#[tokio::test]
async fn a_list_is_walked_by_its_links() {
    let running = Running::start().await;
    let mut path = "/api/v1/resources/?page=main&limit=2".to_owned();
    let mut seen = Vec::new();
    loop {
        let list = running.json_as(&running.root, &path).await;
        seen.extend(names(&list));
        assert_eq!(list["links"]["first"], "/api/v1/resources/?limit=2&offset=0&page=main");
        assert_eq!(list["links"]["last"], "/api/v1/resources/?limit=2&offset=2&page=main");
        match list["links"]["next"].as_str() {
            Some(next) => path = next.to_owned(),
            None => {
                assert_eq!(list["links"]["previous"], "/api/v1/resources/?limit=2&page=main");
                break;
            }
        }
    }
    assert_eq!(seen, ["a/api", "a/web", "a/main", "b/guest"]);
    let past = running.json_as(&running.root, "/api/v1/resources/?offset=50").await;
    assert_eq!((&past["data"], &past["links"]["next"]), (&json!([]), &Value::Null));
    assert_eq!(past["links"]["previous"], "/api/v1/resources/?limit=10&offset=40");
    assert_eq!(past["meta"], json!({"count": 5, "limit": 10, "offset": 50}));
}

/// The original clamps.
#[tokio::test]
async fn bad_parameters_are_refused_one_entry_each() {
    let running = Running::start().await;
    let entry = |source: &str, detail: &str| json!({"detail": detail, "source": source, "status": "400"});
    let cases = [
        (
            "limit=0&offset=x",
            vec![
                entry("limit", "Ensure this value is greater than or equal to 1."),
                entry("offset", "A valid integer is required."),
            ],
        ),
        (
            "limit=5000",
            vec![entry("limit", "Ensure this value is less than or equal to 1000.")],
        ),
        (
            "kind=Pod&ready=maybe",
            vec![
                entry("kind", "\"Pod\" is not a valid choice."),
                entry("ready", "\"maybe\" is not a valid choice."),
            ],
        ),
    ];
    for (query, errors) in cases {
        for list in ["resources", "pages"] {
            let path = format!("/api/v1/{list}/?{query}");
            let expected = (400, json!({ "errors": errors }));
            assert_eq!(answer(running.get_as(&running.ann, &path)).await, expected, "{path}");
        }
    }
}
