"""A whole deployment in a scratch directory: its configuration, its keys, its processes.

The tests are the supervisor here: a stage that was killed is started again at once, and how long that took is known.
Only processes that were started here are ended, by their own pid.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import wire

SOURCE = Path(__file__).resolve().parents[2]
PROGRAMS = Path(os.environ.get("NOROSHI_BIN", SOURCE / "build/dev/bin")).absolute()
SLOWNESS = float(os.environ.get("NOROSHI_SLOWNESS", "1"))  # of the build under test: every deadline is multiplied
WAIT_S = 30 * SLOWNESS

# What a sanitizer writes when it has found something.
FINDINGS = re.compile(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:|assertion|Assertion", re.M)

# 107 bytes are all that the path of a unix socket may have.
SCRATCH = "/tmp"


def wait_for(what, timeout_s=WAIT_S, every_s=0.05):
    """Call `what` until it gives something true, and return that. What it says about a failure is its docstring."""
    until = time.monotonic() + timeout_s
    while True:
        result = what()
        if result:
            return result
        if time.monotonic() > until:
            raise TimeoutError(f"not within {timeout_s:.0f} s: {what.__doc__ or what}")
        time.sleep(every_s)


def free_port():
    """A port nobody listens on, below those that the system gives to connecting sockets: a stage that was killed must
    find its port again."""
    for _ in range(1000):
        port = 20000 + int.from_bytes(os.urandom(2), "big") % 12000
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no port is free")


class Process:
    """One process of ours. READY is taken from its NOTIFY_SOCKET."""

    def __init__(self, name, command, log, directory, notify=True):
        self.name = name
        self.log = Path(log)
        # A small quarantine, so that what is measured is our memory and not the sanitizer's.
        environment = {"ASAN_OPTIONS": "quarantine_size_mb=8:malloc_context_size=8", **os.environ}
        self.notify = None
        if notify:
            path = str(Path(directory) / f"{name}.n")
            if os.path.exists(path):
                os.unlink(path)
            self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self.notify.bind(path)
            environment["NOTIFY_SOCKET"] = path
        self.started_at = time.monotonic()
        self.ready_s = None
        with open(self.log, "ab") as output:
            self.popen = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=output,
                                          stderr=output, env=environment, cwd="/")
        self.pid = self.popen.pid

    def wait_ready(self, timeout_s=WAIT_S):
        self.notify.settimeout(0.2)
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            try:
                if b"READY=1" in self.notify.recv(4096):
                    self.ready_s = time.monotonic() - self.started_at
                    return self.ready_s
            except socket.timeout:
                if self.popen.poll() is not None:
                    break
        raise RuntimeError(f"{self.name} does not become ready (exit status {self.popen.poll()})\n{self.tail()}")

    def alive(self):
        return self.popen.poll() is None

    def signal(self, number):
        if self.alive():
            self.popen.send_signal(number)

    def kill(self):
        """kill -9, and gone."""
        self.signal(signal.SIGKILL)
        self.popen.wait()
        self._close()

    def stop(self, timeout_s=WAIT_S):
        """SIGTERM, and the exit status."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            status = self.popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        self._close()
        return status

    def _close(self):
        if self.notify:
            self.notify.close()
            self.notify = None

    def tail(self, lines=30):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def rss(self):
        """Resident bytes."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        return 0


MEMBERS = """\
agreements:
  membership: {title: Membership}
  whole: {title: Whole, tlp: amber, third_party: true, projected: false}
  projected: {title: Projected, tlp: green, third_party: true, projected: true}
members:
  acme: {name: Acme, agreement: membership, tlp: clear, onward: allow, clearance: amber, key: KEY(acme)}
  bert: {name: Bert, agreement: membership, tlp: clear, onward: allow, clearance: green, key: KEY(bert)}
"""

SOURCES = """\
sources:
  lines: {member: acme, format: list, claim: phishing, tlp: green}
  hosts: {member: acme, format: hosts, claim: phishing, tlp: green}
  table:
    member: acme
    format: csv
    tlp: green
    claim: phishing
    map: {value: url, observed_at: date, description: description}
  records: {member: acme, format: jsonl, tlp: green, claim: phishing}
  document: {member: acme, format: json, records: data.items, tlp: green, claim: c2-server}
  bundle: {member: bert, format: stix, tlp: green}
"""


class Deployment:
    """Stages as in `instances`, peers as {id: agreement}."""

    INSTANCES = ("ingest-1", "enrich-1", "classify-1", "classify-2", "relay-1")

    def __init__(self, peers=None, lanes=8, curve=False, options=None, scopes=None):
        self.root = Path(tempfile.mkdtemp(prefix="nrs-", dir=SCRATCH))
        self.home = self.root / "v"
        self.config = self.root / "noroshi.yaml"
        self.rules = self.root / "rules.yaml"
        self.peers = peers if peers is not None else {"ncfta": "whole", "cda": "projected"}
        self.scopes = scopes or {}
        self.lanes = lanes
        self.curve = curve
        self.options = options or {}
        self.processes = {}   # of instances, running or not
        self.others = []      # started by start_other()
        self.supervised = False
        self.release = f"tcp://127.0.0.1:{free_port()}"
        for name in ("log", "keys", "data", "run"):
            (self.home / name).mkdir(parents=True, mode=0o700)
        self.home.chmod(0o700)
        shutil.copy(SOURCE / "deploy/rules/default.yaml", self.rules)
        self._make_keys()
        self._write_config()

    # --- what it is made of ---

    def _make_keys(self):
        names = ["relay-1", "operator", "acme", "bert", "stranger", *self.peers]
        names += [name for name in self.INSTANCES if self.curve and name not in names]
        self.config.write_text(f"noroshi: 1\nhome: {self.home}\n")
        for name in names:
            self.noroshi("key", "new", name)

    def public(self, name):
        return wire.zmq.auth.load_certificate(str(self.home / f"keys/{name}.pub"))[0].decode()

    def keys(self, name):
        return wire.Keys(self.home / f"keys/{name}.key")

    def _endpoints(self, names, submit=False):
        if not self.curve:
            return ""
        kinds = ["follow", "tap", "ask"] + (["submit"] if submit else [])
        return ", ".join(f"{kind}: 'tcp://127.0.0.1:{free_port()}'" for kind in kinds) + (
            ", curve: true, " if names == 1 else ", ")

    def _stage_options(self, stage):
        options = {**self.options.get("all", {}), **self.options.get(stage, {})}
        if stage == "classify":
            options["rules"] = self.rules
        return "".join(f"      {key}: {value}\n" for key, value in options.items())

    def _write_config(self):
        half = self.lanes // 2
        curve = "    curve: true\n" if self.curve else ""
        instances = {
            "ingest": [f"{{{self._endpoints(2, True)}name: ingest-1}}"],
            "enrich": [f"{{{self._endpoints(2)}name: enrich-1}}"],
            "classify": [f"{{{self._endpoints(2)}name: classify-1, lanes: 0-{half - 1}}}",
                         f"{{{self._endpoints(2)}name: classify-2, lanes: {half}-{self.lanes - 1}}}"],
            "relay": [f"{{{self._endpoints(2)}name: relay-1, release: '{self.release}'}}"],
        }
        text = f"noroshi: 1\nhome: {self.home}\nlanes: {self.lanes}\nstages:\n"
        for stage, entries in instances.items():
            options = self._stage_options(stage)
            text += f"  {stage}:\n{curve}    instances:\n" + "".join(f"      - {entry}\n" for entry in entries)
            text += f"    options:\n{options}" if options else ""
        text += re.sub(r"KEY\((\w+)\)", lambda name: f"'{self.public(name[1])}'", MEMBERS)
        text += "peers:\n"
        for peer, agreement in self.peers.items():
            scope = f", scope: '{self.scopes[peer]}'" if peer in self.scopes else ""
            text += f"  {peer}: {{agreement: {agreement}, key: '{self.public(peer)}'{scope}}}\n"
        self.config.write_text(text + SOURCES)

    # --- the command line ---

    def run(self, *arguments, stdin=None, timeout_s=WAIT_S):
        """`noroshi ...`: a CompletedProcess with texts."""
        command = [str(PROGRAMS / "noroshi"), *map(str, arguments), "--config", str(self.config)]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=timeout_s, check=False,
                              cwd=self.root)

    def noroshi(self, *arguments, status=0, stdin=None, timeout_s=WAIT_S):
        """The same, which must end with `status`; its output."""
        done = self.run(*arguments, stdin=stdin, timeout_s=timeout_s)
        assert done.returncode == status, f"noroshi {arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def submit(self, source, text, name="report.txt", rejected=False):
        """Through the command line; the receipt."""
        path = self.root / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return json.loads(self.noroshi("submit", "--json", "--source", source, path, status=1 if rejected else 0))

    # --- processes ---

    def start(self, name, wait=True):
        stage = name.rsplit("-", 1)[0]
        command = [PROGRAMS / f"noroshi-{stage}", "--config", self.config, "--instance", name]
        self.processes[name] = Process(name, command, self.home / f"log/{name}.log", self.root)
        if wait:
            self.processes[name].wait_ready()
        return self.processes[name]

    def start_all(self):
        for name in self.INSTANCES:
            self.start(name, wait=False)
        for name in self.INSTANCES:
            self.processes[name].wait_ready()
        return self

    def start_other(self, name, command):
        """A process that is no stage; ended with the others."""
        process = Process(name, command, self.home / f"log/{name}.log", self.root, notify=False)
        self.others.append(process)
        return process

    def up(self):
        """Under Noroshi's own supervisor."""
        self.noroshi("up", "-d")
        self.supervised = True
        return self

    def down(self):
        self.noroshi("down")
        self.supervised = False

    # --- asking ---

    def endpoint(self, instance, kind):
        """Where it is reached; ipc where the configuration says nothing else."""
        if kind == "release":
            return self.release
        entry = re.search(rf"^.*name: {instance}\b.*$", self.config.read_text(), re.M).group(0)
        told = re.search(rf"\b{kind}: '([^']+)'", entry)
        return told.group(1) if told else f"ipc://{self.home}/run/{instance}.{kind}"

    def ask(self, instance, verb, argument=b"", timeout_s=3.0):
        keys = (self.keys("operator"), self.public(instance).encode()) if self.curve else ()
        return wire.ask(self.endpoint(instance, "ask"), verb, argument, *keys, timeout_s=timeout_s)

    def status(self, instance):
        """What it says of itself, or None."""
        answer = self.ask(instance, "status")
        return json.loads(answer[1]) if answer and answer[0] == "ok" else None

    def metric(self, instance, name):
        """Sum over its labels."""
        text = self.ask(instance, "metrics")[1].decode()
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
                   if re.match(rf"{name}(\{{|\s)", line))

    def drained(self):
        """everything that was taken in has passed every stage"""
        told = [self.status(name) for name in self.INSTANCES]
        if not all(told):
            return False
        for status in told:
            if any(each["lag"] or not each["connected"] for each in status["inputs"]):
                return False
            for topic in status["topics"]:
                if any(each["lag"] for each in topic["followers"] if each["name"] in self.INSTANCES):
                    return False
        return True

    def wait_drained(self, timeout_s=WAIT_S):
        wait_for(self.drained, timeout_s)
        assert self.drained()

    def log_lines(self, instance, event=None):
        """The JSON lines that it logged."""
        lines = []
        for text in (self.home / f"log/{instance}.log").read_text(errors="replace").splitlines():
            if text.startswith("{"):
                line = json.loads(text)
                if event is None or line.get("event") == event:
                    lines.append(line)
        return lines

    # --- peers ---

    def follower(self, peer, topic=None, keys=None, places=None, **options):
        """A follower of the peer's own topic, with its own key, in this process."""
        return wire.Follower(self.release, topic or f"releases/{peer}", peer, range(self.lanes),
                             keys or self.keys(peer), self.public("relay-1").encode(), places, **options)

    # --- the end ---

    def stop_all(self):
        """SIGTERM to all, last of the flow first; every one must end well."""
        bad = []
        for process in reversed(self.others):
            process.kill()
        self.others = []
        for name in reversed(self.INSTANCES):
            process = self.processes.pop(name, None)
            if process and process.alive():
                status = process.stop()
                bad += [f"{name} ended with {status}"] if status else []
        assert not bad, bad

    def findings(self):
        """What sanitizers and assertions have written into the logs."""
        return [f"{path.name}:\n" + "\n".join(path.read_text(errors="replace")[found.start():].splitlines()[:40])
                for path in sorted((self.home / "log").glob("*"))
                if (found := FINDINGS.search(path.read_text(errors="replace")))]

    def close(self, good):
        """End everything, whatever happened; keep the directory when it did not go well."""
        for process in [*self.others, *self.processes.values()]:
            process.signal(signal.SIGCONT)
        try:
            if self.supervised:
                self.run("down")
            if good:
                self.stop_all()
                findings = self.findings()
                assert not findings, findings[0]
        except BaseException:
            good = False
            raise
        finally:
            for process in [*self.others, *self.processes.values()]:
                process.kill()
            if good:
                shutil.rmtree(self.root)
            else:
                print(f"\nlogs and stores are left in {self.root}")


class Collected:
    """What a peer has received, and whether it came as promised."""

    def __init__(self):
        self.values = {}   # value -> how often
        self.nexts = {}    # lane -> (epoch, next offset)
        self.origins = {}  # (lane, ingest instance) -> (epoch, offset) of the last event
        self.events = []

    def add(self, lane, epoch, offset, event):
        last = self.nexts.get(lane, (epoch, 0))
        assert (epoch, offset) == last, f"lane {lane}: {epoch}@{offset} came, {last} was next"
        self.nexts[lane] = (epoch, offset + 1)
        instance, origin_lane, origin_epoch, origin_offset = wire.event_place(event)
        assert origin_lane == lane
        before = self.origins.get((lane, instance), (0, -1))
        assert (origin_epoch, origin_offset) > before, f"lane {lane}: origin {origin_offset} after {before}"
        self.origins[lane, instance] = (origin_epoch, origin_offset)
        value = wire.event_field(event, wire.ORIGIN, wire.VALUE)
        self.values[value] = self.values.get(value, 0) + 1
        self.events.append(event)

    def repeated(self):
        return [value for value, count in self.values.items() if count > 1]


def collect(follower, collected, done, timeout_s=WAIT_S):
    """Take in, and acknowledge, until `done(collected)`."""
    until = time.monotonic() + timeout_s
    while not done(collected):
        if time.monotonic() > until:
            raise TimeoutError(f"{follower.topic}: {len(collected.events)} events after {timeout_s:.0f} s, "
                               f"lag {follower.lag()}, session {follower.session}")
        for segment in follower.next(0.2):
            for offset, event in segment.events():
                collected.add(segment.lane, segment.epoch, offset, event)
        follower.acknowledge()
    return collected
