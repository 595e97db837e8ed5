"""Frames on the pipes between the harness and a worker: JSON and raw buffers, nothing that is unpickled.

A frame is a header (one letter, the length of its JSON, the length of its payload), the JSON, the payload.
Used on both sides, so it needs the standard library alone.
"""

from __future__ import annotations

import json
import os
import struct
from typing import Any

HEADER = struct.Struct("<cIQ")

# harness -> worker
HELLO, TAPE, SESSIONS, FIT, FORECAST = b"H", b"T", b"S", b"F", b"P"
# worker -> harness
DONE, ANSWER, ERROR, REPORT = b"K", b"R", b"E", b"L"

RAISED, PROTOCOL, SHAPE, ISOLATION = "raised", "protocol", "shape", "isolation"
"""The kinds of failure that a worker tells of: an exception, an entry that does not keep to the interface, a forecast
of another shape, a kernel that does not shut the worker in."""

MAX_JSON = 1 << 20
"""Bytes of JSON in one frame; a longer one is malformed."""


def frame(op: bytes, meta: dict[str, Any] | None = None, payload: bytes = b"") -> bytes:
    """The bytes of one frame.

    >>> HEADER.unpack(frame(FIT)[: HEADER.size])
    (b'F', 0, 0)
    """
    text = json.dumps(meta).encode() if meta else b""
    return b"".join((HEADER.pack(op, len(text), len(payload)), text, payload))


def parsed(data: bytes) -> tuple[bytes, dict[str, Any], bytes]:
    """What one whole frame says: its letter, its JSON and its payload.

    >>> parsed(frame(SESSIONS, {"n": 1}, b"abc"))
    (b'S', {'n': 1}, b'abc')
    """
    op, n_json, _ = HEADER.unpack_from(data)
    text, payload = data[HEADER.size : HEADER.size + n_json], data[HEADER.size + n_json :]
    return op, json.loads(text) if text else {}, payload


def read_frame(fd: int) -> tuple[bytes, dict[str, Any], bytearray]:
    """The next frame of a blocking pipe; raises EOFError at its end."""
    op, n_json, n_payload = HEADER.unpack(_read(fd, HEADER.size))
    meta = json.loads(_read(fd, n_json)) if n_json else {}
    return op, meta, _read(fd, n_payload)


def _read(fd: int, size: int) -> bytearray:
    data = bytearray(size)
    view, got = memoryview(data), 0
    while got < size:
        n = os.readv(fd, [view[got:]])
        if n == 0:
            raise EOFError
        got += n
    return data


def write_all(fd: int, data: bytes) -> None:
    """Write everything to a blocking pipe."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
