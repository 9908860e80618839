#!/usr/bin/python3
"""A peer's own follower, of other make than ours: keeps what it receives and its place in one transaction of SQLite, and
acknowledges only after that. Made to be killed at any moment and started again.

usage: peer.py DATABASE ENDPOINT TOPIC NAME LANES KEY_FILE SERVER_PUB_FILE
"""

import sqlite3
import sys
import zmq.auth

import wire

SCHEMA = """
create table if not exists events (lane int, epoch int, offset int, o_instance int, o_lane int, o_epoch int, o_offset int,
                                   id blob, value text, primary key (lane, epoch, offset)) without rowid;
create table if not exists places (lane int primary key, epoch int, offset int, chain blob);
"""


def open_database(path):
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("pragma journal_mode = wal")
    database.execute("pragma synchronous = normal")
    database.executescript(SCHEMA)
    return database


def keep(database, follower, segments):
    database.execute("begin")
    for segment in segments:
        rows = [(segment.lane, segment.epoch, offset, *wire.event_place(event),
                 wire.event_field(event, wire.ORIGIN, wire.EVENT_ID), wire.event_field(event, wire.ORIGIN, wire.VALUE))
                for offset, event in segment.events()]
        database.executemany("insert into events values (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        database.execute("insert or replace into places values (?, ?, ?, ?)",
                         (segment.lane, *follower.places[segment.lane]))
    database.execute("commit")


def main(path, endpoint, topic, name, lanes, key_file, server_file):
    database = open_database(path)
    places = {lane: (epoch, offset, chain) for lane, epoch, offset, chain in database.execute("select * from places")}
    server_key, _ = zmq.auth.load_certificate(server_file)
    follower = wire.Follower(endpoint, topic, name, range(int(lanes)), wire.Keys(key_file), server_key, places)
    while True:
        segments = follower.next()
        if segments:
            keep(database, follower, segments)
            follower.acknowledge()


if __name__ == "__main__":
    if len(sys.argv) != 8:
        sys.exit(__doc__)
    main(*sys.argv[1:])
