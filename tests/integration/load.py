"""Reports by the thousand, for tests that want some weight."""

import json


def batch(name, count, **more):
    """(values, the same as lines of JSON)."""
    values = [f"http://{name}-{i}.example/{i:x}" for i in range(count)]
    lines = [json.dumps({"value": value, "observed_at": 1795000000000 + i, "description": "d" * 100, **more})
             for i, value in enumerate(values)]
    return values, ("\n".join(lines) + "\n").encode()


def submit(submitter, name, count, step=2000, **more):
    """Submit `count` events in wholes of `step`; all must be accepted. Their values."""
    values = []
    for first in range(0, count, step):
        some, data = batch(f"{name}-{first}", min(step, count - first), **more)
        receipt = submitter.whole(data, "records")
        assert receipt.done and receipt.accepted + receipt.known == len(some), receipt
        values += some
    return values
