"""kill -9 at any moment loses nothing, repeats nothing, reorders nothing.

While a generator submits, a random stage or peer is killed and started again, NOROSHI_KILLS times (default 300). Then what
ingest has acknowledged is compared with what each entitled peer has received. NOROSHI_SEED chooses the victims, the
moments and the events; the moment at which a signal lands is the machine's.
"""

import json
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import wire
from deployment import PROGRAMS, SLOWNESS, WAIT_S, wait_for

KILLS = int(os.environ.get("NOROSHI_KILLS", "300"))
SEED = int(os.environ.get("NOROSHI_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
EVENTS_PER_S = 10000 / SLOWNESS
AGAIN_S = 0.5  # without a receipt for so long, a submission is sent again

TLPS = ("clear", "green", "amber", "red")
ENTITLED = {"ncfta": ("clear", "green", "amber"), "cda": ("clear", "green")}


class Generator(threading.Thread):
    """Submits small wholes, one after the other; the next only when the one before has its receipt."""

    def __init__(self, deployment, seed):
        super().__init__(daemon=True)
        self.random = random.Random(seed)
        self.submitter = wire.Submitter(deployment.endpoint("ingest-1", "submit"))
        self.sent = {tlp: [] for tlp in TLPS}  # values with a receipt
        self.accepted = self.known = self.repeated = 0
        self.longest_s = 0.0
        self.finished = threading.Event()
        self.failure = None

    def _batch(self, number):
        lines, values = [], []
        for i in range(self.random.choice((1, 10, 100, 1000, 3000))):
            tlp = self.random.choice(TLPS)
            value = f"http://k{number}-{i}.example/{self.random.randrange(1 << 30):x}"
            values.append((tlp, value))
            lines.append(json.dumps({"value": value, "tlp": tlp, "observed_at": 1795000000000 + i,
                                     "description": "x" * self.random.randrange(200)}))
        return values, ("\n".join(lines) + "\n").encode()

    def run(self):
        try:
            number = 0
            while not self.finished.is_set():
                number += 1
                values, data = self._batch(number)
                started = time.monotonic()
                receipt = self.submitter.whole(data, "records", WAIT_S * 4, AGAIN_S * SLOWNESS)
                took = time.monotonic() - started
                self.longest_s = max(self.longest_s, took)
                assert receipt.done and receipt.accepted + receipt.known == len(values), receipt
                if self.random.random() < 0.1:  # as one would whose receipt was lost for good
                    again = self.submitter.whole(data, "records", WAIT_S * 4, AGAIN_S * SLOWNESS)
                    assert again.done and (again.accepted, again.known) == (0, len(values)), again
                    self.repeated += len(values)
                self.accepted += receipt.accepted
                self.known += receipt.known
                for tlp, value in values:
                    self.sent[tlp].append(value)
                self.finished.wait(max(0, len(values) / EVENTS_PER_S - took))
        except BaseException as failure:  # told by the test's own thread
            self.failure = failure

    def stop(self):
        self.finished.set()
        self.join(WAIT_S * 4)
        if self.failure:
            raise self.failure


class Peers:
    """ncfta with `noroshi follow --state`, cda with a follower of other make."""

    def __init__(self, deployment):
        self.deployment = deployment
        self.processes = {}

    def command(self, peer):
        home = self.deployment.home
        key, server = home / f"keys/{peer}.key", home / "keys/relay-1.pub"
        if peer == "ncfta":
            return [PROGRAMS / "noroshi", "follow", "releases/ncfta", "--endpoint", self.deployment.release,
                    "--state", home / "ncfta", "--key", key, "--server-key", server, "--quiet"]
        return [sys.executable, Path(__file__).parent / "peer.py", home / "cda.db", self.deployment.release,
                "releases/cda", "cda", self.deployment.lanes, key, server]

    def start(self, peer):
        self.processes[peer] = self.deployment.start_other(f"peer-{peer}", self.command(peer))

    def kill(self, peer):
        process = self.processes.pop(peer)
        assert process.alive(), f"{peer} ended by itself with {process.popen.returncode}\n{process.tail()}"
        process.kill()
        self.deployment.others.remove(process)

    def cda_rows(self):
        with sqlite3.connect(f"file:{self.deployment.home}/cda.db?mode=ro", uri=True) as database:
            return database.execute("select lane, epoch, offset, o_instance, o_epoch, o_offset, value from events "
                                    "order by lane, epoch, offset").fetchall()

    def ncfta_rows(self):
        """From the copy, by `noroshi follow --kept`, once its follower is gone."""
        command = [str(PROGRAMS / "noroshi"), "follow", "releases/ncfta", "--state", str(self.deployment.home / "ncfta"),
                   "--kept", "--json"]
        rows = []
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        for line in done.stdout.splitlines():
            told = json.loads(line)
            event = told["event"]
            rows.append((told["lane"], told["epoch"], told["offset"], event["origin.instance"], event["origin.epoch"],
                         event["origin.offset"], event["origin.value"]))
        return sorted(rows)


def check_rows(peer, rows, expected):
    """Each expected value exactly once, offsets without gap, origins growing in each lane."""
    nexts, origins, values = {}, {}, {}
    for lane, epoch, offset, instance, origin_epoch, origin_offset, value in rows:
        assert (epoch, offset) == nexts.get(lane, (epoch, 0)), f"{peer}, lane {lane}: gap before {epoch}@{offset}"
        nexts[lane] = (epoch, offset + 1)
        before = origins.get((lane, instance), (0, -1))
        assert (origin_epoch, origin_offset) > before, f"{peer}, lane {lane}: origin {origin_offset} after {before}"
        origins[lane, instance] = (origin_epoch, origin_offset)
        values[value] = values.get(value, 0) + 1
    twice = [value for value, count in values.items() if count > 1]
    assert not twice, f"{peer} received {len(twice)} events more than once: {twice[:3]}"
    missing, strange = set(expected) - set(values), set(values) - set(expected)
    assert not missing, f"{peer} lacks {len(missing)} of {len(expected)} accepted events: {sorted(missing)[:3]}"
    assert not strange, f"{peer} received {len(strange)} events that it may not have: {sorted(strange)[:3]}"


def kill_one(deployment, peers, victim):
    if victim in ENTITLED:
        peers.kill(victim)
        return
    process = deployment.processes[victim]
    assert process.alive(), f"{victim} ended by itself with {process.popen.returncode}\n{process.tail()}"
    process.kill()


def start_one(deployment, peers, victim):
    if victim in ENTITLED:
        peers.start(victim)
    else:
        deployment.start(victim, wait=False)


def kill_for_a_while(deployment, peers, generator, kills):
    """Returns {victim: [seconds from the kill to ready]}."""
    chance = random.Random(SEED)
    victims = [*deployment.INSTANCES, *ENTITLED]
    recoveries = {victim: [] for victim in victims}
    while kills > 0:
        assert not generator.failure, generator.failure
        time.sleep(chance.choice((0, 0.05, 0.2, 0.5)) * SLOWNESS * chance.random())  # the random moment
        together = chance.sample(victims, min(kills, 1 if chance.random() < 0.9 else len(victims)))
        kills -= len(together)
        started = time.monotonic()
        for victim in together:
            kill_one(deployment, peers, victim)
        for victim in together:
            start_one(deployment, peers, victim)
        for victim in together:
            if victim not in ENTITLED and chance.random() < 0.9:  # one in ten may be killed again while it starts
                deployment.processes[victim].wait_ready()
                recoveries[victim].append(time.monotonic() - started)
    return recoveries


def report(kills, recoveries, generator, took_s):
    times = [each for victim in recoveries.values() for each in victim]
    slowest = max(recoveries, key=lambda victim: max(recoveries[victim], default=0))
    print(f"\nseed {SEED}: {kills} kills in {took_s:.0f} s; {generator.accepted + generator.known} events, "
          f"{generator.repeated} of them submitted twice, {generator.submitter.repeats} submissions cut off; kill to ready: "
          f"median {statistics.median(times) * 1000:.0f} ms, worst {max(times) * 1000:.0f} ms ({slowest}); "
          f"longest wait for a receipt {generator.longest_s:.1f} s")


@pytest.mark.parametrize("kills", [KILLS])
def test_nothing_is_lost_repeated_or_reordered_by_kill_9(deploy, kills):
    deployment = deploy(peers={"ncfta": "whole", "cda": "projected"}, lanes=16).start_all()
    peers, generator = Peers(deployment), Generator(deployment, SEED)
    for peer in ENTITLED:
        peers.start(peer)
    generator.start()
    started = time.monotonic()
    recoveries = kill_for_a_while(deployment, peers, generator, kills)
    took_s = time.monotonic() - started
    generator.stop()
    for name in deployment.INSTANCES:
        if not deployment.processes[name].ready_s:
            deployment.processes[name].wait_ready()

    def arrived():
        """the peers have acknowledged everything that was released to them"""
        status = deployment.drained() and deployment.status("relay-1")
        return status and all(follower["lag"] == 0 and follower["connected"]
                              for topic in status["topics"] for follower in topic["followers"])

    wait_for(arrived, WAIT_S * 4, 0.2)
    for peer in ENTITLED:
        peers.kill(peer)
    report(kills, recoveries, generator, took_s)
    expected = {peer: [value for tlp in tlps for value in generator.sent[tlp]] for peer, tlps in ENTITLED.items()}
    check_rows("ncfta", peers.ncfta_rows(), expected["ncfta"])
    check_rows("cda", peers.cda_rows(), expected["cda"])
    # Reopened by a fresh process, every store is sound.
    for name in deployment.INSTANCES:
        assert deployment.processes[name].stop() == 0
        deployment.start(name)
