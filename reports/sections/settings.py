"""What ran, on what, and with what doubt."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reports.blocks import Block, Bullets, Cell, Column, Section, Table, data, text
from reports.formats import NS, clock, date, duration
from reports.run import Run
from reports.terms import OURS, mark, term, word

NAME = "settings"
_UNITS_NS = {"_s": NS, "_ms": 1_000_000, "_us": 1000, "_ns": 1, "_min": 60 * NS, "_h": 3600 * NS}


def make(run: Run) -> Section:
    m = run.manifest
    doubts = [str(d) for d in m.get("doubts", [])]
    rig = {str(k): str(v) for k, v in m.get("rig", {}).items()}
    real = [role for role, where in sorted(rig.items()) if where not in OURS]
    finding = run.say_n(
        "Situation '{situation}', seed {seed}, {n} replication",
        "Situation '{situation}', seed {seed}, {n} replications",
        int(m.get("replications", 1)),
        situation=m.get("situation", ""),
        seed=m.get("seed", ""),
    )
    finding = run.say(
        "{situation}; {rig}",
        situation=finding,
        rig=run.say("asked to be real or found: {roles}.", roles=run.words.join([term(run.words, role) for role in real]))
        if real
        else run.say("every role virtual."),
    )
    blocks: list[Block] = []
    if doubts:
        blocks.append(Bullets([word(run.words, d) for d in doubts], run.say("What was assumed, and how sure that is")))
    if m.get("latency_profiles"):
        blocks.append(_profiles(run))
    blocks += [_facts(run, rig), _scenario(run)]
    if m.get("devices"):
        rows = [
            [word(run.words, d.get("role", "")), data(d.get("moniker", ""), "code"), data(d.get("detail", ""))]
            for d in m["devices"]
        ]
        blocks.append(
            Table(
                run.say("What stood behind each role"),
                _columns(run.say("Role"), run.say("Device"), run.say("What it is")),
                rows,
            )
        )
    return Section(NAME, run.say("What ran, and with what doubt"), finding, blocks)


def _columns(*titles: str) -> tuple[Column, ...]:
    return tuple(Column(t) for t in titles)


def _facts(run: Run, rig: dict[str, str]) -> Table:
    m = run.manifest
    epoch = int(m.get("epoch_ns", 0))
    rows: list[list[Cell]] = [
        [text(run.say("Seed")), data(m.get("seed", ""), "code")],
        [text(run.say("Replications asked for")), data(m.get("replications", ""))],
        [text(run.say("Scenario's clock begins")), data(f"{date(epoch)} {clock(epoch)}")],
        [text(run.say("Commit")), data(m.get("commit", "") or "–", "code")],
    ]
    rows += [
        [text(run.say("Version of {name}", name=name)), data(version)] for name, version in sorted(m.get("versions", {}).items())
    ]
    rows += [
        [text(run.say("Role {role}", role=term(run.words, role))), data(where, "code")] for role, where in sorted(rig.items())
    ]
    return Table(
        run.say("Identity and rig"),
        _columns(run.say("What"), run.say("Value")),
        rows,
        run.say("The same seed, scenario and versions give the same rows, and the same report, when every role is virtual."),
    )


def _profiles(run: Run) -> Table:
    """Devices whose times were measured beforehand, and stand for assumed ones."""
    rows: list[list[Cell]] = []
    for one in run.manifest["latency_profiles"]:
        firmware = run.say("firmware {version}", version=one["firmware"]) if one.get("firmware") else ""
        named = ", ".join(filter(None, (f"{one.get('make', '')} {one.get('model', '')}".strip(), firmware)))
        rows.append([
            data(one["file"], "code"), data(", ".join(one["places"]), "code"), mark(run.words, one["provenance"]),
            data(named or one["moniker"]), data(one["measured_on"]), data(one["samples"]), data("; ".join(one["assumed"])),
        ])
    return Table(
        run.say("Latency profiles that stand for times of the scenario"),
        _columns(run.say("Profile"), run.say("Stands for"), run.say("Origin"), run.say("Device"), run.say("Day"),
                 run.say("Sessions"), run.say("What is assumed in it all the same")),
        rows,
        run.say("Written by 'vhc-bench calibrate' beforehand. Rows of this run that take such times are modelled."),
    )


def _scenario(run: Run) -> Table:
    rows = [
        [data(key, "code"), data(_shown(value), "code"), text(_reading(run, key, value), "soft")]
        for key, value in flat(run.manifest.get("scenario", {}))
    ]
    return Table(
        run.say("Scenario, with every default filled in"),
        _columns(run.say("Setting"), run.say("Value"), run.say("That is")),
        rows,
    )


def flat(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """A nested setting as lines ``a.b[0].c``; short lists of plain values stay together."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from flat(inner, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(value, list) and any(isinstance(v, dict | list) for v in value):
        for index, inner in enumerate(value):
            yield from flat(inner, f"{prefix}[{index}]")
    else:
        yield prefix, value


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(_shown(v) for v in value) or "[]"
    return str(value) if value not in ("", {}, None) else "–"


def _reading(run: Run, key: str, value: Any) -> str:
    """A duration whose unit is in its name (or its table's), as a person reads it."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    for part in reversed(key.split(".")):
        for suffix, size in _UNITS_NS.items():
            if part.endswith(suffix) and not part.endswith("bit_s"):
                return duration(run.words, value * size)
    return ""
