"""Drives the published package statuspageio 0.0.1 against a local server: ORIGIN TOKEN PAGE SCENARIO."""

import functools
import inspect
import sys
import time

import statuspageio
from statuspageio import services


def client(origin, token, page):
    made = statuspageio.Client(api_key=token, page_id=page, organization_id="organization")
    # The package documents an option for this and ignores it; the attribute is what it reads.
    made.config.base_url = origin
    return made


def equal(seen, wanted):
    if seen != wanted:
        raise AssertionError("%r is not %r" % (seen, wanted))


def refused(kind, status, call):
    try:
        call()
    except kind as error:
        equal(getattr(error, "http_status", status), status)
        return error
    raise AssertionError("no %s" % kind.__name__)


def noted(called):
    """Has every method of the package's services say that it was called; returns their names."""
    names = set()
    for title, service in inspect.getmembers(services, inspect.isclass):
        for name, method in inspect.getmembers(service, inspect.isfunction):
            if name.startswith("_") or not title.endswith("Service"):
                continue

            def wrapped(*args, __full="%s.%s" % (title, name), __method=method, **kwargs):
                called.add(__full)
                return __method(*args, **kwargs)

            setattr(service, name, functools.wraps(method)(wrapped))
            names.add("%s.%s" % (title, name))
    return names


def everything(origin, token, page):
    called = set()
    methods = noted(called)
    equal(len(methods), 26)
    one = client(origin, token, page)

    # Its own methods for pages end before they send anything, because they cannot build a path (a bug of the package);
    # so the page is read and changed through its transport.
    refused(KeyError, None, one.pages.get)
    refused(KeyError, None, lambda: one.pages.update(name="Acme Status"))
    status, _, body = one.http_client.get("/pages/%s.json" % page)
    equal((status, body.id, body.name), (200, page, "Acme"))
    status, _, pages = one.http_client.get("/pages.json")
    equal([seen.id for seen in pages], [page])
    _, _, body = one.http_client.patch("/pages/%s.json" % page, container="page", body={"name": "Acme Status"})
    equal(body.name, "Acme Status")

    api = one.components.create(name="API", description="Public", status="operational")
    equal((api.status, api.description), ("operational", "Public"))
    equal(one.components.update(component_id=api.id, status="partial_outage").status, "partial_outage")
    equal([seen.name for seen in one.components.list()], ["API"])

    outage = one.incidents.create(name="Outage", status="investigating", message="We look.",
                                  wants_twitter_update=False, impact_override="major", component_ids=[api.id])
    equal((outage.status, outage.impact, outage.incident_updates[0].body), ("investigating", "major", "We look."))
    equal([seen.id for seen in one.incidents.list_unresolved()], [outage.id])
    outage = one.incidents.update(incident_id=outage.id, status="resolved", message="Done.")
    equal([update.status for update in outage.incident_updates], ["resolved", "investigating"])
    equal(one.incidents.list_unresolved(), [])
    upgrade = one.incidents.create_scheduled(name="Upgrade", status="scheduled", message="Soon.",
                                             scheduled_for="2030-01-01T00:00:00Z",
                                             scheduled_until="2030-01-01T01:00:00Z",
                                             scheduled_remind_prior=True, scheduled_auto_in_progress=True,
                                             scheduled_auto_completed=True, component_ids=[api.id])
    equal((upgrade.status, upgrade.scheduled_for), ("scheduled", "2030-01-01T00:00:00Z"))
    equal([seen.id for seen in one.incidents.list_scheduled()], [upgrade.id])
    equal(len(one.incidents.list()), 2)
    one.incidents.delete(incident_id=upgrade.id)
    equal(one.incidents.list_scheduled(), [])

    ops = one.subscribers.create(email="Ops@example.com", skip_confirmation_notification=True)
    equal(ops.email, "ops@example.com")
    equal([seen.id for seen in one.subscribers.list()], [ops.id])
    equal(one.subscribers.delete(subscriber_id=ops.id), 200)
    equal(one.subscribers.list(), [])

    equal("Self" in [seen.type for seen in one.metrics.list_available()], True)
    _, _, provider = one.http_client.post("/pages/%s/metrics_providers.json" % page,
                                          container="metrics_provider", body={"type": "Self"})
    equal([seen.id for seen in one.metrics.list_linked()], [provider.id])
    metric = one.metrics.create(provider_id=provider.id, name="Latency", suffix="ms", display=True,
                                y_axis_min=0, y_axis_max=100, decimal_places=1, tooltip_description="How long")
    equal((metric.name, metric.suffix), ("Latency", "ms"))
    equal([seen.id for seen in one.metrics.list_metrics_for_provider(provider_id=provider.id)], [metric.id])
    point = one.metrics.submit_data(metric_id=metric.id, timestamp=int(time.time()), value=12.5)
    equal((point.data.value, point.data.timestamp % 30), (12.5, 0))
    equal(one.metrics.delete_all_data(metric_id=metric.id), 200)
    equal(one.metrics.delete(metric_id=metric.id).id, metric.id)

    person = one.users.create(email="p@example.com", password="secret", first_name="P", last_name="Q")
    equal([seen.id for seen in one.users.list()], [person.id])
    equal(one.users.delete(user_id=person.id).id, person.id)

    error = refused(statuspageio.ResourceError, 422, lambda: one.components.create(description="no name"))
    equal(error.errors, {"error": ["Name can't be blank"]})
    wrong = client(origin, "wrong", page)
    error = refused(statuspageio.RequestError, 401, wrong.incidents.list)
    equal(error.errors, {"error": "Could not authenticate"})
    one.components.delete(component_id=api.id)
    equal(one.components.list(), [])
    equal(sorted(methods - called), [])


def limit(origin, token, page):
    one = client(origin, token, page)
    for _ in range(3):
        one.incidents.list()
    refused(statuspageio.RateLimitError, 420, one.incidents.list)


if __name__ == "__main__":
    {"everything": everything, "limit": limit}[sys.argv[4]](*sys.argv[1:4])
