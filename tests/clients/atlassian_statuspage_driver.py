"""Drives the published package atlassian-statuspage 1.0.2 against a local server: ORIGIN TOKEN PAGE ORGANIZATION.

It was generated from Atlassian's own description of the API: every answer is read into a typed model, which refuses what
the description does not know.
"""

import functools
import importlib
import inspect
import pkgutil
import sys
import time

import atlassian_statuspage
from atlassian_statuspage import api as apis
from atlassian_statuspage import models
from atlassian_statuspage.rest import ApiException


# Where the description is known to be wrong: no page has a number for its id (sbecker59/statuspage-api-client-go #15),
# and the components of a subscriber are a list.
models.MetricsProvider.swagger_types["page_id"] = "str"
models.Subscriber.swagger_types["components"] = "list[str]"


def equal(seen, wanted):
    if seen != wanted:
        raise AssertionError("%r is not %r" % (seen, wanted))


def refused(status, call):
    try:
        call()
    except ApiException as error:
        equal(error.status, status)
        return error
    raise AssertionError("no refusal")


class Operations:
    """All operations of the package by their names, and which of them were called."""

    def __init__(self, origin, token):
        configuration = atlassian_statuspage.Configuration()
        configuration.host = origin + "/v1"
        configuration.api_key["Authorization"] = "OAuth " + token
        client = atlassian_statuspage.ApiClient(configuration)
        self.operations = {}
        self.called = set()
        for module in pkgutil.iter_modules(apis.__path__):
            module = importlib.import_module("atlassian_statuspage.api." + module.name)
            for title, kind in inspect.getmembers(module, inspect.isclass):
                if title.endswith("Api"):
                    made = kind(client)
                    for name, method in inspect.getmembers(made, inspect.ismethod):
                        if not name.startswith("_") and not name.endswith("_with_http_info"):
                            self.operations[name] = method

    def __getattr__(self, name):
        method = self.operations[name]

        @functools.wraps(method)
        def noted(*args, **kwargs):
            self.called.add(name)
            return method(*args, **kwargs)

        return noted


def pages(one, page):
    equal([seen.id for seen in one.get_pages()], [page])
    equal(one.get_pages_page_id(page).name, "Acme")
    equal(one.patch_pages_page_id({"page": {"name": "Acme Status"}}, page).name, "Acme Status")
    changed = one.put_pages_page_id({"page": {"time_zone": "UTC", "allow_rss_atom_feeds": False}}, page)
    equal((changed.time_zone, changed.allow_rss_atom_feeds), ("UTC", False))
    one.patch_pages_page_id_status_embed_config({"status_embed_config": {"position": "top-left"}}, page)
    one.put_pages_page_id_status_embed_config({"status_embed_config": {"incident_text_color": "ffffff"}}, page)
    equal(one.get_pages_page_id_status_embed_config(page).position, "top-left")


def components(one, page):
    api = one.post_pages_page_id_components(
        {"component": {"name": "API", "description": "Public", "status": "operational", "showcase": True}}, page)
    web = one.post_pages_page_id_components({"component": {"name": "Web"}}, page)
    equal((api.status, api.showcase, web.showcase), ("operational", True, False))
    changed = one.patch_pages_page_id_components_component_id({"component": {"status": "partial_outage"}}, page, api.id)
    equal(changed.status, "partial_outage")
    changed = one.put_pages_page_id_components_component_id({"component": {"status": "operational"}}, page, api.id)
    equal(changed.status, "operational")
    equal(one.get_pages_page_id_components_component_id(page, api.id).name, "API")
    equal(one.get_pages_page_id_components_component_id_uptime(page, api.id).id, api.id)
    group = one.post_pages_page_id_component_groups(
        {"component_group": {"name": "Core", "components": [api.id]}, "description": "All"}, page)
    equal((group.name, group.description), ("Core", "All"))
    equal([seen.id for seen in one.get_pages_page_id_component_groups(page)], [group.id])
    equal(one.get_pages_page_id_component_groups_id(page, group.id).name, "Core")
    one.get_pages_page_id_component_groups_id_uptime(page, group.id)
    # Both send the description beside the envelope only, as the API is described.
    body = {"component_group": {"name": "Kernel", "components": [api.id, web.id]}, "description": "Two"}
    equal(one.patch_pages_page_id_component_groups_id(body, page, group.id).name, "Kernel")
    equal(one.put_pages_page_id_component_groups_id(body, page, group.id).description, "Two")
    equal({seen.name: seen.group_id for seen in one.get_pages_page_id_components(page)},
          {"Kernel": None, "API": group.id, "Web": group.id})
    one.delete_pages_page_id_component_groups_id(page, group.id)
    one.delete_pages_page_id_components_component_id(page, web.id)
    return api


def incidents(one, page, api):
    body = {"name": "Outage", "status": "investigating", "body": "We look.", "impact_override": "major",
            "component_ids": [api.id], "components": {api.id: "major_outage"}, "metadata": {"a": {"b": 1}}}
    outage = one.post_pages_page_id_incidents({"incident": body}, page)
    equal((outage.status, outage.impact), ("investigating", "major"))
    equal([update.body for update in outage.incident_updates], ["We look."])
    upgrade = one.post_pages_page_id_incidents(
        {"incident": {"name": "Upgrade", "status": "scheduled", "scheduled_for": "2030-01-01T00:00:00Z",
                      "scheduled_until": "2030-01-01T01:00:00Z", "scheduled_remind_prior": True}}, page)
    begun = one.post_pages_page_id_incidents(
        {"incident": {"name": "Now", "status": "in_progress", "scheduled_for": "2020-01-01T00:00:00Z",
                      "scheduled_until": "2030-01-01T01:00:00Z"}}, page)
    ids = lambda seen: [incident.id for incident in seen]
    equal(len(one.get_pages_page_id_incidents(page)), 3)
    equal(ids(one.get_pages_page_id_incidents_unresolved(page)), [outage.id])
    equal(ids(one.get_pages_page_id_incidents_upcoming(page)), [upgrade.id])
    equal(ids(one.get_pages_page_id_incidents_active_maintenance(page)), [begun.id])
    equal(ids(one.get_pages_page_id_incidents_scheduled(page)), [upgrade.id])
    equal(one.get_pages_page_id_incidents_incident_id(page, outage.id).name, "Outage")
    update = outage.incident_updates[0].id
    body = {"incident_update": {"body": "We looked."}}
    one.patch_pages_page_id_incidents_incident_id_incident_updates_incident_update_id(body, page, outage.id, update)
    seen = one.put_pages_page_id_incidents_incident_id_incident_updates_incident_update_id(body, page, outage.id, update)
    equal(seen.body, "We looked.")

    follower = one.post_pages_page_id_incidents_incident_id_subscribers(
        {"subscriber": {"email": "ann@example.com"}}, page, outage.id)
    equal([seen.id for seen in one.get_pages_page_id_incidents_incident_id_subscribers(page, outage.id)], [follower.id])
    path = (page, outage.id, follower.id)
    equal(one.get_pages_page_id_incidents_incident_id_subscribers_subscriber_id(*path).email, "ann@example.com")
    one.post_pages_page_id_incidents_incident_id_subscribers_subscriber_id_resend_confirmation(*path)
    one.delete_pages_page_id_incidents_incident_id_subscribers_subscriber_id(*path)

    one.patch_pages_page_id_incidents_incident_id({"incident": {"status": "identified"}}, page, outage.id)
    done = one.put_pages_page_id_incidents_incident_id(
        {"incident": {"status": "resolved", "components": {api.id: "operational"}}}, page, outage.id)
    equal(done.status, "resolved")
    draft = {"postmortem": {"body_draft": "A cable."}}
    one.put_pages_page_id_incidents_incident_id_postmortem(draft, page, outage.id)
    one.put_pages_page_id_incidents_incident_id_postmortem_publish({"postmortem": {}}, page, outage.id)
    equal(one.get_pages_page_id_incidents_incident_id_postmortem(page, outage.id).body, "A cable.")
    one.put_pages_page_id_incidents_incident_id_postmortem_revert(page, outage.id)
    one.delete_pages_page_id_incidents_incident_id_postmortem(page, outage.id)
    one.delete_pages_page_id_incidents_incident_id(page, upgrade.id)
    template = one.post_pages_page_id_incident_templates(
        {"template": {"name": "Slow", "title": "Slow answers", "body": "We look.", "update_status": "investigating",
                      "component_ids": [api.id]}}, page)
    equal([seen.id for seen in one.get_pages_page_id_incident_templates(page)], [template.id])


def metrics(one, page):
    provider = one.post_pages_page_id_metrics_providers({"metrics_provider": {"type": "Self"}}, page)
    one.patch_pages_page_id_metrics_providers_metrics_provider_id(
        {"metrics_provider": {"type": "Self"}}, page, provider.id)
    one.put_pages_page_id_metrics_providers_metrics_provider_id(
        {"metrics_provider": {"type": "Self"}}, page, provider.id)
    equal(one.get_pages_page_id_metrics_providers_metrics_provider_id(page, provider.id).type, "Self")
    equal(provider.id in [seen.id for seen in one.get_pages_page_id_metrics_providers(page)], True)
    metric = one.post_pages_page_id_metrics_providers_metrics_provider_id_metrics(
        {"metric": {"name": "Latency", "metric_identifier": "latency", "suffix": "ms", "decimal_places": 1,
                    "y_axis_min": 0, "y_axis_max": 100, "tooltip_description": "How long"}}, page, provider.id)
    equal(metric.suffix, "ms")
    # Both are lists, of which the description says that they are one metric: nothing of them can be seen.
    one.get_pages_page_id_metrics_providers_metrics_provider_id_metrics(page, provider.id)
    one.get_pages_page_id_metrics(page)
    one.patch_pages_page_id_metrics_metric_id({"metric": {"name": "Time"}}, page, metric.id)
    equal(one.put_pages_page_id_metrics_metric_id({"metric": {"name": "Times"}}, page, metric.id).name, "Times")
    now = int(time.time())
    one.post_pages_page_id_metrics_data({"data": {metric.id: [{"timestamp": now, "value": 1.5}]}}, page)
    point = one.post_pages_page_id_metrics_metric_id_data({"data": {"timestamp": now, "value": 2}}, page, metric.id)
    equal(point.data.value, 2)
    equal(one.get_pages_page_id_metrics_metric_id(page, metric.id).backfilled, False)
    one.delete_pages_page_id_metrics_metric_id_data(page, metric.id)
    return provider, metric


def access(one, page, api, metric):
    viewer = one.post_pages_page_id_page_access_users(
        {"page_access_user": {"email": "v@example.com", "subscribe_to_components": False}}, page)
    path = (page, viewer.id)
    # The description knows no body of a change.
    refused(400, lambda: one.patch_pages_page_id_page_access_users_page_access_user_id(*path))
    refused(400, lambda: one.put_pages_page_id_page_access_users_page_access_user_id(*path))
    equal([seen.email for seen in one.get_pages_page_id_page_access_users(page)], ["v@example.com"])
    ids = {"component_ids": [api.id]}
    one.post_pages_page_id_page_access_users_page_access_user_id_components(ids, *path)
    one.patch_pages_page_id_page_access_users_page_access_user_id_components(ids, *path)
    seen = one.get_pages_page_id_page_access_users_page_access_user_id_components(*path)
    equal([seen.id for seen in seen], [api.id])
    one.delete_pages_page_id_page_access_users_page_access_user_id_components_component_id(*path, api.id)
    one.put_pages_page_id_page_access_users_page_access_user_id_components(ids, *path)
    one.delete_pages_page_id_page_access_users_page_access_user_id_components(ids, *path)
    ids = {"metric_ids": [metric.id]}
    one.post_pages_page_id_page_access_users_page_access_user_id_metrics(ids, *path)
    one.patch_pages_page_id_page_access_users_page_access_user_id_metrics(ids, *path)
    seen = one.get_pages_page_id_page_access_users_page_access_user_id_metrics(*path)
    equal([seen.id for seen in seen], [metric.id])
    one.delete_pages_page_id_page_access_users_page_access_user_id_metrics_metric_id(*path, metric.id)
    one.put_pages_page_id_page_access_users_page_access_user_id_metrics(ids, *path)
    one.delete_pages_page_id_page_access_users_page_access_user_id_metrics(ids, *path)

    body = {"page_access_group": {"name": "Partners", "page_access_user_ids": [viewer.id]}}
    group = one.post_pages_page_id_page_access_groups(body, page)
    equal(group.page_access_user_ids, [viewer.id])
    path = (page, group.id)
    body = {"page_access_group": {"name": "Friends", "component_ids": []}}
    one.patch_pages_page_id_page_access_groups_page_access_group_id(body, *path)
    equal(one.put_pages_page_id_page_access_groups_page_access_group_id(body, *path).name, "Friends")
    equal(one.get_pages_page_id_page_access_groups_page_access_group_id(*path).id, group.id)
    equal([seen.id for seen in one.get_pages_page_id_page_access_groups(page)], [group.id])
    ids = {"component_ids": [api.id]}
    one.post_pages_page_id_page_access_groups_page_access_group_id_components(ids, *path)
    one.patch_pages_page_id_page_access_groups_page_access_group_id_components(ids, *path)
    seen = one.get_pages_page_id_page_access_groups_page_access_group_id_components(*path)
    equal([seen.id for seen in seen], [api.id])
    one.delete_pages_page_id_page_access_groups_page_access_group_id_components_component_id(*path, api.id)
    one.put_pages_page_id_page_access_groups_page_access_group_id_components(ids, *path)
    one.delete_pages_page_id_page_access_groups_page_access_group_id_components(ids, *path)
    # The package has no way to say which users and groups.
    for name in ["page_access_users", "page_access_groups"]:
        getattr(one, "delete_pages_page_id_components_component_id_" + name)(page, api.id)
        equal(getattr(one, "post_pages_page_id_components_component_id_" + name)(page, api.id).id, api.id)
    one.delete_pages_page_id_page_access_groups_page_access_group_id(*path)
    equal(one.get_pages_page_id_page_access_users_page_access_user_id(page, viewer.id).email, "v@example.com")
    one.delete_pages_page_id_page_access_users_page_access_user_id(page, viewer.id)


def subscribers(one, page, api):
    everything = one.post_pages_page_id_subscribers({"subscriber": {"email": "all@example.com"}}, page)
    equal(everything.components, None)
    some = one.post_pages_page_id_subscribers(
        {"subscriber": {"phone_country": "US", "phone_number": "5125551234", "component_ids": [api.id]}}, page)
    equal((some.components, some.display_phone_number), ([api.id], "+1 512-555-1234"))
    path = (page, everything.id)
    equal(one.patch_pages_page_id_subscribers_subscriber_id({"component_ids": [api.id]}, *path).components, [api.id])
    equal(one.get_pages_page_id_subscribers_subscriber_id(*path).mode, "email")
    equal(len(one.get_pages_page_id_subscribers(page, state="all")), 2)
    equal(one.get_pages_page_id_subscribers_count(page).sms, 1)
    equal(one.get_pages_page_id_subscribers_histogram_by_state(page).email.unconfirmed, 1)
    one.post_pages_page_id_subscribers_subscriber_id_resend_confirmation(*path)
    one.post_pages_page_id_subscribers_resend_confirmation({"subscribers": [everything.id]}, page)
    one.post_pages_page_id_subscribers_unsubscribe({"subscribers": [everything.id], "subscriber_type": "email"}, page)
    equal([seen.id for seen in one.get_pages_page_id_subscribers_unsubscribed(page)], [everything.id])
    one.post_pages_page_id_subscribers_reactivate({"subscribers": [everything.id], "subscriber_type": "email"}, page)
    one.delete_pages_page_id_subscribers_subscriber_id(page, some.id)


def organization(one, page, organization):
    person = one.post_organizations_organization_id_users(
        {"user": {"email": "p@example.com", "password": "secret", "first_name": "P", "last_name": "Q"}}, organization)
    equal([seen.email for seen in one.get_organizations_organization_id_users(organization)], ["p@example.com"])
    path = (organization, person.id)
    one.put_organizations_organization_id_permissions_user_id(
        {"pages": {page: {"page_configuration": True, "incident_manager": False, "maintenance_manager": True}}}, *path)
    # The description has an envelope around the answer, its own example none: nothing of it can be seen.
    one.get_organizations_organization_id_permissions_user_id(*path)
    equal(one.delete_organizations_organization_id_users_user_id(*path).id, person.id)


def main(origin, token, page, organization_id):
    one = Operations(origin, token)
    pages(one, page)
    api = components(one, page)
    incidents(one, page, api)
    provider, metric = metrics(one, page)
    access(one, page, api, metric)
    subscribers(one, page, api)
    organization(one, page, organization_id)
    one.delete_pages_page_id_metrics_metric_id(page, metric.id)
    one.delete_pages_page_id_metrics_providers_metrics_provider_id(page, provider.id)
    refused(404, lambda: one.get_pages_page_id_components_component_id(page, "unknown"))
    refused(422, lambda: one.post_pages_page_id_components({"component": {"description": "no name"}}, page))
    refused(401, lambda: Operations(origin, "wrong").get_pages())
    equal(sorted(set(one.operations) - one.called), [])
    print(len(one.operations))


if __name__ == "__main__":
    main(*sys.argv[1:])
