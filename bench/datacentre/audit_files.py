"""The audit log in files, for whoever shall check it elsewhere: one JSON object a line.

    {"head": hex}                                        a signed head
    {"entry": {...}}                                     an entry: its fields, bytes as hex
    {"inclusion": number, "size": n, "proof": [hex]}     that this entry stands under a head of that size
    {"consistency": old, "size": n, "proof": [hex]}      that a head of that size continues the older one
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from virtual_devices.cloud.audit import AuditLog, Entry, Proven, Who, sign_head
from virtual_devices.errors import UsageError
from virtual_devices.pki import Identity


@dataclass
class Evidence:
    """What one or several files hold, in their order."""

    heads: list[bytes] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    inclusions: dict[int, tuple[int, list[bytes]]] = field(default_factory=dict)
    consistencies: list[tuple[int, int, list[bytes]]] = field(default_factory=list)


def export(log: AuditLog, by: Identity, at_ns: int, since: Sequence[int] = ()) -> Iterator[str]:
    """The whole log under a head of now; ``since``: sizes of older heads, each with its proof of consistency."""
    head = log.head(at_ns)
    yield _line({"head": sign_head(head, by).hex()})
    for old in since:
        proof = log.tree.consistency(old, head.size)
        yield _line({"consistency": old, "size": head.size, "proof": [each.hex() for each in proof]})
    for number in range(head.size):
        entry = log.entry(number)
        if entry is not None:  # one that somebody has deleted is missed by whoever verifies
            yield _line({"entry": _plain(entry)})


def export_about(log: AuditLog, by: Identity, at_ns: int, card_no: str) -> Iterator[str]:
    """A holder's own part: each entry that touched their data, with its proof."""
    yield _line({"head": sign_head(log.head(at_ns), by).hex()})
    for proven in log.about(card_no):
        yield from _proven(proven)


def _proven(proven: Proven) -> Iterator[str]:
    yield _line({"entry": _plain(proven.entry)})
    yield _line({"inclusion": proven.entry.number, "size": proven.size, "proof": [each.hex() for each in proven.proof]})


def _plain(entry: Entry) -> dict[str, Any]:
    return {
        "number": entry.number, "at_ns": entry.at_ns, "who": entry.who.value, "actor": entry.actor, "what": entry.what,
        "subject": entry.subject.hex(), "under": entry.under.hex(), "code": entry.code,
    }


def _line(said: dict[str, Any]) -> str:
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")) + "\n"


def read(paths: Iterable[Path]) -> Evidence:
    """Raises UsageError, with file and line, for what is none of these lines."""
    found = Evidence()
    for path in paths:
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeError) as error:
            raise UsageError(f"{path}: cannot be read: {error}") from None
        take(found, lines, str(path))
    return found


def take(found: Evidence, lines: Iterable[str], where: str) -> None:
    """Further lines. Raises UsageError, with their place, for what is none of these lines."""
    for number, line in enumerate(lines, 1):
        try:
            _take(found, json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(f"{where}:{number}: not a line of an exported audit log ({error})") from None


def _take(found: Evidence, said: dict[str, Any]) -> None:
    match said:
        case {"head": raw}:
            found.heads.append(bytes.fromhex(raw))
        case {"entry": e}:
            found.entries.append(Entry(
                int(e["number"]), int(e["at_ns"]), Who(e["who"]), str(e["actor"]), str(e["what"]), bytes.fromhex(e["subject"]),
                bytes.fromhex(e["under"]), str(e["code"]),
            ))
        case {"inclusion": number, "size": size, "proof": proof}:
            found.inclusions[int(number)] = int(size), [bytes.fromhex(each) for each in proof]
        case {"consistency": old, "size": size, "proof": proof}:
            found.consistencies.append((int(old), int(size), [bytes.fromhex(each) for each in proof]))
        case _:
            raise ValueError("neither head, entry, inclusion nor consistency")


__all__ = ["Evidence", "export", "export_about", "read", "take"]
