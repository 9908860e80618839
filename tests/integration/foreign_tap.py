#!/usr/bin/python3
"""Listens to a tap with nothing but ZeroMQ and msgpack, as any client in any language may (proto/tap.md).

usage: foreign_tap.py ENDPOINT PREFIX COUNT [CERTIFICATE SERVER_KEY]

Prints COUNT events as lines of JSON. CERTIFICATE is our own .key file, needed with SERVER_KEY on tcp://.
"""

import json
import sys

import msgpack
import zmq
import zmq.auth

# The fields that are printed, by layer and position (proto/event_fields.md).
FIELDS = (
    ("origin.id", 0, 4),
    ("origin.kind", 0, 6),
    ("origin.value", 0, 7),
    ("origin.observed_at", 0, 8),
    ("origin.source", 0, 11),
    ("origin.tlp", 0, 12),
    ("context.domain", 1, 6),
    ("verdict.class", 2, 0),
    ("verdict.type", 2, 1),
)


def connect(endpoint, prefix, certificate=None, server_key=None):
    socket = zmq.Context.instance().socket(zmq.SUB)
    if certificate:
        socket.curve_publickey, socket.curve_secretkey = zmq.auth.load_certificate(certificate)
        socket.curve_serverkey = server_key.encode()
    socket.subscribe(prefix.encode())
    socket.connect(endpoint)
    return socket


def field(event, layer, position):
    """What stands there, or None: a layer may be missing, nil, or end early."""
    values = event[layer] if layer < len(event) else None
    value = values[position] if values and position < len(values) else None
    return value.hex() if isinstance(value, bytes) else value


def decode(frames):
    text, body = frames
    lane, epoch, offset, event = msgpack.unpackb(body, raw=False)
    line = {"topic": text.decode(), "lane": lane, "epoch": epoch, "offset": offset}
    for name, layer, position in FIELDS:
        value = field(event, layer, position)
        if value is not None:
            line[name] = value
    return line


def main(endpoint, prefix, count, *keys):
    socket = connect(endpoint, prefix, *keys)
    for _ in range(int(count)):
        print(json.dumps(decode(socket.recv_multipart()), ensure_ascii=False), flush=True)


if __name__ == "__main__":
    if len(sys.argv) not in (4, 6):
        sys.exit(__doc__)
    main(*sys.argv[1:])
