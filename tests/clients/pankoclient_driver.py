"""Drives pankoclient 1.2.0, as a library and as a command, against an events API: origin, path of `openstack`,
token.

The commands of the package are those of the program `openstack`, `openstack event list` and so on: its own program
`panko` loads none of them in this version.
"""

import json
import subprocess
import sys

from keystoneauth1 import session
from keystoneauth1.token_endpoint import Token
from pankoclient import client, exceptions

origin, command, token = sys.argv[1:]
SAMPLE = "00000011-1f1b-404d-b2ec-c35901f1b7f0"


def equal(one, other):
    assert one == other, "%r is not %r" % (one, other)


def library():
    panko = client.Client("2", session=session.Session(auth=Token(origin, token)), endpoint_override=origin)
    equal(panko.capabilities.list()._info["api"], {"events:query:simple": True})
    equal([kind for kind in panko.event_type.list()], ["component.create", "component.update"])
    described = panko.event_trait_description.list("component.create")
    equal({(known.name, known.type) for known in described} >= {("attempt", "integer"), ("duration", "float")}, True)
    values = panko.event_trait.list("component.update", "namespace")
    equal(sorted(known.value for known in values), ["team-a"] * 4 + ["team-b"] * 3)
    equal(panko.event_trait.list("nope", "nope"), [])

    events = panko.event.list()
    equal(len(events), 8)
    equal(events[0].message_id, SAMPLE)
    equal(events[0].generated, "2024-03-01T10:00:05.250000")
    shown = panko.event.get(SAMPLE)
    equal(shown.raw["spec"]["tags"], ["a", "b"])
    equal(shown.traits[0], {"name": "attempt", "type": "integer", "value": "2"})

    found = panko.event.list(filters={"event_type": "component.update", "name": "two words", "namespace": "team-b"})
    equal([event.message_id for event in found], ["event-1", "event-3", "event-5"])
    equal(panko.event.list(filters={"name": "nobody"}), [])

    # Page by page, newest first.
    walked, marker = [], None
    while True:
        page = panko.event.list(limit=3, marker=marker, sorts=["generated:desc", "message_id:asc"])
        if not page:
            break
        walked += [event.message_id for event in page]
        marker = walked[-1]
    equal(walked, ["event-%d" % number for number in range(6, -1, -1)] + [SAMPLE])

    for broken, kind, text in [
        (lambda: panko.event.get("nope"), exceptions.NotFound, "Event nope Not Found"),
        (lambda: panko.event.list(sorts=["nope"]), exceptions.BadRequest, "supported sort keys"),
        (lambda: panko.event.list(marker="nope"), exceptions.BadRequest, "Marker nope not found."),
        (lambda: panko.event.list(filters={"start_timestamp": "2024"}), exceptions.BadRequest, "Only `ge' operator"),
    ]:
        try:
            broken()
        except kind as error:
            assert text in str(error), error
            assert error.request_id.startswith("req-"), error.request_id
        else:
            raise AssertionError("not refused")


def openstack(*arguments):
    base = [command, "--os-auth-type", "admin_token", "--os-endpoint", origin, "--os-token", token]
    ended = subprocess.run(base + list(arguments), capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return json.loads(ended.stdout)


def command_line():
    listed = openstack("event", "list", "--filter", "namespace=team-b", "--sort", "generated:desc", "--limit", "2",
                   "--marker", "event-5", "-f", "json")
    equal([event["message_id"] for event in listed], ["event-3", "event-1"])
    equal(openstack("event", "show", SAMPLE, "-f", "json")["event_type"], "component.create")
    kinds = openstack("event", "type", "list", "-f", "json")
    equal([kind["Event Type"] for kind in kinds], ["component.create", "component.update"])
    values = openstack("event", "trait", "list", "component.create", "attempt", "-f", "json")
    equal(values, [{"name": "attempt", "value": "2", "type": "integer"}])
    described = openstack("event", "trait", "description", "component.update", "-f", "json")
    equal(described, [{"name": "name", "type": "string"}, {"name": "namespace", "type": "string"}])
    equal(openstack("event", "capabilities", "list", "-f", "json")["event_storage"], {"storage:production_ready": True})


library()
command_line()
