"""A reader that is led by a tap to Bluetooth: what its handover makes of the card's, and where nobody is to be found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

from conformance.case import Each, Nature, case
from conformance.kinds.reader import ReaderTester, Script, ScriptedCard, Task
from conformance.references.reader import Wants
from conformance.scripted import TAP, Answer, storing
from virtual_devices.link import Outcome
from virtual_devices.mdoc import handover
from virtual_devices.mdoc.carriers import BleCarrier, Carrier, LeRole, OtherCarrier
from virtual_devices.mdoc.ndef import Record, Tnf

NOT_READ = "4043"
SERVICE = UUID("8d3f1c52-6a0b-4c1e-9f27-51a2b3c4d5e6")
"""Of the card's; which one it is matters to nobody."""
UNKNOWN = OtherCarrier(Record(Tnf.EXTERNAL, b"example.org:way", b"\x01", b"w"))


def _came(reader: ReaderTester, card: ScriptedCard) -> None:
    """The reader has come over Bluetooth, and said something there."""
    reader.expect("the reader comes over Bluetooth", bool(card.heard), "a message", "none")


@case("P-HND-10", "P-HND-02", "P-HND-03", "P-TAG-01", "P-ENG-04",
      nature=Nature.VALID, zh="感應後以藍牙傳送：標籤指名服務", channels=(TAP,), each=lambda: {
    "server": Each([BleCarrier(LeRole.PERIPHERAL, SERVICE)], "The card is the server", "卡片為伺服器"),
    "client": Each([BleCarrier(LeRole.CENTRAL, SERVICE)], "The card is the client", "卡片為用戶端"),
    "either": Each([BleCarrier(LeRole.PERIPHERAL_PREFERRED, SERVICE)], "The card can be either", "卡片兩者皆可"),
    "address": Each([BleCarrier(LeRole.PERIPHERAL, SERVICE, b"\xc0\1\2\3\4\5")], "It names an address, too", "另指名位址"),
    "after-another": Each([UNKNOWN, BleCarrier(LeRole.PERIPHERAL, SERVICE)], "Behind a way that nobody knows",
                          "列於未知途徑之後"),
})
def test_tap_leads_to_bluetooth(reader: ReaderTester, carriers: Sequence[Carrier]) -> None:
    """The reader takes service and role out of the tag's Hs, and its task is done over Bluetooth."""
    reader.give_lists()
    told, card = reader.present(Task.REGISTER, Script(carriers=carriers))
    reader.done(told)
    _came(reader, card)


def _as_server(offered: tuple[Carrier, ...]) -> Carrier | None:
    """The card as the server, where the reader can be the client."""
    return next((BleCarrier(LeRole.PERIPHERAL, SERVICE, power=one.power, id=one.id) for one in offered
                 if isinstance(one, BleCarrier) and one.role.central), None)


def _as_client(offered: tuple[Carrier, ...]) -> Carrier | None:
    """The card as the client of the service that the reader names, where it names one."""
    return next((BleCarrier(LeRole.CENTRAL, power=one.power, id=one.id) for one in offered
                 if isinstance(one, BleCarrier) and one.role.peripheral and one.service is not None), None)


@case("P-HND-10", "P-HND-02", "P-HND-04", "P-TAG-02",
      nature=Nature.VALID, zh="協商交遞至藍牙：讀取者先說其途徑", channels=(TAP,), each=lambda: {
    "server": Each(_as_server, "The card is the server", "卡片為伺服器"),
    "client": Each(_as_client, "The card is the client, of the service that the reader has named",
                   "卡片為用戶端，服務由讀取者指名"),
})
def test_negotiated_tap_leads_to_bluetooth(reader: ReaderTester, choose: handover.Choose) -> None:
    """The reader says in which roles it can be met, the card takes one, and both messages stand in the transcript. A reader that
    cannot be the server is not asked to be."""
    reader.give_lists()
    offered: list[Carrier] = []

    def chosen(ways: tuple[Carrier, ...]) -> Carrier | None:
        offered.extend(ways)
        return choose(ways) or _as_server(ways)

    told, card = reader.present(Task.REGISTER, Script(negotiated=lambda raw: handover.NegotiatedHandover(raw, chosen)))
    reader.expect("the reader offers Bluetooth", any(isinstance(one, BleCarrier) for one in offered), "a way", offered)
    reader.done(told)
    _came(reader, card)


@case("P-HND-10", "P-ENG-04", nature=Nature.INVALID, zh="標籤未指名可達之藍牙", channels=(TAP,), each=lambda: {
    "unknown": Each([UNKNOWN], "A way that nobody knows", "未知之途徑"),
    "no-service": Each([BleCarrier(LeRole.PERIPHERAL)], "Bluetooth without a service", "藍牙未指名服務"),
})
def test_tap_that_leads_nowhere_ends_it(reader: ReaderTester, carriers: Sequence[Carrier]) -> None:
    """A tag by which nobody can be met is not read; the next card is taken."""
    reader.give_lists()
    told, card = reader.present(Task.REGISTER, Script(carriers=carriers))
    reader.refused(told, NOT_READ)
    reader.equal("messages to it", len(card.heard), 0)
    reader.right()


def _ending(outcome: Outcome) -> Callable[[Wants], Answer | None]:
    return lambda wants: (outcome, None) if wants.connect else None


@case("P-HND-10", nature=Nature.MEDIUM, zh="感應後未能以藍牙相遇", channels=(TAP,), each=lambda: {
    "gone": Each(Outcome.GONE, "The card goes as soon as it is met", "甫相遇即離開"),
    "nobody": Each(Outcome.TIMED_OUT, "Nobody is there", "無人在場", nature=Nature.TIMER),
})
def test_card_that_is_not_met_after_the_tap_ends_it(reader: ReaderTester, outcome: Outcome) -> None:
    """A card that is not to be met over Bluetooth after its tap ends the presentation; the next tap is taken."""
    reader.give_lists()
    told, _ = reader.present(Task.REGISTER, Script(fate=_ending(outcome)))
    reader.expect("the reader tells that it could not be read", told.code != "0", "a code", told.code)
    reader.equal("what it tells of the card", told.card_no, "")
    reader.right()


@case("P-SES-01", "P-HND-10", nature=Nature.ATTACK, zh="標籤之 Hs 被改動：會話建立不成", channels=(TAP,))
def test_handover_changed_on_the_way_opens_nothing(reader: ReaderTester) -> None:
    """A reader that was given another Hs than the card's has another transcript: the card ends the session, nothing is read."""
    reader.give_lists()
    changed = Script(carriers=[BleCarrier(LeRole.PERIPHERAL, SERVICE)], transcribed=lambda hs: hs + b"\0")
    told, card = reader.present(Task.REGISTER, changed)
    reader.expect("the reader tells that it could not be read", told.code != "0", "a code", told.code)
    reader.equal("requests that the card could read", len(card.requests), 0)
    reader.right()


@case("P-HND-10", "P-WBK-01", nature=Nature.VALID, zh="感應後以藍牙寫入就醫紀錄", channels=(TAP,))
def test_record_is_written_after_a_tap(reader: ReaderTester) -> None:
    """A record is written over Bluetooth after a tap, and its receipt is taken."""
    reader.give_lists()
    told, card = reader.present(Task.WRITE, storing())
    reader.done(told)
    _came(reader, card)
