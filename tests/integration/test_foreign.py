"""A listener of other make hears and decodes what passes, from the pages in proto/ alone."""

import json
import subprocess
import sys
from pathlib import Path

import wire

import load
from deployment import wait_for

FOREIGN_TAP = Path(__file__).parent / "foreign_tap.py"


def listen(deployment, count, *arguments):
    """foreign_tap.py, which prints `count` events; made to hear by reports that go on until it has ended."""
    command = [sys.executable, str(FOREIGN_TAP), *arguments[:2], str(count), *arguments[2:]]
    keys = (deployment.keys("acme"), deployment.public("ingest-1").encode()) if deployment.curve else ()
    submitter = wire.Submitter(deployment.endpoint("ingest-1", "submit"), *keys)
    sent = set()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as tap:

        def ended():
            """the foreign tap has heard enough"""
            sent.update(load.submit(submitter, f"heard-{len(sent)}", 20, claim="phishing"))
            return tap.poll() is not None

        try:
            wait_for(ended)
        finally:
            tap.kill()
        lines = [json.loads(line) for line in tap.stdout]
    submitter.close()
    assert tap.returncode == 0 and len(lines) == count
    return lines, sent


def check(lines, sent):
    nexts = {}
    for line in lines:
        assert line["topic"] == "live.classified.green.fraud.phishing.url.records", line["topic"]
        assert line["origin.value"] in sent
        assert line["context.domain"].endswith(".example")
        assert line["origin.kind"] == 2 and line["verdict.class"] == 8 and line["verdict.type"] == 31
        place = (line["epoch"], line["offset"])
        assert place >= nexts.get(line["lane"], place), "a lane came out of order"
        nexts[line["lane"]] = (line["epoch"], line["offset"] + 1)


def test_a_foreign_tap_decodes_what_passes(deploy):
    deployment = deploy().start_all()
    check(*listen(deployment, 50, deployment.endpoint("classify-1", "tap"), "live.classified."))


def test_a_foreign_tap_over_curve_and_tcp(deploy):
    deployment = deploy(curve=True).start_all()
    check(*listen(deployment, 50, deployment.endpoint("classify-2", "tap"), "live.classified.green.fraud",
                  str(deployment.home / "keys/acme.key"), deployment.public("classify-2")))
