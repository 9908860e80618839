"""The protocols of Noroshi as a stranger would write them: submit, follow, ask, and the event, over plain ZeroMQ and
msgpack. Written from the pages in proto/, and shared with no line of the product.

Nothing here trusts what comes in, and nothing waits for longer than it is told.
"""

import os
import struct
import time

import msgpack
import zmq
import zmq.auth

# --- sockets ----------------------------------------------------------------------------------------


class Keys:
    """A CURVE pair from the files that `noroshi key new` writes."""

    def __init__(self, path):
        self.public, self.secret = zmq.auth.load_certificate(str(path))


def dealer(endpoint, keys=None, server_key=None, kind=zmq.DEALER):
    """A DEALER (or what is wanted) that connects; with keys it speaks CURVE."""
    socket = zmq.Context.instance().socket(kind)
    socket.linger = 0
    socket.sndtimeo = 10000
    socket.setsockopt(zmq.RECONNECT_IVL, 50)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, 500)
    if keys:
        socket.curve_publickey, socket.curve_secretkey = keys.public, keys.secret
        socket.curve_serverkey = server_key
    socket.connect(endpoint)
    return socket


def recv(socket, timeout_s):
    """The next message, or None when none came in time."""
    if not socket.poll(max(0, int(timeout_s * 1000))):
        return None
    return socket.recv_multipart()


# --- events (proto/event_fields.def) ----------------------------------------------------------------

ORIGIN, CONTEXT, VERDICT, RELEASE = range(4)
EVENT_ID, VALUE, OBSERVED_AT, ORIGINATOR, SOURCE, TLP = 4, 7, 8, 10, 11, 12  # of origin


def event_field(event, layer, position):
    """What stands there, or None: a layer may be missing, nil, or end early."""
    values = event[layer] if layer < len(event) else None
    return values[position] if values and position < len(values) else None


def event_place(event):
    """Where it entered: instance, lane, epoch, offset."""
    return tuple(event[ORIGIN][:4])


# --- segments (common/segment.h, version 1) ---------------------------------------------------------

HEAD = struct.Struct("<4sBBHQHHIQIIqqHHI16s16s")
BLOCK = struct.Struct("<QII")
assert HEAD.size == 96


class Segment:
    """A run of events of one lane. The checksum is left to readers with XXH3 at hand."""

    def __init__(self, data):
        (magic, version, _codec, self.flags, _stream, self.instance, self.lane, self.epoch, self.base, self.span,
         self.count, self.first_ms, self.last_ms, blocks, _, payload, self.previous, self.checksum,
         ) = HEAD.unpack_from(data)
        if magic != b"NRSG" or version != 1 or blocks != 1:
            raise ValueError("not a segment of version 1")
        self.data = data
        self.index_at = HEAD.size + BLOCK.size
        self.payload_at = self.index_at + 8 * self.count
        if self.payload_at + payload != len(data):
            raise ValueError("the segment's length does not fit")

    def events(self):
        """Yields (offset, event)."""
        start = 0
        for i in range(self.count):
            offset, end = struct.unpack_from("<II", self.data, self.index_at + 8 * i)
            packed = self.data[self.payload_at + start:self.payload_at + end]
            yield self.base + offset, msgpack.unpackb(packed, raw=False)
            start = end


# --- follow (common/follow.h) -----------------------------------------------------------------------

OPEN, MORE, CLOSE, OPENED, SEGMENTS, HEADS, REFUSED = range(1, 8)


class Refused(Exception):
    """The server said no; the code is one of proto/follow.md."""

    def __init__(self, code, text):
        super().__init__(f"{code}: {text}")
        self.code = code


class Follower:
    """Reads a topic from given places, {lane: (epoch, offset, chain)}; a lane without one begins at the beginning.

    next() gives one message's segments; acknowledge() says that everything given so far is durable.
    """

    KEEP_ALIVE_S = 2.0
    SILENCE_S = 6.0
    ANSWER_S = 1.0

    def __init__(self, endpoint, topic, name, lanes, keys=None, server_key=None, places=None, realm="live",
                 where="", credit=(4 << 20, 32768)):
        self.socket = dealer(endpoint, keys, server_key)
        self.topic, self.name, self.lanes, self.realm, self.where = topic, name, lanes, realm, where
        self.places = dict(places or {})
        self.credit = credit
        self.session = None
        self.heads = {}
        self.opening = False
        self.used, self.moved = [0, 0], set()
        self.heard_at = time.monotonic() - self.SILENCE_S + self.ANSWER_S  # the server's probe is expected before
        self.spoke_at = 0.0

    def close(self):
        self.socket.close()

    def _open(self):
        lanes = [[lane, *self.places.get(lane, (0, 0, bytes(16)))] for lane in self.lanes]
        self.session, self.opening = None, True
        self.used, self.moved = [0, 0], set()
        self.heard_at = time.monotonic()
        self._send([OPEN, 1, self.realm, self.topic, self.name, self.where, 0, *self.credit, lanes])

    def _send(self, message):
        self.spoke_at = time.monotonic()
        try:
            self.socket.send(msgpack.packb(message), zmq.NOBLOCK)
        except zmq.Again:
            pass  # not connected: the probe or the clock brings the next try

    def _look_after(self):
        now = time.monotonic()
        if now - self.heard_at > self.SILENCE_S:
            self._open()
        elif self.session is not None and now - self.spoke_at > self.KEEP_ALIVE_S:
            self._send([MORE, self.session, 0, 0, []])

    def next(self, timeout_s=1.0):
        """Segments in order, [] when none came in time. Raises Refused."""
        self._look_after()
        frames = recv(self.socket, min(timeout_s, 1.0))
        if frames is None:
            return []
        self.heard_at = time.monotonic()
        if frames == [b""]:  # the server's probe: the connection stands, anew
            self._open()
            return []
        head = msgpack.unpackb(frames[0], raw=False)
        if head[0] == REFUSED:
            if head[1] != "session":
                raise Refused(head[1], head[2])
            self._open()
        elif head[0] == OPENED and self.opening:
            self._take_opened(head)
        elif head[1] == self.session and head[0] == HEADS:
            self.heads.update({lane: following for lane, _, following in head[2]})
        elif head[1] == self.session and head[0] == SEGMENTS:
            return [self._take_segment(frame) for frame in frames[1:]]
        return []

    def _take_opened(self, head):
        self.session, self.opening = head[1], False
        for lane, epoch, offset, _first, following in head[3]:
            if self.places.get(lane, (0, 0))[:2] != (epoch, offset):
                self.places[lane] = (epoch, offset, bytes(16))
            self.heads[lane] = following
            if offset:
                self.moved.add(lane)
        self.acknowledge()

    def _take_segment(self, frame):
        segment = Segment(frame)
        epoch, offset, chain = self.places[segment.lane]
        if (segment.epoch, segment.base) != (epoch, offset):
            raise ValueError(f"lane {segment.lane}: {segment.epoch}@{segment.base} after {epoch}@{offset}")
        if chain != bytes(16) and chain != segment.previous:
            raise ValueError(f"lane {segment.lane}: the chain is broken at {segment.base}")
        self.places[segment.lane] = (epoch, segment.base + segment.span, segment.checksum)
        self.moved.add(segment.lane)
        self.used[0] += len(frame)
        self.used[1] += segment.count
        return segment

    def acknowledge(self):
        if self.session is None or not (self.moved or self.used[1]):
            return
        lanes = [[lane, *self.places[lane][:2], 0] for lane in sorted(self.moved)]
        self._send([MORE, self.session, *self.used, lanes])
        self.used = [0, 0]
        self.moved = set()

    def lag(self):
        return sum(max(0, head - self.places.get(lane, (0, 0))[1]) for lane, head in self.heads.items())


# --- submit (common/submit.h) -----------------------------------------------------------------------

S_BEGIN, S_DATA, S_END, S_WHOLE, S_CREDIT, S_RECEIPT = range(1, 7)


class Receipt:
    def __init__(self, head):
        (_, _, self.id, self.state, self.accepted, self.known, self.rejected, self.skipped, self.bytes, self.reason,
         self.text, rejections) = head[:12]
        self.done = self.state == 1
        self.rejections = [(place, reason, text) for place, reason, text, _ in rejections or []]

    def __repr__(self):
        return f"Receipt({'done' if self.done else self.reason}: {self.accepted} accepted, {self.known} known, " \
               f"{self.rejected} rejected)"


class Submitter:
    """Submits small wholes, and sends again what got no receipt."""

    def __init__(self, endpoint, keys=None, server_key=None):
        self.where = (endpoint, keys, server_key)
        self.socket = dealer(*self.where)
        self.repeats = 0

    def close(self):
        self.socket.close()

    def _again(self):
        """A new connection, so that nothing under way on the old one is mistaken for an answer."""
        self.socket.close()
        self.socket = dealer(*self.where)
        self.repeats += 1

    def send(self, data, source, submission, data_format=None, name=None):
        head = [1, S_WHOLE, submission, 0, source, data_format, name]
        self.socket.send_multipart([msgpack.packb(head), data])

    def receipt(self, submission, timeout_s):
        """Its receipt, or None."""
        until = time.monotonic() + timeout_s
        while (left := until - time.monotonic()) > 0:
            frames = recv(self.socket, left)
            if frames is None:
                return None
            if frames == [b""]:
                continue  # the server's probe: it has seen us, anew
            head = msgpack.unpackb(frames[0], raw=False)
            if head[1] == S_RECEIPT and head[2] == submission:
                return Receipt(head)
        return None

    def whole(self, data, source, patience_s=60.0, wait_s=2.0, data_format=None, name=None):
        """Send until there is a receipt; the first try and the tries after it have the same id, as one that was
        cut off would have."""
        submission = os.urandom(16)
        until = time.monotonic() + patience_s
        while time.monotonic() < until:
            self.send(data, source, submission, data_format, name)
            receipt = self.receipt(submission, wait_s)
            if receipt and (receipt.done or receipt.reason not in ("busy", "not-stored", "unknown")):
                return receipt
            self._again()
        raise TimeoutError(f"no receipt from {self.where[0]} within {patience_s} s")


# --- ask (proto/ask.md) -----------------------------------------------------------------------------


def ask(endpoint, verb, argument=b"", keys=None, server_key=None, timeout_s=3.0):
    """(outcome, bytes of the answer), or None."""
    socket = dealer(endpoint, keys, server_key)
    try:
        socket.send_multipart([verb.encode(), argument])
        frames = recv(socket, timeout_s)
        return (frames[0].decode(), frames[1]) if frames and len(frames) == 2 else None
    finally:
        socket.close()
