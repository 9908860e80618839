"""Whoever stands still holds up nobody but those who need him, and nobody's memory grows for it."""

import os
import signal

import pytest
import wire
import zmq

import load
from deployment import Collected, collect, wait_for

MIB = 1 << 20
EVENTS = 20000
SHADOW = int(os.environ.get("NOROSHI_SHADOW", "1"))  # a sanitizer's own bytes for each of ours
GROWTH = SHADOW * 160 * MIB  # of resident memory: enrich touches its table bit by bit; EVENTS are about 20 MiB in each store


def rss(deployment):
    return {name: deployment.processes[name].rss() for name in deployment.INSTANCES}


def assert_flat(deployment, before):
    for name, bytes_now in rss(deployment).items():
        grown = bytes_now - before[name]
        assert grown < GROWTH, f"{name} grew by {grown // MIB} MiB to {bytes_now // MIB} MiB"


def warmed_up(deployment):
    """Started, and with as much behind it as fills every buffer once."""
    deployment.start_all()
    submitter = wire.Submitter(deployment.endpoint("ingest-1", "submit"))
    load.submit(submitter, "warm", EVENTS // 4)
    deployment.wait_drained()
    return submitter


def came(values):
    return lambda collected: len(collected.values) >= len(values)


@pytest.mark.parametrize("stopped", ["enrich-1", "classify-1", "relay-1"])
def test_a_stage_that_stands_still_is_waited_for_by_its_lanes_alone(deploy, stopped):
    deployment = deploy(peers={"ncfta": "whole"})
    submitter = warmed_up(deployment)
    collected = Collected()
    follower = deployment.follower("ncfta")
    collect(follower, collected, lambda each: len(each.values) >= EVENTS // 4)
    before = rss(deployment)
    deployment.processes[stopped].signal(signal.SIGSTOP)
    values = load.submit(submitter, "held", EVENTS)  # upstream goes on taking
    if stopped == "classify-1":  # and classify-2 has its lanes all to itself
        deployed_at = deployment.status("ingest-1")["topics"][0]["lanes"]
        other = sum(lane["next"] for lane in deployed_at if lane["lane"] >= deployment.lanes // 2)
        collect(follower, collected, lambda each: sum(count for lane, (_, count) in each.nexts.items()
                                                      if lane >= deployment.lanes // 2) >= other)
    assert_flat(deployment, before)
    deployment.processes[stopped].signal(signal.SIGCONT)
    collect(follower, collected, lambda each: len(each.values) >= EVENTS // 4 + EVENTS)
    deployment.wait_drained()
    assert_flat(deployment, before)
    assert set(values) <= set(collected.values) and not collected.repeated()


def test_a_full_store_refuses_clearly_and_takes_again_when_it_is_trimmed(deploy):
    deployment = deploy(peers={"ncfta": "whole"}, options={
        "all": {"replay": "0s", "replay_bytes": 0}, "ingest": {"store_bytes": "16MiB"}}).start_all()
    submitter = wire.Submitter(deployment.endpoint("ingest-1", "submit"))
    deployment.processes["enrich-1"].signal(signal.SIGSTOP)
    values, refused = set(), None
    for i in range(400):
        some, data = load.batch(f"full-{i}", 1000)
        receipt = submitter.whole(data, "records")
        if not receipt.done:
            refused = receipt
            break
        values |= set(some)
    assert refused and refused.reason == "store-full" and refused.text, refused
    assert deployment.status("ingest-1")["problem"] or not deployment.drained()
    deployment.processes["enrich-1"].signal(signal.SIGCONT)

    def taken():
        """the refused submission is taken"""
        receipt = submitter.whole(data, "records")
        return receipt.done and receipt.accepted + receipt.known == len(some)

    wait_for(taken, every_s=0.5)
    values |= set(some)
    collected = collect(deployment.follower("ncfta"), Collected(), came(values))
    deployment.wait_drained()
    assert set(collected.values) == values and not collected.repeated()


def test_a_stuck_peer_and_a_deaf_tap_slow_nobody(deploy):
    deployment = deploy()
    submitter = warmed_up(deployment)
    deaf = []
    for name in deployment.INSTANCES[:4]:
        socket = zmq.Context.instance().socket(zmq.SUB)
        socket.linger, socket.rcvhwm = 0, 1
        socket.setsockopt(zmq.RCVBUF, 4096)
        socket.subscribe(b"")
        socket.connect(deployment.endpoint(name, "tap"))
        deaf.append(socket)
    stuck = deployment.follower("cda")
    wait_for(lambda: stuck.next(0.2) or stuck.lag())  # it has opened, and takes no more from here on
    moving, collected = deployment.follower("ncfta"), Collected()
    before = rss(deployment)
    values = load.submit(submitter, "passing", 2 * EVENTS)
    collect(moving, collected, lambda each: len(each.values) >= len(values) + EVENTS // 4)
    assert set(values) <= set(collected.values) and not collected.repeated()
    assert_flat(deployment, before)
    stuck.close()
    late = collect(deployment.follower("cda"), Collected(), lambda each: len(each.values) >= len(values) + EVENTS // 4)
    assert not late.repeated()
    for socket in deaf:
        socket.close()
