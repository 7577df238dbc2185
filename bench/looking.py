"""The command ``devices``: what is attached now over every medium, what comes and goes, which of a laboratory's are there."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.drivers import MEDIA, Found, driver
from bench.exits import ENVIRONMENT, PASS
from bench.laboratory import load
from bench.monikers import JOINED, OWN_PHONES, Kind, Moniker, parse
from bench.presenters import control
from bench.tables import print_table
from bench.watch import sources
from bench.watch import watch as events_of
from virtual_devices.clock import to_datetime
from virtual_devices.errors import LinkError, UsageError

_NAMED = (Kind.VIRTUAL, Kind.AUTO, Kind.HTTP, Kind.PROGRAM, Kind.VPCD)


def listing(as_json: bool) -> int:
    """One line a device. A medium that is missing is told with its remedy, and the others are listed all the same. Exit code 3
    when nothing was found and a medium is missing."""
    found: list[dict[str, Any]] = []
    missing: dict[str, str] = {}
    for medium in MEDIA:
        try:
            there: list[Found] = driver(medium).discover()
        except LinkError as e:
            missing[medium] = str(e)
            continue
        found += [{"moniker": f.moniker, "detail": f.detail, "has_card": f.has_card} for f in there]
    for info in control.discover():
        detail = f"process {info.pid}, slot {info.reader or '?'}, card {info.card_no or 'none'}"
        detail = f"our presenter {info.path.stem} ({info.medium}), {detail}"
        found.append({"moniker": "", "detail": detail, "has_card": bool(info.card_no)})  # it is met by its slot
    _print(as_json, ("moniker", "detail"), ("moniker", "what it is"), found)
    for medium, why in missing.items():
        _say(f"{medium}: {why}")
    if not found and not missing:
        _say("no reader is attached. Every role can be played by a virtual device: --card virtual")
    return ENVIRONMENT if missing and not found else PASS


def laboratory(path: Path, as_json: bool) -> int:
    """One line a device of the laboratory file: whether it is there, or why not. Exit code 3 when one is not."""
    rows = []
    for name, device in load(path).devices.items():
        parts = [parse(part) for part in device.moniker.split(JOINED)]
        why = "; ".join(filter(None, map(_absent, parts)))
        state = why or ("named only: not looked for" if all(map(_only_named, parts)) else "there")
        rows.append({"name": name, "moniker": device.moniker, "there": not why, "state": state, "detail": device.says()})
    _print(as_json, ("name", "moniker", "state", "detail"), ("name", "moniker", "is it there", "what it is"), rows)
    return PASS if all(row["there"] for row in rows) else ENVIRONMENT


def _absent(moniker: Moniker) -> str:
    """Why this device cannot be used now; empty when it can, or is not to be looked for."""
    if _only_named(moniker):
        return ""
    try:
        driver(moniker.kind.value).open(moniker.where).close()
    except (LinkError, UsageError) as e:
        return str(e)
    return ""


def _only_named(moniker: Moniker) -> bool:
    """Virtual devices, a service, a program, a slot, a UDP address."""
    return moniker.kind in _NAMED or moniker == OWN_PHONES or (moniker.kind is Kind.NFC and moniker.where.startswith("udp:"))


def watch(as_json: bool) -> int:
    """A line for each event over every medium, until Ctrl-C. What cannot be watched is told on standard error."""
    found, missing = sources()
    for medium, why in missing.items():
        _say(f"{medium}: {why}")
    with suppress(KeyboardInterrupt):
        for event in events_of(found, told=_say):
            if as_json:
                text = json.dumps(asdict(event), default=lambda v: v.hex() if isinstance(v, bytes) else v.value)
            else:
                at = to_datetime(event.at_ns).astimezone()
                text = f"{at:%H:%M:%S.%f}  {event.kind.value:13} {event.moniker}  {event.detail}"
            sys.stdout.write(text + "\n")
            sys.stdout.flush()
    return PASS


def _print(as_json: bool, keys: tuple[str, ...], titles: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    if as_json:
        for row in rows:
            sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
    elif rows:
        print_table(titles, [tuple(row[key] for key in keys) for row in rows])


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
