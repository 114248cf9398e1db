//! What objects of a page say about each other, and what becomes of it when one of them goes.

use std::collections::HashSet;

use super::state::{PageState, PointChange};

/// Removes the groups that lost their last member.
pub(super) fn drop_empty_groups(page: &mut PageState) {
    let alive: HashSet<&str> = page
        .components
        .values()
        .filter_map(|component| component.group_id.as_deref())
        .collect();
    let empty: Vec<String> = page
        .groups
        .ids()
        .into_iter()
        .filter(|id| !alive.contains(id.as_str()))
        .collect();
    for id in empty {
        page.groups.remove(&id);
    }
}

/// Takes a component that was removed out of everything that named it; what incident updates say about it stays.
pub(super) fn forget_component(page: &mut PageState, gone: &str) {
    drop_empty_groups(page);
    page.incidents.forget(gone, |incident| &mut incident.component_ids);
    page.access_users.forget(gone, |user| &mut user.component_ids);
    page.access_groups.forget(gone, |group| &mut group.component_ids);
}

/// Takes a metric that was removed out of everything that named it, and removes its points.
pub(super) fn forget_metric(page: &mut PageState, gone: &str) {
    page.points.push(PointChange::Clear {
        metric: gone.to_owned(),
    });
    page.access_users.forget(gone, |user| &mut user.metric_ids);
    page.access_groups.forget(gone, |group| &mut group.metric_ids);
}
