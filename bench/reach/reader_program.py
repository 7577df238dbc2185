"""A reader that is a program: our scripted card is presented to it, step by step; what it makes of that it tells itself.

It goes by the clock of the bench, and signs its requests by the keys of an institution's SAM and of a physician that it is given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from bench.reach.program import CHANNEL, Program, ProgramWay, Said, bytes_of
from bench.reach.virtual import world_of
from conformance.references.reader import Power, Task, Told, Wants
from conformance.tester import CannotShow, Tester
from conformance.vectors.world import Reader, World
from virtual_devices.authorization import Purpose, Scope
from virtual_devices.errors import LinkError
from virtual_devices.link import Outcome
from virtual_devices.mdoc import cose_key
from virtual_devices.mdoc.tagged import dumps

D = -4
"""Label of a private key in a COSE_Key."""


class ReaderProgram(ProgramWay):
    """``program:COMMAND``."""

    def tester(self, name: str, *, anew: bool = False) -> Tester:
        del anew  # each is
        world = world_of(self.means.seed)
        return self.tested(ProgramReader(self.program, str(self.found[0]), world, self.means.answer_s), world, name)

    def said(self, role: str) -> str:
        del role  # how an exchange ended, the scripted card has decided
        return ""


class ProgramReader:
    """One reader, switched on when its clock has been set (:class:`conformance.kinds.reader.ReaderUnderTest`)."""

    channel = CHANNEL

    def __init__(self, program: Program, device: str, world: World, answer_s: float) -> None:
        self._program, self._device, self._world, self._answer_s = program, device, world, answer_s
        self._now_ns = world.now_ns
        self._lists: Sequence[bytes] = ()
        self._on = False

    def now_ns(self) -> int:
        return self._now_ns

    def at(self, now_ns: int) -> None:
        self._now_ns = max(now_ns, self._now_ns) if self._on else now_ns

    def take_lists(self, lists: Sequence[bytes]) -> None:
        self._lists = lists
        if self._on:
            self._give()

    def _give(self) -> None:
        said = self._say("lists", lists=[raw.hex() for raw in self._lists])
        if said.outcome is not Outcome.REPLIED:
            raise TimeoutError(said.why)

    def begin(self, task: Task, power: Power | None) -> Wants | Told:
        del power  # it is a phone whose code has been read
        return self._next("begin", task=task.name.lower())

    def answer(self, outcome: Outcome, reply: bytes | None) -> Wants | Told:
        return self._next("answer", outcome=outcome.value, reply=None if reply is None else reply.hex())

    def show_challenge(self) -> str:
        raise CannotShow("a reader that is a program is shown no codes")

    def scan(self, text: str, scope: frozenset[Scope], purpose: Purpose) -> Told:
        raise CannotShow("a reader that is a program is shown no codes")

    def _next(self, do: str, **more: object) -> Wants | Told:
        said = self._ask(do, **more)
        if said.outcome is not Outcome.REPLIED:
            raise TimeoutError(said.why)
        if said.why:
            raise CannotShow(f"it cannot {do}: {said.why}")
        found = _told(said.answer) or _wants(said.answer)
        if found is None:
            raise TimeoutError(f"{do}: neither \"told\" nor \"wants\", as they must be: {dict(said.answer)!r}")
        return found

    def _ask(self, do: str, **more: object) -> Said:
        if not self._on:
            self._on = True
            world = self._world
            made = self._say("new", trust=world.authority.root_der.hex(), iaca=world.authority.iaca_der.hex(),
                             sam=_credentials(world.sam), physician=_credentials(world.physician))
            if not made.done:
                raise LinkError(f"{self._device}: new: {made.why}")
            self._give()
        return self._say(do, **more)

    def _say(self, do: str, **more: object) -> Said:
        return self._program.ask(do, self._answer_s, now_ms=self._now_ns // 10**6, **more)


def _credentials(reader: Reader) -> Mapping[str, object]:
    """A private COSE_Key, and its chain in DER."""
    return {"key": dumps(_private(reader.key)).hex(), "chain": [der.hex() for der in reader.chain]}


def _private(key: ec.EllipticCurvePrivateKey) -> Mapping[int, Any]:
    return {**cose_key.to_cose(key.public_key()), D: key.private_numbers().private_value.to_bytes(32, "big")}


def _told(answer: Mapping[str, Any]) -> Told | None:
    found = answer.get("told")
    if not isinstance(found, dict) or not isinstance(found.get("done"), bool):
        return None
    texts = {name: found.get(name, "") for name in ("code", "text", "card_no")}
    if not all(isinstance(text, str) for text in texts.values()):
        return None
    return Told("0" if found["done"] else texts["code"], "" if found["done"] else texts["text"], texts["card_no"])


def _wants(answer: Mapping[str, Any]) -> Wants | None:
    found = answer.get("wants")
    if not isinstance(found, dict) or found.get("role") not in ("screen", "wallet"):
        return None
    message, connect, step = bytes_of(found, "message"), found.get("connect", False), found.get("step", "")
    timeout_s = found.get("timeout_s", 10)
    if message is None or not isinstance(connect, bool) or not isinstance(step, str) or not isinstance(timeout_s, int | float):
        return None
    return Wants(found["role"], message, step, timeout_s, connect)


__all__ = ["ProgramReader", "ReaderProgram"]
