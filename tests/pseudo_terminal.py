"""A terminal that a test holds the other end of."""

from __future__ import annotations

import fcntl
import os
import struct
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def pseudo_terminal(columns: int, rows: int) -> Iterator[tuple[int, Path]]:
    """The end that types and reads (a descriptor), and the path of the one that a program opens."""
    near, far = os.openpty()
    try:
        fcntl.ioctl(far, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        yield near, Path(os.ttyname(far))
    finally:
        os.close(near)
        os.close(far)
