"""The service's log: what happened, where and to which institution; never a value that somebody sent.

An exception's own text may hold such a value (a database names the row that it refuses), so of a fault only its kind and the
places in the program are written.
"""

from __future__ import annotations

import logging
import traceback

LOG = logging.getLogger("vhc_bench.datacentre")


def faults(error: BaseException) -> str:
    """An exception as it may be logged: kinds, causes and places, without any text of theirs."""
    told: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(told) < 10:
        places = "".join(traceback.format_list(traceback.extract_tb(cause.__traceback__)))
        told.append(f"{type(cause).__module__}.{type(cause).__qualname__}\n{places}")
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return "because of ".join(told)


__all__ = ["LOG", "faults"]
