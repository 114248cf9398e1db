//! Every kind under every policy in every situation: one test for each kind and situation, which walks the policies.
//!
//! What has to happen is written in `docs/policies.md`, by hand. Each cell is played to the end on the simulated page:
//! what was sent, what is on the page, what the conditions say.

mod columns;
mod situations;
mod table;

pub(super) use columns::declared;
use columns::{COLUMNS, Column};
use serde_json::Value;
use situations::SITUATIONS;

/// Plays one kind in one situation under every policy that it has.
fn walk(heading: &str, situation: &str) {
    let column: &'static Column = COLUMNS.iter().find(|column| column.heading == heading).unwrap();
    let (_, play) = SITUATIONS.iter().find(|(name, _)| *name == situation).unwrap();
    let mut wrong = Vec::new();
    for (policy, cell) in table::cells(situation, heading) {
        if table::is_unknown(heading, policy) {
            continue;
        }
        let seen = play(column, &table::value(policy));
        if seen != table::expected(cell) {
            wrong.push(format!("{policy}: {cell:?} is expected, seen was {seen:?}"));
        }
    }
    assert!(wrong.is_empty(), "{heading}, {situation}:\n{}", wrong.join("\n"));
}

/// Hands the names of all situations to another macro.
macro_rules! situations {
    ($macro:ident $($before:tt)*) => {
        $macro! {
            $($before)* absent present_unowned present_owned changed_by_hand changed_in_the_manifest
                changed_what_only_a_creation_takes deleted_by_hand two_of_the_same_name claimed_twice deleted_owned
                deleted_adopted deleted_unowned deleted_claimed_twice
        }
    };
}

macro_rules! tests {
    ($heading:literal $($situation:ident)*) => {
        $(#[test]
        fn $situation() {
            super::walk($heading, stringify!($situation));
        })*
    };
}

macro_rules! names {
    ($($situation:ident)*) => {
        [$(stringify!($situation)),*]
    };
}

macro_rules! kinds {
    ($($module:ident: $heading:literal;)*) => {
        $(mod $module {
            situations!(tests $heading);
        })*

        /// The columns that have tests.
        const TESTED: &[&str] = &[$($heading),*];
    };
}

kinds! {
    status_page: "StatusPage";
    component_group: "ComponentGroup";
    component: "Component";
    incident: "Incident";
    maintenance: "Incident with schedule";
    metrics_provider: "MetricsProvider";
    metric: "Metric";
    subscriber: "Subscriber";
    incident_template: "IncidentTemplate";
    page_access_user: "PageAccessUser";
    page_access_group: "PageAccessGroup";
    organization_user: "OrganizationUser";
}

#[test]
fn the_document_the_columns_and_the_tests_are_about_the_same() {
    let headings: Vec<&str> = COLUMNS.iter().map(|column| column.heading).collect();
    assert_eq!(headings, TESTED);
    let situations: Vec<&str> = SITUATIONS.iter().map(|(name, _)| *name).collect();
    assert_eq!(situations, situations!(names));
    assert_eq!(table::situations(), situations);
    for situation in situations {
        assert_eq!(table::headings(situation), headings, "{situation}");
    }
    let mut kinds: Vec<_> = COLUMNS.iter().map(|column| column.kind).collect();
    kinds.dedup();
    assert_eq!(kinds.len(), crate::api::Kind::ALL.len());
}

#[test]
fn a_kind_lacks_a_policy_exactly_when_its_schema_does() {
    for column in COLUMNS {
        let definition = serde_json::to_value(column.kind.definition()).unwrap();
        let schema =
            &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"];
        let takes = |name: &String, value: &Value| {
            let field = &schema[name];
            let named = field["enum"].as_array();
            field.is_object() && named.is_none_or(|values| values.contains(value))
        };
        for policy in table::all_policies() {
            let value = table::value(policy);
            let own = value.as_object().unwrap().iter();
            let known = own
                .filter(|(name, _)| !matches!(name.as_str(), "defaults" | "page"))
                .all(|(name, value)| takes(name, value));
            let heading = column.heading;
            let lacking = table::is_unknown(heading, policy);
            assert_eq!(known, !lacking, "{heading} {policy}");
        }
    }
}
