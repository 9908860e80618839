"""Whatever is sent to whichever socket: the deployment goes on, its memory stays bounded, strangers get nothing, and
what could not be read is kept with its reason."""

import gzip
import json
import os
import random
import re
import socket
import struct
import subprocess
import sys

import msgpack
import pytest
import wire
import zmq

import load
from deployment import PROGRAMS, Collected, collect, wait_for

MIB = 1 << 20
RSS_MAX = 256 * MIB  # of any stage, whatever is thrown at it
KINDS = ("follow", "tap", "ask")


def sockets(deployment):
    """Every endpoint of the deployment, with whose it is."""
    for name in deployment.INSTANCES:
        for kind in KINDS:
            yield name, kind, deployment.endpoint(name, kind)
    yield "ingest-1", "submit", deployment.endpoint("ingest-1", "submit")
    yield "relay-1", "release", deployment.release


def assert_unharmed(deployment, name="after"):
    """The same processes as before, small, and still doing their work."""
    for instance, process in deployment.processes.items():
        assert process.alive(), f"{instance} has ended with {process.popen.returncode}\n{process.tail()}"
        assert process.rss() < RSS_MAX, f"{instance} has {process.rss() // MIB} MiB"
    submitter = submitter_of(deployment)
    values = load.submit(submitter, name, 200)
    submitter.close()
    collect(deployment.follower("ncfta"), Collected(), lambda each: set(values) <= set(each.values))


def submitter_of(deployment):
    keys = (deployment.keys("acme"), deployment.public("ingest-1").encode()) if deployment.curve else ()
    return wire.Submitter(deployment.endpoint("ingest-1", "submit"), *keys)


# --- bytes that are no ZMTP ---------------------------------------------------------------------------


def connect_raw(endpoint):
    if endpoint.startswith("ipc://"):
        raw = socket.socket(socket.AF_UNIX)
        raw.connect(endpoint[6:])
        return raw
    host, port = endpoint[6:].rsplit(":", 1)
    return socket.create_connection((host, int(port)))


def greeting(mechanism):
    return b"\xff" + bytes(8) + b"\x7f\x03\x01" + mechanism.ljust(20, b"\0") + b"\0" + bytes(31)


def garbage(chance):
    hello = b"\x04\xc8\x05HELLO\x01\x00" + bytes(72) + chance.randbytes(120)
    ready = b"\x04\x26\x05READY\x0bSocket-Type\0\0\0\x06DEALER\x08Identity\0\0\0\0"
    return [
        b"", b"\xff", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", chance.randbytes(64), chance.randbytes(65536),
        greeting(b"NULL")[:11], greeting(b"NULL")[:40], greeting(b"NULL"), greeting(b"PLAIN"), greeting(b"NONSENSE"),
        greeting(b"CURVE") + hello, greeting(b"CURVE") + hello[:50], greeting(b"CURVE") + chance.randbytes(1000),
        greeting(b"NULL") + ready + b"\x02" + struct.pack(">Q", 1 << 30) + bytes(4096),  # a frame of a claimed GiB
        greeting(b"NULL") + ready + b"\x02" + struct.pack(">Q", (1 << 64) - 1) + bytes(64),
        greeting(b"NULL") + ready + b"\x01\x00" * 20000,  # a message that never ends
        greeting(b"NULL") + b"\x06" + struct.pack(">Q", 1 << 40) + bytes(64),  # a command of a claimed TiB
        greeting(b"NULL") + b"\x04\xff" + chance.randbytes(255),
    ]


@pytest.mark.parametrize("curve", [True, False], ids=["curve", "ipc"])
def test_garbage_on_every_socket_harms_nobody(deploy, curve):
    deployment = deploy(curve=curve).start_all()
    chance = random.Random(7)
    held = []
    for _name, _kind, endpoint in sockets(deployment):
        for data in garbage(chance):
            raw = connect_raw(endpoint)
            try:
                raw.sendall(data)
            except OSError:
                pass  # it was cut while we spoke: quite right
            held.append(raw)  # open and silent, as long as they let it
    assert_unharmed(deployment)
    for raw in held:
        raw.close()


# --- messages that are none of ours -------------------------------------------------------------------


def bombs(chance):
    return [
        b"", b"\xc0", b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff",
        b"\x91" * 100000, b"\x81\xa0" * 50000, b"\x9a\x01\x01" + b"\xdd\xff\xff\xff\xff", b"\x97\x01\x04\xc4\x10" + bytes(16),
        msgpack.packb([1, 1, "live", "reports", "x", "", 0, 1 << 20, 1 << 20, [[63, 1 << 31, 1 << 63, bytes(16)]] * 64]),
        msgpack.packb([2, 1 << 63, (1 << 32) - 1, (1 << 32) - 1, [[0, 1, (1 << 64) - 1, 0]]]),
        msgpack.packb([1, 1, "live", "reports", "x", "value ~ '" + "(a*)*" * 500 + "b'", 0, 1 << 20, 1 << 20, []]),
        msgpack.packb([1, 4, bytes(16), 0, "records", None, None]), msgpack.packb([1, 2, bytes(16), 1 << 63, None, None, None]),
        msgpack.packb([1, 4, bytes(16), 0, "records\0", "json\0l", "a\0b"]), msgpack.packb([2, 4, bytes(16)]),
        b"status", b"\x01" + bytes(300), chance.randbytes(1000), chance.randbytes(60000), bytes(2 * MIB),
    ]


def insiders(deployment):
    """(endpoint, kind, keys) of connections that are let in."""
    for name, kind, endpoint in sockets(deployment):
        who = {"submit": "acme", "release": "ncfta"}.get(kind, "operator")
        yield endpoint, kind, (deployment.keys(who), deployment.public(name).encode()) \
            if deployment.curve or kind == "release" else ()


@pytest.mark.parametrize("curve", [True, False], ids=["curve", "ipc"])
def test_random_messages_from_the_inside_harm_nobody(deploy, curve):
    deployment = deploy(curve=curve).start_all()
    chance = random.Random(8)
    for endpoint, kind, keys in insiders(deployment):
        messages = [[bomb] for bomb in bombs(chance)]
        messages += [[bomb, chance.choice(bombs(chance))] for bomb in bombs(chance)]
        messages += [[chance.randbytes(chance.randrange(200)) for _ in range(chance.randrange(1, 20))] for _ in range(100)]
        chance.shuffle(messages)
        socket_type = zmq.XSUB if kind == "tap" else zmq.DEALER
        if kind == "tap":  # which only listens to subscriptions
            messages += [[first + message[0][:2000]] for message in messages for first in (b"\x00", b"\x01")]
        keys = keys or (None, None)
        small = wire.dealer(endpoint, *keys, socket_type)
        for message in messages:
            if max(map(len, message)) < MIB:
                small.send_multipart(message)
                continue
            large = wire.dealer(endpoint, *keys, socket_type)  # it ends its connection
            large.send_multipart(message)
            large.close(linger=500)
        small.close(linger=5000)
    assert_unharmed(deployment)
    assert deployment.status("ingest-1")["problem"] is None


def test_a_frame_beyond_the_limit_ends_the_connection_before_it_is_taken_in(deploy):
    deployment = deploy(curve=True).start_all()
    before = {name: process.rss() for name, process in deployment.processes.items()}
    for endpoint, kind, keys in insiders(deployment):
        one = wire.dealer(endpoint, *keys)
        monitor = one.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        one.send_multipart([bytes(64 * MIB)])
        assert monitor.poll(20000), f"nobody cut the connection to {kind}"
        one.disable_monitor()
        one.close()
    for name, process in deployment.processes.items():
        assert process.rss() - before[name] < 48 * MIB, name
    assert_unharmed(deployment)


# --- strangers ----------------------------------------------------------------------------------------


def refused(endpoint, topic, keys=None, server_key=None, wait_s=2.0):
    """Nothing comes: no event, no answer but a refusal."""
    follower = wire.Follower(endpoint, topic, "stranger", range(8), keys, server_key)
    try:
        for _ in range(int(wait_s / 0.2)):
            assert not follower.next(0.2), f"{topic} was given to a stranger"
            assert follower.session is None, f"a session for {topic} was opened for a stranger"
    except wire.Refused as no:
        return no.code
    finally:
        follower.close()
    return "silence"


def test_strangers_and_other_peers_get_nothing_and_are_told_of(deploy):
    deployment = deploy(curve=True).start_all()
    submitter = submitter_of(deployment)
    load.submit(submitter, "secret", 500)
    deployment.wait_drained()
    relay, ingest = deployment.public("relay-1").encode(), deployment.public("ingest-1").encode()
    denied = deployment.status("relay-1")["denied"]
    assert refused(deployment.release, "releases/ncfta") == "silence"  # no CURVE at all
    assert refused(deployment.release, "releases/ncfta", deployment.keys("stranger"), relay) == "silence"
    assert refused(deployment.release, "releases/ncfta", deployment.keys("operator"), relay) == "silence"
    assert refused(deployment.release, "releases/ncfta", deployment.keys("ncfta"), ingest) == "silence"  # other server
    assert refused(deployment.release, "releases/ncfta", deployment.keys("cda"), relay) == "absent"
    assert refused(deployment.release, "classified", deployment.keys("cda"), relay) == "absent"
    for name in deployment.INSTANCES:  # peers and members have no business on the inside
        key = deployment.public(name).encode()
        for who in ("ncfta", "acme", "stranger"):
            assert refused(deployment.endpoint(name, "follow"), "reports", deployment.keys(who), key, 0.6) == "silence"
            assert wire.ask(deployment.endpoint(name, "ask"), "status", b"", deployment.keys(who), key, 0.3) is None
    assert deployment.status("relay-1")["denied"] > denied
    assert deployment.log_lines("relay-1", "peer.denied")
    about = deployment.log_lines("relay-1", "follow.denied")
    assert about and about[0]["topic"] == "releases/ncfta" and about[0]["key"] == deployment.public("cda")
    assert all("key" in line or "reason" in line for line in deployment.log_lines("relay-1", "peer.denied"))
    assert_unharmed(deployment)


def test_a_member_submits_to_its_own_sources_only(deploy):
    deployment = deploy(curve=True).start_all()
    endpoint, server = deployment.endpoint("ingest-1", "submit"), deployment.public("ingest-1").encode()
    _, data = load.batch("whose", 10)
    bert = wire.Submitter(endpoint, deployment.keys("bert"), server)
    receipt = bert.whole(data, "records")
    assert not receipt.done and receipt.reason == "denied"
    assert bert.whole(data, "no-such-source").reason == "denied"  # and whether it exists is not told
    assert wire.Submitter(endpoint, deployment.keys("operator"), server).whole(data, "records").accepted == 10
    for who in ("ncfta", "stranger"):
        with pytest.raises(TimeoutError):
            wire.Submitter(endpoint, deployment.keys(who), server).whole(data, "records", patience_s=1, wait_s=1)
    assert sum(lane["next"] for lane in deployment.status("ingest-1")["topics"][0]["lanes"]) == 10
    assert_unharmed(deployment)


def test_a_tap_gives_no_more_than_the_clearance(deploy):
    deployment = deploy(curve=True).start_all()
    taps = {}
    for who in ("operator", "acme", "bert", "stranger", "ncfta"):
        tap = zmq.Context.instance().socket(zmq.SUB)
        tap.linger = 0
        keys = deployment.keys(who)
        tap.curve_publickey, tap.curve_secretkey = keys.public, keys.secret
        tap.curve_serverkey = deployment.public("ingest-1").encode()
        for tlp in ("clear", "green", "amber", "red"):
            tap.subscribe(f"live.reports.{tlp}.".encode())
        tap.connect(deployment.endpoint("ingest-1", "tap"))
        taps[who] = tap
    submitter = submitter_of(deployment)
    heard = {who: set() for who in taps}

    def all_hear():
        """operator, acme and bert hear what they may"""
        for tlp in ("green", "amber", "red"):
            load.submit(submitter, f"{tlp}-{os.urandom(4).hex()}", 5, tlp=tlp)
        for who, tap in taps.items():
            while tap.poll(50):
                heard[who].add(tap.recv_multipart()[0].split(b".")[2].decode())
        return heard["operator"] >= {"green", "amber", "red"} and heard["acme"] >= {"green", "amber"} \
            and heard["bert"] >= {"green"}

    wait_for(all_hear)
    assert heard["acme"] == {"green", "amber"}
    assert heard["bert"] == {"green"}
    assert not heard["stranger"] and not heard["ncfta"]
    for tap in taps.values():
        tap.close()


# --- reports --------------------------------------------------------------------------------------------


def line(**fields):
    return json.dumps(fields).encode()


GOOD = line(value="http://good.example/", observed_at="2026-11-20T00:00:00Z")
BAD_LINES = {
    "a nesting bomb": b"[" * 200000,
    "objects in objects": b'{"value":' * 5000 + b"1" + b"}" * 5000,
    "gzip": gzip.compress(b"http://packed.example/\n").replace(b"\n", b" "),
    "NUL in the value": b'{"value": "http://a\\u0000b.example/"}',
    "NUL in the line": b'{"value": "http://a\x00b.example/"}',
    "an unknown kind": line(value="http://kind.example/", kind="spaceship"),
    "a clock of 1970": line(value="http://1970.example/", observed_at="1970-01-01T00:00:01Z"),
    "a clock of 2100": line(value="http://2100.example/", observed_at="2100-01-01T00:00:00Z"),
    "a clock beyond": line(value="http://beyond.example/", observed_at=1 << 62),
    "a time that is none": line(value="http://never.example/", observed_at="yesterday"),
    "broken UTF-8": b'{"value": "http://\xff\xfe.example/"}',
    "half a surrogate": b'{"value": "http://\\ud800.example/"}',
    "half an object": b'{"value": "http://half.example/',
    "a value too long": line(value="http://long.example/" + "a" * 9000),
    "an address of five": line(value="192.0.2.1.5", kind="ipv4"),
    "no value": line(description="nothing"),
    "an array": b"[1, 2, 3]",
}


def test_bad_lines_become_dead_letters_with_a_reason_and_the_rest_goes_on(deploy):
    deployment = deploy().start_all()
    lines = []
    for bad in BAD_LINES.values():
        lines += [bad]
    text = b"\n".join([GOOD, *lines, GOOD.replace(b"good", b"better"), b""])
    receipt = deployment.submit("records", text, "hostile.jsonl", rejected=True)
    told = {int(each["place"].rsplit(":", 1)[1]): each for each in receipt["rejections"]}
    taken = [name for i, name in enumerate(BAD_LINES, 2) if i not in told]
    assert not taken, f"taken as good: {taken}"
    assert all(each["reason"] and each["text"] and each["reason"] != "io" for each in told.values())
    assert receipt["accepted"] == 2 and receipt["rejected"] == len(BAD_LINES)
    collect(deployment.follower("ncfta"), Collected(), lambda each: len(each.values) == 2)
    assert deployment.status("ingest-1")["dead"] == len(BAD_LINES)
    assert_unharmed(deployment)


def test_bad_documents_are_refused_as_a_whole_and_kept(deploy):
    deployment = deploy().start_all()
    for source, text in (("document", b"[" * 1000000), ("document", b'{"data": {"items": "none"}}'),
                         ("document", b'{"data": {"items": [' + b"[" * 5000), ("bundle", b'{"type": "bundle"'),
                         ("bundle", gzip.compress(b"{}" * 1000)), ("table", b"\x00" * 1000 + b"\n"),
                         ("hosts", b"999.999.999.999 name.example\n")):
        receipt = json.loads(deployment.run("submit", "--json", "--source", source, write(deployment, text)).stdout)
        assert receipt["accepted"] == 0 and (receipt["rejected"] or receipt["state"] == "refused"), (text[:40], receipt)
        assert receipt["rejections"] or receipt["text"], receipt
    pattern = "[" + " OR ".join(f"url:value = 'http://p{i}.example/'" for i in range(20000)) + "]"
    bundle = json.dumps({"type": "bundle", "id": "bundle--5d0092c5-5f74-4287-9642-33f4c354e56d", "objects": [
        {"type": "indicator", "id": "indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f", "spec_version": "2.1",
         "pattern_type": "stix", "pattern": pattern, "valid_from": "2026-11-20T00:00:00Z"}]}).encode()
    deployment.run("submit", "--json", "--source", "bundle", write(deployment, bundle))
    assert_unharmed(deployment)


def write(deployment, text):
    path = deployment.root / "hostile.bin"
    path.write_bytes(text)
    return path


def test_an_endless_line_is_read_past_in_bounded_memory(deploy):
    deployment = deploy().start_all()
    before = deployment.processes["ingest-1"].rss()
    total = 1 << 30
    writer = ("import sys\nout = sys.stdout.buffer\nout.write(b'{\"value\": \"')\n"
              f"for _ in range({total >> 20}): out.write(b'a' * (1 << 20))\n"
              "out.write(b'\\n' + sys.argv[1].encode() + b'\\n')\n")
    with subprocess.Popen([sys.executable, "-c", writer, GOOD.decode()], stdout=subprocess.PIPE) as endless:
        done = subprocess.run([PROGRAMS / "noroshi", "submit", "--config", deployment.config, "--json", "--source", "records",
                               "-"], stdin=endless.stdout, capture_output=True, text=True, timeout=600, check=False)
    receipt = json.loads(done.stdout)
    assert receipt["bytes"] > total and (receipt["accepted"], receipt["rejected"]) == (1, 1), receipt
    assert receipt["rejections"][0]["reason"] == "too-long", receipt
    peak = int(re.search(r"VmHWM:\s+(\d+)", open(f"/proc/{deployment.processes['ingest-1'].pid}/status").read())[1]) * 1024
    assert peak - before < 64 * MIB, f"ingest grew to {peak // MIB} MiB"
    letter = json.loads(deployment.noroshi("dead", "show", "ingest-1/1", "--json"))
    assert letter["size"] >= total, letter["size"]
    assert_unharmed(deployment)
