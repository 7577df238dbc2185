"""The control software as a program calls it: :class:`CsHis`, with the manual's names, arguments and buffers.

    length = Counter(72)
    buffer = bytearray(72)
    code = cshis.hisGetBasicData(buffer, length)        # 0; buffer filled, length.value 72

Arguments stand in the order of the prototype. ``char*`` that are filled are writable buffers (``bytearray``, ``ctypes`` arrays),
``char*`` that are read any bytes or ASCII text, pointers to numbers anything with a ``value`` (:class:`Counter`,
``ctypes.c_int``), numbers plain integers. Buffers are filled from their beginning, what lies behind stays; after a refusal all
stays as it was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from virtual_devices.errors import UsageError
from virtual_devices.flow import Flow
from virtual_devices.reader.cshis.interface import FUNCTIONS, Argument, Function
from virtual_devices.reader.cshis.software import perform
from virtual_devices.reader.cshis.state import ControlSoftware, Reply


@dataclass(slots=True)
class Counter:
    """What a pointer to a number points to."""

    value: int = 0


class Run(Protocol):
    """Runs a flow to its end: a session's blocking runner."""

    def __call__(self, flow: Flow[Reply], /) -> Reply: ...


class CsHis:
    """The calls as methods: each function of the manual by its name."""

    def __init__(self, software: ControlSoftware, run: Run) -> None:
        self.software = software
        self._run = run

    def __getattr__(self, name: str) -> Callable[..., int]:
        function = FUNCTIONS.get(name)
        if function is None:
            raise AttributeError(f"the control software has no call {name!r}")

        def call(*arguments: Any) -> int:
            return self._call(function, arguments)

        call.__name__, call.__doc__ = name, f"{function.en} ({function.zh})"
        return call

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *FUNCTIONS]

    def _call(self, function: Function, given: tuple[Any, ...]) -> int:
        if len(given) != len(function.arguments):
            takes = ", ".join(argument.name for argument in function.arguments)
            raise UsageError(f"{function.name}({takes}) was called with {len(given)} arguments")
        pairs = list(zip(function.arguments, given, strict=True))
        reply = self._run(perform(self.software, function.name, {a.name: _read(a, value) for a, value in pairs}))
        for argument, value in pairs:
            if argument.name in reply.out:
                _put(argument, value, reply.out[argument.name])
        return reply.value


def _read(argument: Argument, value: Any) -> bytes | int:
    if argument.is_text:
        return value.encode("ascii") if isinstance(value, str) else bytes(value)
    if argument.type.endswith("*"):
        return int(value.value)
    return int(value)


def _put(argument: Argument, target: Any, filled: bytes | int) -> None:
    if isinstance(filled, int):
        target.value = filled
        return
    view = memoryview(target).cast("B")
    if len(view) < len(filled):
        raise UsageError(f"{argument.name}: {len(filled)} bytes for a buffer of {len(view)}")
    view[: len(filled)] = filled


__all__ = ["Counter", "CsHis", "Run"]
