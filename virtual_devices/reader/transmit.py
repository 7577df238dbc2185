"""A reader's exchanges with a chip: what it sends, what it makes of silence, and the 61xx and 6Cxx that are its own to handle.

A flow that cannot reach its aim raises :class:`Ended`, which the flow's caller turns into a result. It carries the field's
code, the role that it happened at, and how the medium ended, so that nothing is inferred from its type.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from virtual_devices import atr
from virtual_devices.apdu import Command, MalformedApdu, Response, chain
from virtual_devices.codes import code_of_sw
from virtual_devices.errors import PeerError
from virtual_devices.flow import Exchange, Flow
from virtual_devices.link import RESET, Attempt, Outcome
from virtual_devices.pki import Trouble
from virtual_devices.quick import quick

MAX_PIECES = 512  # of one answer: twice what the longest takes, at 256 bytes each
CARD_TIMEOUT_S = 10.0  # one vendor's client waits so long for the local component
READER_TIMEOUT, NO_CARD, READ_WRITE_FAULT, LACKS_RIGHT, BAD_ARGUMENT = "4000", "4013", "4043", "4029", "6018"
ABSENT = {"card": "4013", "sam": "4012", "hpc": "4014", "wallet": "4013"}
NOT_ONE = {"card": "4033", "sam": "4032", "hpc": "4034", "wallet": "4033"}


class Ended(PeerError):
    """A flow ended before its aim.

    ``code``: the field's code (space cshis). ``role``: where. ``outcome``: how the medium ended, None when the peer
    answered and refused. ``sw``: the chip's status word, 0 when none came. ``trouble``: why a party was refused. ``said``: the
    error code by which a wallet refused, 0 when it was nothing of the kind. ``issued``: the sequence number that the card had
    given before.
    """

    def __init__(
        self, what: str, code: str, role: str, *, outcome: Outcome | None = None, sw: int = 0, trouble: Trouble | None = None,
        said: int = 0,
    ) -> None:
        super().__init__(what, code=code)
        self.role = role
        self.outcome = outcome
        self.sw = sw
        self.trouble = trouble
        self.said = said
        self.issued = ""

    @property
    def torn(self) -> bool:
        """The device left the medium, or fell silent: putting it in again may help."""
        return self.outcome is not None


@quick
@dataclass(frozen=True, slots=True)
class Handle:
    """A chip that has been powered on."""

    role: str
    extended: bool
    t0: bool
    atr: bytes


def power_on(role: str, step: str, timeout_s: float = CARD_TIMEOUT_S) -> Flow[Handle]:
    """(Re)start the chip in the role's slot. Raises Ended: no card (4012 to 4014), no answer (4000)."""
    attempt: Attempt = yield Exchange(role, RESET, timeout_s, step)
    answer = _need_reply(attempt, role)
    read = atr.parse(answer)
    t0 = 1 not in read.transports
    return Handle(role, read.extended and not t0, t0, answer)


def transmit(handle: Handle, command: Command, step: str, timeout_s: float = CARD_TIMEOUT_S) -> Flow[Response]:
    """One command and its whole answer, whatever it takes. The status word is the caller's to judge."""
    if handle.extended and (len(command.data) > 255 or command.le == 256):
        le = 65536 if command.le == 256 else command.le
        command = Command(command.cla, command.ins, command.p1, command.p2, command.data, le, True)
    elif handle.t0 and command.data:
        command = replace(command, le=None)  # T=0 has no way to say it: the card announces its answer by 61xx
    response = yield from _links(handle, command, step, timeout_s)
    if response.sw1 == 0x6C:
        response = yield from _links(handle, replace(command, le=response.sw2 or 256, extended=False), step, timeout_s)
    if response.sw1 == 0x61:
        response = yield from _rest(handle, response, step, timeout_s)
    return response


def _links(handle: Handle, command: Command, step: str, timeout_s: float) -> Flow[Response]:
    response = Response(b"", 0x9000)
    for link in [command] if handle.extended else chain(command):
        response = yield from _once(handle, link, step, timeout_s)
        if link.chaining and not response.ok:
            break
    return response


def _rest(handle: Handle, response: Response, step: str, timeout_s: float) -> Flow[Response]:
    data = [response.data]
    again = False
    while response.sw1 in (0x61, 0x6C):
        response = yield from _once(handle, Command(0, 0xC0, 0, 0, le=response.sw2 or 256), step, timeout_s)
        data.append(response.data)
        stuck = not response.data and response.sw1 in (0x61, 0x6C)
        if (stuck and again) or len(data) > MAX_PIECES:
            raise Ended("a chip that announces data without end", READ_WRITE_FAULT, handle.role)
        again = stuck
    return Response(b"".join(data), response.sw)


def _once(handle: Handle, command: Command, step: str, timeout_s: float) -> Flow[Response]:
    attempt: Attempt = yield Exchange(handle.role, command.to_bytes(), timeout_s, step)
    try:
        return Response.parse(_need_reply(attempt, handle.role))
    except MalformedApdu as e:
        raise Ended(str(e), READ_WRITE_FAULT, handle.role) from None


def _need_reply(attempt: Attempt, role: str) -> bytes:
    if attempt.reply is not None:
        return attempt.reply
    match attempt.outcome:
        case Outcome.GONE:
            raise Ended(f"the {role} is not in its slot", ABSENT.get(role, NO_CARD), role, outcome=attempt.outcome)
        case Outcome.GARBLED:
            raise Ended(f"the {role}'s answer is damaged", READ_WRITE_FAULT, role, outcome=attempt.outcome)
        case _:
            raise Ended(f"the {role} does not answer", READER_TIMEOUT, role, outcome=attempt.outcome)


def need_ok(response: Response, role: str, what: str, code: str = "") -> bytes:
    """The data of a good answer. Raises Ended with the field's code: the chip's own reason, else ``code``, else by the
    status word."""
    if response.sw == 0x9000:
        return response.data
    raise Ended(f"{what}: {response}", code_of_sw(response.sw) or code or _code(response.sw, role), role, sw=response.sw)


def _code(sw: int, role: str) -> str:
    match sw:
        case 0x6982:
            return LACKS_RIGHT
        case 0x6A82 | 0x6D00 | 0x6E00 | 0x6A88:
            return NOT_ONE.get(role, LACKS_RIGHT)
        case 0x6700 | 0x6A80 | 0x6A86 | 0x6A87:
            return BAD_ARGUMENT
        case _:
            return READ_WRITE_FAULT


def read_area(handle: Handle, sfi: int, what: str, step: str, records: int = 1, record_bytes: int = 0) -> Flow[bytes]:
    """All records of an area: in one command where the chip takes extended length, else one by one."""
    if handle.extended:
        response = yield from transmit(handle, Command(0, 0xB2, 1, sfi << 3 | 5, le=256), step)
        return need_ok(response, handle.role, what)
    parts = []
    for number in range(1, records + 1):
        response = yield from transmit(handle, Command(0, 0xB2, number, sfi << 3 | 4, le=record_bytes or 256), step)
        parts.append(need_ok(response, handle.role, what))
    return b"".join(parts)


def get_data(handle: Handle, tag: int, what: str, step: str, data: bytes = b"") -> Flow[bytes]:
    """A data object by its tag."""
    response = yield from transmit(handle, Command(0, 0xCA, tag >> 8, tag & 0xFF, data, le=256), step)
    return need_ok(response, handle.role, what)


def chip_status(role: str, request: bytes, reply: bytes) -> str:
    """The status word of a chip's answer, for the row; empty for an answer to reset."""
    return reply[-2:].hex().upper() if request and len(reply) >= 2 else ""
