"""By when a visit's record is due: the one rule of what is late.

24 hours after the moment that the visit is called by (就診日期時間, fields A17 and M11), of every visit. That it is 24 hours
after the service is **official**, special cases apart; which they are no source says, so none is made an exception of. That the
service is dated by that field is **inferred**: a record tells of no other moment.
"""

from __future__ import annotations

from functools import cache

from virtual_devices.clock import NS
from virtual_devices.uploads.lists import DEADLINES


def due_ns(visited_ns: int) -> int:
    """By when the record of a visit of that moment must be there."""
    return visited_ns + _allowed_ns()


@cache
def _allowed_ns() -> int:
    return int(DEADLINES["upload_24h"].value) * 3600 * NS


__all__ = ["due_ns"]
