"""The event log beside OpenStack Panko 10.0.0: the same events and the same questions, both in SQLite.

    python3 benches/panko/compare.py [NUMBER] [--python PYTHON3.8] [--profile PROFILE]

Panko is installed into an environment of its own below `target`, once. Both sides store NUMBER events (100,000 unless
said otherwise) of ten traits, and are asked for a page of 100 by type, time range and one trait: first storage against
storage, each through its own storage layer in one process; then over HTTP, by the same client on one connection, both as
an administrator who asks for all tenants. Panko is served by waitress, without its authentication; this log by
its own routes, without credentials. Prints both and the ratio.

Both wait for the disk with every commit, as they are delivered; for Panko, which commits every event, that is measured
with the first 2,000 only, and the others are stored without waiting.
"""

import argparse
import contextlib
import datetime
import http.client
import json
import logging
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
HOME = os.path.join(os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target")), "panko")
ROUNDS = 20
BATCH = 2000
# As in benches/events.rs.
TYPES = ["component.create", "component.update", "component.update", "component.condition", "component.condition",
         "component.drift", "incident.publish", "metric.update"]
RARE, COMMON = "type + time + rare trait", "type + time + common trait"
TRAITS = [(RARE, "name", "component-519", "asc"), (COMMON, "page", "acme", "desc")]


def at(number):
    return datetime.datetime.utcfromtimestamp(1700000000 + number * 10)


def panko(count, directory):
    """Runs within the environment of Panko; prints what was measured as JSON, then serves what was stored."""
    import uuid
    from panko import service, storage
    from panko.storage import models

    logging.disable(logging.WARNING)
    text, real = models.Trait.TEXT_TYPE, models.Trait.FLOAT_TYPE

    def event(number):
        component = number * 7919 % 1000
        texts = [("namespace", "team-%d" % (number % 20)), ("page", "acme"), ("kind", "Component"),
                 ("name", "component-%d" % component), ("remote_id", "r%011d" % component), ("operation", "update"),
                 ("outcome", "succeeded" if number % 50 else "failed"), ("request_id", "req-%012d" % number)]
        traits = [models.Trait(name, text, value) for name, value in texts]
        traits.append(models.Trait("duration", real, 0.25 + number % 100))
        raw = {"summary": "update component", "changes": [{"field": "description", "from": "a", "to": "b"}]}
        return models.Event(str(uuid.uuid4()), TYPES[number % len(TYPES)], at(number), traits, raw)

    conf = service.prepare_service([], [])
    conf.set_override("connection", "sqlite:///%s/panko.db" % directory, group="database")

    def stored(first, last):
        """Events stored a second."""
        took = 0.0
        for begin in range(first, last, BATCH):
            batch = [event(number) for number in range(begin, min(begin + BATCH, last))]
            started = time.perf_counter()
            store.record_events(batch)
            took += time.perf_counter() - started
        return (last - first) / took

    store = storage.get_connection_from_config(conf)
    store.upgrade()
    measured = {"insert": stored(0, min(BATCH, count))}
    if count > BATCH:
        conf.set_override("sqlite_synchronous", False, group="database")
        store = storage.get_connection_from_config(conf)
        measured["unsafe"] = stored(BATCH, count)
    for name, key, value, direction in TRAITS:
        times = []
        sort = [("generated", direction), ("message_id", direction)]
        for _ in range(ROUNDS):
            wanted = storage.EventFilter(
                start_timestamp=at(count // 4).isoformat(), end_timestamp=at(count // 4 * 3).isoformat(),
                event_type="component.update", traits_filter=[{"key": key, "string": value, "op": "eq"}])
            started = time.perf_counter()
            found = list(store.get_events(wanted, {"limit": 100, "sort": sort}))
            times.append(time.perf_counter() - started)
        measured[name] = summary(len(found), times)
    print(json.dumps(measured), flush=True)

    import threading
    from panko.api import app
    from waitress.server import create_server
    root = app.setup_app("panko.api.controllers.v2.root.V2Controller", conf)

    def mounted(environment, start_response):
        # Its paste configuration, which the package leaves out, mounts it here.
        if environment["PATH_INFO"].startswith("/v2"):
            environment["SCRIPT_NAME"], environment["PATH_INFO"] = "/v2", environment["PATH_INFO"][3:]
        return root(environment, start_response)

    server = create_server(mounted, host="127.0.0.1", port=0)
    print("http://127.0.0.1:%s" % server.effective_port, flush=True)
    threading.Thread(target=server.run, daemon=True).start()
    sys.stdin.read()


def summary(found, times):
    return {"found": found, "median": statistics.median(times) * 1e3, "worst": max(times) * 1e3}


def over_http(origin, count):
    """Asks a running server."""
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(origin).netloc)
    headers = {"X-Roles": "admin", "X-User-Id": "bench", "X-Project-Id": "bench", "Accept": "application/json"}
    measured = {}
    for name, key, value, direction in TRAITS:
        filters = [("start_timestamp", "ge", at(count // 4).isoformat()),
                   ("end_timestamp", "le", at(count // 4 * 3).isoformat()),
                   ("event_type", "eq", "component.update"), (key, "eq", value), ("all_tenants", "eq", "true")]
        query = [("limit", "100"), ("sort", "generated:" + direction), ("sort", "message_id:" + direction)]
        for field, operator, text in filters:
            query += [("q.field", field), ("q.op", operator), ("q.type", ""), ("q.value", text)]
        path = "/v2/events?" + urllib.parse.urlencode([pair for pair in query if pair[1]])
        times = []
        for _ in range(ROUNDS):
            started = time.perf_counter()
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            body = answer.read()
            times.append(time.perf_counter() - started)
            if answer.status != 200:
                sys.exit("%s: %d %s" % (name, answer.status, body[:500]))
        measured[name] = summary(len(json.loads(body)), times)
    return measured


@contextlib.contextmanager
def serving(command):
    """A server that says where it is in its last line, until its input ends; the lines before that come with it."""
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, universal_newlines=True)
    try:
        lines = []
        for line in process.stdout:
            lines.append(line.strip())
            if line.startswith("http://"):
                break
        else:
            sys.exit("no server: %s" % lines)
        yield lines[-1], lines[:-1]
    finally:
        process.stdin.close()
        process.wait()


def bench(profile, *arguments):
    return ["cargo", "bench", "--profile", profile, "--bench", "events", "--"] + list(arguments)


def ours(count, profile, place):
    command = bench(profile, str(count), place)
    output = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, universal_newlines=True).stdout
    measured = {"insert": float(re.search(r"^insert: .* ([\d.]+) events/s$", output, re.M).group(1))}
    for name in (RARE, COMMON):
        line = re.search(r"^%s: (\d+) found, median ([\d.]+) ms, p99" % re.escape(name), output, re.M)
        measured[name] = {"found": int(line.group(1)), "median": float(line.group(2))}
    return measured


def environment(python):
    """The interpreter that has Panko."""
    found = os.path.join(HOME, "bin", "python")
    ready = os.path.join(HOME, "ready")
    if not os.path.exists(ready):
        subprocess.run([python, "-m", "venv", "--clear", HOME], check=True)
        # Some of its dependencies are built by the setuptools of their time.
        for packages in (["setuptools<58", "wheel"], ["-r", os.path.join(HERE, "requirements.txt")]):
            subprocess.run([found, "-m", "pip", "install", "--quiet"] + packages, check=True)
        open(ready, "w").close()
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("number", nargs="?", type=int, default=100000, help="how many events (default: 100000)")
    parser.add_argument("--python", default="python3.8", help="CPython 3.8, which suits Panko 10.0.0")
    parser.add_argument("--profile", default="bench", help="cargo's profile for our side")
    parser.add_argument("--within", metavar="DIRECTORY", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.within:
        return panko(arguments.number, arguments.within)
    with tempfile.TemporaryDirectory() as directory:
        command = [environment(arguments.python), os.path.abspath(__file__), str(arguments.number), "--within", directory]
        with serving(command) as (origin, lines):
            theirs = json.loads(lines[-1])
            theirs_http = over_http(origin, arguments.number)
        place = os.path.join(directory, "events.db")
        mine = ours(arguments.number, arguments.profile, place)
        with serving(bench(arguments.profile, "serve", place)) as (origin, _):
            mine_http = over_http(origin, arguments.number)
    print("%d events, SQLite, profile %s" % (arguments.number, arguments.profile))
    print("| | this event log | Panko 10.0.0 | ratio |\n|---|---|---|---|")
    for name, other in [("events stored a second", "insert"), ("the same, Panko without waiting for the disk", "unsafe")]:
        if other in theirs:
            print("| %s | %.0f | %.0f | %.0f |"
                  % (name, mine["insert"], theirs[other], mine["insert"] / theirs[other]))
    for way, here, there in [("storage", mine, theirs), ("over HTTP", mine_http, theirs_http)]:
        for name in (RARE, COMMON):
            one, other = here[name], there[name]
            if one["found"] != other["found"]:
                sys.exit("%s, %s: %d events here, %d there" % (way, name, one["found"], other["found"]))
            print("| %s: %s, %d found, ms (median) | %.2f | %.2f | %.0f |"
                  % (way, name, one["found"], one["median"], other["median"], other["median"] / one["median"]))


if __name__ == "__main__":
    main()
