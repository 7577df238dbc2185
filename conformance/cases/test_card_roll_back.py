"""A registration taken back (退掛): when it is, when it is not, and from what nothing is taken off."""

from __future__ import annotations

from collections.abc import Mapping

from conformance.case import Each, Nature, case
from conformance.chips import MadeUp
from conformance.kinds.card import LAST_YEAR, THIS_YEAR, WHEN, CardTester, at, fees
from conformance.vectors.world import INSTITUTION
from virtual_devices.records import RECORDS

_OTHER = "8888888888"


def _visit(number: str = "0007", hospital: str = INSTITUTION, kind: str = "01", raw: bytes = b" " * 38) -> bytes:
    """A visit record as a card has it."""
    return f"{kind} {WHEN}1{number}{hospital}".encode() + raw


def _on_card(records: Mapping[str, tuple[bytes, ...]], cells: Mapping[str, bytes] | None = None) -> MadeUp:
    return MadeUp(cells=cells or {}, personal={"records": records})


@case("P-ACT-08", nature=Nature.VALID, zh="退掛：歸還次數與金額，序號不再給", destructive=True)
def test_taken_back_gives_visit_and_money_but_not_the_number(card: CardTester) -> None:
    """A visit taken back gives the visit and the money back, not the number."""
    card.at_desk(MadeUp(personal={"available_visits": 4, "last_sequence": f"{THIS_YEAR}0007"}))
    card.must(card.put(card.issue()), "visit")
    card.must(card.put(card.fee(raw=fees(450, 50, 700))), "fees")
    card.says(card.put(card.roll_back(now=at(86_400))), 0x9000, "take back")
    card.equal("visits left", card.must(card.area("register"), "register")[68:70], b"04")
    card.holds("last_seq", f"{THIS_YEAR}0008".encode())
    card.holds("cumulative_fee", b"0" * 20)
    card.holds("cumulative_year", THIS_YEAR.encode() + b"0" * 64)
    card.says(card.put(card.issue()), 0x9000, "anew", b"0009N03")
    card.says(card.put(card.fee()), 0x9000, "fees of the visit that stands")


@case("P-ACT-08", nature=Nature.LIMIT, zh="退掛限 24 小時內", destructive=True, each=lambda: {
    "same-second": Each((0, 0x9000)), "24-hours": Each((86_400, 0x9000)), "24-hours-and-1-s": Each((86_401, 0x9554)),
    "before": Each((-1, 0x9554)),
})
def test_taking_back_has_a_day(card: CardTester, tried: tuple[int, int]) -> None:
    """A visit is taken back within 24 hours after it."""
    after, word = tried
    card.at_desk()
    card.must(card.put(card.issue()), "visit")
    if word == 0x9000:
        card.says(card.put(card.roll_back(now=at(after))), word, "take back")
    else:
        card.refuses(card.roll_back(now=at(after)), word, "take back")


@case("P-ACT-08", nature=Nature.INOPPORTUNE, zh="退掛之各種拒絕：無此就醫、非計次、他院、已退", destructive=True)
def test_taking_back_is_refused_by_its_words(card: CardTester) -> None:
    """No such visit 9550, one that is not counted 9551, another institution's 9552, one taken back before 9553."""
    card.at_desk()
    card.refuses(card.roll_back(), 0x9550, "no visit")
    card.must(card.put(card.issue()), "visit")
    card.refuses(card.roll_back(at(1), at(2)), 0x9550, "another moment")
    card.must(card.put(card.roll_back()), "take back")
    card.refuses(card.roll_back(now=at(61)), 0x9553, "once more")
    card.must(card.put(card.issue(at(5), kind="AC")), "not counted")
    card.refuses(card.roll_back(at(5)), 0x9551, "not counted")
    card.at_desk(_on_card({"visit": (_visit(hospital=_OTHER),)}))
    card.refuses(card.roll_back(), 0x9552, "another institution's")


@case("P-ACT-01", "P-ACT-08", nature=Nature.INVALID, zh="退掛之時刻無法讀取：6A80", destructive=True)
def test_taking_back_at_no_moment_is_refused(card: CardTester) -> None:
    """A moment that there is not is refused."""
    card.at_desk()
    card.must(card.put(card.issue()), "visit")
    for now in ("1151332000000", "letters+++++x"):
        card.refuses(card.roll_back(now=now), 0x6A80, f"take back at {now}")


@case("P-ACT-09", nature=Nature.VALID, zh="虛擬卡之就醫（無卡片序號）亦可退", destructive=True)
def test_visit_with_a_number_of_elsewhere_is_taken_back(card: CardTester) -> None:
    """Of a visit whose number was not the card's nothing but the sums is taken back."""
    card.at_desk(_on_card({"visit": (_visit("W001"),)}))
    before = card.must(card.area("register"), "register")
    card.says(card.put(card.roll_back()), 0x9000, "take back")
    card.holds("register", before)


@case("P-ACT-09", nature=Nature.VALID, zh="該年已不在卡上：仍可退", destructive=True)
def test_visit_of_a_year_no_longer_kept_is_taken_back(card: CardTester) -> None:
    """Of a visit whose year the card no longer keeps the visit is given back all the same."""
    later = tuple(f"{int(THIS_YEAR) + n}".encode() + b"0" * 64 for n in (1, 2))
    card.at_desk(_on_card({"visit": (_visit(),), "cumulative_year": later, "last_seq": (f"{THIS_YEAR}0007".encode(),)}))
    card.says(card.put(card.roll_back()), 0x9000, "take back")


def _year(**changed: str) -> bytes:
    usual = {
        "roc_year": THIS_YEAR, "visit_count": "0001", "outpatient_fee_total": "0000000450", "inpatient_fee_total": "0000000700",
        "outpatient_copay_total": "00000050", "inpatient_copay_short_total": "00000020", "inpatient_copay_long_total": "00000030",
        "all_copay_total": "00000100", "outpatient_and_short_copay_total": "00000070",
    }
    return RECORDS["cumulative_year"].pack({name: value.encode() for name, value in {**usual, **changed}.items()})


_FEES = b"%08d%08d%08d%07d%07d" % (450, 50, 700, 20, 30)
_TOTALS = (b"%010d%010d" % (450, 700),)
_LAST = (f"{THIS_YEAR}0007".encode(),)
_RIGHT: Mapping[str, tuple[bytes, ...]] = {
    "visit": (_visit(raw=_FEES),), "cumulative_year": (_year(),), "cumulative_fee": _TOTALS, "last_seq": _LAST,
}


def _implausible() -> Mapping[str, Each]:
    """One value that could not be right in each, its word; and the last value that could."""
    def less(name: str, word: int, wrong: str, length: int) -> tuple[dict[str, tuple[bytes, ...]], int]:
        return {"cumulative_year": (_year(**{name: wrong.rjust(length, "0")}),)}, word

    table: dict[str, tuple[dict[str, tuple[bytes, ...]], int]] = {
        "nothing-wrong": ({}, 0x9000),
        "no-year-of-the-last-number": ({"last_seq": (b"xxx0007",)}, 0x9561),
        "last-number-of-an-earlier-year": ({"last_seq": (f"{LAST_YEAR}0007".encode(),)}, 0x9561),
        "last-number-of-a-later-year": ({"last_seq": (f"{int(THIS_YEAR) + 1}0001".encode(),)}, 0x9000),
        "no-last-number": ({"last_seq": (f"{THIS_YEAR}xxxx".encode(),)}, 0x9562),
        "no-last-number-of-a-later-year": ({"last_seq": (f"{int(THIS_YEAR) + 1}xxxx".encode(),)}, 0x9562),
        "last-number-too-small": ({"last_seq": (f"{THIS_YEAR}0006".encode(),)}, 0x9562),
        "inpatient-total-too-small": ({"cumulative_fee": (b"%010d%010d" % (450, 699),)}, 0x9563),
        "inpatient-total-no-number": ({"cumulative_fee": (b"0000000450xxxxxxxxxx",)}, 0x9563),
        "no-fees-and-a-total-no-number": ({"visit": (_visit(),), "cumulative_fee": (b"0000000450xxxxxxxxxx",)}, 0x9563),
        "outpatient-total-too-small": ({"cumulative_fee": (b"%010d%010d" % (449, 700),)}, 0x9564),
        "outpatient-total-no-number": ({"cumulative_fee": (b"xxxxxxxxxx0000000700",)}, 0x9564),
        "year-no-number": ({"cumulative_year": (_year(), b"xxx" + b"0" * 64)}, 0x9565),
        "other-year-blank": ({"cumulative_year": (_year(), b" " * 67)}, 0x9000),
        "other-year-nul": ({"cumulative_year": (_year(), b"\0" * 67)}, 0x9000),
        "no-visit-counted": less("visit_count", 0x9566, "0", 4),
        "visits-no-number": less("visit_count", 0x9566, "xxxx", 4),
        "outpatient-fees-of-the-year": less("outpatient_fee_total", 0x9572, "449", 10),
        "inpatient-fees-of-the-year": less("inpatient_fee_total", 0x9573, "699", 10),
        "outpatient-copay-of-the-year": less("outpatient_copay_total", 0x9567, "49", 8),
        "short-copay-of-the-year": less("inpatient_copay_short_total", 0x9568, "19", 8),
        "long-copay-of-the-year": less("inpatient_copay_long_total", 0x9569, "29", 8),
        "all-copay-of-the-year": less("all_copay_total", 0x9570, "99", 8),
        "short-and-outpatient-copay-of-the-year": less("outpatient_and_short_copay_total", 0x9571, "69", 8),
    }
    return {name: Each((records, {}, word)) for name, (records, word) in table.items()}


@case("P-ACT-09", nature=Nature.LIMIT, zh="不合理之累計值：各有其狀態碼，不予扣除", destructive=True, each=_implausible)
def test_nothing_is_taken_off_what_could_not_be_right(
    card: CardTester, tried: tuple[Mapping[str, tuple[bytes, ...]], Mapping[str, bytes], int],
) -> None:
    """A total smaller than what is to be taken off it, or no number, has its own word; nothing changes."""
    changed, cells, word = tried
    card.at_desk(_on_card({**_RIGHT, **changed}, cells))
    if word == 0x9000:
        card.says(card.put(card.roll_back()), word, "take back")
    else:
        card.refuses(card.roll_back(), word, "take back")


@case("P-ACT-09", nature=Nature.INVALID, zh="可用次數非數字：9560", destructive=True)
def test_visits_left_that_are_no_number_are_told(card: CardTester) -> None:
    """Visits left that are no number are told by 9560."""
    card.at_desk(_on_card(_RIGHT, {"insurance": f"1013{int(THIS_YEAR) + 2}1231xx".encode() + b" " * 8}))
    card.refuses(card.roll_back(), 0x9560, "take back")
