"""Talking to a chip in tests, command by command, past any flow."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from virtual_devices import tlv
from virtual_devices.apdu import Command, Response
from virtual_devices.card import writes
from virtual_devices.card.ic_card import IcCard
from virtual_devices.clock import NS, roc_datetime13
from virtual_devices.codes import code_of_sw
from virtual_devices.pin import pin_block
from virtual_devices.pki import Identity
from virtual_devices.reader.visit import open_card
from virtual_devices.records import RECORDS

from .desk import INSTITUTION, NOW_NS, Bench, bench_of, codes, fees, switch_on

SELECT_16, SELECT_15_LE = "00A4040010D1580000010000000000000000001100", "00A404000FD1580000010000000000000000001100"
PUBLIC, PUBLIC_LE, CARD_NUMBER = "00CA1100020000", "00CA110002000000", "00CA000002000000"
"""What clients in the field send, byte for byte. The shorter SELECT leaves the AID's last byte off and asks with Le 00."""
PUBLIC_READERS = {
    SELECT_16: "9000", SELECT_15_LE: "9000", PUBLIC: "9000", PUBLIC_LE: "9000", CARD_NUMBER: "9000",
    "00CA240002000000": "6A88",  # the rest: what one replacement for the official component sends besides
    "0084000008": "9000", "0082111220" + "5A" * 32 + "10": "6A86",
    "00A4040010D1580000010000000000000000003100": "6A82",  # it looks for a SAM in every reader
}
"""Every command of public programs that read the card in the field, byte for byte, and the status word that ours answers."""
NAME_SAM = Command(0, 0x22, 0x81, 0xA4, b"\x83\x01\x02")
"""MSE: SET: the next certificate is a SAM's."""
WHEN = roc_datetime13(NOW_NS)
THIS_YEAR, LAST_YEAR = WHEN[:3], f"{int(WHEN[:3]) - 1}"


def say(chip: Any, command: Command | bytes | str) -> Response:
    """One message and its answer."""
    raw = command.to_bytes() if isinstance(command, Command) else bytes.fromhex(command) if isinstance(command, str) else command
    return Response.parse(chip.handle(raw, NOW_NS))


def on(chip: Any) -> Any:
    chip.power_on()
    return chip


def at_desk(bench: Bench, hpc: bool = False) -> IcCard:
    """The desk's card with a proved SAM, and a proved professional's card when asked for."""
    if hpc:
        bench.run(switch_on(bench))
    bench.run(open_card(bench.desk, bench.doctor if hpc else None))
    return bench.card


def verify(chip: Any, pin: str) -> int:
    return say(chip, Command(0, 0x20, 0, 0x81, pin_block(pin))).sw


def change_pin(chip: Any, new: str) -> int:
    return say(chip, Command(0, 0x24, 1, 0x81, pin_block(new))).sw


def switch_pin(chip: Any, enabled: bool) -> int:
    return say(chip, Command(0, 0x28 if enabled else 0x26, 1, 0x81)).sw


def sign(chip: Any, data: bytes) -> Response:
    """PSO: COMPUTE DIGITAL SIGNATURE."""
    return say(chip, Command(0, 0x2A, 0x9E, 0x9A, data, le=64))


def certify(holder: Identity) -> Command:
    """PSO: VERIFY CERTIFICATE, after NAME_SAM or its like."""
    return Command(0, 0x2A, 0, 0xBE, holder.chain_bytes())


def identity(card: IcCard) -> bytes:
    return card.store["public"][32:49]


def issue(when: str, kind: str = "01", mark: str = " ", hospital: str = INSTITUTION, recard: str = "1") -> bytes:
    fields = {
        writes.TYPE: kind.encode(), writes.NEWBORN_MARK: mark.encode(), writes.RECARD: recard.encode(),
        writes.DATETIME: when.encode(), writes.HOSPITAL: hospital.encode(),
    }
    return tlv.encode(writes.ISSUE, tlv.encode_all(fields.items()))


def _named(card: IcCard, when: str, tag: int, contents: Iterable[tuple[int, bytes]]) -> bytes:
    named = [(writes.IDENTITY, identity(card)), (writes.DATETIME, when.encode())]
    return tlv.encode(tag, tlv.encode_all([*named, *contents]))


def diagnosis(card: IcCard, when: str) -> bytes:
    return _named(card, when, writes.DIAGNOSIS, [(writes.CODES, codes())])


def fee(card: IcCard, when: str, raw: bytes | None = None) -> bytes:
    return _named(card, when, writes.FEE, [(writes.FEES, fees() if raw is None else raw)])


def prescriptions(card: IcCard, when: str, entries: Iterable[bytes]) -> bytes:
    return _named(card, when, writes.PRESCRIPTION, [(writes.RX, entry) for entry in entries])


def roll_back(when: str, now: str, hospital: str = INSTITUTION) -> bytes:
    fields = {writes.DATETIME: when.encode(), writes.HOSPITAL: hospital.encode(), writes.NOW: now.encode()}
    return tlv.encode(writes.ROLL_BACK, tlv.encode_all(fields.items()))


def put(acts: bytes, act_id: bytes) -> Command:
    return Command(0x80, 0xDA, 0x01, 0x00, tlv.encode(writes.ID, act_id) + acts, le=256)


def write(bench: Bench, acts: bytes, name: str) -> Response:
    """One act under an id of that name."""
    return say(bench.card, put(acts, bench.act(name)))


def visit(card: IcCard, slot: int) -> dict[str, Any]:
    return RECORDS["visit_register"].unpack(card.store[f"visit.{slot}"])


def year(card: IcCard, roc: str) -> dict[str, int]:
    """That year's running totals; empty when the card keeps none."""
    for slot in (0, 1):
        record = card.store.get(f"cumulative_year.{slot}")
        if record[:3] == roc.encode():
            return {name: int(str(value)) for name, value in RECORDS["cumulative_year"].unpack(record).items()}
    return {}


def bench_with(**more: Any) -> Bench:
    """A desk whose card, personalised so, has a proved SAM."""
    bench = bench_of(**more)
    at_desk(bench)
    return bench


def code(answer: Response) -> str | None:
    return code_of_sw(answer.sw)


def at(seconds: float) -> str:
    return roc_datetime13(NOW_NS + round(seconds * NS))
