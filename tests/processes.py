"""Other processes: waiting for what they do, and what is left open."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path


def wait_until(true: Callable[[], bool], limit_s: float = 60.0) -> bool:
    """Whether it came true. For what another process or thread does; the limit only guards against waiting for ever."""
    deadline = time.monotonic() + limit_s
    while not true() and time.monotonic() < deadline:
        time.sleep(0.01)
    return true()


def open_files(pid: int | None = None) -> int:
    """How many descriptors that process has, or this one."""
    return len(list(Path(f"/proc/{pid or 'self'}/fd").iterdir()))


def children() -> set[int]:
    """The processes that this one has started and that have not been waited for."""
    me = f"{os.getpid()}"
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = stat.read_text().rpartition(")")[2].split()[1]
        except OSError:  # it ended meanwhile
            continue
        if parent == me:
            found.add(int(stat.parent.name))
    return found


There = tuple[int, set[int], int]
"""Descriptors, children, threads."""


def there() -> There:
    return open_files(), children(), threading.active_count()


def no_more_than(before: There) -> bool:
    """Nothing has been left since. What was there before may have gone: what another test left is put away when it is found."""
    files, processes, threads = there()
    return files <= before[0] and processes <= before[1] and threads <= before[2]
