"""ISO-DEP, reader side (PCD) of ISO/IEC 14443-4:2018: enough to drive a card through losses, for a modelled link and tests.

Its rules, with the standard's letters and numbers (7.5.4 and 7.5.5):

- A, B: the block number begins at 0, and an I-block or R(ACK) of the same number toggles it.
- 4, 5: silence or an invalid block is met with R(NAK), or with R(ACK) when the card is sending a chain.
- 6, 7: an R(ACK) of the other number has the last I-block sent again, one of the same number goes on with the chain.
- 3: S(WTX) is answered with the same WTXM, and that many frame waiting times are waited.
- 8: a card that does not answer S(DESELECT) is given up.

An exchange is a generator: it yields a :class:`Frame` to send and is sent the card's block, None when none came or a damaged
one did. It raises :class:`Lost` when more than ``retries`` losses strike one block: whether the card acted is then unknown.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from virtual_devices.errors import PeerError, UsageError
from virtual_devices.iso_dep import CARRIER_HZ, EDC_BYTES, FRAME_SIZES, MAX_FWI, MAX_WTXM, Ats, Block, Kind, MalformedIsoDep
from virtual_devices.quick import quick

RETRIES = 5
"""Of one block, by default. The standard leaves the number to the reader."""
MAX_EXTENSIONS = 256
"""Of one exchange: a card that asks for time for ever is given up."""
MAX_ANSWER_BYTES = 65538
_DELTA_S = 49152 / CARRIER_HZ
_LONGEST_WAIT_S = 256 * 16 * 2**MAX_FWI / CARRIER_HZ
_BIT_NS = 128 * 1_000_000_000 // CARRIER_HZ


class Lost(PeerError):
    """The card is out of reach, or keeps to no protocol."""

    def __init__(self, what: str) -> None:
        super().__init__(what, clause="ISO/IEC 14443-4 7.5")


@quick
@dataclass(frozen=True, slots=True)
class Frame:
    """A block to send, and how long to wait for the answer to begin."""

    block: bytes
    timeout_s: float


Blocks = Generator[Frame, bytes | None, bytes]
"""An exchange: it ends with the answer."""


def rats(fsdi: int = 8, cid: int = 0) -> bytes:
    """Request for answer to select: the frames that the reader takes, and the card's CID (0 to 14). Raises UsageError."""
    if not (0 <= fsdi < len(FRAME_SIZES) and 0 <= cid <= 14):
        raise UsageError(f"FSDI {fsdi} is 0 to 12, CID {cid} 0 to 14")
    return bytes((0xE0, fsdi << 4 | cid))


def air_time_ns(block: bytes) -> int:
    """How long a block with its EDC is on the air at 106 kbit/s: nine bits a byte, and one before and after."""
    return (9 * (len(block) + EDC_BYTES) + 2) * _BIT_NS


class Pcd:
    """The reader, once a card has answered RATS. ``cid`` None: blocks carry none."""

    def __init__(self, ats: Ats, fsdi: int = 8, cid: int | None = None, retries: int = RETRIES) -> None:
        self._ats = ats
        self._fsd_bytes = FRAME_SIZES[fsdi]
        self._cid = cid
        self._retries = retries
        self._number = 0
        self._waiting_s = ats.frame_waiting_s
        self._receipts = {
            kind: tuple(Frame(Block(kind, number, cid=cid).to_bytes(), self._waiting_s + _DELTA_S) for number in (0, 1))
            for kind in (Kind.ACK, Kind.NAK)
        }

    def exchange(self, command: bytes) -> Blocks:
        """Carry one message and its answer."""
        room = self._ats.fsc_bytes - EDC_BYTES - (1 if self._cid is None else 2)
        pieces = [command[at : at + room] for at in range(0, len(command), room)] or [b""]
        patience = _Patience(self._retries)
        for piece in pieces[:-1]:
            yield from self._deliver(piece, True, patience)
        block = yield from self._deliver(pieces[-1], False, patience)
        answer = block.inf
        while block.more:
            block = yield from self._ask(self._receipts[Kind.ACK][self._number], Kind.ACK, patience)
            if block.kind is not Kind.I:
                raise Lost(f"{block.kind.name} inside a chained answer")
            self._number ^= 1
            answer += block.inf
            if len(answer) > MAX_ANSWER_BYTES:
                raise Lost("an answer longer than any APDU")
        return answer

    def deselect(self) -> Generator[Frame, bytes | None, bool]:
        """Send the card to sleep. False: it did not say that it went."""
        request = Block(Kind.DESELECT, cid=self._cid).to_bytes()
        for _ in range(self._retries + 1):
            answer = yield Frame(request, self._waiting_s + _DELTA_S)
            if answer == request:
                return True
        return False

    def _deliver(self, piece: bytes, more: bool, patience: _Patience) -> Generator[Frame, bytes | None, Block]:
        """One I-block, until the card has it: its R(ACK) in a chain, else the first block of its answer."""
        request = Frame(Block(Kind.I, self._number, piece, more, self._cid).to_bytes(), self._waiting_s + _DELTA_S)
        while True:
            block = yield from self._ask(request, Kind.NAK, patience)
            if block.number == self._number:
                if (block.kind is Kind.ACK) is not more:
                    raise Lost(f"{block.kind.name} where the other was due")
                self._number ^= 1  # B
                return block
            patience.repeat()  # 6

    def _ask(self, request: Frame, complaint: Kind, patience: _Patience) -> Generator[Frame, bytes | None, Block]:
        """Send a block until something useful comes: an I-block of this number, or an R(ACK). S(WTX) is answered here."""
        raw = yield request
        while True:
            block = self._useful(raw)
            if block is None:
                patience.silence()
                raw = yield self._receipts[complaint][self._number]  # 4, 5
            elif block.kind is Kind.WTX:
                patience.extend()
                longer_s = min(self._waiting_s * block.inf[0], _LONGEST_WAIT_S)
                raw = yield Frame(Block(Kind.WTX, inf=block.inf, cid=self._cid).to_bytes(), longer_s + _DELTA_S)  # 3
            else:
                if block.number == self._number:
                    patience.renew()
                return block

    def _useful(self, raw: bytes | None) -> Block | None:
        """The block, or None when none came that may come now."""
        if raw is None or len(raw) + EDC_BYTES > self._fsd_bytes:
            return None
        try:
            block = Block.parse(raw)
        except MalformedIsoDep:
            return None
        if block.cid != self._cid:
            return None
        if block.kind is Kind.WTX:
            wtxm = block.inf[0] & 0x3F  # the upper bits are the power level
            return Block(Kind.WTX, inf=bytes((wtxm,))) if 1 <= wtxm <= MAX_WTXM else None
        right = block.kind is Kind.ACK or (block.kind is Kind.I and block.number == self._number)
        return block if right else None


class _Patience:
    """How often something may go wrong with one block before the card is given up: silences, and blocks sent again. One loss
    can cost one of each."""

    def __init__(self, retries: int) -> None:
        self._retries = self._silences = self._repeats = retries
        self._extensions = MAX_EXTENSIONS

    def silence(self) -> None:
        if not self._silences:
            raise Lost(f"nothing useful came, {self._retries + 1} times")
        self._silences -= 1

    def repeat(self) -> None:
        if not self._repeats:
            raise Lost(f"the card says that it has not had a block, {self._retries + 1} times")
        self._repeats -= 1

    def renew(self) -> None:
        self._silences = self._repeats = self._retries

    def extend(self) -> None:
        if not self._extensions:
            raise Lost(f"a card that asks for time more than {MAX_EXTENSIONS} times")
        self._extensions -= 1


__all__ = ["Blocks", "Frame", "Lost", "Pcd", "RETRIES", "air_time_ns", "rats"]
