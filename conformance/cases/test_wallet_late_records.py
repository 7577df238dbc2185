"""Records that come late, through the data centre: the vectors' entries, made anew for the card that the wallet has shown."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from conformance.case import Each, Nature, case
from conformance.kinds.wallet import REGISTRATION, Contents, WalletTester
from conformance.vectors import late
from conformance.vectors.late import AGO_NS
from conformance.vectors.model import Input, Vector
from conformance.vectors.suite import Suite
from conformance.vectors.world import DOCTOR_ID, INSTITUTION, NOW_NS, SAM_ID, Reader, World
from conformance.vectors.writing import Writer
from virtual_devices.clock import NS
from virtual_devices.mdoc.tagged import dumps
from virtual_devices.pki import Role
from virtual_devices.vhc import MAX_FORMER
from virtual_devices.wallet.consent import Use
from virtual_devices.write_back import MAX_RECORDS, Kind, WriteOutcome, holder_of

_TO_THE_SECOND = ("received-later-than-now", "received-in-31-s]")
"""Of now, and a second beyond the limit."""
_FIRST, _SECOND = bytes(15) + b"\x07", bytes(15) + b"\x08"
_RECEIVED_NS = NOW_NS - AGO_NS + 3600 * NS
"""When the data centre received them, at the vectors' moment."""


@cache
def _models() -> Mapping[str, Vector]:
    """The vectors of late records for a card that took no other's place."""
    suite = Suite()
    late.add(suite, World(1))
    found = {name.removeprefix("late-records/"): v for name, v in suite.vectors.items() if name.startswith("late-records/")}
    return {name: vector for name, vector in found.items() if Input.CREDENTIAL not in vector.files}


def _each() -> Mapping[str, Each]:
    return {
        name: Each(name, vector.says.en, vector.says.zh, nature=Nature.VALID if vector.expected.accepted else Nature.INVALID)
        for name, vector in _models().items()
    }


@case("P-LAT-01", "P-LAT-02", "P-LAT-03", nature=Nature.INVALID, zh="資料中心轉來的逾時紀錄", destructive=True, each=_each)
def test_late_records_are_settled(wallet: WalletTester, name: str) -> None:
    """Late records are settled as their vector says; those refused leave nothing."""
    if name in _TO_THE_SECOND:
        _need_its_moment(wallet)
    suite = Suite()
    late.add(suite, _world(wallet))
    vector = suite.vectors[f"late-records/{name}"]
    outcome = WriteOutcome(int(vector.expected.code.number))
    wallet.equal("what the wallet tells", wallet.late(suite.files[vector.files[Input.LATE_RECORDS]]), outcome)
    wallet.equal("generation afterwards", _generation(wallet), int(outcome is WriteOutcome.STORED))


class _Entry:
    """Entries of five days ago: by a SAM and a physician whose certificates have ended."""

    def __init__(self, world: World) -> None:
        self.world = world
        ago_ns = world.now_ns - AGO_NS
        self.writer = Writer(world, at_ns=ago_ns)
        began_ns = ago_ns - 3600 * NS
        self.sam = world.reader(Role.SAM, SAM_ID, organisation=INSTITUTION, from_ns=began_ns)
        self.doctor = world.reader(Role.PHYSICIAN, DOCTOR_ID, from_ns=began_ns)

    def record(self, number: int, kind: Kind = Kind.VISIT, amends: bytes | None = None) -> bytes:
        signers = (self.doctor, self.sam) if kind.needs_professional else (self.sam,)
        return self.writer.sign(self.writer.record(kind, number, amends=amends), *signers)

    def entry(
        self, *records: bytes, id: Any = _FIRST, by: tuple[Reader, ...] = (), at: Any = _RECEIVED_NS, more: tuple[Any, ...] = (),
    ) -> bytes:
        chains = [list(reader.chain) for reader in by or (self.doctor, self.sam)]
        moments = [m + self.world.now_ns - NOW_NS if type(m) is int else m for m in (at, *more)]
        return dumps([id, list(records), chains, *moments])


def _need_its_moment(wallet: WalletTester) -> None:
    if wallet.world.once:
        wallet.not_applicable("it is right to the second, and the wallet's clock runs while it is asked")


def _world(wallet: WalletTester) -> World:
    wallet.made_up("bring")  # late() needs one: no session is wasted on a wallet that is none
    return wallet.holding(wallet.shown_card(wallet.meet(Use.REGISTRATION), REGISTRATION))


def _generation(wallet: WalletTester) -> object:
    return wallet.recorded(wallet.meet(Use.TREATMENT), "generation").get("generation")


@case("P-LAT-03", nature=Nature.ATTACK, zh="同一識別碼再送：相同紀錄照舊，不同紀錄為衝突", destructive=True)
def test_known_id_is_for_the_same_records_alone(wallet: WalletTester) -> None:
    """The same entry again is stored once; other records under its id are a conflict."""
    made = _Entry(_world(wallet))
    wallet.equal("the first time", wallet.late(made.entry(made.record(1))), WriteOutcome.STORED)
    wallet.expect("the second time", wallet.late(made.entry(made.record(1))).done, "stored or already", "refused")
    wallet.equal("others under the id", wallet.late(made.entry(made.record(2))), WriteOutcome.CONFLICT)
    wallet.equal("generation afterwards", _generation(wallet), 1)
    wallet.equal("the record under another id", wallet.late(made.entry(made.record(1), id=_SECOND)), WriteOutcome.CONFLICT)


def _limits() -> Mapping[str, Each]:
    stored, stranger, bad = WriteOutcome.STORED, WriteOutcome.WRONG_HOLDER, WriteOutcome.BAD_SIGNATURE
    return {
        "one-record": Each((1, {}, stored), "One record", "一筆"),
        "sixty-records": Each((MAX_RECORDS, {}, stored), "Sixty records", "60 筆"),
        "id-of-17-bytes": Each((1, {"id": bytes(17)}, stranger), "An id of 17 bytes", "識別碼 17 位元組"),
        "id-is-text": Each((1, {"id": "0123456789abcdef"}, stranger), "An id that is a text", "識別碼是文字"),
        "received-in-30-s": Each((1, {"at": NOW_NS + 30 * NS, "fresh": True}, stored), "Received in 30 s", "30 秒後收件"),
        "received-in-31-s": Each((1, {"at": NOW_NS + 31 * NS, "fresh": True}, bad), "Received in 31 s", "31 秒後收件"),
        "received-30-s-before": Each((1, {"at": NOW_NS - AGO_NS - 30 * NS}, stored), "Received 30 s before", "早 30 秒收件"),
        "received-at-text": Each((1, {"at": "today"}, bad), "A moment that is a text", "收件時間是文字"),
        "received-at-true": Each((1, {"at": True}, bad), "A moment that is no number", "收件時間不是數字"),
        "two-moments": Each((1, {"more": (_RECEIVED_NS,)}, bad), "Two moments", "兩個收件時間"),
    }


@case("P-LAT-02", "P-LAT-03", nature=Nature.LIMIT, zh="逾時紀錄的界限", destructive=True, each=_limits)
def test_late_records_have_limits(wallet: WalletTester, tried: tuple[int, dict[str, Any], WriteOutcome]) -> None:
    """Number of records, form of the id, moment of receipt: the last that is right, the first that is not."""
    number, changed, outcome = tried
    if wallet.name.endswith(_TO_THE_SECOND):
        _need_its_moment(wallet)
    made = _Entry(_world(wallet))
    if changed.get("fresh"):
        world = made.world
        made.writer, made.sam, made.doctor = Writer(world), world.sam, world.physician
    records = [made.record(n, Kind.FEE) for n in range(1, number + 1)]
    raw = made.entry(*records, **{key: value for key, value in changed.items() if key != "fresh"})
    wallet.equal("what the wallet tells", wallet.late(raw), outcome)


def _empty_handed() -> Mapping[str, Each]:
    return {
        "no-card": Each((Contents(empty=True), WriteOutcome.WRONG_HOLDER), "A wallet without a card", "沒有卡片"),
    }


@case("P-LAT-03", nature=Nature.INOPPORTUNE, zh="沒有卡片的錢包：不寫入", destructive=True, each=_empty_handed)
def test_late_records_need_a_card(wallet: WalletTester, tried: tuple[Contents, WriteOutcome]) -> None:
    """A wallet without a card takes no records."""
    contents, outcome = tried
    made = _Entry(_world(wallet))
    wallet.made_up().fill(contents)
    wallet.equal("what the wallet tells", wallet.late(made.entry(made.record(1))), outcome)


@case("P-LAT-02", nature=Nature.ATTACK, zh="沒有安全模組簽章的逾時紀錄：拒絕", destructive=True, each=lambda: {
    "visit": Each(Kind.VISIT), "fee": Each(Kind.FEE),
})
def test_late_records_need_the_sam(wallet: WalletTester, kind: Kind) -> None:
    """Late records whose SAM is not named are refused."""
    made = _Entry(_world(wallet))
    raw = made.entry(made.record(1, kind), by=(made.doctor,))
    wallet.equal("what the wallet tells", wallet.late(raw), WriteOutcome.BAD_SIGNATURE)


@case("P-LAT-02", nature=Nature.ATTACK, zh="逾時更正沒有安全模組：拒絕", destructive=True)
def test_late_amendment_needs_the_sam(wallet: WalletTester) -> None:
    """A late amendment of what is here is refused when no SAM signed it."""
    made = _Entry(_world(wallet))
    wallet.equal("the record", wallet.late(made.entry(made.record(1))), WriteOutcome.STORED)
    amends = made.writer.record(Kind.VISIT, 1).id
    raw = made.entry(made.record(2, Kind.AMEND, amends), id=_SECOND, by=(made.doctor,))
    wallet.equal("the amendment", wallet.late(raw), WriteOutcome.BAD_SIGNATURE)


@case("P-LAT-02", nature=Nature.ATTACK, zh="紀錄時間前後，簽章者憑證只在其中一刻有效：拒絕", destructive=True)
def test_late_signer_is_good_at_every_moment(wallet: WalletTester) -> None:
    """Without a moment of receipt the signers must be good at the first and at the last record's moment."""
    made = _Entry(_world(wallet))
    first = made.record(1)
    made.writer = Writer(made.world, at_ns=made.world.now_ns - AGO_NS + 73 * 3600 * NS)
    last = made.record(2)
    chains = [list(made.doctor.chain), list(made.sam.chain)]
    raw = dumps([_FIRST, [first, last], chains])
    wallet.equal("what the wallet tells", wallet.late(raw), WriteOutcome.BAD_SIGNATURE)


@case("P-LAT-03", nature=Nature.VALID, zh="寫給前一張卡的逾時紀錄：八張前卡以內才收", destructive=True, each=lambda: {
    "eighth": Each((MAX_FORMER - 1, WriteOutcome.STORED)), "ninth": Each((MAX_FORMER, WriteOutcome.WRONG_HOLDER)),
})
def test_late_records_for_a_former_card(wallet: WalletTester, tried: tuple[int, WriteOutcome]) -> None:
    """Records for a card whose place this one took are this one's; eight such cards count."""
    before, outcome = tried
    world = wallet.world
    lost, others = (holder_of(world.private(name).public_key()) for name in ("lost phone", "phones before"))
    wallet.made_up().fill(Contents(former=(*[others] * before, lost)))
    made = _Entry(_world(wallet))
    record = made.writer.sign(made.writer.record(Kind.VISIT, 1, holder=lost), made.doctor, made.sam)
    wallet.equal("what the wallet tells", wallet.late(made.entry(record)), outcome)
