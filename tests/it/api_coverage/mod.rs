//! Every operation of the API: named in `docs/api-coverage.md`, answered by the local server, and answered in the form
//! that Atlassian's description gives, or in another one for a reason that is listed here.
//!
//! The description itself is not ours to copy. It is read where it is at hand: at the path in STATUSPAGE_OPENAPI, or
//! beside this repository. Without it the table, the functions that it names and the server's successes are checked.

mod document;
mod walk;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use document::Document;
use walk::Walk;

/// Method and path.
type Operation = (String, String);

/// Fields whose described type is not what the service answers (reference 3.1, R5), by schema and field.
const OTHER_TYPES: &[(&str, &str)] = &[
    (
        "ComponentGroupUptime.related_events",
        "a list by component, described as one object",
    ),
    ("ComponentGroupUptime.warnings", "a list, described as a text"),
    (
        "ComponentUptime.related_events",
        "a list of incidents, described as one object",
    ),
    ("ComponentUptime.warnings", "a list, described as a text"),
    ("GroupComponent.components", "a list of ids, described as a text"),
    ("GroupComponent.position", "a number, described as a text"),
    ("Incident.postmortem_published_at", "a time, described as a flag"),
    (
        "Metric.backfill_percentage",
        "a number with a fraction, described as a whole one",
    ),
    ("MetricsProvider.page_id", "a text, described as a number"),
    (
        "PageAccessUser.page_access_group_ids",
        "a list of ids, described as a text",
    ),
    ("Subscriber.components", "a list of ids, described as a text"),
];

/// Fields that the service answers and that are not described, by schema and field.
const UNDESCRIBED: &[(&str, &str)] = &[("Metric.metrics_display_id", "seen in answers of the service")];

/// Answers whose described form as a whole is another one, by operation.
const OTHER_FORMS: &[(&str, &str)] = &[
    (
        "POST /pages/{page_id}/metrics/data",
        "the keys are ids of metrics, described as one key",
    ),
    ("GET /pages/{page_id}/metrics", "a list, described as one metric"),
    (
        "GET /pages/{page_id}/metrics_providers/{metrics_provider_id}/metrics",
        "a list, described as one metric",
    ),
    (
        "GET /organizations/{organization_id}/permissions/{user_id}",
        "the form of the example, not of the schema",
    ),
    (
        "PUT /organizations/{organization_id}/permissions/{user_id}",
        "the form of the example, not of the schema",
    ),
];

/// The table: operation to client function and use.
fn table() -> BTreeMap<Operation, (String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/api-coverage.md");
    let text = std::fs::read_to_string(path).unwrap();
    let mut rows = BTreeMap::new();
    for line in text
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains("| `/"))
    {
        let cells: Vec<&str> = line
            .trim_matches('|')
            .split('|')
            .map(|cell| cell.trim().trim_matches('`'))
            .collect();
        let [method, path, function, used] = cells.as_slice() else {
            panic!("{line}")
        };
        let known = rows.insert(
            ((*method).to_owned(), (*path).to_owned()),
            ((*function).to_owned(), (*used).to_owned()),
        );
        assert!(known.is_none(), "twice: {line}");
    }
    rows
}

/// The functions of the client, by module of the operations.
fn client_functions() -> BTreeSet<String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/statuspage-client/src/operations");
    let mut functions = BTreeSet::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let text = text.replace("pub async fn ", "pub fn ");
        functions.extend(text.split("pub fn ").skip(1).filter_map(|rest| {
            let name = rest.split(['(', '<']).next()?;
            Some(name.to_owned())
        }));
    }
    functions
}

#[tokio::test]
async fn every_operation_is_answered_as_described() {
    let document = Document::find();
    let mut walk = Walk::start(document.as_ref()).await;
    walk.all().await;
    let sent = walk.finish().await;

    let table = table();
    let listed: BTreeSet<Operation> = table.keys().cloned().collect();
    assert_eq!(listed, sent.operations, "docs/api-coverage.md against what was sent");
    assert_eq!(listed.len(), 112);
    let functions = client_functions();
    for (operation, (function, _)) in &table {
        for name in function
            .split(['.', ','])
            .map(|name| name.trim().trim_end_matches("()"))
        {
            assert!(
                functions.contains(name),
                "{operation:?}: the client has no function {name}"
            );
        }
    }

    let Some(document) = document else {
        println!("STATUSPAGE_OPENAPI is not set and no description is beside the repository: its part was not checked");
        return;
    };
    assert_eq!(document.operations(), listed);
    assert_eq!(
        sent.misfits.iter().collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "answers that are not as described: correct the server, or list them here with the reason"
    );
    let needless: Vec<&str> = OTHER_TYPES
        .iter()
        .chain(UNDESCRIBED)
        .chain(OTHER_FORMS)
        .map(|(place, _)| *place)
        .filter(|place| !sent.excused.contains(*place))
        .collect();
    assert_eq!(needless, Vec::<&str>::new(), "listed, but as described");
}

/// Every operation but the twins of others is sent by a function of the client, and nothing else is.
#[tokio::test]
async fn every_operation_has_a_function_that_sends_it() {
    let table = table();
    let operation = |(method, path): (String, String)| {
        let asked: Vec<&str> = path.split('/').collect();
        let fits = |template: &str| {
            let segments: Vec<&str> = template.split('/').collect();
            let mut pairs = asked.iter().zip(&segments);
            asked.len() == segments.len() && pairs.all(|(asked, segment)| segment.starts_with('{') || asked == segment)
        };
        let rows = table.keys().filter(|(row, template)| *row == method && fits(template));
        // "unresolved" in the place of an id is no id.
        let row = rows.min_by_key(|(_, template)| template.matches('{').count());
        row.unwrap_or_else(|| panic!("{method} {path} is not in docs/api-coverage.md"))
            .clone()
    };
    let sent: BTreeSet<Operation> = crate::client::every_operation::sent()
        .await
        .into_iter()
        .map(operation)
        .collect();
    let twins = table.iter().filter(|(_, (_, used))| used == "PATCH does the same");
    let twins: BTreeSet<Operation> = twins.map(|(operation, _)| operation.clone()).collect();
    let missing: Vec<&Operation> = table
        .keys()
        .filter(|row| !sent.contains(row) && !twins.contains(row))
        .collect();
    assert_eq!(
        missing,
        Vec::<&Operation>::new(),
        "no function of the client sends these"
    );
}
