"""Ports of this computer for tests that have to know one before it is served.

They lie below those that kernels give out of their own accord, so that no socket that is opened meanwhile takes one, and each is
held against other processes of tests, by a socket in the abstract name space, for as long as this process lives.
"""

from __future__ import annotations

import os
import socket

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


_held: list[socket.socket] = []


def _holds(port: int) -> bool:
    held = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        held.bind(f"\0vhc-bench-test-port-{port}")
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(socket.AF_INET, kind) as there:
                there.bind(("127.0.0.1", port))
    except OSError:
        held.close()
        return False
    _held.append(held)
    return True


__all__ = ["free_port", "free_ports"]
