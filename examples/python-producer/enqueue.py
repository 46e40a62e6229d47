#!/usr/bin/env python3
"""Enqueues a task from Python with nothing but its standard library, and says what became of it.

    enqueue.py [--redis HOST:PORT] [--queue-name NAME] [--id ID] TASK PARAMS

It is here to be read: docs/wire.md in fifty lines. A program that has `taskctl` beside it is better off with
`taskctl import -`. The scripts it sends are those of the release that it is written for.
"""

import argparse
import base64
import json
import pathlib
import socket
import struct
import uuid

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "crates/task-queue-redis/src/lua"
# the parts of ENQUEUE in script.rs, behind the head of each script and all keys
PARTS = "start keys clock any wake ready counts enqueue tokens state schedule view enqueue_each".split()
LAYOUT = 1


def pack(value):
    """A value of JSON as MessagePack, each in its shortest form."""
    if value is None or isinstance(value, bool):
        return {None: b"\xc0", False: b"\xc2", True: b"\xc3"}[value]
    if isinstance(value, float):
        return b"\xcb" + struct.pack(">d", value)
    if isinstance(value, int):
        if -32 <= value < 128:
            return struct.pack(">b" if value < 0 else ">B", value)
        forms = (("B", "H", "I", "Q"), 0xCC) if value >= 0 else (("b", "h", "i", "q"), 0xD0)
        for at, form in enumerate(forms[0]):
            try:
                return bytes([forms[1] + at]) + struct.pack(">" + form, value)
            except struct.error:
                continue
        raise ValueError(f"{value} has more than 64 bits")
    if isinstance(value, bytes):
        return head(len(value), None, 0, (0xC4, 0xC5, 0xC6)) + value
    if isinstance(value, str):
        text = value.encode()
        return head(len(text), 0xA0, 32, (0xD9, 0xDA, 0xDB)) + text
    if isinstance(value, list):
        return head(len(value), 0x90, 16, (None, 0xDC, 0xDD)) + b"".join(map(pack, value))
    if isinstance(value, dict):
        pairs = (pack(part) for pair in value.items() for part in pair)
        return head(len(value), 0x80, 16, (None, 0xDE, 0xDF)) + b"".join(pairs)
    raise TypeError(f"no MessagePack for {value!r}")


def head(length, short, short_until, tags):
    """A length behind the tag of the smallest form that holds it."""
    if short is not None and length < short_until:
        return bytes([short | length])
    for tag, form in zip(tags, ("B", "H", "I")):
        if tag is not None and length < 1 << (8 * struct.calcsize(form)):
            return bytes([tag]) + struct.pack(">" + form, length)
    raise ValueError(f"{length} is too long")


def record(task, params, enqueued_at, priority=50, max_crashes=3):
    """A task as it is stored; times are milliseconds."""
    return b"M" + bytes([1, priority, max_crashes]) + pack({"n": task, "p": pack(params), "e": enqueued_at})


def stored_id(text):
    """An id as it is stored: a UUID in 22 characters, any other text behind a colon."""
    try:
        number = uuid.UUID(text)
    except ValueError:
        return ":" + text
    if str(number) != text:
        return ":" + text
    usual = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    ordered = b"-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
    return base64.b64encode(number.bytes).rstrip(b"=").translate(bytes.maketrans(usual, ordered)).decode()


class Redis:
    """As much of a client as this needs."""

    def __init__(self, host, port):
        self.stream = socket.create_connection((host, port), timeout=10).makefile("rwb")

    def __call__(self, *words):
        words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        self.stream.write(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in words))
        self.stream.flush()
        return self.reply()

    def reply(self):
        line = self.stream.readline()[:-2]
        kind, rest = line[:1], line[1:]
        if kind == b"-":
            raise RuntimeError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self.stream.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return [self.reply() for _ in range(int(rest))]
        return rest


def enqueue(redis, queue, id, task, params, priority=50):
    layout = redis("GET", "tf:layout")
    if layout is not None and int(layout.split(b".")[0]) > LAYOUT:
        raise SystemExit(f"the layout has version {layout.decode()}, and this program knows {LAYOUT}")
    script = "#!lua\n" + "".join((SCRIPTS / f"{part}.lua").read_text() for part in PARTS)
    redis("SADD", "tf:queues", queue)
    seconds, micros = redis("TIME")
    now = int(seconds) * 1000 + int(micros) // 1000
    # its head says the arguments: one priority for all, no special task, then the tasks
    tasks = (stored_id(id), record(task, params, now, priority))
    reply = redis("EVAL", script, 1, "tf:{%s}" % queue, bytes([priority]), 0, *tasks)
    answer = reply[1] if len(reply) > 1 else 1
    if isinstance(answer, list):
        return "it was there already"
    return {1: "queued", 0: "refused: the queue is full"}[answer]


def main():
    args = argparse.ArgumentParser(description="Enqueues a task from Python.")
    args.add_argument("--redis", default="localhost:6379", metavar="HOST:PORT")
    args.add_argument("--queue-name", default="tasks", metavar="NAME")
    args.add_argument("--id", default=str(uuid.uuid4()))
    args.add_argument("task")
    args.add_argument("params", type=json.loads, help="JSON")
    args = args.parse_args()
    host, port = args.redis.rsplit(":", 1)
    print(args.id, enqueue(Redis(host, int(port)), args.queue_name, args.id, args.task, args.params))


if __name__ == "__main__":
    main()
