"""Codes of the control software that no function's page states, and yet come: of the data centre, of the chips, of the port."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from virtual_devices.clock import NS, VirtualClock
from virtual_devices.cloud.core import Insurance
from virtual_devices.flow import Flow
from virtual_devices.pki import Role
from virtual_devices.reader.calls import get_reader_certificates
from virtual_devices.reader.cshis.prepare import answered, the_sam
from virtual_devices.reader.transmit import Ended

from . import desk as desks
from .code_cases import change_person, ready_then, serial, silent
from .control_desk import ControlDesk
from .cshis_story import NEW_VISIT, STORY, desk_of
from .desk import AUTHORITY, INSTITUTION, NOW_NS, SAM_ID, STRANGER
from .links import Changed

ONLINE = {**NEW_VISIT, "cTreatItem": b"05\0"}


def _asked(desk: ControlDesk, operation: str, **arguments: object) -> str:
    """What the data centre says to an operation of a desk."""

    def ask() -> Flow[str]:
        sam = yield from the_sam(desk.software)
        return (yield from answered(desk.software, sam, operation, arguments, "ask"))[0]

    return str(desk.run(ask()))


def _ended(desk: ControlDesk, make: Callable[[Any], Flow[Any]]) -> str:
    def flow() -> Flow[Any]:
        yield from make((yield from the_sam(desk.software)))

    with pytest.raises(Ended) as caught:
        desk.run(flow())
    return caught.value.code


def _no_authority(desk: ControlDesk) -> str:
    return _ended(desk, lambda sam: get_reader_certificates(desk.bench.desk, sam))


def _insured(state: Insurance) -> Callable[[ControlDesk], str]:
    def play(desk: ControlDesk) -> str:
        change_person(desk, insurance=state)
        return desk.code("csUpdateHCContents") if state.value < "9093" else desk.code("hisGetSeqNumber256", **ONLINE)

    return play


def _sam(**more: Any) -> Callable[[ControlDesk], str]:
    def play(desk: ControlDesk) -> str:
        identity = more.pop("identity", None) or AUTHORITY.issue(Role.SAM, SAM_ID, organisation=INSTITUTION, **more)
        desk.slots["sam"].device = desks.sam(identity)
        return desk.code("csVerifySAMDC")

    return play


def _suspended(desk: ControlDesk) -> str:
    desk.bench.cloud._revoked = frozenset({serial(desk.bench.sam.authenticator._identity)})
    return desk.code("csVerifySAMDC")


def _slow_clock(desk: ControlDesk) -> str:
    assert desk.code("csVerifySAMDC") == "0"
    desk.bench.desk.clock = VirtualClock(NOW_NS - 1_000 * NS)
    return _asked(desk, "eligibility", card_no="1")


def _other_name(desk: ControlDesk) -> str:
    assert desk.code("csVerifySAMDC") == "0"
    desk.bench.desk.sam_id = "SAM999999999"
    return _asked(desk, "time")


def _forged(desk: ControlDesk) -> str:
    ready_then()(desk)
    flip = lambda _, reply: reply[:1] + bytes([reply[1] ^ 1]) + reply[2:]  # noqa: E731
    desk.links["sam"] = Changed(desk.slots["sam"], flip, bytes.fromhex("002A9E9A"))
    return _asked(desk, "time")


def _cancelled_person(desk: ControlDesk) -> str:
    change_person(desk, card_cancelled=True)
    return desk.code("csUpdateHCContents")


def _without_proof(desk: ControlDesk) -> str:
    desk.bench.cloud._operations["verify-sam"] = lambda *_: ("0", {})
    return desk.code("csVerifySAMDC")


def _short_public_data(desk: ControlDesk) -> str:
    desk.links["card"] = Changed(desk.slots["card"], lambda _, reply: reply[5:], bytes.fromhex("00CA1100"))
    return desk.code("hisGetBasicData")


def _tomorrow(desk: ControlDesk) -> str:
    desk.software.reader.offset_ns = 86_400 * NS
    desk.software.files = lambda _: b"<RECS/>"
    return desk.code("csUploadData", **STORY["csUploadData"].given)


def _unopened(desk: ControlDesk) -> str:
    desk.software.port = None
    return desk.code("hisGetBasicData")


def _no_identifier(desk: ControlDesk) -> str:
    ready_then(silent("cloud"))(desk)
    return desk.code("hisGetSeqNumber256N1", **NEW_VISIT)


CASES: dict[str, Callable[[ControlDesk], str]] = {
    "4043": _short_public_data,
    "5174": _no_identifier,
    "9001": _slow_clock,
    "9002": lambda desk: _asked(desk, "dance"),
    "9004": _no_authority,
    "9011": lambda desk: _asked(desk, "card-session", card_no="1", chain=b"", proof=b""),
    "9012": lambda desk: desk.code(
        "hisGetTreatNumNoICCard", **{**STORY["hisGetTreatNumNoICCard"].given, "pPatientID": b"Z199999999\0"}),
    "9013": _sam(identity=STRANGER.issue(Role.SAM, SAM_ID, organisation=INSTITUTION)),
    "9014": _other_name,
    "9015": _without_proof,
    "9020": _forged,
    "9060": _suspended,
    "9061": _sam(days=(-800, -1)),
    "9062": _sam(days=(1, 800)),
    "9070": lambda desk: _asked(
        desk, "upload-file", content=b"ab", digest=hashlib.sha256(b"abc").digest(), records=1, sent_ns=NOW_NS),
    "9071": _tomorrow,
    "9081": lambda desk: desk.code("csUpdateHCContents"),
    "9082": _cancelled_person,
    "9083": _insured(Insurance.NOT_INSURED),
    "9084": _insured(Insurance.SUSPENDED),
    "9085": _insured(Insurance.ENDED),
    "9086": _insured(Insurance.HOLDER_IN_ARREARS),
    "9087": _insured(Insurance.EMPLOYER_IN_ARREARS),
    "9088": _insured(Insurance.UNIT_IN_ARREARS),
    "9089": _insured(Insurance.BOTH_IN_ARREARS),
    "9090": _insured(Insurance.IN_ARREARS_AND_NOT_INSURED),
    "9091": _insured(Insurance.FALSE_STATEMENT),
    "9092": _insured(Insurance.OTHER_REASON),
    "9093": _insured(Insurance.LIVE_IDENTITY_DIFFERS),
    "9094": _insured(Insurance.LIVE_ENDED),
    "9095": _insured(Insurance.LIVE_IN_ARREARS),
    "9205": _unopened,
}


@pytest.mark.parametrize("code", CASES)
def test_code_comes_about(code: str) -> None:
    valid_long = {"expiry_date": "1401231"}  # no update is due
    assert CASES[code](desk_of(**valid_long)) == code
