"""Ports of this computer for tests that have to know one before it is served.

They lie below those that kernels give out of their own accord, so that no socket that is opened meanwhile takes one, and each is
held against other processes of tests for as long as this one lives, by a lock on its byte of one file.
"""

from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path
from tempfile import gettempdir

FIRST, END = 12_000, 20_000


def free_ports(count: int) -> list[int]:
    """Nobody has these, over TCP or UDP, and nobody else is given them."""
    found: list[int] = []
    start = FIRST + os.getpid() % 400 * 20
    for port in [*range(start, END), *range(FIRST, start)]:
        if len(found) == count:
            return found
        if _holds(port):
            found.append(port)
    raise AssertionError(f"there are no {count} free ports from {FIRST} on")


def free_port() -> int:
    [port] = free_ports(1)
    return port


_held: set[int] = set()
_locks = (Path(gettempdir()) / f"vhc-bench-test-ports-{os.getuid()}").open("a+b")  # one for all, before anybody counts


def _holds(port: int) -> bool:
    if port in _held:
        return False
    try:
        fcntl.lockf(_locks, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(socket.AF_INET, kind) as there:
                there.bind(("127.0.0.1", port))
    except OSError:  # the lock of one that somebody serves stays: it is none to give
        return False
    _held.add(port)
    return True


__all__ = ["free_port", "free_ports"]
