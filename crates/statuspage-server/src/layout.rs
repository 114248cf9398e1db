//! The order in which a page shows its components and groups, and the positions that follow from it.

use std::collections::HashMap;

use super::records::{Component, ComponentGroup};
use super::state::PageState;
use super::vocabulary::ComponentStatus;

/// A row of the component list.
#[derive(Clone, Copy, Debug)]
pub(super) enum Row<'a> {
    Component(&'a Component),
    Group(&'a ComponentGroup),
}

/// The rows of a page in order, with their positions counted from one; inside a group counting begins anew.
#[derive(Debug)]
pub(super) struct Layout<'a> {
    pub(super) rows: Vec<Row<'a>>,
    members: HashMap<&'a str, Vec<&'a Component>>,
    positions: HashMap<&'a str, usize>,
}

impl<'a> Layout<'a> {
    pub(super) fn of(page: &'a PageState) -> Self {
        let mut members: HashMap<&str, Vec<&Component>> = HashMap::new();
        let mut top: Vec<(i64, Row<'a>)> = Vec::new();
        for component in page.components.values() {
            match component.group_id.as_deref() {
                Some(group) => members.entry(group).or_default().push(component),
                None => top.push((component.order, Row::Component(component))),
            }
        }
        top.extend(page.groups.values().map(|group| (group.order, Row::Group(group))));
        top.sort_by_key(|(order, _)| *order);
        let mut rows = Vec::new();
        let mut positions = HashMap::new();
        for (index, (_, row)) in top.into_iter().enumerate() {
            rows.push(row);
            match row {
                Row::Component(component) => {
                    positions.insert(component.id.as_str(), index + 1);
                }
                Row::Group(group) => {
                    positions.insert(group.id.as_str(), index + 1);
                    let children = members.entry(group.id.as_str()).or_default();
                    children.sort_by_key(|component| component.order);
                    for (inner, child) in children.iter().enumerate() {
                        positions.insert(child.id.as_str(), inner + 1);
                        rows.push(Row::Component(child));
                    }
                }
            }
        }
        Self {
            rows,
            members,
            positions,
        }
    }

    /// The position of a component or group.
    pub(super) fn position(&self, id: &str) -> usize {
        self.positions.get(id).copied().unwrap_or(1)
    }

    /// The worst status among the components of a group.
    pub(super) fn worst(&self, group: &str) -> ComponentStatus {
        let members = self.members(group).iter().map(|component| component.status);
        members.max().unwrap_or_default()
    }

    /// The components of a group, in order.
    pub(super) fn members(&self, group: &str) -> &[&'a Component] {
        self.members.get(group).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use jiff::Timestamp;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::faults::Behaviour;
    use crate::records::Page;
    use crate::request::{Call, Verb};
    use crate::routes::dispatch;
    use crate::state::State;

    /// One write, with numbers that choose among what exists.
    #[derive(Clone, Debug)]
    enum Step {
        Add(usize),
        Group(Vec<usize>),
        Regroup(usize, Vec<usize>),
        Move(usize, usize),
        RemoveComponent(usize),
        RemoveGroup(usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let number = 0..12_usize;
        let some = proptest::collection::vec(0..12_usize, 0..5);
        let step = prop_oneof![
            number.clone().prop_map(Step::Add),
            some.clone().prop_map(Step::Group),
            (number.clone(), some).prop_map(|(group, members)| Step::Regroup(group, members)),
            (number.clone(), number.clone()).prop_map(|(component, group)| Step::Move(component, group)),
            number.clone().prop_map(Step::RemoveComponent),
            number.prop_map(Step::RemoveGroup),
        ];
        proptest::collection::vec(step, 0..40)
    }

    fn pick(ids: &[String], number: usize) -> String {
        ids.get(number).cloned().unwrap_or_else(|| "unknown".to_owned())
    }

    fn take(state: &mut State, step: &Step) {
        let page = state.page_mut("p").unwrap();
        let (components, groups) = (page.components.ids(), page.groups.ids());
        let members =
            |numbers: &[usize]| -> Vec<String> { numbers.iter().map(|number| pick(&components, *number)).collect() };
        let (verb, path, body) = match step {
            Step::Add(group) => {
                let group = groups.get(*group);
                (
                    Verb::Post,
                    vec!["components".to_owned()],
                    json!({"component": {"name": "c", "group_id": group}}),
                )
            }
            Step::Group(list) => (
                Verb::Post,
                vec!["component-groups".to_owned()],
                json!({"component_group": {"name": "g", "components": members(list)}}),
            ),
            Step::Regroup(group, list) => (
                Verb::Patch,
                vec!["component-groups".to_owned(), pick(&groups, *group)],
                json!({"component_group": {"name": "g", "components": members(list)}}),
            ),
            Step::Move(component, group) => (
                Verb::Patch,
                vec!["components".to_owned(), pick(&components, *component)],
                json!({"component": {"group_id": groups.get(*group)}}),
            ),
            Step::RemoveComponent(component) => (
                Verb::Delete,
                vec!["components".to_owned(), pick(&components, *component)],
                json!({}),
            ),
            Step::RemoveGroup(group) => (
                Verb::Delete,
                vec!["component-groups".to_owned(), pick(&groups, *group)],
                json!({}),
            ),
        };
        let Value::Object(body) = body else { unreachable!() };
        let behaviour = Behaviour::default();
        let call = Call {
            now: Timestamp::UNIX_EPOCH,
            query: &[],
            body: &body,
            behaviour: &behaviour,
        };
        let mut whole = vec!["pages", "p"];
        whole.extend(path.iter().map(String::as_str));
        let before = format!("{:?}", snapshot(state));
        match dispatch(state, verb, &whole, &call) {
            Ok(_) => state.commit(None),
            Err(_) => {
                state.rollback();
                assert_eq!(format!("{:?}", snapshot(state)), before);
            }
        }
    }

    fn snapshot(state: &mut State) -> Vec<(String, Option<String>, usize)> {
        let page = state.page_mut("p").unwrap();
        let layout = Layout::of(page);
        let row = |row: &Row<'_>| match row {
            Row::Component(one) => (one.id.clone(), one.group_id.clone(), layout.position(&one.id)),
            Row::Group(one) => (one.id.clone(), None, layout.position(&one.id)),
        };
        layout.rows.iter().map(row).collect()
    }

    proptest! {
        #[test]
        fn groups_are_never_empty_and_positions_have_no_gaps(steps in steps()) {
            let mut state = State::default();
            state.create(Page::new("p".into(), "P".into(), Timestamp::UNIX_EPOCH));
            state.commit(None);
            for step in &steps {
                take(&mut state, step);
                let rows = snapshot(&mut state);
                let page = state.page_mut("p").unwrap();
                let mut by_parent: BTreeMap<Option<String>, Vec<usize>> = BTreeMap::new();
                for (_, parent, position) in &rows {
                    by_parent.entry(parent.clone()).or_default().push(*position);
                }
                for positions in by_parent.values() {
                    prop_assert!(positions.iter().copied().eq(1..=positions.len()), "{:?}", rows);
                }
                let parents: HashSet<&String> = by_parent.keys().flatten().collect();
                let groups = page.groups.ids();
                prop_assert_eq!(parents, groups.iter().collect::<HashSet<_>>());
                prop_assert_eq!(rows.len(), page.components.ids().len() + groups.len());
            }
        }
    }
}
