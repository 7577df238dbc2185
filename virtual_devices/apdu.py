"""Command and response APDUs, ISO/IEC 7816-4:2013, clauses 5.1 to 5.6: what goes to a card and what comes back.

Lengths are in bytes and whole: ``le`` is 256 or 65536 where the wire says 00. Status words are plain integers of 16
bits, with names for the standard's own in :class:`SW`; others stay representable. A command that cannot be read raises
:class:`MalformedApdu`, which carries the status word that a card answers; a caller's own mistake is a ``UsageError``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum

from virtual_devices.errors import PeerError, UsageError
from virtual_devices.quick import quick, unchecked

CHAINING = 0x10
"""The bit of CLA that says: more of this command follows (5.3.3). For proprietary classes (bit 0x80) the standard leaves
its meaning to the application, and the bench reads it in the same way."""

MAX_SHORT_DATA_BYTES = 255
MAX_SHORT_LE = 256
MAX_DATA_BYTES = 65535
MAX_LE = 65536


class SW(IntEnum):
    """The status words that ISO/IEC 7816-4 defines (5.6, tables 5 to 7). ``.meaning`` says what the standard means."""

    meaning: str

    def __new__(cls, value: int, meaning: str) -> SW:
        member = int.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    OK = 0x9000, "no further qualification"
    NV_UNCHANGED_WARNING = 0x6200, "warning, memory unchanged: no information given"
    CORRUPTED_DATA = 0x6281, "part of the returned data may be corrupted"
    END_OF_FILE = 0x6282, "end of file or record reached before Le bytes, or unsuccessful search"
    FILE_DEACTIVATED = 0x6283, "selected file deactivated"
    BAD_CONTROL_INFORMATION = 0x6284, "file or data control information not formatted as the standard says"
    FILE_TERMINATED = 0x6285, "selected file in termination state"
    NO_SENSOR_DATA = 0x6286, "no input data available from a sensor on the card"
    RECORD_DEACTIVATED = 0x6287, "at least one of the referenced records is deactivated"
    NV_CHANGED_WARNING = 0x6300, "warning, memory may have changed: no information given"
    FILE_FILLED = 0x6381, "file filled up by the last write"
    EXECUTION_ERROR = 0x6400, "execution error, memory unchanged"
    IMMEDIATE_RESPONSE_REQUIRED = 0x6401, "immediate response required by the card"
    NV_CHANGED_ERROR = 0x6500, "error, memory may have changed: no information given"
    MEMORY_FAILURE = 0x6581, "memory failure"
    SECURITY_ISSUE = 0x6600, "security-related issue"
    WRONG_LENGTH = 0x6700, "wrong length; no information given"
    CLA_FUNCTION_NOT_SUPPORTED = 0x6800, "function in CLA not supported: no information given"
    LOGICAL_CHANNEL_NOT_SUPPORTED = 0x6881, "logical channel not supported"
    SECURE_MESSAGING_NOT_SUPPORTED = 0x6882, "secure messaging not supported"
    LAST_OF_CHAIN_EXPECTED = 0x6883, "last command of the chain expected"
    CHAINING_NOT_SUPPORTED = 0x6884, "command chaining not supported"
    NOT_ALLOWED = 0x6900, "command not allowed: no information given"
    INCOMPATIBLE_WITH_FILE = 0x6981, "command incompatible with file structure"
    SECURITY_STATUS_NOT_SATISFIED = 0x6982, "security status not satisfied"
    AUTHENTICATION_BLOCKED = 0x6983, "authentication method blocked"
    REFERENCE_DATA_NOT_USABLE = 0x6984, "reference data not usable"
    CONDITIONS_NOT_SATISFIED = 0x6985, "conditions of use not satisfied"
    NO_CURRENT_EF = 0x6986, "command not allowed, no current EF"
    SM_DATA_MISSING = 0x6987, "expected secure messaging data objects missing"
    SM_DATA_INCORRECT = 0x6988, "incorrect secure messaging data objects"
    WRONG_P1P2_NO_INFORMATION = 0x6A00, "wrong parameters P1-P2: no information given"
    WRONG_DATA = 0x6A80, "incorrect parameters in the command data field"
    FUNCTION_NOT_SUPPORTED = 0x6A81, "function not supported"
    FILE_NOT_FOUND = 0x6A82, "file or application not found"
    RECORD_NOT_FOUND = 0x6A83, "record not found"
    NOT_ENOUGH_MEMORY = 0x6A84, "not enough memory space in the file"
    NC_INCONSISTENT_WITH_TLV = 0x6A85, "command length inconsistent with TLV structure"
    WRONG_P1P2 = 0x6A86, "incorrect parameters P1-P2"
    NC_INCONSISTENT_WITH_P1P2 = 0x6A87, "command length inconsistent with parameters P1-P2"
    REFERENCED_DATA_NOT_FOUND = 0x6A88, "referenced data or reference data not found"
    FILE_EXISTS = 0x6A89, "file already exists"
    DF_NAME_EXISTS = 0x6A8A, "DF name already exists"
    WRONG_PARAMETERS = 0x6B00, "wrong parameters P1-P2"
    INS_NOT_SUPPORTED = 0x6D00, "instruction code not supported or invalid"
    CLA_NOT_SUPPORTED = 0x6E00, "class not supported"
    NO_PRECISE_DIAGNOSIS = 0x6F00, "no precise diagnosis"


_SW_BY_VALUE: dict[int, SW] = {sw.value: sw for sw in SW}

_SW1_FAMILY = {
    0x62: "warning, memory unchanged",
    0x63: "warning, memory may have changed",
    0x64: "execution error, memory unchanged",
    0x65: "execution error, memory may have changed",
    0x66: "execution error, security-related issue",
    0x68: "checking error, function in CLA not supported",
    0x69: "checking error, command not allowed",
    0x6A: "checking error, wrong parameters P1-P2",
}


def describe_sw(sw: int) -> str:
    """What a status word says, for every 16-bit value; values of no standard meaning say so. Raises UsageError beyond."""
    known = _SW_BY_VALUE.get(sw)
    if known is not None:
        return known.meaning
    if not 0 <= sw <= 0xFFFF:
        raise UsageError(f"a status word has 16 bits, {sw:#x} does not")
    sw1, sw2 = sw >> 8, sw & 0xFF
    if sw1 == 0x61:
        return f"{sw2} more bytes available" if sw2 else "256 or more bytes available"
    if sw1 == 0x6C:
        return f"wrong Le, {sw2 or 256} bytes available"
    if sw & 0xFFF0 == 0x63C0:
        return f"memory may have changed, counter {sw2 & 0x0F} (such as tries left)"
    if sw1 in (0x62, 0x64) and 0x02 <= sw2 <= 0x80:
        return f"{_SW1_FAMILY[sw1]}: triggered by the card, {sw2} bytes to be asked for"
    if sw1 in _SW1_FAMILY:
        return f"{_SW1_FAMILY[sw1]}: not defined by ISO/IEC 7816-4 ({sw:04X})"
    if sw1 in (0x67, 0x6B, 0x6D, 0x6E, 0x6F) or sw1 >> 4 == 0x9:
        return f"proprietary ({sw:04X})"
    return f"invalid, a status word begins with 61 to 6F or 9 ({sw:04X})"


class MalformedApdu(PeerError, ValueError):
    """Bytes that are no APDU. ``sw`` is the status word they deserve, ``code`` the same as text, ``clause`` the rule."""

    def __init__(self, what: str, sw: int = SW.WRONG_LENGTH) -> None:
        super().__init__(what, code=f"{sw:04X}", clause="ISO/IEC 7816-4 5.1")
        self.sw = int(sw)


@quick
@dataclass(frozen=True, slots=True)
class Command:
    """A command APDU. ``le`` None: no response data expected; 256 and 65536 are the wire's 00.

    ``extended`` asks for extended length fields though short ones would do; it is how a parsed command remembers its
    form, so that :meth:`to_bytes` gives the same bytes again, and it does not count when commands are compared.
    """

    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes = b""
    le: int | None = None
    extended: bool = field(default=False, compare=False)

    def __post_init__(self) -> None:
        header = self.cla | self.ins | self.p1 | self.p2
        le = self.le
        if header & ~0xFF or len(self.data) > MAX_DATA_BYTES or (le is not None and not 1 <= le <= MAX_LE):
            raise UsageError(
                f"no command APDU: CLA {self.cla:#x} INS {self.ins:#x} P1 {self.p1:#x} P2 {self.p2:#x} must be bytes, "
                f"{len(self.data)} bytes of data at most {MAX_DATA_BYTES}, Le {le} between 1 and {MAX_LE} or None"
            )

    def to_bytes(self, extended: bool = False) -> bytes:
        """The bytes on the wire (5.1, cases 1 to 4). Short lengths when they suffice and nobody asks for ``extended``."""
        cla, ins, p1, p2, data, le = self.cla, self.ins, self.p1, self.p2, self.data, self.le
        lc = len(data)
        if extended or self.extended or lc > MAX_SHORT_DATA_BYTES or (le is not None and le > MAX_SHORT_LE):
            return b"".join((bytes((cla, ins, p1, p2)), *self._extended_body(lc)))
        if not lc:
            return bytes((cla, ins, p1, p2) if le is None else (cla, ins, p1, p2, le & 0xFF))
        head = bytes((cla, ins, p1, p2, lc))
        return head + data if le is None else b"".join((head, data, bytes((le & 0xFF,))))

    def _extended_body(self, lc: int) -> tuple[bytes, ...]:
        le = () if self.le is None else (self.le >> 8 & 0xFF, self.le & 0xFF)
        if lc:
            return bytes((0, lc >> 8, lc & 0xFF)), self.data, bytes(le)
        return (bytes((0, *le)),) if le else ()

    @classmethod
    def parse(cls, raw: bytes) -> Command:
        """Read a command APDU in any of the seven forms 1, 2S, 3S, 4S, 2E, 3E, 4E. Raises MalformedApdu, nothing else."""
        total = len(raw)
        if total < 4:
            raise MalformedApdu(f"a command APDU has at least 4 bytes, this one {total}")
        cla, ins, p1, p2 = raw[0], raw[1], raw[2], raw[3]
        if total == 4:
            return _command(cla, ins, p1, p2)
        lc = raw[4]
        if total == 5:
            return _command(cla, ins, p1, p2, b"", lc or MAX_SHORT_LE)
        if not lc:
            return cls._parse_extended(raw, total)
        end = 5 + lc
        if total == end:
            return _command(cla, ins, p1, p2, raw[5:])
        if total == end + 1:
            return _command(cla, ins, p1, p2, raw[5:end], raw[end] or MAX_SHORT_LE)
        raise MalformedApdu(f"Lc announces {lc} bytes of data, {total - 5} bytes follow it, Le included")

    @classmethod
    def _parse_extended(cls, raw: bytes, total: int) -> Command:
        if total < 7:
            raise MalformedApdu("Lc is 00, yet no extended length follows it")
        header = raw[0], raw[1], raw[2], raw[3]
        length = raw[5] << 8 | raw[6]
        if total == 7:
            return _command(*header, b"", length or MAX_LE, True)
        end = 7 + length
        if length and total == end:
            return _command(*header, raw[7:], None, True)
        if length and total == end + 2:
            le = raw[end] << 8 | raw[end + 1]
            return _command(*header, raw[7:end], le or MAX_LE, True)
        raise MalformedApdu(f"extended Lc announces {length} bytes of data, {total - 7} bytes follow it, Le included")

    @property
    def chaining(self) -> bool:
        """True when more of this command follows."""
        return bool(self.cla & CHAINING)

    def __str__(self) -> str:
        return label(self)


@quick
@dataclass(frozen=True, slots=True)
class Response:
    """A response APDU: ``data``, then the status word ``sw``."""

    data: bytes = b""
    sw: int = 0x9000

    def __post_init__(self) -> None:
        if not 0 <= self.sw <= 0xFFFF:
            raise UsageError(f"a status word has 16 bits, {self.sw:#x} does not")

    def to_bytes(self) -> bytes:
        return self.data + bytes((self.sw >> 8, self.sw & 0xFF))

    @classmethod
    def parse(cls, raw: bytes) -> Response:
        """Read a response APDU. Raises MalformedApdu when there is no room for a status word."""
        if len(raw) < 2:
            raise MalformedApdu(f"a response APDU ends in a status word of 2 bytes, this one has {len(raw)}")
        return _response(raw[:-2], raw[-2] << 8 | raw[-1])

    @property
    def sw1(self) -> int:
        return self.sw >> 8

    @property
    def sw2(self) -> int:
        return self.sw & 0xFF

    @property
    def ok(self) -> bool:
        """True for 9000 alone: 61xx says that data wait, warnings say that something is odd."""
        return self.sw == 0x9000

    def __str__(self) -> str:
        return f"{self.sw:04X} {describe_sw(self.sw)}"


_command, _response = unchecked(Command), unchecked(Response)  # of what the wire itself keeps in range
OK = Response()
"""9000 without data."""


def chain(command: Command, max_bytes: int = MAX_SHORT_DATA_BYTES) -> list[Command]:
    """Split a command into links of at most ``max_bytes`` of data (command chaining, 5.3.3); Le stays with the last.

    One that fits comes back alone and unchanged. Raises UsageError when ``command`` is itself a link.
    """
    if command.chaining:
        raise UsageError(f"{command} already has the chaining bit {CHAINING:#x} set in CLA {command.cla:02X}")
    if not 1 <= max_bytes <= MAX_DATA_BYTES:
        raise UsageError(f"a link carries 1 to {MAX_DATA_BYTES} bytes of data, not {max_bytes}")
    data = command.data
    if len(data) <= max_bytes:
        return [command]
    pieces = [data[at : at + max_bytes] for at in range(0, len(data), max_bytes)]
    links = [replace(command, cla=command.cla | CHAINING, data=piece, le=None) for piece in pieces[:-1]]
    return [*links, replace(command, data=pieces[-1])]


class Chainer:
    """A card's side of command chaining: gathers links until the whole command is there.

    ``limit_bytes`` is what the card can hold; at most 65535, the most that a whole command can carry.
    """

    def __init__(self, limit_bytes: int = MAX_DATA_BYTES) -> None:
        self._limit_bytes = min(limit_bytes, MAX_DATA_BYTES)
        self._links: list[bytes] = []
        self._header: tuple[int, int, int, int] | None = None

    def feed(self, command: Command) -> Command | int:
        """The whole command, or the status word to answer: 9000 (go on), 6883 (another command came in between, the
        chain is dropped), 6700 (more than the card holds, the chain is dropped)."""
        header = (command.cla & ~CHAINING, command.ins, command.p1, command.p2)
        if self._header is None:
            if not command.chaining:
                return command
        elif header != self._header:
            self.reset()
            return SW.LAST_OF_CHAIN_EXPECTED
        self._header = header
        self._links.append(command.data)
        if sum(map(len, self._links)) > self._limit_bytes:
            self.reset()
            return SW.WRONG_LENGTH
        if command.chaining:
            return SW.OK
        whole = replace(command, data=b"".join(self._links))
        self.reset()
        return whole

    @property
    def open(self) -> bool:
        """A chain has begun and its last link has not come."""
        return self._header is not None

    def reset(self) -> None:
        """Forget a chain begun, as power-off and a new selection do."""
        self._links = []
        self._header = None


INS_NAMES: dict[int, str] = {
    0x04: "DEACTIVATE FILE", 0x0C: "ERASE RECORD", 0x0E: "ERASE BINARY", 0x0F: "ERASE BINARY", 0x10: "PERFORM SCQL OPERATION",
    0x12: "PERFORM TRANSACTION OPERATION", 0x14: "PERFORM USER OPERATION", 0x20: "VERIFY", 0x21: "VERIFY",
    0x22: "MANAGE SECURITY ENVIRONMENT", 0x24: "CHANGE REFERENCE DATA", 0x26: "DISABLE VERIFICATION REQUIREMENT",
    0x28: "ENABLE VERIFICATION REQUIREMENT", 0x2A: "PERFORM SECURITY OPERATION", 0x2C: "RESET RETRY COUNTER",
    0x44: "ACTIVATE FILE", 0x46: "GENERATE ASYMMETRIC KEY PAIR", 0x70: "MANAGE CHANNEL", 0x82: "EXTERNAL AUTHENTICATE",
    0x84: "GET CHALLENGE", 0x86: "GENERAL AUTHENTICATE", 0x87: "GENERAL AUTHENTICATE", 0x88: "INTERNAL AUTHENTICATE",
    0xA0: "SEARCH BINARY", 0xA1: "SEARCH BINARY", 0xA2: "SEARCH RECORD", 0xA4: "SELECT", 0xB0: "READ BINARY",
    0xB1: "READ BINARY", 0xB2: "READ RECORD", 0xB3: "READ RECORD", 0xC0: "GET RESPONSE", 0xC2: "ENVELOPE", 0xC3: "ENVELOPE",
    0xCA: "GET DATA", 0xCB: "GET DATA", 0xD0: "WRITE BINARY", 0xD1: "WRITE BINARY", 0xD2: "WRITE RECORD",
    0xD6: "UPDATE BINARY", 0xD7: "UPDATE BINARY", 0xDA: "PUT DATA", 0xDB: "PUT DATA", 0xDC: "UPDATE RECORD",
    0xDD: "UPDATE RECORD", 0xE0: "CREATE FILE", 0xE2: "APPEND RECORD", 0xE4: "DELETE FILE", 0xE6: "TERMINATE DF",
    0xE8: "TERMINATE EF", 0xFE: "TERMINATE CARD USAGE",
}
"""INS codes of ISO/IEC 7816-4 (table 4) by name. 82 with data and Le is the standard's MUTUAL AUTHENTICATE."""

_TOLD_BY_P1P2 = frozenset({0xB0, 0xB1, 0xB2, 0xB3, 0xCA, 0xCB, 0xD6, 0xD7, 0xDA, 0xDB, 0xDC, 0xDD})


def label(command: Command) -> str:
    """A command in few words, for people: ``SELECT``, ``GET DATA 1100``, ``INS 5A 0000``. Never its data."""
    ins = command.ins
    name = INS_NAMES.get(ins)
    if ins == 0x82 and command.data and command.le is not None:
        name = "MUTUAL AUTHENTICATE"
    if name is None:
        name = f"INS {ins:02X} {command.p1:02X}{command.p2:02X}"
    elif ins in _TOLD_BY_P1P2:
        name = f"{name} {command.p1:02X}{command.p2:02X}"
    return f"{name}, more follows" if command.chaining else name


__all__ = [
    "CHAINING", "Chainer", "Command", "INS_NAMES", "MalformedApdu", "OK", "Response", "SW", "chain", "describe_sw", "label",
]
