"""What goes in comes out: every accepted event at each entitled peer, exactly once and in order, and the command line
tells what happened to it."""

import csv
import io
import json
import os
import signal

import pytest

import wire
from deployment import Collected, collect, wait_for

LINES = "# a list\nhttp://lines-one.example/login\nhxxp://lines-two[.]example/login\n\n192.0.2.17\nlines-three.example\n"
HOSTS = "# hosts\n127.0.0.1 localhost\n0.0.0.0 hosts-one.example hosts-two.example # two\n::1 ip6-localhost\n"
JAPANESE = "偽のショッピングサイト"


def table():
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(["date", "url", "description"])
    rows.writerow(["2026-11-20T01:02:03Z", "https://table-one.example/a?b=1", JAPANESE])
    rows.writerow(["2026-11-20T01:02:04Z", "https://table-two.example/", 'with "quotes", and\na line end'])
    return out.getvalue()


def records(count, name="records", **more):
    return "".join(json.dumps({"value": f"http://{name}-{i}.example/", "observed_at": f"2026-11-20T00:00:{i % 60:02}Z",
                               **more}, ensure_ascii=False) + "\n" for i in range(count))


DOCUMENT = json.dumps({"data": {"items": [{"value": "198.51.100.7", "observed_at": "2026-11-20T00:00:00Z"},
                                          {"value": "document.example", "observed_at": "2026-11-20T00:00:00Z"}]}})
GREEN = "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"  # TLP:GREEN of TLP 2.0
BUNDLE = json.dumps({
    "type": "bundle", "id": "bundle--5d0092c5-5f74-4287-9642-33f4c354e56d",
    "objects": [{
        "type": "indicator", "spec_version": "2.1", "id": "indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",
        "created": "2026-11-20T00:00:00.000Z", "modified": "2026-11-20T00:00:00.000Z",
        "valid_from": "2026-11-20T00:00:00Z", "pattern_type": "stix", "object_marking_refs": [GREEN],
        "pattern": "[url:value = 'http://bundle.example/x']"}]})

ALL_FORMATS = {
    "lines": (LINES, {"http://lines-one.example/login", "http://lines-two.example/login", "192.0.2.17",
                      "lines-three.example"}),
    "hosts": (HOSTS, {"hosts-one.example", "hosts-two.example"}),
    "table": (table(), {"https://table-one.example/a?b=1", "https://table-two.example/"}),
    "records": (records(20), {f"http://records-{i}.example/" for i in range(20)}),
    "document": (DOCUMENT, {"198.51.100.7", "document.example"}),
    "bundle": (BUNDLE, {"http://bundle.example/x"}),
}


def came(values):
    return lambda collected: values <= set(collected.values)


def submit_all(deployment):
    """Every format; all the values that were accepted."""
    values = set()
    for source, (text, expected) in ALL_FORMATS.items():
        receipt = deployment.submit(source, text, f"{source}.txt")
        assert receipt["state"] == "done" and receipt["rejected"] == 0, receipt
        assert receipt["accepted"] == len(expected), (source, receipt)
        values |= expected
    return values


def test_every_format_reaches_every_entitled_peer_once(deploy):
    deployment = deploy().start_all()
    values = submit_all(deployment)
    received = {}
    for peer in deployment.peers:
        received[peer] = collect(deployment.follower(peer), Collected(), came(values))
    deployment.wait_drained()
    for peer, collected in received.items():
        assert set(collected.values) == values, peer
        assert not collected.repeated()
    whole, projected = received["ncfta"].events[0], received["cda"].events[0]
    assert wire.event_field(whole, wire.ORIGIN, wire.ORIGINATOR) in ("acme", "bert")
    assert wire.event_field(projected, wire.ORIGIN, wire.ORIGINATOR) is None, "a projection tells who reported it"


def test_noroshi_follow_receives_the_same_as_a_follower_of_other_make(deploy):
    deployment = deploy().start_all()
    values = submit_all(deployment)
    state = deployment.root / "copy"
    as_peer = ("follow", "releases/ncfta", "--endpoint", deployment.release, "--state", state,
               "--key", deployment.home / "keys/ncfta.key", "--server-key", deployment.home / "keys/relay-1.pub")
    deployment.noroshi(*as_peer, "--count", len(values), "--quiet")
    kept = deployment.noroshi("follow", "releases/ncfta", "--state", state, "--kept", "--json")
    found = [json.loads(line) for line in kept.splitlines()]
    assert sorted(line["event"]["origin.value"] if "event" in line else line["origin.value"] for line in found) \
        == sorted(values)
    collected = collect(deployment.follower("cda"), Collected(), came(values))
    assert not collected.repeated()


def test_red_and_amber_go_only_where_they_may(deploy):
    deployment = deploy().start_all()
    text = records(5, "green", tlp="green") + records(5, "amber", tlp="amber") + records(5, "red", tlp="red")
    assert deployment.submit("records", text)["accepted"] == 15
    green = {f"http://green-{i}.example/" for i in range(5)}
    amber = {f"http://amber-{i}.example/" for i in range(5)}
    whole = collect(deployment.follower("ncfta"), Collected(), came(green | amber))
    projected = collect(deployment.follower("cda"), Collected(), came(green))
    deployment.wait_drained()
    whole = collect(deployment.follower("ncfta"), Collected(), came(green | amber))
    assert set(whole.values) == green | amber
    assert set(projected.values) == green
    assert deployment.metric("relay-1", "noroshi_relay_decisions_total") == 30


def test_receipts_say_what_was_new_known_and_rejected_and_why(deploy):
    deployment = deploy().start_all()
    text = records(3) + '{"value": ""}\nnot json\n{"value": "not an indicator", "kind": "ipv4"}\n'
    first = deployment.submit("records", text, "mixed.jsonl", rejected=True)
    assert (first["accepted"], first["known"], first["rejected"]) == (3, 0, 3)
    assert [each["place"] for each in first["rejections"]] == [f"mixed.jsonl:{i}" for i in (4, 5, 6)]
    assert all(each["reason"] and each["text"] for each in first["rejections"])
    again = deployment.submit("records", text, "mixed.jsonl", rejected=True)
    assert (again["accepted"], again["known"], again["rejected"]) == (0, 3, 3)
    deployment.noroshi("submit", "--source", "nobody", deployment.root / "mixed.jsonl", status=1)


def test_show_tells_the_whole_story(deploy):
    deployment = deploy().start_all()
    deployment.submit("records", records(1, "story", claim="phishing"))
    collected = collect(deployment.follower("ncfta"), Collected(), came({"http://story-0.example/"}))
    deployment.wait_drained()
    event_id = wire.event_field(collected.events[0], wire.ORIGIN, wire.EVENT_ID).hex()
    told = json.loads(deployment.noroshi("show", event_id, "--json"))
    text = json.dumps(told)
    for word in ("reports", "enriched", "classified", "releases/ncfta", "story-0.example", "cda", "phishing"):
        assert word in text, f"{word} is missing in {text}"
    people = deployment.noroshi("show", event_id)
    assert "http://story-0.example/" in people and "ncfta" in people
    deployment.noroshi("show", "00" * 16, status=1)


def test_dead_letters_can_be_read_retried_and_dropped(deploy):
    deployment = deploy().start_all()
    deployment.submit("records", records(1) + "bad one\nbad two\n", "bad.jsonl", rejected=True)
    told = json.loads(deployment.noroshi("dead", "list", "--json"))
    letters = [letter for each in told["instances"] for letter in each["answer"]["dead"]]
    assert len(letters) == 2, told
    assert "bad one" in deployment.noroshi("dead", "show", "ingest-1/1")
    deployment.noroshi("dead", "retry", "ingest-1/1")  # still bad: it comes back as another letter
    wait_for(lambda: deployment.status("ingest-1")["dead"] == 2)
    deployment.noroshi("dead", "drop", "all", "--yes")
    assert deployment.status("ingest-1")["dead"] == 0
    assert deployment.status("ingest-1")["problem"] is None


def rule_file(name, version):
    return f"""\
mode: all
default: {{type: undetermined, severity: info, confidence: source, desk: none, reason: no rule matches}}
rules:
  - {{id: {name}, version: {version}, when: 'kind == url', type: phishing, severity: high, reason: because}}
"""


def test_rules_are_reloaded_while_events_flow_and_bad_ones_refused(deploy):
    deployment = deploy()
    deployment.rules.write_text(rule_file("old", 1))
    deployment.start_all()
    submitter = wire.Submitter(deployment.endpoint("ingest-1", "submit"))
    classify = [name for name in deployment.INSTANCES if name.startswith("classify")]

    def reload_with(text, event):
        deployment.rules.write_text(text)
        before = {name: len(deployment.log_lines(name, event)) for name in classify}
        for name in classify:
            deployment.processes[name].signal(signal.SIGHUP)
        for name in classify:
            wait_for(lambda name=name: len(deployment.log_lines(name, event)) > before[name])

    def send(name):
        receipt = submitter.whole(records(300, name).encode(), "records")
        assert receipt.accepted == 300

    send("before")
    bad = rule_file("bad", 2).replace("'kind == url'", "'kind === url'")
    reload_with(bad, "reload.refused")
    why = deployment.log_lines("classify-1", "reload.refused")[-1]["why"]
    assert f"{deployment.rules}:4:" in why, f"no line and column in: {why}"
    deployment.noroshi("rules", "check", deployment.rules, status=2)
    send("between")
    deployment.wait_drained()
    reload_with(rule_file("new", 3), "reload.done")
    send("after")
    values = {f"http://{name}-{i}.example/" for name in ("before", "between", "after") for i in range(300)}
    collected = collect(deployment.follower("ncfta"), Collected(), came(values))
    rules = {wire.event_field(event, wire.ORIGIN, wire.VALUE): wire.event_field(event, wire.VERDICT, 7)
             for event in collected.events}
    assert all(rules[f"http://{name}-{i}.example/"] == "old" for name in ("before", "between") for i in range(300))
    assert all(rules[f"http://after-{i}.example/"] == "new" for i in range(300))
    assert not collected.repeated()


def test_the_supervisor_starts_what_dies_and_stops_all(deploy):
    deployment = deploy().up()
    pids = {name: deployment.status(name)["pid"] for name in deployment.INSTANCES}
    wait_for(deployment.drained)
    told = json.loads(deployment.noroshi("status", "--json"))
    assert told["healthy"] and len(told["instances"]) == len(deployment.INSTANCES)
    deployment.submit("records", records(10, "first"))
    os.kill(pids["classify-1"], signal.SIGKILL)

    def back():
        """classify-1 is started again"""
        status = deployment.status("classify-1")
        return status and status["pid"] != pids["classify-1"]

    wait_for(back)
    deployment.submit("records", records(10, "second"))
    values = {f"http://{name}-{i}.example/" for name in ("first", "second") for i in range(10)}
    assert not collect(deployment.follower("ncfta"), Collected(), came(values)).repeated()
    deployment.down()
    for pid in pids.values():
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_stage_that_stops_and_starts_goes_on_where_it_was(deploy):
    deployment = deploy().start_all()
    deployment.submit("records", records(50, "one"))
    for name in deployment.INSTANCES[1:]:
        assert deployment.processes[name].stop() == 0
        deployment.submit("records", records(50, name))
        deployment.start(name)
    values = {f"http://{name}-{i}.example/" for name in ("one", *deployment.INSTANCES[1:]) for i in range(50)}
    collected = collect(deployment.follower("ncfta"), Collected(), came(values))
    deployment.wait_drained()
    assert set(collected.values) == values and not collected.repeated()


def test_a_follower_goes_on_from_its_place(deploy):
    deployment = deploy().start_all()
    deployment.submit("records", records(40, "one"))
    collected = Collected()
    follower = deployment.follower("ncfta")
    collect(follower, collected, lambda each: len(each.events) >= 40)
    follower.close()
    deployment.submit("records", records(40, "two"))
    follower = deployment.follower("ncfta", places=follower.places)
    collect(follower, collected, lambda each: len(each.events) >= 80)
    assert len(collected.values) == 80 and not collected.repeated()
