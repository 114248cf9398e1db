//! Every operation of the client, for tests of what holds for all of them.

use std::collections::BTreeMap;

use statuspage_operator::statuspage::*;

use super::remote::{Remote, honest};

/// What an operation is called here, and how it ended.
pub(crate) type Outcome = (&'static str, Result<String, Error>);

/// Does each of these and tells how it ended.
macro_rules! outcomes {
    ($($operation:expr),+ $(,)?) => {
        vec![$((stringify!($operation), $operation.await.map(|value| format!("{value:?}")))),+]
    };
}

/// Operations on an object of page `p` whose id is `x`, which replies name.
pub(crate) async fn on_one_object(client: &Client) -> Vec<Outcome> {
    let page = client.page("p");
    let range = UptimeRange::default();
    let (components, groups) = (page.components(), page.component_groups());
    let (incidents, users) = (page.incidents(), page.page_access_users());
    let (metrics, providers) = (page.metrics(), page.metrics_providers());
    let (subscribers, access_groups) = (page.subscribers(), page.page_access_groups());
    let update = IncidentUpdateWrite::default();
    outcomes![
        components.get("x"),
        components.update("x", &ComponentWrite::default()),
        components.uptime("x", &range),
        components.add_page_access_users("x", &[]),
        components.remove_page_access_users("x"),
        components.add_page_access_groups("x", &[]),
        components.remove_page_access_groups("x"),
        groups.get("x"),
        groups.update("x", &ComponentGroupWrite::default()),
        groups.delete("x"),
        groups.uptime("x", &range),
        incidents.get("x"),
        incidents.update("x", &IncidentWrite::default()),
        incidents.delete("x"),
        incidents.correct_update("i", "x", &update),
        incidents.subscribers("i").get("x"),
        incidents.subscribers("i").delete("x"),
        metrics.get("x"),
        metrics.update("x", &MetricWrite::default()),
        metrics.delete("x"),
        metrics.delete_points("x"),
        providers.get("x"),
        providers.update("x", &MetricsProviderWrite::default()),
        providers.delete("x"),
        subscribers.get("x"),
        subscribers.update_components("x", None),
        subscribers.delete("x", false),
        users.get("x"),
        users.update("x", &PageAccessUserWrite::default()),
        users.delete("x"),
        users.components("x").add(&[]),
        users.components("x").replace(&[]),
        users.components("x").remove(&["m".to_owned()]),
        users.components("x").remove_all(),
        users.components("x").remove_one("m"),
        users.metrics("x").add(&[]),
        users.metrics("x").replace(&[]),
        users.metrics("x").remove(&["m".to_owned()]),
        users.metrics("x").remove_all(),
        users.metrics("x").remove_one("m"),
        access_groups.components("x").add(&[]),
        access_groups.components("x").replace(&[]),
        access_groups.components("x").remove(&["m".to_owned()]),
        access_groups.components("x").remove_all(),
        access_groups.components("x").remove_one("m"),
        access_groups.get("x"),
        access_groups.update("x", &PageAccessGroupWrite::default()),
        access_groups.delete("x"),
    ]
}

/// The same for objects that belong to no page.
pub(crate) async fn beside_the_page(client: &Client) -> Vec<Outcome> {
    let (page, organization) = (client.page("x"), client.organization("o"));
    outcomes![
        page.get(),
        page.update(&PageWrite::default()),
        organization.users().delete("x"),
        organization.permissions("x"),
        organization.set_permissions("x", &Permissions::default()),
    ]
}

/// Operations that name no object, or whose replies do not.
pub(crate) async fn others(client: &Client) -> Vec<Outcome> {
    let page = client.page("p");
    let (incidents, subscribers) = (page.incidents(), page.subscribers());
    let postmortem = incidents.postmortem("i");
    let some = SubscriberSelection::All;
    let point = MetricPoint {
        timestamp: 1,
        value: 1.0,
    };
    let points = BTreeMap::from([("m".to_owned(), vec![point])]);
    outcomes![
        page.components().create(&ComponentWrite::default()),
        page.components().delete("x"),
        page.component_groups().create(&ComponentGroupWrite::default()),
        incidents.create(&IncidentWrite::default()),
        incidents.subscribers("i").create(&SubscriberWrite::default()),
        incidents.subscribers("i").resend_confirmation("x"),
        page.incident_templates().create(&IncidentTemplateWrite::default()),
        page.metrics_providers().create(&MetricsProviderWrite::default()),
        page.metrics_providers().metrics("m").create(&MetricWrite::default()),
        page.metrics().send_point("x", point),
        page.metrics().send_points(&points),
        subscribers.create(&SubscriberWrite::default()),
        subscribers.resend_confirmation("x"),
        subscribers.resend_confirmations(&some),
        subscribers.unsubscribe(&some, None, None, false),
        subscribers.reactivate(&some, None),
        subscribers.count(None, None),
        subscribers.histogram(),
        page.page_access_users().create(&PageAccessUserWrite::default()),
        page.page_access_groups().create(&PageAccessGroupWrite::default()),
        page.status_embed_config(),
        page.update_status_embed_config(&StatusEmbedConfigWrite::default()),
        postmortem.get(),
        postmortem.put(&PostmortemWrite::default()),
        postmortem.publish(&PostmortemPublish::default()),
        postmortem.revert(),
        postmortem.delete(),
        client
            .organization("o")
            .users()
            .create(&OrganizationUserWrite::default()),
    ]
}

/// Lists of page `p`, whose rows name their page.
pub(crate) async fn lists(client: &Client) -> Vec<Outcome> {
    let page = client.page("p");
    let (incidents, subscribers) = (page.incidents(), page.subscribers());
    outcomes![
        page.components().list(),
        page.component_groups().list(),
        incidents.list(),
        incidents.search("words"),
        incidents.newest(1),
        incidents.view(IncidentView::Unresolved),
        incidents.view(IncidentView::Scheduled),
        incidents.view(IncidentView::Upcoming),
        incidents.view(IncidentView::ActiveMaintenance),
        incidents.subscribers("i").list(),
        page.incident_templates().list(),
        page.metrics().list(),
        page.metrics_providers().list(),
        page.metrics_providers().metrics("m").list(),
        subscribers.list(),
        subscribers.matching(&SubscriberQuery::default()),
        subscribers.search("words"),
        subscribers.unsubscribed(),
        page.page_access_users().list(),
        page.page_access_users().with_email("a@b"),
        page.page_access_users().components("u").list(),
        page.page_access_users().metrics("u").list(),
        page.page_access_groups().list(),
        page.page_access_groups().components("g").list(),
    ]
}

/// Lists that belong to no page.
pub(crate) async fn lists_beside_the_page(client: &Client) -> Vec<Outcome> {
    outcomes![client.pages().list(), client.organization("o").users().list()]
}

/// All of them.
pub(crate) async fn all(client: &Client) -> Vec<Outcome> {
    let mut outcomes = on_one_object(client).await;
    outcomes.extend(beside_the_page(client).await);
    outcomes.extend(others(client).await);
    outcomes.extend(lists(client).await);
    outcomes.extend(lists_beside_the_page(client).await);
    outcomes
}

/// Method and path of what each of them asks for.
pub(crate) async fn sent() -> Vec<(String, String)> {
    let remote = Remote::start(honest).await;
    all(&remote.client()).await;
    let seen = remote.seen().into_iter();
    seen.map(|seen| (seen.method, seen.path.trim_start_matches("/v1").to_owned()))
        .collect()
}
