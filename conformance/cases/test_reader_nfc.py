"""How a reader comes to a card over NFC: the tag, a negotiated handover, retrieval; and what it makes of odd ones."""

from __future__ import annotations

from collections.abc import Callable

from conformance.case import Each, Nature, case
from conformance.kinds.reader import ReaderTester, Script, Task
from conformance.references.reader import Wants
from conformance.scripted import MAX_COMMAND_BYTES, MAX_RESPONSE_BYTES, TAP, Answer, ScriptedCard
from virtual_devices.apdu import Command
from virtual_devices.link import Outcome
from virtual_devices.mdoc import handover, tnep, type4
from virtual_devices.mdoc.carriers import Carrier, NfcCarrier
from virtual_devices.mdoc.ndef import Record as NdefRecord
from virtual_devices.mdoc.ndef import Tnf
from virtual_devices.mdoc.ndef import encode as encode_ndef
from virtual_devices.mdoc.tagged import dumps

NOT_READ, NOT_A_CARD = "4043", "4033"


# -- the tag

CC = bytes.fromhex("000F207FFF7FFF0406E1047FFF00FF")
READ_CC, READ_LENGTH = type4.read_binary(0, 15).to_bytes(), type4.read_binary(0, 2).to_bytes()


def _answering(command: bytes, data: bytes) -> Callable[[Wants], Answer | None]:
    return lambda wants: (Outcome.REPLIED, data + b"\x90\x00") if wants.message == command else None


def _cc(at: int, value: bytes) -> bytes:
    return CC[:at] + value + CC[at + len(value) :]


@case("P-TAG-01", nature=Nature.INVALID, zh="標籤之能力容器", channels=("nfc", TAP, "contact"), each=lambda: {
    name: Each((raw, code), says, nature=nature)
    for name, raw, code, says, nature in (
        ("usual", CC, "0", "The container of any tag.", Nature.VALID),
        ("mapping-3", _cc(2, b"\x30"), "0", "Mapping version 3.", Nature.VALID),
        ("reads-15", _cc(3, b"\x00\x0f"), "0", "It gives 15 bytes at once, which is the least.", Nature.LIMIT),
        ("reads-14", _cc(3, b"\x00\x0e"), NOT_READ, "It gives 14 bytes at once.", Nature.LIMIT),
        ("takes-none", _cc(5, b"\x00\x00"), NOT_READ, "It takes no byte.", Nature.LIMIT),
        ("cut", CC[:14], NOT_READ, "A byte is missing.", Nature.INVALID),
        ("says-14", _cc(1, b"\x0e"), NOT_READ, "It says that it has 14 bytes.", Nature.INVALID),
        ("mapping-4", _cc(2, b"\x40"), NOT_READ, "Mapping version 4.", Nature.INVALID),
        ("mapping-0", _cc(2, b"\x00"), NOT_READ, "Mapping version 0.", Nature.INVALID),
        ("other-control", _cc(7, b"\x05"), NOT_READ, "No file control of a message.", Nature.INVALID),
        ("not-free", _cc(13, b"\xff"), NOT_READ, "The file may not be read.", Nature.INVALID),
    )})
def test_container_of_a_tag_is_judged(reader: ReaderTester, value: tuple[bytes, str]) -> None:
    """A tag whose container is not as its rule has it is no card's; the bounds are taken."""
    raw, code = value
    reader.give_lists()
    told, _ = reader.present(Task.REGISTER, Script(fate=_answering(READ_CC, raw)))
    reader.told(told, code)
    reader.right()


@case("P-TAG-01", nature=Nature.LIMIT, zh="標籤訊息之長度", channels=("nfc", TAP, "contact"), each=lambda: {
    name: Each((more, code), says)
    for name, more, code, says in (
        ("fits", 2, "0", "The file is as long as its message."),
        ("too-long", 1, NOT_READ, "The message is longer than the file by a byte."))})
def test_message_of_a_tag_fits_its_file(reader: ReaderTester, value: tuple[int, str]) -> None:
    """A message that fills its file is read, one that is longer is not."""
    more, code = value
    reader.give_lists()
    told, shown = reader.present()
    reader.done(told)
    size = len(shown.hs or b"") + more
    told, _ = reader.present(Task.REGISTER, Script(fate=_answering(READ_CC, _cc(11, size.to_bytes(2, "big")))))
    reader.told(told, code)


@case("P-TAG-01", "P-GEN-08", nature=Nature.INVALID, zh="標籤之讀取結果", channels=("nfc", TAP, "contact"), each=lambda: {
    name: Each((command, data), says)
    for name, command, data, says in (
        ("length-of-a-byte", READ_LENGTH, None, "The length comes in one byte."),
        ("length-none", READ_LENGTH, b"", "The length does not come."),
        ("length-0", READ_LENGTH, b"\0\0", "There is no message."),
        ("piece-of-nothing", b"", b"", "A piece of the message has no byte."),
        ("piece-too-long", b"", bytes(400), "A piece of the message has more bytes than were asked for."))})
def test_reading_of_a_tag_is_judged(reader: ReaderTester, value: tuple[bytes, bytes | None]) -> None:
    """What a tag gives must be what was asked for; a reader that gets nothing does not ask for ever."""
    command, data = value
    reader.give_lists()
    told, first = reader.present()
    reader.done(told)
    short = bytes((len(first.hs or b"") & 0xFF,)) if data is None else data

    def fate(wants: Wants) -> Answer | None:
        message = wants.message
        piece = message[:2] == b"\0\xb0" and message[2:4] == b"\0\x02"
        hit = message == command if command else piece
        return (Outcome.REPLIED, short + b"\x90\x00") if hit else None

    told, _ = reader.present(Task.REGISTER, Script(fate=fate))
    reader.refused(told, NOT_READ)
    reader.right()


# -- negotiated handover

def _first(carriers: tuple[Carrier, ...]) -> Carrier | None:
    """The wallet's own way over NFC, under the reader's id for it."""
    return next((NfcCarrier(MAX_COMMAND_BYTES, MAX_RESPONSE_BYTES, one.power, one.id) for one in carriers
                 if isinstance(one, NfcCarrier)), None)


@case("P-HND-04", "P-TAG-02", "P-HND-03", nature=Nature.VALID, zh="協商交遞：讀取者先說其途徑", channels=("nfc",))
def test_negotiated_handover_is_answered(reader: ReaderTester) -> None:
    """A tag that offers the handover service is asked by the reader's own request, and both stand in the transcript."""
    reader.give_lists()
    told, shown = reader.present(Task.REGISTER, Script(negotiated=lambda raw: handover.NegotiatedHandover(raw, _first)))
    reader.done(told)
    assert shown.asked_first is not None and shown.asked_first.handover is not None
    hr = shown.asked_first.handover.hr
    reader.expect("the reader has asked", hr is not None and bool(handover.read_request(hr)), "ways of its own", hr)
    reader.right()


def _written(shown: ScriptedCard) -> bool:
    """Whether the tag was given a whole request."""
    return shown.asked_first is not None and shown.asked_first.handover is not None and shown.asked_first.handover.hr is not None


class _Odd(handover.NegotiatedHandover):
    """A tag of a negotiated handover that says another thing in the place of its answer to select, or to the request."""

    def __init__(self, raw: bytes, select: bytes | None = None, request: bytes | None = None) -> None:
        super().__init__(raw, _first)
        self._say_select, self._say_request = select, request

    def _select(self, service: bytes) -> bytes:
        right = super()._select(service)
        return right if self._say_select is None else self._say_select

    def _negotiate(self, hr: bytes) -> bytes:
        right = super()._negotiate(hr)
        return right if self._say_request is None else self._say_request


@case("P-HND-04", "P-TAG-02", nature=Nature.INVALID, zh="協商交遞之異常", channels=("nfc",), each=lambda: {
    name: Each(make, says)
    for name, make, says in (
        ("select-refused", lambda raw: _Odd(raw, select=tnep.status_message(tnep.PROTOCOL_ERROR)),
         "The tag does not open its service."),
        ("select-unknown", lambda raw: _Odd(raw, select=encode_ndef([NdefRecord(Tnf.WELL_KNOWN, b"T", b"\x02enx")])),
         "The tag answers a text."),
        ("no-way", lambda raw: handover.NegotiatedHandover(raw, lambda _: None), "None of the reader's ways will do."),
        ("status-again", lambda raw: _Odd(raw, request=tnep.status_message(tnep.SUCCESS)),
         "The tag answers the request with a status."),
        ("noise", lambda raw: _Odd(raw, request=b"\xff\xff\xff"), "The tag answers the request with noise."),
    )})
def test_odd_negotiation_ends_it(reader: ReaderTester, make: Callable[[bytes], handover.NegotiatedHandover]) -> None:
    """A tag that offers the handover service and does not keep to it is not read; the next card is taken."""
    reader.give_lists()
    told, _ = reader.present(Task.REGISTER, Script(negotiated=make))
    reader.refused(told, NOT_READ)
    reader.right()


@case("P-TAG-02", nature=Nature.LIMIT, zh="標籤之檔案容不下讀取者之要求", channels=("nfc",))
def test_request_that_does_not_fit_the_tag_is_not_written(reader: ReaderTester) -> None:
    """A tag whose file is too short for the reader's request is not written beyond it."""
    reader.give_lists()
    offer = len(encode_ndef([tnep.ServiceParameter(handover.SERVICE).record()]))
    small = _cc(11, (offer + 2).to_bytes(2, "big"))[:14] + b"\0"
    negotiated = Script(negotiated=lambda raw: handover.NegotiatedHandover(raw, _first), fate=_answering(READ_CC, small))
    told, shown = reader.present(Task.REGISTER, negotiated)
    reader.refused(told, NOT_READ)
    longest = max((len(Command.parse(one).data) for one in shown.commands if Command.parse(one).ins == type4.UPDATE_BINARY),
                  default=0)
    reader.expect("the longest write", longest <= offer + 2, offer + 2, longest)


@case("P-TAG-02", nature=Nature.LIMIT, zh="讀取者之要求恰滿標籤之檔案", channels=("nfc",))
def test_request_that_fills_the_tag_is_written(reader: ReaderTester) -> None:
    """A request that is as long as the tag's file is written; the answer, which is longer, is then not read."""
    reader.give_lists()
    told, usual = reader.present(Task.REGISTER, Script(negotiated=lambda raw: handover.NegotiatedHandover(raw, _first)))
    reader.done(told)
    assert usual.asked_first is not None and usual.asked_first.handover is not None
    asked = usual.asked_first.handover.hr or b""
    full = _cc(11, (len(asked) + 2).to_bytes(2, "big"))[:14] + b"\0"
    negotiated = Script(negotiated=lambda raw: handover.NegotiatedHandover(raw, _first), fate=_answering(READ_CC, full))
    told, shown = reader.present(Task.REGISTER, negotiated)
    reader.refused(told, NOT_READ)
    reader.equal("requests that were written", sum(_written(one) for one in (usual, shown)), 2)


@case("P-TAG-02", nature=Nature.INVALID, zh="協商交遞而標籤不可寫", channels=("nfc",))
def test_tag_that_cannot_be_written_is_not_written(reader: ReaderTester) -> None:
    """A tag that offers a negotiation and may not be written is not written to."""
    reader.give_lists()
    negotiated = Script(negotiated=lambda raw: handover.NegotiatedHandover(raw, _first), fate=_answering(READ_CC, CC))
    told, shown = reader.present(Task.REGISTER, negotiated)
    reader.refused(told, NOT_READ)
    written = [one for one in shown.commands if Command.parse(one).ins == type4.UPDATE_BINARY]
    reader.equal("writes", len(written), 0)


@case("P-HND-02", "P-ENG-05", "P-GEN-08", nature=Nature.INVALID, zh="標籤內之交遞資料無法解讀", channels=("nfc", "contact"),
      each=lambda: {
    name: Each(raw, says)
    for name, raw, says in (
        ("noise", b"\xff\xff", "What is no CBOR."),
        ("no-map", b"\x80", "An array in the place of the map."),
        ("too-long", dumps({0: "1.1", 9: bytes(4096)}), "More than 4096 bytes."),
    )})
def test_engagement_of_a_tag_that_is_none_ends_it(reader: ReaderTester, raw: bytes) -> None:
    """A tag whose handover is right and whose engagement cannot be read: nothing of a session is sent to the card."""
    reader.give_lists()
    hs = handover.make_select(raw, [NfcCarrier(MAX_COMMAND_BYTES, MAX_RESPONSE_BYTES)])
    told, shown = reader.present(Task.REGISTER, Script(hs=hs))
    reader.refused(told, NOT_READ)
    reader.equal("messages sent to the card", len(shown.heard), 0)
    reader.right()


# -- retrieval over NFC

@case("P-NFC-04", nature=Nature.LIMIT, zh="讀取者取雙方欄位之較小者", channels=("nfc", "contact"), each=lambda: {
    "shortest": Each((255, 256)), "odd": Each((300, 400)), "long": Each((4000, 5000)),
})
def test_data_fields_are_the_smaller_of_both(reader: ReaderTester, fields: tuple[int, int]) -> None:
    """No command has more data than the card's handover takes, and none asks for more than it gives."""
    reader.give_lists()
    told, card = reader.present(Task.REGISTER, Script(fields=fields))
    reader.done(told)
    sent = [Command.parse(raw) for raw in card.commands if raw[1] in (0xC3, 0xC0)]
    reader.expect("data of the longest command", max(len(one.data) for one in sent) <= fields[0], fields[0], "more")
    reader.expect("the most that is asked for", max(one.le or 0 for one in sent) <= fields[1], fields[1], "more")



@case("P-NFC-03", "P-NFC-06", nature=Nature.INVALID, zh="NFC 取資料：異常之回應", channels=("nfc", "contact"), each=lambda: {
    name: Each((first, then), says, nature=nature)
    for name, first, then, says, nature in (
        ("for-ever", b"\x61\x00", b"\x61\x00", "More is announced for ever, and nothing comes.", Nature.LIMIT),
        ("without-end", b"\x61\x00", bytes(20_000) + b"\x61\x00", "More and more comes, beyond the longest message.",
         Nature.LIMIT),
        ("refused-later", b"\x61\x00", b"\x6a\x82", "The rest is refused.", Nature.INVALID),
        ("no-object", b"\x07\x07" + b"\x90\x00", b"", "What comes is no data object.", Nature.INVALID),
        ("one-byte", b"\x90", b"", "A response of one byte.", Nature.INVALID),
    )})
def test_odd_retrieval_ends_it(reader: ReaderTester, value: tuple[bytes, bytes]) -> None:
    """An answer to ENVELOPE or GET RESPONSE that is none, or has no end, ends the presentation within the limit of a message."""
    first, then = value

    def fate(wants: Wants) -> Answer | None:
        ins = Command.parse(wants.message).ins if wants.message else 0
        return (Outcome.REPLIED, {0xC3: first, 0xC0: then}[ins]) if ins in (0xC3, 0xC0) else None

    reader.give_lists()
    told, _ = reader.present(Task.REGISTER, Script(fate=fate))
    reader.equal("nothing of the card", told.card_no, "")
    reader.expect("it is refused", told.code in (NOT_READ, NOT_A_CARD), f"{NOT_READ} or {NOT_A_CARD}", told.code)
    reader.right()
