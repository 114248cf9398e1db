//! Metrics providers: where the values of metrics come from. Their credentials are checked and never kept.

use serde_json::{Value, json};

use super::fields::{Fields, Given, read};
use super::pagination::Paging;
use super::records::MetricsProvider;
use super::references;
use super::reply::reply;
use super::request::{Call, Reply};
use super::resource::{PageView, Resource};
use super::state::PageState;
use super::vocabulary::ProviderType;

/// The fields that the console of a type asks for.
fn asked(kind: ProviderType) -> &'static [&'static str] {
    match kind {
        ProviderType::Pingdom => &["email", "password", "application_key"],
        ProviderType::NewRelic => &["api_key"],
        ProviderType::Librato => &["email", "api_token"],
        ProviderType::Datadog => &["api_key", "application_key"],
        ProviderType::Own => &[],
    }
}

/// The old list of types that exist, which needs no page.
pub(super) fn catalogue() -> Reply {
    let types = ProviderType::ALL.iter();
    Reply::ok(
        types
            .map(|kind| json!({ "type": kind, "required_fields": asked(*kind) }))
            .collect(),
    )
}

/// Complains about the credentials that a type cannot do without.
fn check_credentials(kind: ProviderType, fields: &mut Fields<'_>) {
    let mut given = |key: &str| matches!(fields.filled(key), Given::Value(_));
    let missing: Vec<&str> = match kind {
        // Pingdom went from an account with a key to a single token; both are served.
        ProviderType::Pingdom if given("api_token") || given("application_key") => Vec::new(),
        ProviderType::Pingdom => vec!["api_token"],
        _ => asked(kind).iter().copied().filter(|key| !given(key)).collect(),
    };
    for key in missing {
        fields.blank(key);
    }
}

impl Resource for MetricsProvider {
    const ENVELOPE: &'static str = "metrics_provider";
    const PAGING: Option<Paging> = None;
    type Rest = ();

    fn new(page: &PageState, call: &Call<'_>) -> Self {
        Self {
            id: page.ids.identifier(),
            created_at: call.now,
            ..Self::default()
        }
    }

    fn read(&mut self, page: &PageState, fields: &mut Fields<'_>, call: &Call<'_>) {
        let kind = fields.word::<ProviderType>("type");
        if !page.providers.contains(&self.id) {
            match &kind {
                Given::Value(kind) => check_credentials(*kind, fields),
                Given::Absent if fields.has("type") => {}
                Given::Null | Given::Absent => fields.blank("type"),
            }
        }
        kind.keep(&mut self.kind);
        read!(fields => self; store filled: metric_base_uri);
        self.updated_at = call.now;
    }

    fn written(_page: &mut PageState, _id: &str, _rest: ()) {}

    fn removed(page: &mut PageState, id: &str) {
        for metric in page.metrics.remove_where(|metric| metric.provider_id == id) {
            references::forget_metric(page, &metric);
        }
    }

    fn render(&self, view: &PageView<'_>) -> Value {
        reply! { self;
            id, type = self.kind, disabled, metric_base_uri, last_revalidated_at, created_at, updated_at,
            page_id = view.page.id,
        }
    }
}
