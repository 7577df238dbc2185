"""The command ``devices``: what is attached now, and what comes and goes."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from bench.drivers import pcsc
from bench.exits import ENVIRONMENT, PASS
from bench.presenters import control
from bench.tables import print_table
from bench.watch import PcscSource
from bench.watch import watch as events_of
from virtual_devices.clock import to_datetime
from virtual_devices.errors import LinkError


def listing(as_json: bool) -> int:
    """One line a device. Exit code 3 when the medium itself is not there."""
    found: list[dict[str, Any]] = []
    trouble = ""
    try:
        found += [{"moniker": f.moniker, "detail": f.detail, "has_card": f.has_card} for f in pcsc.discover()]
    except LinkError as e:
        trouble = str(e)
    for info in control.discover():
        detail = f"our presenter, process {info.pid}, slot {info.reader or '?'}, card {info.card_no or 'none'}"
        found.append({"moniker": f"{info.medium}:{info.path.stem}", "detail": detail, "has_card": bool(info.card_no)})
    if as_json:
        for row in found:
            sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
    elif found:
        print_table(("moniker", "what it is"), [(row["moniker"], row["detail"]) for row in found])
    if trouble:
        sys.stderr.write(f"pcsc: {trouble}\n")
        return ENVIRONMENT
    if not found:
        sys.stderr.write("no reader is attached. Every role can be played by a virtual device: --card virtual\n")
    return PASS


def watch(as_json: bool) -> int:
    """A line for each event, until Ctrl-C."""
    with suppress(KeyboardInterrupt):
        for event in events_of([PcscSource()]):
            if as_json:
                text = json.dumps(asdict(event), default=lambda v: v.hex() if isinstance(v, bytes) else v.value)
            else:
                at = to_datetime(event.at_ns).astimezone()
                text = f"{at:%H:%M:%S.%f}  {event.kind.value:13} {event.moniker}  {event.detail}"
            sys.stdout.write(text + "\n")
            sys.stdout.flush()
    return PASS
