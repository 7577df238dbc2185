"""One call of the control software as a flow: arguments checked, cards made ready by the table, the work done, a reply.

    reply = yield from perform(software, "hisGetBasicData", {"pBuffer": bytes(72), "iBufferLen": 72})

The same flow runs under any runner. What goes wrong is a code, never an exception, except a caller who names what is not in the
prototype: that is a :class:`UsageError`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from virtual_devices.errors import UsageError
from virtual_devices.flow import Flow
from virtual_devices.reader.cshis import datacentre, health, icd10, pins, port, professional, reads, sequence, visits
from virtual_devices.reader.cshis.interface import FUNCTIONS, Argument, Function
from virtual_devices.reader.cshis.prepare import Ready, prepare
from virtual_devices.reader.cshis.state import ControlSoftware, Reply
from virtual_devices.reader.transmit import BAD_ARGUMENT, Ended
from virtual_devices.records import BUFFERS

NOT_OPENED = "9205"
"""The port was not opened: no page of the manual has a code for it, one public client does."""
WITHOUT_PORT = frozenset({"csOpenCom", "csCloseCom", "csGetVersionEx", "hisGetICD10EnC", "hisGetICD10DeC"})
"""Calls that touch no reader (inferred): every other one needs csOpenCom before it."""
Work = Callable[[ControlSoftware, Ready, Mapping[str, Any]], Flow[Reply]]
GROUPS = (reads, sequence, visits, health, pins, professional, port, datacentre, icd10)
CALLS: Mapping[str, Work] = {name: work for group in GROUPS for name, work in group.CALLS.items()}
"""What does the work of each call, by its name."""


def perform(software: ControlSoftware, name: str, arguments: Mapping[str, Any]) -> Flow[Reply]:
    """One call. ``arguments``: by the names of the prototype, texts and buffers as bytes, counters as int; of a buffer that is
    only filled its size counts. Raises UsageError for a call or an argument that does not exist, or one that is left out."""
    function = FUNCTIONS.get(name)
    if function is None:
        raise UsageError(f"the control software has no call {name!r}; the manual's 65 and three newer ones are in the reference")
    _check_names(function, arguments)
    if software.port is None and name not in WITHOUT_PORT:
        return Reply(NOT_OPENED)
    try:
        taken = _taken(function, arguments)
        sizes = {name: len(value) for name, value in arguments.items() if isinstance(value, bytes)}
        ready = yield from prepare(software, function)
        reply = yield from CALLS[name](software, ready, taken)
        return _delivered(function, taken, sizes, reply)
    except Ended as e:
        if e.torn and e.role == "card":
            software.card = None
        if e.torn and e.role == "hpc":
            software.hpc = None
        return Reply(e.code)


def _check_names(function: Function, arguments: Mapping[str, Any]) -> None:
    names = {argument.name for argument in function.arguments}
    if names != arguments.keys():
        wrong = ", ".join(sorted(names ^ arguments.keys()))
        raise UsageError(f"{function.name}: {wrong} missing or unknown; it takes {', '.join(sorted(names)) or 'nothing'}")


def _taken(function: Function, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments as the work takes them: texts without their NUL. Raises Ended 6018 for one of the wrong size."""
    taken: dict[str, Any] = {}
    for argument in function.arguments:
        value = arguments[argument.name]
        if not argument.is_text:
            taken[argument.name] = int(value)
            continue
        raw = bytes(value)
        if argument.goes_out:
            counter = function.length_of(argument)
            prepared = min(len(raw), int(arguments[counter.name])) if counter else len(raw)
            if prepared < _least(function, argument, raw):
                raise Ended(f"{argument.name}: {prepared} bytes prepared", BAD_ARGUMENT, "reader")
            taken[argument.name] = raw.split(b"\0", 1)[0] if argument.comes_in else raw
        else:
            taken[argument.name] = _text(argument, raw)
    return taken


def _least(function: Function, argument: Argument, raw: bytes) -> int:
    """Bytes that a buffer must have. Where two forms are possible the marker in the buffer says which; 0: not stated."""
    if argument.layouts:
        return sum(BUFFERS[name].total for name in argument.layouts[:1])
    if argument.comes_in and len(function.buffers) > 1:
        return BUFFERS[function.buffers[raw.startswith(reads.ICD10_MARKER)]].total
    return 0


def _text(argument: Argument, raw: bytes) -> bytes:
    """What stands before the NUL, in a length that the prototype allows. Entries are filled with spaces by their length."""
    text = raw.split(b"\0", 1)[0]
    if argument.layouts:
        totals = {BUFFERS[name].total for name in argument.layouts}
        repeats = max(BUFFERS[name].repeat_max for name in argument.layouts)
        fits = len(text) in totals or (repeats > 1 and text and not any(len(text) % total for total in totals))
    else:
        room = argument.size - argument.nul
        fits = not argument.size or len(text) <= room
        text = text.ljust(room)
    if not fits:
        raise Ended(f"{argument.name}: {len(text)} bytes", BAD_ARGUMENT, "reader")
    return text


def _delivered(function: Function, taken: Mapping[str, Any], sizes: Mapping[str, int], reply: Reply) -> Reply:
    """The reply with every counter set to what was filled. Raises Ended 6018 when a buffer is too small after all."""
    out = dict(reply.out)
    for argument in function.arguments:
        filled = out.get(argument.name)
        counter = function.length_of(argument)
        if not isinstance(filled, bytes):
            continue
        room = taken[counter.name] if counter else sizes[argument.name]
        if len(filled) > room:
            raise Ended(f"{argument.name}: {len(filled)} bytes do not fit", BAD_ARGUMENT, "reader")
        if counter:
            out[counter.name] = len(filled)
    return Reply(reply.code, out)


__all__ = ["CALLS", "NOT_OPENED", "perform"]
