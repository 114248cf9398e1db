//! The tables of `docs/policies.md`, which users read and which the tests take their expectations from.

use std::collections::BTreeMap;

use serde_json::Value;

use super::situations::Seen;

const DOCUMENT: &str = include_str!("../../../../docs/policies.md");

/// The row of a table for every policy that no other row names.
const OTHERWISE: &str = "otherwise";
/// The policy of a manifest that sets none.
const NOTHING: &str = "nothing set";
/// What stands where there is nothing.
const NONE: &str = "–";
/// What stands where the page has no object.
const NOTHING_LEFT: &str = "nothing";

/// A table of the document: its rows, cell by cell.
struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<&'static str>>,
}

fn section(title: &str) -> &'static str {
    let mut sections = DOCUMENT.split("\n## ").skip(1);
    let body = sections.find_map(|section| {
        let (heading, body) = section.split_once('\n')?;
        (name_of(heading) == title).then_some(body)
    });
    body.unwrap_or_else(|| panic!("docs/policies.md has no section {title}"))
}

/// A heading as the name of a test.
fn name_of(heading: &str) -> String {
    heading.trim().to_lowercase().replace([' ', '-'], "_")
}

fn table(title: &str) -> Table {
    let cells = |line: &'static str| -> Vec<&'static str> {
        let inner = line.trim().trim_start_matches('|').trim_end_matches('|');
        inner.split('|').map(str::trim).collect()
    };
    let mut lines = section(title).lines().filter(|line| line.starts_with('|')).map(cells);
    let headings = lines.next().unwrap_or_else(|| panic!("{title} has no table"));
    let rows: Vec<Vec<&str>> = lines.skip(1).collect();
    for row in &rows {
        assert_eq!(row.len(), headings.len(), "{title}: {row:?}");
    }
    Table { headings, rows }
}

/// The policies that the first cell of a row names.
fn policies(cell: &'static str) -> Vec<&'static str> {
    let quoted = cell.split('`').skip(1).step_by(2);
    let nothing = cell.split('`').step_by(2).any(|text| text.contains(NOTHING));
    quoted.chain(nothing.then_some(NOTHING)).collect()
}

/// The spec that a policy stands for: own fields, and under `defaults` and `page` those of the StatusPage.
pub(super) fn value(policy: &str) -> Value {
    if policy == NOTHING {
        return Value::Object(Default::default());
    }
    serde_yaml::from_str(&format!("{{{policy}}}")).unwrap_or_else(|error| panic!("{policy}: {error}"))
}

/// All policies, as the document lists them.
pub(super) fn all_policies() -> Vec<&'static str> {
    let table = table("the_policies");
    table.rows.iter().flat_map(|row| policies(row[0])).collect()
}

/// True when a kind does not have a policy, because its schema has no such field or value.
pub(super) fn is_unknown(heading: &str, policy: &str) -> bool {
    let table = table("what_a_kind_does_not_have");
    let of_kind = table
        .rows
        .iter()
        .filter(|row| row[0].split(", ").any(|kind| kind == heading));
    let lacking: Vec<&str> = of_kind.flat_map(|row| policies(row[1])).collect();
    let own = |word: &&str| !word.starts_with("defaults:") && !word.starts_with("page:");
    // A field without a value stands for all its values.
    policy.split(", ").filter(own).any(|word| {
        let field = word.split(':').next().unwrap_or_default();
        lacking.contains(&word) || lacking.contains(&field)
    })
}

/// What has to be seen where a table has this cell: a word of the list of words, and what the page has then. None for
/// what cannot be.
pub(super) fn expected(cell: &str) -> Option<Seen> {
    let list = |cell: &str| -> Vec<String> {
        let items = cell.split(',').map(|item| item.trim().trim_matches('`'));
        items
            .filter(|item| ![NONE, NOTHING_LEFT].contains(item))
            .map(str::to_owned)
            .collect()
    };
    if cell == NONE {
        return None;
    }
    let (word, page) = cell.split_once(" · ").unwrap_or_else(|| panic!("{cell:?} has no dot"));
    let rows = table("the_words").rows;
    let row = rows.iter().find(|row| row[0] == word);
    let row = row.unwrap_or_else(|| panic!("the document does not explain {word:?}"));
    Some(Seen {
        sent: list(row[1]),
        page: list(page),
        ready: list(row[2]).pop(),
        synced: list(row[3]).pop(),
    })
}

/// The names of all sections that are a situation.
pub(super) fn situations() -> Vec<String> {
    let headings = DOCUMENT.split("\n## ").skip(1);
    let names = headings.map(|section| name_of(section.split('\n').next().unwrap_or_default()));
    let others = ["the_policies", "what_a_kind_does_not_have", "the_words"];
    names.filter(|name| !others.contains(&name.as_str())).collect()
}

/// The columns of a situation's table.
pub(super) fn headings(situation: &str) -> Vec<&'static str> {
    table(situation).headings[1..].to_vec()
}

/// The cell that the table of a situation has for a kind under each policy.
pub(super) fn cells(situation: &str, heading: &str) -> BTreeMap<&'static str, &'static str> {
    let table = table(situation);
    let column = table.headings.iter().position(|known| *known == heading);
    let column = column.unwrap_or_else(|| panic!("{situation} has no column {heading}"));
    let mut cells = BTreeMap::new();
    for row in table.rows.iter().filter(|row| row[0] != OTHERWISE) {
        for policy in policies(row[0]) {
            assert!(all_policies().contains(&policy), "{situation}: {policy} is no policy");
            assert_eq!(cells.insert(policy, row[column]), None, "{situation}: {policy} twice");
        }
    }
    let otherwise = table.rows.iter().find(|row| row[0] == OTHERWISE);
    let otherwise = otherwise.unwrap_or_else(|| panic!("{situation} has no row {OTHERWISE}"))[column];
    for policy in all_policies() {
        cells.entry(policy).or_insert(otherwise);
    }
    cells
}
