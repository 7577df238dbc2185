"""The errors of the bench: one base, and one class for each party that can be at fault.

Our own mistake and the other side's never share a class. What a peer *sends* is never an exception at all: devices
answer it with a status word, and flows receive an :class:`~virtual_devices.link.Attempt`.
"""

from __future__ import annotations


class BenchError(Exception):
    """Base of every error that the bench raises on purpose."""


class UsageError(BenchError, ValueError):
    """The caller asked for something that cannot be. Text: what, where, what to do instead."""


class LinkError(BenchError, OSError):
    """A medium could not be opened or used at all (one failed try is an ``Attempt``, not this)."""


class PeerError(BenchError):
    """A peer answered, and the answer ends what was being done.

    ``code`` is the field's return code or status word as text, never lost; ``clause`` says which rule was broken.
    """

    def __init__(self, what: str, *, code: str = "", clause: str = "") -> None:
        super().__init__(f"{what} [{code}]" if code else what)
        self.what = what
        self.code = code
        self.clause = clause
