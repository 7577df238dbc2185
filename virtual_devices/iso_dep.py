"""ISO-DEP, the half-duplex block protocol of ISO/IEC 14443-4:2018, card side (PICC): APDUs in blocks, none lost or doubled.

The rules, first in prose, with the standard's letters and numbers (7.5.4 and 7.5.5):

- A block is PCB, perhaps CID, INF. The two bytes of check (EDC) and what they find are the radio's: a damaged block never
  comes here, and counts in the frame sizes FSC (to the card) and FSD (from it) all the same.
- C, D, E: the card's block number begins at 1. An I-block toggles it; so does an R(ACK) of the other number.
- 2, 10: a chained I-block is acknowledged by R(ACK), the last one by the answer's first I-block.
- 11: an R-block of the card's own number has the last block sent again.
- 12: an R(NAK) of the other number is answered by R(ACK): the reader's I-block never came, and it sends it again.
- 13: an R(ACK) of the other number goes on with a chained answer.
- 9: while the application computes, S(WTX) asks for time instead of the I-block; the reader answers with the same WTXM.
- S(DESELECT) is answered, and ends it. What is damaged, unknown, for another CID or out of place is met with silence.

Nothing a reader sends raises. A message longer than ``max_message_bytes`` is met with silence until the card is selected anew:
the layer has no word for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from virtual_devices.errors import PeerError, UsageError
from virtual_devices.quick import quick

FRAME_SIZES = (16, 24, 32, 40, 48, 64, 96, 128, 256, 512, 1024, 2048, 4096)
"""Bytes of a frame, EDC included, by FSDI or FSCI; higher codes are reserved and read as the last."""
CARRIER_HZ = 13_560_000
EDC_BYTES = 2
MAX_MESSAGE_BYTES = 65544
"""The longest command APDU: 4 header bytes, 3 of Lc, 65535 of data, 2 of Le."""
MAX_WTXM = 59
MAX_FWI = 14
_RATS, _PPS, _CID_IN_PCB = 0xE0, 0xD0, 0x08
_MORE, _NAK = 0x10, 0x10


class MalformedIsoDep(PeerError, ValueError):
    """A block, or an answer to select, that breaks the standard."""

    def __init__(self, what: str, clause: str = "ISO/IEC 14443-4 7.1") -> None:
        super().__init__(what, clause=clause)


class Kind(Enum):
    """What a block is; the value is its PCB with block number 0 and nothing else set."""

    I = 0x02  # noqa: E741  (the standard's name)
    ACK = 0xA2
    NAK = 0xB2
    DESELECT = 0xC2
    WTX = 0xF2


@quick
@dataclass(frozen=True, slots=True)
class Block:
    """One block without EDC. ``number`` 0 or 1 in I- and R-blocks; ``more``: chaining; ``cid`` None when it carries none."""

    kind: Kind
    number: int = 0
    inf: bytes = b""
    more: bool = False
    cid: int | None = None

    def to_bytes(self) -> bytes:
        pcb = self.kind.value | self.number | (_MORE if self.more else 0)
        if self.cid is None:
            return bytes((pcb,)) + self.inf
        return bytes((pcb | _CID_IN_PCB, self.cid)) + self.inf

    @classmethod
    def parse(cls, raw: bytes) -> Block:
        """Raises MalformedIsoDep, nothing else. A node address (NAD) is not taken: the ATS says so."""
        if not raw:
            raise MalformedIsoDep("a block of no bytes")
        pcb = raw[0]
        meant = _PCBS[pcb]
        if meant is None:
            raise MalformedIsoDep(f"PCB {pcb:02X}")
        kind, number, more, inf_bytes = meant
        cid: int | None = None
        inf = bytes(raw[1:])
        if pcb & _CID_IN_PCB:
            if not inf or inf[0] & 0x30 or inf[0] & 0x0F == 0x0F:
                raise MalformedIsoDep("a block without the CID that its PCB announces, or a reserved one")
            cid, inf = inf[0] & 0x0F, inf[1:]  # the other bits are the card's power level
        if inf_bytes is not None and len(inf) != inf_bytes:
            raise MalformedIsoDep(f"{len(inf)} bytes of INF in a block {kind.name}")
        return cls(kind, number, inf, more, cid)


_Meant = tuple[Kind, int, bool, int | None]
"""What a PCB says: the kind, the block number, whether more follow, the length of INF where only one is right."""


def _meant(pcb: int) -> _Meant | None:
    if pcb & 0xE6 == 0x02:
        return Kind.I, pcb & 1, bool(pcb & _MORE), None
    if pcb & 0xE6 == 0xA2:
        return Kind.NAK if pcb & _NAK else Kind.ACK, pcb & 1, False, 0
    if pcb & 0xF7 in (0xC2, 0xF2):
        kind = Kind(pcb & 0xF7)
        return kind, 0, False, 1 if kind is Kind.WTX else 0
    return None


_PCBS = tuple(map(_meant, range(256)))
"""Worked out once: a block is parsed at each end of each frame."""


def head_bytes(raw: bytes | bytearray) -> int:
    """How much of a block is the protocol's: all of it, but for the INF of an I-block. What is no block counts as INF."""
    meant = _PCBS[raw[0]] if raw else None
    if meant is None:
        return 0
    return len(raw) if meant[0] is not Kind.I else min(len(raw), 2 if raw[0] & _CID_IN_PCB else 1)


@dataclass(frozen=True, slots=True)
class Ats:
    """An answer to select. ``fsci``: frames that the card takes (:data:`FRAME_SIZES`). ``fwi``: frame waiting time code.
    ``sfgi``: guard time code. ``cid``: the card takes a CID. Only 106 kbit/s both ways."""

    fsci: int = 8
    fwi: int = 8
    sfgi: int = 0
    cid: bool = True
    historical: bytes = b""

    def __post_init__(self) -> None:
        if not (0 <= self.fsci <= 12 and 0 <= self.fwi <= MAX_FWI and 0 <= self.sfgi <= MAX_FWI and len(self.historical) <= 15):
            raise UsageError(f"no answer to select: {self}")

    def to_bytes(self) -> bytes:
        """TL, T0, TA, TB, TC and the historical bytes. All three interface bytes stand there: public readers need them."""
        body = bytes((0x70 | self.fsci, 0x80, self.fwi << 4 | self.sfgi, 0x02 if self.cid else 0x00)) + self.historical
        return bytes((len(body) + 1,)) + body

    @classmethod
    def parse(cls, raw: bytes) -> Ats:
        """What is left out takes the standard's default; reserved codes read as it says. Raises MalformedIsoDep."""
        if not raw or raw[0] != len(raw) or len(raw) > 20:
            raise MalformedIsoDep(f"an ATS of {len(raw)} bytes that announces {raw[:1].hex()}", "ISO/IEC 14443-4 5.2")
        if len(raw) == 1:
            return cls(fsci=2, fwi=4)
        t0, at = raw[1], 2
        interface = {}
        for bit in (0x10, 0x20, 0x40):  # TA, TB, TC
            if t0 & bit:
                if at == len(raw):
                    raise MalformedIsoDep("an ATS that ends before its interface bytes", "ISO/IEC 14443-4 5.2")
                interface[bit] = raw[at]
                at += 1
        times, options = interface.get(0x20, 0x40), interface.get(0x40, 0x02)
        fwi, sfgi = times >> 4, times & 0x0F
        if len(raw) - at > 15:
            raise MalformedIsoDep(f"{len(raw) - at} historical bytes", "ISO/IEC 14443-4 5.2")
        return cls(
            min(t0 & 0x0F, 12), 4 if fwi > MAX_FWI else fwi, 0 if sfgi > MAX_FWI else sfgi, bool(options & 0x02), bytes(raw[at:]),
        )

    @property
    def fsc_bytes(self) -> int:
        return FRAME_SIZES[self.fsci]

    @property
    def frame_waiting_s(self) -> float:
        """FWT: within it the card begins to answer, in seconds (7.2)."""
        return float(256 * 16 * 2**self.fwi) / CARRIER_HZ


class Picc:
    """The card. ``application`` is given each whole message and gives the answer, or None when it computes: the answer then
    comes by :meth:`reply`, and :meth:`extend` asks the reader for time meanwhile. It must not raise."""

    def __init__(
        self, application: Callable[[bytes], bytes | None], ats: Ats | None = None, max_message_bytes: int = MAX_MESSAGE_BYTES,
    ) -> None:
        self.ats = ats or Ats()
        self._application = application
        self._max_message_bytes = max_message_bytes
        self.field_off()

    def field_off(self) -> None:
        """No field: whatever was under way is gone."""
        self.active = False
        self.computing = False
        """The application has a message and has not answered it."""
        self._fresh = False  # nothing but the ATS has been sent: a PPS may come
        self._fsd_bytes = FRAME_SIZES[0]
        self._own_cid = 0
        self._cid: int | None = None  # of the I-block being answered
        self._number = 1
        self._incoming = bytearray()
        self._outgoing = memoryview(b"")
        self._last: bytes | None = None
        self._extending: int | None = None  # WTXM that the reader has not answered
        self._ready: bytes | None = None  # an answer that came meanwhile

    @property
    def extending(self) -> bool:
        """S(WTX) has gone out, and the reader has not granted the time yet."""
        return self._extending is not None

    def activate(self, rats: bytes) -> bytes | None:
        """The ATS, which answers RATS after selection; None (silence) when it is none, or comes a second time."""
        if self.active or len(rats) != 2 or rats[0] != _RATS or rats[1] & 0x0F == 0x0F:
            return None
        self.field_off()
        self.active = self._fresh = True
        self._fsd_bytes = FRAME_SIZES[min(rats[1] >> 4, 12)]
        self._own_cid = rats[1] & 0x0F
        return self.ats.to_bytes()

    def receive(self, raw: bytes) -> bytes | None:
        """The block that answers this one; None: silence, or, while :attr:`computing`, not yet."""
        if not self.active:
            return None
        fresh, self._fresh = self._fresh, False
        if raw and raw[0] & 0xF0 == _PPS:
            return self._parameters(raw) if fresh else None
        try:
            block = Block.parse(raw)
        except MalformedIsoDep:
            return None
        if len(raw) + EDC_BYTES > self.ats.fsc_bytes or not self._is_for_me(block):
            return None
        match block.kind:
            case Kind.I:
                return self._information(block)
            case Kind.ACK | Kind.NAK:
                return self._receipt(block)
            case Kind.WTX:
                return self._extended(block)
            case Kind.DESELECT:
                self.field_off()
                return block.to_bytes()

    def reply(self, answer: bytes) -> bytes | None:
        """The application's answer: its first block, or None when S(WTX) is still unanswered and it goes out after that.
        Raises UsageError when nothing is computed: check :attr:`computing`, the field may have gone."""
        if not self.computing or self._ready is not None:
            raise UsageError("nothing is being computed: the field has gone, or the answer was given")
        if self._extending is not None:
            self._ready = answer
            return None
        return self._begin(answer)

    def extend(self, wtxm: int = 1) -> bytes:
        """S(WTX): ask for ``wtxm`` (1 to 59) times the frame waiting time, once more. Raises UsageError."""
        if not self.computing or self._extending is not None or not 1 <= wtxm <= MAX_WTXM:
            raise UsageError(f"no time to ask for: computing {self.computing}, WTXM {wtxm}, asked already {self._extending}")
        self._extending = wtxm
        return self._send(Kind.WTX, inf=bytes((wtxm,)))

    def _parameters(self, raw: bytes) -> bytes | None:
        """PPS: bit rates may be set to what they are (5.3)."""
        right = raw[0] & 0x0F == self._own_cid and raw[1:] in (b"\x01", b"\x11\x00")
        return raw[:1] if right else None

    def _is_for_me(self, block: Block) -> bool:
        if block.cid is None:
            return self._own_cid == 0 or not self.ats.cid
        return self.ats.cid and block.cid == self._own_cid

    def _information(self, block: Block) -> bytes | None:
        if self.computing:
            return None
        self._number ^= 1  # D
        self._cid = block.cid
        self._outgoing = memoryview(b"")
        self._last = None
        self._incoming += block.inf
        if len(self._incoming) > self._max_message_bytes:
            self.field_off()
            return None
        if block.more:
            return self._send(Kind.ACK, self._number)  # 2
        message = bytes(self._incoming)
        self._incoming.clear()
        if not message:  # an empty I-block only asks whether the card is there
            return self._begin(b"")
        self.computing = True
        answer = self._application(message)
        return None if answer is None else self._begin(answer)

    def _receipt(self, block: Block) -> bytes | None:
        if block.number == self._number:  # 11
            if self.computing and self._extending is None:  # nothing to send again, but time to ask for
                return self.extend()
            return self._last
        if block.kind is Kind.NAK:  # 12
            return Block(Kind.ACK, self._number, cid=block.cid).to_bytes()
        if not self._outgoing:
            return None
        self._number ^= 1  # E
        return self._next()  # 13

    def _extended(self, block: Block) -> bytes | None:
        if self._extending is None or block.inf != bytes((self._extending,)):
            return None
        self._extending = None
        if self._ready is None:
            return None
        answer, self._ready = self._ready, None
        return self._begin(answer)

    def _begin(self, answer: bytes) -> bytes:
        self.computing = False
        self._outgoing = memoryview(answer)
        return self._next()  # 10

    def _next(self) -> bytes:
        room = self._fsd_bytes - EDC_BYTES - (1 if self._cid is None else 2)
        piece, self._outgoing = bytes(self._outgoing[:room]), self._outgoing[room:]
        return self._send(Kind.I, self._number, piece, bool(self._outgoing))

    def _send(self, kind: Kind, number: int = 0, inf: bytes = b"", more: bool = False) -> bytes:
        self._last = Block(kind, number, inf, more, self._cid).to_bytes()
        return self._last


__all__ = [
    "Ats", "Block", "EDC_BYTES", "FRAME_SIZES", "Kind", "MAX_MESSAGE_BYTES", "MAX_WTXM", "MalformedIsoDep", "Picc", "head_bytes",
]
