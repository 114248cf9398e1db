"""Reads the XML of an events API with the reader of XML that the OpenStack event service is made with (WSME), by the
types of its documentation: origin, token of an administrator.

What it reads of answers that were recorded from Panko 10.0.0 shows that it is a client of that service; what it reads
of ours is what ours says in JSON.
"""

import datetime
import json
import sys
import urllib.error
import urllib.request
import xml.etree.ElementTree as tree

from wsme import types
from wsme.rest.xml import fromxml

origin, token = sys.argv[1:]


class Trait(types.Base):
    name = types.text
    value = types.text
    type = types.text


class TraitDescription(types.Base):
    name = types.text
    type = types.text


class Event(types.Base):
    message_id = types.text
    event_type = types.text
    traits = [Trait]
    generated = datetime.datetime


class Capabilities(types.Base):
    api = {types.text: bool}
    event_storage = {types.text: bool}


RECORDED = {
    "capabilities": "<result><api><item><key>events:query:simple</key><value>true</value></item></api><event_storage>"
                    "<item><key>storage:production_ready</key><value>true</value></item></event_storage></result>",
    "event_types": "<result><item>bare</item><item>component.create</item></result>",
    "traits": "<result><item><type>string</type><name>component</name></item><item><type>integer</type>"
              "<name>attempt</name></item></result>",
    "trait": "<result><item><name>attempt</name><value>2</value><type>integer</type></item></result>",
    "events": "<result><item><message_id>m-2</message_id><event_type>bare</event_type><traits><item>"
              "<name>project_id</name><value>p</value><type>string</type></item></traits>"
              "<generated>2024-03-01T10:00:05</generated><raw>{}</raw></item><item><message_id>m-1</message_id>"
              "<event_type>component.create</event_type><traits><item><name>component</name>"
              "<value>web &amp; &lt;co&gt;</value><type>string</type></item></traits>"
              "<generated>2024-03-01T10:00:05.250000</generated><raw>{'spec': {'on': True}}</raw></item></result>",
    "none": "<result />",
    "error": "<error_message><error><faultcode>Client</faultcode><faultstring>Event nope Not Found</faultstring>"
             "<debuginfo/></error></error_message>",
}


def equal(one, other):
    assert one == other, "%r is not %r" % (one, other)


def listed(datatype, text):
    return fromxml(types.ArrayType(datatype), tree.fromstring(text))


def traits(event):
    return [(known.name, known.type, known.value) for known in event.traits]


def error(text):
    fault = tree.fromstring(text).find("error")
    return fault.find("faultcode").text, fault.find("faultstring").text, fault.find("debuginfo").text


def recorded():
    capabilities = fromxml(Capabilities, tree.fromstring(RECORDED["capabilities"]))
    equal(capabilities.api, {"events:query:simple": True})
    equal(listed(types.text, RECORDED["event_types"]), ["bare", "component.create"])
    equal([(one.name, one.type) for one in listed(TraitDescription, RECORDED["traits"])],
          [("component", "string"), ("attempt", "integer")])
    equal([(one.name, one.type, one.value) for one in listed(Trait, RECORDED["trait"])], [("attempt", "integer", "2")])
    events = listed(Event, RECORDED["events"])
    equal([event.message_id for event in events], ["m-2", "m-1"])
    equal(events[1].generated, datetime.datetime(2024, 3, 1, 10, 0, 5, 250000))
    equal(traits(events[1]), [("component", "string", "web & <co>")])
    equal(listed(TraitDescription, RECORDED["none"]), [])
    equal(error(RECORDED["error"]), ("Client", "Event nope Not Found", None))


def get(path, accept):
    request = urllib.request.Request(origin + path, headers={"Accept": accept, "X-Auth-Token": token})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        answer = opener.open(request)
    except urllib.error.HTTPError as refused:
        answer = refused
    kind = answer.headers["Content-Type"].split(";")[0]
    assert kind == accept, (path, kind)
    return answer.read().decode()


def ours():
    def both(path):
        return get(path, "application/xml"), json.loads(get(path, "application/json"))

    text, document = both("/v2/capabilities")
    capabilities = fromxml(Capabilities, tree.fromstring(text))
    equal({"api": capabilities.api, "event_storage": capabilities.event_storage}, document)
    text, document = both("/v2/event_types")
    equal(listed(types.text, text), document)
    text, document = both("/v2/event_types/component.create/traits")
    equal([{"name": one.name, "type": one.type} for one in listed(TraitDescription, text)], document)
    text, document = both("/v2/event_types/component.create/traits/attempt")
    equal([{"name": one.name, "value": one.value, "type": one.type} for one in listed(Trait, text)], document)
    text, document = both("/v2/event_types/nope/traits")
    equal(listed(TraitDescription, text), document)
    text, document = both("/v2/events")
    for event, other in zip(listed(Event, text), document):
        equal((event.message_id, event.event_type), (other["message_id"], other["event_type"]))
        equal(traits(event), [(one["name"], one["type"], one["value"]) for one in other["traits"]])
        equal(event.generated, datetime.datetime.fromisoformat(other["generated"]))
    equal(len(document), 1)
    text, document = both("/v2/events/" + document[0]["message_id"])
    equal(fromxml(Event, tree.fromstring(text)).message_id, document["message_id"])
    # A body is a dictionary, as the documentation has it.
    raw = tree.fromstring(text).find("raw")
    spec = fromxml(types.DictType(types.text, types.text), raw.find("item").find("value"))
    equal((raw.find("item").find("key").text, spec["name"], spec["on"]), ("spec", "Web", "true"))
    text, document = both("/v2/events/nope")
    equal(error(text), ("Client", document["error_message"]["faultstring"], None))


recorded()
ours()
