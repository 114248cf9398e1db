//! How objects are recognised, and which of their fields are compared.

use serde_json::{Value, json};

use super::{lines, seen, world};
use crate::api::Kind;

#[test]
fn an_object_is_recognised_by_what_its_kind_is_known_by() {
    use Kind::*;
    let named = || json!({"name": "It"});
    let sms = || json!({"sms": {"country": "DE", "number": "170 / 123"}});
    let hook = || json!({"webhook": {"endpoint": "https://a"}});
    let mail = || json!({"email": "Jo@Example.com"});
    let of_core = || json!({"name": "It", "groupRef": {"name": "core"}});
    let mailed = |more: Value| {
        let mut row = json!({"email": "jo@example.COM"});
        row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        row
    };
    let grouped = || json!({"name": "It", "externalIdentifier": "x"});
    let pingdom = |address: &str| json!({"type": "Pingdom", "metricBaseUri": address});
    let of_provider = || json!({"name": "It", "providerRef": {"name": "provider"}});
    let template = || json!({"name": "It", "title": "t", "body": "b"});
    for (kind, spec, remote, same) in [
        (Component, named(), json!({"name": "It"}), true),
        (Component, named(), json!({"name": "it"}), false),
        (Component, json!({}), json!({"name": "it"}), true),
        (Component, named(), json!({"name": "It", "group_id": "elsewhere"}), true),
        (
            Component,
            of_core(),
            json!({"name": "It", "group_id": "elsewhere"}),
            false,
        ),
        (Component, of_core(), json!({"name": "It", "group_id": "g"}), true),
        (Component, of_core(), json!({"name": "It"}), true),
        (Component, of_core(), json!({"name": "Other", "group_id": "g"}), false),
        (ComponentGroup, named(), json!({"name": "It", "group": true}), true),
        (ComponentGroup, named(), json!({"name": "Other", "group": true}), false),
        (
            Metric,
            of_provider(),
            json!({"name": "It", "metrics_provider_id": "p"}),
            true,
        ),
        (
            Metric,
            of_provider(),
            json!({"name": "It", "metrics_provider_id": "q"}),
            false,
        ),
        (
            Metric,
            of_provider(),
            json!({"name": "Other", "metrics_provider_id": "p"}),
            false,
        ),
        (Metric, named(), json!({"name": "It", "metrics_provider_id": "q"}), true),
        (
            MetricsProvider,
            json!({"type": "Pingdom"}),
            json!({"type": "Pingdom"}),
            true,
        ),
        (
            MetricsProvider,
            json!({"type": "Pingdom"}),
            json!({"type": "Datadog"}),
            false,
        ),
        (
            MetricsProvider,
            pingdom("https://a"),
            json!({"type": "Pingdom", "metric_base_uri": "https://a/"}),
            true,
        ),
        (
            MetricsProvider,
            pingdom("https://a"),
            json!({"type": "Pingdom", "metric_base_uri": "https://b"}),
            false,
        ),
        (MetricsProvider, pingdom("https://a"), json!({"type": "Pingdom"}), false),
        (
            Subscriber,
            hook(),
            json!({"endpoint": "https://a", "email": "x@y"}),
            true,
        ),
        (Subscriber, hook(), json!({"endpoint": "https://b"}), false),
        (Subscriber, hook(), json!({"email": "x@y"}), false),
        (
            Subscriber,
            sms(),
            json!({"phone_number": "170123", "phone_country": "de"}),
            true,
        ),
        (Subscriber, sms(), json!({"phone_number": "(170) 123"}), true),
        (
            Subscriber,
            sms(),
            json!({"phone_number": "170123", "phone_country": "FR"}),
            false,
        ),
        (
            Subscriber,
            sms(),
            json!({"phone_number": "170124", "phone_country": "DE"}),
            false,
        ),
        (Subscriber, mail(), mailed(json!({})), true),
        (Subscriber, mail(), mailed(json!({"mode": "email"})), true),
        (Subscriber, mail(), mailed(json!({"mode": "webhook"})), false),
        (Subscriber, mail(), mailed(json!({"endpoint": "https://a"})), false),
        (Subscriber, mail(), json!({"email": "other@example.com"}), false),
        (Subscriber, mail(), json!({}), false),
        (IncidentTemplate, template(), json!({"name": "It"}), true),
        (IncidentTemplate, template(), json!({"name": "Other"}), false),
        (PageAccessUser, mail(), mailed(json!({})), true),
        (PageAccessUser, mail(), json!({"email": "other@example.com"}), false),
        (
            PageAccessUser,
            json!({"externalLogin": "jo"}),
            json!({"external_login": "jo"}),
            true,
        ),
        (
            PageAccessUser,
            json!({"externalLogin": "jo"}),
            json!({"external_login": "Jo"}),
            false,
        ),
        (PageAccessUser, json!({}), json!({}), false),
        (PageAccessGroup, named(), json!({"name": "It"}), true),
        (PageAccessGroup, named(), json!({"name": "Other"}), false),
        (
            PageAccessGroup,
            named(),
            json!({"name": "It", "external_identifier": "y"}),
            true,
        ),
        (
            PageAccessGroup,
            grouped(),
            json!({"name": "Other", "external_identifier": "x"}),
            true,
        ),
        (
            PageAccessGroup,
            grouped(),
            json!({"name": "It", "external_identifier": "y"}),
            false,
        ),
        (
            PageAccessGroup,
            grouped(),
            json!({"name": "It", "external_identifier": ""}),
            true,
        ),
        (OrganizationUser, mail(), mailed(json!({})), true),
        (OrganizationUser, mail(), json!({"email": "other@example.com"}), false),
        (OrganizationUser, mail(), json!({}), false),
    ] {
        let seen = seen(&world(kind, &spec, &remote), kind).unwrap();
        assert_eq!(seen.same, same, "{kind} {spec} {remote}");
        // What is not looked up is not recognised.
        assert!(seen.found || !same, "{kind} {spec} {remote}");
        assert!(!seen.created, "{kind}");
    }
}

#[test]
fn the_age_of_an_object_is_known_where_the_page_tells_it() {
    use Kind::*;
    for (kind, spec, told) in [
        (Component, json!({}), true),
        (ComponentGroup, json!({}), true),
        (Metric, json!({}), true),
        (MetricsProvider, json!({"type": "Pingdom"}), true),
        (Subscriber, json!({"email": "a@b"}), true),
        (PageAccessUser, json!({"email": "a@b"}), true),
        (PageAccessGroup, json!({}), true),
        (OrganizationUser, json!({"email": "a@b"}), true),
        (Incident, json!({"updates": []}), false),
        (IncidentTemplate, json!({"title": "t", "body": "b"}), false),
    ] {
        let remote = json!({"created_at": "2026-01-01T00:00:00Z", "group": kind == ComponentGroup});
        assert_eq!(
            seen(&world(kind, &spec, &remote), kind).unwrap().created,
            told,
            "{kind}"
        );
    }
}

#[test]
fn what_is_declared_is_compared_with_what_the_page_shows() {
    use Kind::*;
    let nothing: &[&str] = &[];
    for (kind, spec, remote, here) in [
        (
            Component,
            json!({"name": "It", "description": "d", "status": "major_outage", "showcase": true, "onlyShowIfDegraded": false, "startDate": "2026-01-02"}),
            json!({"name": "It", "description": "e", "status": "operational", "showcase": false, "only_show_if_degraded": true, "start_date": "2026-01-03"}),
            &[
                "name \"It\" \"It\"",
                "description \"d\" \"e\"",
                "status \"major_outage\" \"operational\"",
                "showcase true false",
                "onlyShowIfDegraded false true",
                "startDate \"2026-01-02\" \"2026-01-03\"",
            ][..],
        ),
        (
            ComponentGroup,
            json!({"name": "It", "description": "d"}),
            json!({"name": "Old", "description": "e", "group": true}),
            &["name \"It\" \"Old\"", "description \"d\" \"e\""],
        ),
        (
            Metric,
            json!({"providerRef": {"name": "provider"}, "metricIdentifier": "i", "suffix": "ms", "tooltipDescription": "t", "yAxisHidden": true, "display": false, "yAxisMin": 1, "yAxisMax": 2, "decimalPlaces": 3, "applicationId": "a"}),
            json!({"name": "It", "metric_identifier": "j", "suffix": "s", "tooltip_description": "u", "y_axis_hidden": false, "display": true, "y_axis_min": 4, "y_axis_max": 5, "decimal_places": 6}),
            &[
                "name \"it\" \"It\"",
                "metricIdentifier \"i\" \"j\"",
                "suffix \"ms\" \"s\"",
                "tooltipDescription \"t\" \"u\"",
                "yAxisHidden true false",
                "display false true",
                "yAxisMin 1.0 4.0",
                "yAxisMax 2.0 5.0",
                "decimalPlaces 3 6",
                "applicationId \"a\" -",
            ],
        ),
        (
            MetricsProvider,
            json!({"type": "Pingdom", "metricBaseUri": "https://a", "email": "a@b"}),
            json!({"type": "Datadog", "metric_base_uri": "https://b"}),
            &[
                "type \"Pingdom\" \"Datadog\"",
                "metricBaseUri \"https://a\" \"https://b\"",
                "email \"a@b\" -",
            ],
        ),
        (
            Subscriber,
            json!({"webhook": {"endpoint": "https://a", "email": "a@b"}, "skipConfirmation": true, "components": ["api"]}),
            json!({"components": ["d"]}),
            &[
                "webhook.endpoint \"https://a\" -",
                "webhook.email \"a@b\" -",
                "components [\"c\"] [\"d\"]",
            ],
        ),
        (
            Subscriber,
            json!({"sms": {"country": "DE", "number": "170"}}),
            json!({"components": ["d"]}),
            &["sms.country \"DE\" -", "sms.number \"170\" -"],
        ),
        (
            IncidentTemplate,
            json!({"name": "It", "title": "t", "body": "b\n", "updateStatus": "identified", "groupId": "x", "shouldTweet": true, "shouldSendNotifications": false, "components": ["api"]}),
            json!({"name": "It", "title": "u", "body": "b ", "update_status": "monitoring", "group_id": "y", "should_tweet": false, "should_send_notifications": true, "components": [{"id": "d"}]}),
            &[
                "name \"It\" \"It\"",
                "title \"t\" \"u\"",
                "body \"b\" \"b\"",
                "updateStatus \"identified\" \"monitoring\"",
                "groupId \"x\" \"y\"",
                "shouldTweet true false",
                "shouldSendNotifications false true",
                "components [\"c\"] [\"d\"]",
            ],
        ),
        (
            PageAccessUser,
            json!({"email": "a@b", "externalLogin": "l", "subscribeToComponents": true}),
            json!({"email": "c@d", "external_login": "m"}),
            &[
                "email \"a@b\" \"c@d\"",
                "externalLogin \"l\" \"m\"",
                "subscribeToComponents true -",
            ],
        ),
        (
            PageAccessGroup,
            json!({"name": "It", "externalIdentifier": "x", "users": ["user"], "components": ["api"], "metrics": ["latency"]}),
            json!({"name": "Old", "external_identifier": "y", "page_access_user_ids": ["1"], "component_ids": ["2"], "metric_ids": ["3"]}),
            &[
                "name \"It\" \"Old\"",
                "externalIdentifier \"x\" \"y\"",
                "users [\"u\"] [\"1\"]",
                "components [\"c\"] [\"2\"]",
                "metrics [\"m\"] [\"3\"]",
            ],
        ),
        (
            OrganizationUser,
            json!({"email": "a@b", "firstName": "Jo", "lastName": "Doe"}),
            json!({"email": "A@b", "first_name": "J", "last_name": "D"}),
            &[
                "email \"a@b\" \"A@b\"",
                "firstName \"Jo\" \"J\"",
                "lastName \"Doe\" \"D\"",
            ],
        ),
        (PageAccessUser, json!({}), json!({"email": "a@b"}), nothing),
    ] {
        let mut remote = remote;
        remote["id"] = json!("it");
        let seen = seen(&world(kind, &spec, &remote), kind).unwrap();
        assert_eq!(lines(&seen.here.unwrap()), here, "{kind}");
        if kind != OrganizationUser {
            let new = seen.new.unwrap();
            assert!(
                new.iter().all(|field| field.observed.is_none()),
                "{kind}: nothing is there yet"
            );
            let skips = new.iter().any(|field| field.name == "skipConfirmation");
            assert_eq!(
                skips,
                spec.get("skipConfirmation").is_some(),
                "{kind}: only a new one is confirmed"
            );
        }
    }
}
