"""Readers before our scripted card, for :mod:`benchmarks.conform_real`: the tests' vendor's reader, a process for each medium."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from conformance.form import Paper
from tests.declared import written
from tests.reader_desk import Desk, places

MEDIA: Mapping[str, tuple[str, str]] = {
    "nfcpy": ("field", "nfc"), "pcscd": ("slot", "contact"), "bleak": ("air", "ble"), "bumble": ("own-air", "ble"),
}
"""By what the reader meets the card: where that lies, and the channel. A phone in a slot is left out, for the time that it takes:
commands are as over NFC, the slot as with the chip."""
DECLARED: Mapping[str, Mapping[str, Any]] = {"bleak": {"ble_modes": ["peripheral"]}}
"""What a reader cannot: bleak makes no GATT server."""
GAP_MS, ANSWER_S, PERSON_S = 400, 30, 30


def readers(
    stack: ExitStack, folder: Path, begin: str, most: int | None = None, attended: bool = False,
) -> Iterator[tuple[str, list[str]]]:
    """Those whose name begins so, the first ``most`` of them, each with what ``conform`` is told of it. ``attended``: a program
    has them do what a person would, else they register visits by themselves. Raises LinkError without the medium."""
    there = [(f"reader by {by}", *where, DECLARED.get(by)) for by, where in MEDIA.items() if f"reader by {by}".startswith(begin)]
    for name, medium, channel, declared in there[:most]:
        own = folder / name.replace(" ", "-")
        own.mkdir()
        place = stack.enter_context(places(medium))
        desk = stack.enter_context(place.reading(channel, own))
        who = ["--hands", shlex.join(["sh", str(_hands(desk))])] if attended else ["--no-hands"]
        yield name, [*who, *_papers(desk, declared), "--dut", f"reader={desk.moniker}", "--channel", channel]


def _hands(desk: Desk) -> Path:
    """A program that has the reader do what the step is about. A shell's: it is begun anew at every step."""
    program, task = desk.folder / "hands.sh", shlex.quote(str(desk.teller.task))
    program.write_text(f"printf '%s' \"$3\" > {task}.new && mv {task}.new {task}\n", encoding="utf-8")
    return program


def _papers(desk: Desk, declared: Mapping[str, Any] | None) -> list[str]:
    pixit = written(
        desk.folder, "reader", Paper.PIXIT, moniker=desk.moniker, channels=[desk.channel], log=str(desk.folder / "log.jsonl"),
        takes_lists=True, lists=str(desk.folder / "lists"), gap_ms=GAP_MS, answer_s=ANSWER_S, person_s=PERSON_S,
    )
    pics = ["--pics", str(written(desk.folder, "reader", **declared))] if declared is not None else []
    return ["--pixit", str(pixit), *pics]
